/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the P2M that a PV guest keeps for itself, in both forms and with every kind of fault.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/pv_layout.h"
#include "guest/guest.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"

#define PFNS	4096u
#define CR3	100u /* pfn of the root; then one table for each level below it */
#define FIRST	200u /* pfn of the first leaf */
#define MISSING 300u /* pfn of the leaf of holes */
#define FLL	400u /* pfn of the frame list list; then the frame lists */

struct fixture {
	struct gw_host *host;
	struct gw_domain *d;
	const struct gw_pv_layout *l;
	uint8_t *arch;
	struct gw_save_guest guest;
	struct gw_error err;
};

static uint64_t mfn(struct fixture *f, uint64_t pfn)
{
	return gw_memory_gfn(f->d, pfn);
}

static void put(struct fixture *f, uint64_t pfn, unsigned slot, uint64_t value)
{
	gw_pv_put_word(f->l, (uint8_t *)gw_memory_page(f->d, pfn) + slot * f->l->width, value);
}

static void put_pte(struct fixture *f, uint64_t pfn, unsigned slot, uint64_t value)
{
	gw_put_le64((uint8_t *)gw_memory_page(f->d, pfn) + slot * 8, value);
}

static void open_domain(struct fixture *f, unsigned width)
{
	struct gw_domain_config config = {.type = GW_GUEST_X86_PV,
					  .max_pages = 1 << 21,
					  .vcpus = 1,
					  .seed = 5,
					  .pv_width = width};
	uint64_t pfns[PFNS], mfns[PFNS], shared_mfn;
	void *shared;

	memset(f, 0, sizeof(*f));
	f->host = gw_host_open("memory:", &f->err);
	f->d = gw_host_create(f->host, &config, &f->err);
	f->l = gw_pv_layout(width);
	for (unsigned i = 0; i < PFNS; i++)
		pfns[i] = i;
	assert_ok(gw_domain_populate(f->d, PFNS, pfns, mfns, &f->err), &f->err);
	assert_ok(gw_domain_shared_info(f->d, &shared, &shared_mfn, &f->err), &f->err);
	f->arch = (uint8_t *)shared + f->l->shared_arch;
	for (unsigned i = 0; i < PFNS; i++)
		put(f, FIRST + i / f->l->fpp, i % f->l->fpp, mfns[i]);
	for (unsigned i = 0; i < f->l->fpp; i++)
		put(f, MISSING, i, UINT64_MAX);
	gw_pv_put_word(f->l, f->arch + f->l->arch_max_pfn, PFNS);
	f->guest = (struct gw_save_guest){.ops = &gw_x86_pv_save, .domain = f->d};
}

static void close_domain(struct fixture *f)
{
	gw_control_destroy(f->d->control);
	gw_host_close(f->host);
}

/* The tree: its lists have room for more entries, which refer to holes. */
static void make_tree(struct fixture *f)
{
	unsigned fpp = f->l->fpp, leaves = PFNS / fpp;

	for (unsigned i = 0; i < fpp; i++) {
		put(f, FLL, i, mfn(f, i == 0 ? FLL + 1 : FLL + 2));
		put(f, FLL + 1, i, mfn(f, i < leaves ? FIRST + i : MISSING));
		put(f, FLL + 2, i, mfn(f, MISSING));
	}
	gw_pv_put_word(f->l, f->arch + f->l->arch_fll, mfn(f, FLL));
}

/* The linear P2M: one table of each level, mapped at this address; the other entries refer to
 * holes. */
static uint64_t make_range(struct fixture *f, uint64_t vaddr)
{
	unsigned leaves = PFNS / f->l->fpp, table = CR3;

	for (unsigned level = f->l->levels; level > 1; level--, table++) {
		unsigned slot = vaddr >> (12 + 9 * (level - 1)) & 511;

		put_pte(f, table, slot, mfn(f, table + 1) << 12 | 0x67);
		/* More L1s after the first, all of them the same L1 of holes. */
		for (unsigned i = slot + 1; level == 2 && i < 512; i++)
			put_pte(f, table, i, mfn(f, CR3 + 8) << 12 | 0x67);
	}
	for (unsigned i = 0; i < 512; i++) {
		put_pte(f, table, i, mfn(f, i < leaves ? FIRST + i : MISSING) << 12 | 0x67);
		put_pte(f, CR3 + 8, i, mfn(f, MISSING) << 12 | 0x67);
	}
	gw_pv_put_word(f->l, f->arch + f->l->arch_p2m_cr3, gw_pv_frame_to_cr3(f->l, mfn(f, CR3)));
	gw_pv_put_word(f->l, f->arch + f->l->arch_p2m_vaddr, vaddr);
	return vaddr;
}

static void assert_found(struct fixture *f, uint64_t nr_pfns)
{
	uint64_t pfns[4] = {0, 1000, PFNS - 1, PFNS}, gfns[4];
	struct gw_buffer records = {0};
	struct gw_p2m_frames frames;

	assert_ok(f->guest.ops->setup(&f->guest, &f->err), &f->err);
	assert_int_equal(f->guest.nr_pfns, nr_pfns);
	assert_int_equal(f->guest.pv_width, f->l->width);
	assert_ok(f->guest.ops->pfn_to_gfn(&f->guest, 4, pfns, gfns, &f->err), &f->err);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(gfns[i], mfn(f, pfns[i]));
	assert_int_equal(gfns[3], GW_INVALID_PFN);
	assert_ok(f->guest.ops->start_of_stream(&f->guest, &records, &f->err), &f->err);
	struct gw_record rec = {
		.type = GW_REC_X86_PV_P2M_FRAMES,
		.length = gw_get_le32(records.data + 4),
		.data = records.data + 8,
	};

	assert_ok(gw_p2m_frames_decode(&rec, f->l->width, &frames, &f->err), &f->err);
	assert_int_equal(frames.start_pfn, 0);
	assert_int_equal(frames.end_pfn, nr_pfns - 1);
	for (unsigned i = 0; i < frames.count; i++)
		assert_int_equal(gw_p2m_frames_get(&rec, i),
				 i < PFNS / f->l->fpp ? FIRST + i : MISSING);
	assert_ok(f->guest.ops->check_state(&f->guest, &f->err), &f->err);
	gw_buffer_free(&records);
}

static void close_guest(struct fixture *f)
{
	f->guest.ops->cleanup(&f->guest);
}

static void test_shapes(void **state)
{
	static const struct {
		unsigned width;
		uint64_t vaddr; /* 0: the tree form */
	} shapes[] = {
		{8, 0},
		{4, 0},
		{8, 0xffffc90000000000},
		{8, 0x7f0000000000},
		{4, 0xc0000000},
		/* Not at the start of an L1, so the next L1 begins sooner. */
		{8, 0xffffc90000003000},
	};

	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct fixture f;
		uint64_t shift;

		open_domain(&f, shapes[i].width);
		if (shapes[i].vaddr)
			make_range(&f, shapes[i].vaddr);
		else
			make_tree(&f);
		shift = (shapes[i].vaddr >> 12) % 512;
		if (shift) {
			/* The leaves are where the linear P2M maps them. */
			for (unsigned n = 0; n < PFNS / f.l->fpp; n++)
				put_pte(&f, CR3 + 3, (unsigned)shift + n,
					mfn(&f, FIRST + n) << 12 | 1);
		}
		assert_found(&f, PFNS);
		close_guest(&f);

		/* Upper levels fill the rest of a large size with one page of holes: the size is
		 * cut to the real leaves. */
		gw_pv_put_word(f.l, f.arch + f.l->arch_max_pfn, 1 << 21);
		uint64_t first_part =
			shapes[i].vaddr ? (512 - shift) * f.l->fpp : (uint64_t)f.l->fpp * f.l->fpp;
		uint64_t cut = GW_MIN((uint64_t)1 << 21,
				      first_part + (shapes[i].vaddr ? 512 : f.l->fpp) * f.l->fpp);

		assert_ok(f.guest.ops->setup(&f.guest, &f.err), &f.err);
		assert_int_equal(f.guest.nr_pfns, cut);
		close_guest(&f);
		close_domain(&f);
	}
}

static void assert_refused(struct fixture *f, const char *says)
{
	assert_fails(f->guest.ops->setup(&f->guest, &f->err), &f->err, GW_GUEST, says);
	close_guest(f);
}

static void test_bad_tree(void **state)
{
	struct fixture f;
	const uint64_t *m2p;
	uint64_t max_mfn;

	open_domain(&f, 8);
	assert_refused(&f, "not set the frame list of its P2M");
	make_tree(&f);
	gw_put_le64(f.arch + f.l->arch_fll, UINT64_C(1) << 40);
	assert_refused(&f, "not set the frame list of its P2M");
	gw_put_le64(f.arch + f.l->arch_fll, 5);
	assert_fails(f.guest.ops->setup(&f.guest, &f.err), &f.err, GW_INVALID, "frame list list");
	close_guest(&f);
	make_tree(&f);
	gw_put_le64(f.arch + f.l->arch_max_pfn, 0);
	assert_refused(&f, "0 pfns");
	gw_put_le64(f.arch + f.l->arch_max_pfn, UINT64_MAX);
	assert_refused(&f, "expected 1 to 2097152");
	gw_put_le64(f.arch + f.l->arch_max_pfn, PFNS);
	put(&f, FLL, 0, 0);
	assert_refused(&f, "frame list list entry 0 is mfn 0x0");
	make_tree(&f);
	put(&f, FLL + 1, 3, UINT64_MAX);
	assert_refused(&f, "frame list entry 3 is mfn 0xffffffffffffffff");
	make_tree(&f);
	/* The first mfn that the machine does not have. */
	assert_ok(gw_domain_m2p(f.d, &m2p, &max_mfn, &f.err), &f.err);
	put(&f, FLL + 1, 3, max_mfn + 1);
	assert_refused(&f, "frame list entry 3 is mfn");
	make_tree(&f);

	/* Another page of the guest where a frame of the P2M should be. */
	struct gw_buffer records = {0};
	uint64_t leaf_mfn = mfn(&f, FIRST);

	put(&f, FIRST, FIRST, mfn(&f, 7));
	assert_ok(f.guest.ops->setup(&f.guest, &f.err), &f.err);
	assert_fails(f.guest.ops->start_of_stream(&f.guest, &records, &f.err), &f.err, GW_GUEST,
		     "frame 0 of the guest's P2M");
	put(&f, FIRST, FIRST, leaf_mfn);

	/* The P2M moves during the save. */
	assert_ok(f.guest.ops->check_state(&f.guest, &f.err), &f.err);
	put(&f, FLL + 1, 2, mfn(&f, MISSING));
	assert_fails(f.guest.ops->check_state(&f.guest, &f.err), &f.err, GW_GUEST,
		     "changed the layout of its P2M");
	put(&f, FLL + 1, 2, mfn(&f, FIRST + 2));
	assert_ok(f.guest.ops->check_state(&f.guest, &f.err), &f.err);
	gw_put_le64(f.arch + f.l->arch_max_pfn, PFNS - 1);
	assert_fails(f.guest.ops->check_state(&f.guest, &f.err), &f.err, GW_GUEST,
		     "changed the layout of its P2M");
	close_guest(&f);
	close_domain(&f);
}

/* A linear P2M that changes and is as before again has changed: pages were sent in between. */
static void test_generation(void **state)
{
	for (unsigned width = 4; width <= 8; width += 4) {
		struct fixture f;
		uint8_t *generation;

		open_domain(&f, width);
		generation = f.arch + f.l->arch_p2m_generation;
		make_range(&f, width == 8 ? 0xffffc90000000000 : 0xc0000000);
		gw_pv_put_word(f.l, generation, 6);
		assert_ok(f.guest.ops->setup(&f.guest, &f.err), &f.err);
		assert_ok(f.guest.ops->check_state(&f.guest, &f.err), &f.err);
		gw_pv_put_word(f.l, generation, 8);
		assert_fails(f.guest.ops->check_state(&f.guest, &f.err), &f.err, GW_GUEST,
			     "generation 8, 6 at the start");
		close_guest(&f);

		/* A guest with a tree does not keep it. */
		gw_pv_put_word(f.l, f.arch + f.l->arch_p2m_cr3, 0);
		make_tree(&f);
		assert_ok(f.guest.ops->setup(&f.guest, &f.err), &f.err);
		gw_pv_put_word(f.l, generation, 9);
		assert_ok(f.guest.ops->check_state(&f.guest, &f.err), &f.err);
		close_guest(&f);
		close_domain(&f);
	}
}

static void test_bad_range(void **state)
{
	struct fixture f;
	uint64_t good = 0xffffc90000000000;
	static const uint64_t bad[] = {
		0xffff800000000000, 0xffff87ffffffa000, 0xffff7ffffffff000,
		0x800000000000,	    0xfffffffffffff000, 0x1008,
	};

	open_domain(&f, 8);
	make_range(&f, good);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		gw_put_le64(f.arch + f.l->arch_p2m_vaddr, bad[i]);
		assert_refused(&f, "not an address range of a guest");
	}
	gw_put_le64(f.arch + f.l->arch_p2m_vaddr, good + (UINT64_C(1) << 39));
	assert_refused(&f, "P2M has a hole");
	gw_put_le64(f.arch + f.l->arch_p2m_vaddr, good);
	gw_put_le64(f.arch + f.l->arch_p2m_cr3, UINT64_C(0xfffffffff) << 12);
	assert_refused(&f, "P2M page table root 0");
	make_range(&f, good);
	put_pte(&f, CR3 + 3, 2, UINT64_C(0xfffffffff) << 12 | 1);
	assert_refused(&f, "P2M page table entry 2 is mfn 0xfffffffff");
	close_domain(&f);

	open_domain(&f, 4);
	make_range(&f, 0xf5800000);
	assert_refused(&f, "not an address range of a guest");
	close_domain(&f);
}

/* Entries that cannot be sent: deferred while the guest runs, an error with its place
 * afterwards. */
static void test_normalise(void **state)
{
	struct fixture f;
	uint64_t page[512] = {0}, sent[512];

	open_domain(&f, 8);
	make_tree(&f);
	assert_ok(f.guest.ops->setup(&f.guest, &f.err), &f.err);
	const struct {
		unsigned type;
		uint64_t pte;
		const char *says; /* NULL: it can be sent */
		uint64_t sent;
	} entries[] = {
		{1, UINT64_C(0x8000000000000067) | mfn(&f, 9) << 12, NULL, 0x8000000000009067},
		/* In an L1 this bit means PAT. */
		{0x9, mfn(&f, 9) << 12 | 0xe7, NULL, 0x90e7},
		{2, mfn(&f, 9) << 12 | 0x66, NULL, mfn(&f, 9) << 12 | 0x66},
		{2, mfn(&f, 9) << 12 | 0xe7, "pfn 0x7, an L2 page table, entry 500: superpage", 0},
		{0xc, UINT64_C(0xfffffffff) << 12 | 1,
		 "pfn 0x7, an L4 page table, entry 500: mfn 0xfffffffff is not the guest's", 0},
		{3, UINT64_C(5) << 12 | 1,
		 "pfn 0x7, an L3 page table, entry 500: mfn 0x5 is not the guest's", 0},
	};

	for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		unsigned type = entries[i].type;

		page[500] = entries[i].pte;
		assert_true(f.guest.ops->needs_normalise(type));
		if (entries[i].says) {
			assert_int_equal(f.guest.ops->normalise(&f.guest, 7, type, page, sent,
								false, &f.err),
					 GW_DEFER);
			assert_int_equal(f.err.code, GW_OK);
			assert_fails(
				f.guest.ops->normalise(&f.guest, 7, type, page, sent, true, &f.err),
				&f.err, GW_GUEST, entries[i].says);
			continue;
		}
		assert_int_equal(
			f.guest.ops->normalise(&f.guest, 7, type, page, sent, false, &f.err), 0);
		assert_true(sent[500] == entries[i].sent);
		assert_int_equal(sent[499], 0);
	}
	assert_false(f.guest.ops->needs_normalise(GW_PAGE_NOTAB));
	assert_false(f.guest.ops->needs_normalise(GW_PAGE_XTAB));
	close_guest(&f);
	close_domain(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),	  cmocka_unit_test(test_bad_tree),
		cmocka_unit_test(test_bad_range), cmocka_unit_test(test_generation),
		cmocka_unit_test(test_normalise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
