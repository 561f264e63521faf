/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compares PV domains and images (compare.h).
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "compare.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"

#define FRAME UINT64_C(0x000ffffffffff000)

static uint64_t word(unsigned width, const uint8_t *p)
{
	return width == 8 ? gw_get_le64(p) : gw_get_le32(p);
}

struct pv_image pv_image_of(const struct image *image)
{
	struct pv_image pv = {0};
	uint32_t len;
	const uint8_t *info = find_record(image, GW_REC_X86_PV_INFO, &len);
	const uint8_t *frames = find_record(image, GW_REC_X86_PV_P2M_FRAMES, &len);

	pv.width = info[0];
	pv.nr_pfns = (uint64_t)gw_get_le32(frames + 4) + 1;
	pv.nr_leaves = (len - 8) / 8;
	assert_in_range(pv.nr_leaves, 1, 64);
	for (unsigned i = 0; i < pv.nr_leaves; i++)
		pv.leaves[i] = gw_get_le64(frames + 8 + 8 * i);
	const uint8_t *basic = find_record(image, GW_REC_X86_PV_VCPU_BASIC, &len);

	assert_int_equal(gw_get_le32(basic), 0);
	pv.start_info = word(pv.width, basic + 8 + (pv.width == 8 ? 616 : 524));
	return pv;
}

bool is_leaf(const struct pv_image *pv, uint64_t pfn)
{
	for (unsigned i = 0; i < pv->nr_leaves; i++)
		if (pv->leaves[i] == pfn)
			return true;
	return false;
}

static bool is_xen_slot(const struct pv_image *pv, struct gw_domain *d, unsigned level,
			unsigned slot, const uint8_t *have)
{
	if (pv->width == 8)
		return level == 4 && slot >= 256 && slot <= 271;
	if (level == 3)
		return slot >= 4;
	/* Only the L2 that has Xen's own entries. */
	uint64_t mfn0;

	assert_int_equal(gw_domain_compat_m2p_mfn0(d, &mfn0, NULL), 0);
	return level == 2 && slot >= 428 && gw_get_le64(have + 8 * 428) >> 12 == mfn0;
}

static bool table_is_right(struct gw_domain *d, const struct pv_image *pv, unsigned level,
			   const uint8_t *have, const uint8_t *sent, unsigned *ptes)
{
	for (unsigned i = 0; i < 512; i++) {
		uint64_t want = gw_get_le64(sent + 8 * i);

		if (is_xen_slot(pv, d, level, i, have))
			continue;
		if (want & 1) {
			uint64_t mfn = gw_memory_gfn(d, (want & FRAME) >> 12);

			want = (want & ~FRAME) | mfn << 12;
			++*ptes;
		}
		if (gw_get_le64(have + 8 * i) != want)
			return false;
	}
	return true;
}

static bool leaf_is_right(struct gw_domain *d, const struct pv_image *pv, uint64_t pfn,
			  const uint8_t *have)
{
	unsigned fpp = 4096 / pv->width, leaf = 0;
	uint64_t none = pv->width == 8 ? UINT64_MAX : UINT32_MAX;

	while (pv->leaves[leaf] != pfn)
		leaf++;
	for (unsigned i = 0; i < fpp; i++) {
		uint64_t p = (uint64_t)leaf * fpp + i;
		uint64_t mfn = p < pv->nr_pfns ? gw_memory_gfn(d, p) : GW_INVALID_PFN;

		if (word(pv->width, have + i * pv->width) != (mfn == GW_INVALID_PFN ? none : mfn))
			return false;
	}
	return true;
}

/* nr_pages, shared_info, flags and the frames of the two rings are new; the toolstack sets the
 * event channels. */
static bool start_info_is_right(struct gw_domain *d, const struct pv_image *pv, const uint8_t *have,
				const uint8_t *sent)
{
	unsigned w = pv->width;
	unsigned store = w == 8 ? 56 : 44, console = w == 8 ? 72 : 52;
	uint8_t want[4096];
	uint64_t shared_mfn;
	void *shared;

	assert_int_equal(gw_domain_shared_info(d, &shared, &shared_mfn, NULL), 0);
	memcpy(want, sent, sizeof(want));
	memcpy(want + 32, &pv->nr_pfns, w);
	memcpy(want + 32 + w, &(uint64_t){shared_mfn << 12}, w);
	memset(want + 32 + 2 * w, 0, 4);
	memcpy(want + store, &(uint64_t){gw_memory_gfn(d, word(w, sent + store))}, w);
	memcpy(want + console, &(uint64_t){gw_memory_gfn(d, word(w, sent + console))}, w);
	return memcmp(have, want, sizeof(want)) == 0;
}

static void compare_page(struct gw_domain *d, const struct pv_image *pv, uint64_t pfn,
			 const struct page *page, struct comparison *c)
{
	const uint8_t *have = gw_memory_page(d, pfn);
	unsigned level = page->type & 7;
	bool right;

	if (level > 0) {
		c->tables++;
		c->wrong_tables += !table_is_right(d, pv, level, have, page->data, &c->ptes);
		return;
	}
	if (is_leaf(pv, pfn))
		right = leaf_is_right(d, pv, pfn, have);
	else if (pfn == pv->start_info)
		right = start_info_is_right(d, pv, have, page->data);
	else
		right = memcmp(have, page->data, 4096) == 0;
	c->data++;
	c->wrong_data += !right;
}

struct comparison compare_domain(struct gw_domain *d, const struct pv_image *pv,
				 const struct pages *expected)
{
	struct comparison c = {0};

	for (uint64_t pfn = 0; pfn < expected->nr; pfn++) {
		const struct page *page = &expected->page[pfn];
		bool there = gw_memory_gfn(d, pfn) != GW_INVALID_PFN;

		if (there != page->exists)
			c.wrong_pages++;
		else if (there)
			compare_page(d, pv, pfn, page, &c);
	}
	return c;
}

static void assert_same_start_info(const struct pv_image *pv, const uint8_t *first,
				   const uint8_t *later)
{
	unsigned w = pv->width;
	uint8_t want[4096];

	/* The rings have their old pfns again; the fields that the restore wrote stay. */
	memcpy(want, first, sizeof(want));
	memcpy(want + 32, later + 32, 2 * w + 4);
	assert_memory_equal(later, want, sizeof(want));
}

void assert_same_pages(const struct pv_image *pv, const struct pages *first,
		       const struct pages *later)
{
	for (uint64_t pfn = 0; pfn < first->nr || pfn < later->nr; pfn++) {
		static const struct page none;
		const struct page *a = pfn < first->nr ? &first->page[pfn] : &none;
		const struct page *b = pfn < later->nr ? &later->page[pfn] : &none;

		if (a->exists != b->exists)
			fail_msg("pfn 0x%llx: %d before, %d later", (unsigned long long)pfn,
				 a->exists, b->exists);
		if (!a->exists)
			continue;
		if (a->type != b->type)
			fail_msg("pfn 0x%llx: type 0x%x, later 0x%x", (unsigned long long)pfn,
				 a->type, b->type);
		assert_non_null(b->data);
		if (pfn == pv->start_info && a->data)
			assert_same_start_info(pv, a->data, b->data);
		else if (pfn != pv->start_info && !is_leaf(pv, pfn) &&
			 hash_page(b->data) != (a->has_hash ? a->hash : hash_page(a->data)))
			fail_msg("pfn 0x%llx, type 0x%x: contents differ", (unsigned long long)pfn,
				 a->type);
	}
}

static void assert_same_shared_info(unsigned w, const uint8_t *a, const uint8_t *b)
{
	unsigned arch = w == 8 ? 3088 : 2316;
	uint8_t want[2048];

	memcpy(want, a, sizeof(want));
	for (unsigned i = 0; i < 32; i++)
		memset(want + 64 * i + w, 0, w);
	assert_memory_equal(b, want, sizeof(want));
	for (unsigned i = 0; i < 8 * w * w; i++) {
		assert_int_equal(b[2048 + i], 0);
		assert_int_equal(b[2048 + 8 * w * w + i], 0xff);
	}
	/* max_pfn; nmi_reason; p2m_vaddr and what follows. */
	assert_memory_equal(b + arch, a + arch, w);
	assert_memory_equal(b + arch + 2 * w, a + arch + 2 * w, w);
	assert_memory_equal(b + arch + 4 * w, a + arch + 4 * w, 2 * w);
}

/* The records of a type one after the other, each with its header. */
static size_t all_of(const struct image *image, uint32_t type, struct gw_buffer *out)
{
	size_t at = 40, n = 0;

	for (;;) {
		uint32_t t = gw_get_le32(image->data + at), len = gw_get_le32(image->data + at + 4);

		if (t == GW_REC_END)
			return n;
		/* Empty records of old versions have no effect. */
		if (t == type && len > 8) {
			assert_int_equal(gw_buffer_append(out, image->data + at, 8 + len, NULL), 0);
			n++;
		}
		at += 8 + (((size_t)len + 7) & ~(size_t)7);
	}
}

void assert_same_state(const struct image *first, const struct image *later)
{
	static const uint32_t types[] = {
		GW_REC_X86_PV_INFO,	  GW_REC_X86_PV_P2M_FRAMES, GW_REC_X86_PV_VCPU_EXTENDED,
		GW_REC_X86_PV_VCPU_XSAVE, GW_REC_X86_PV_VCPU_MSRS,  GW_REC_X86_TSC_INFO,
		GW_REC_X86_CPUID_POLICY,  GW_REC_X86_MSR_POLICY,    GW_REC_X86_PV_VCPU_BASIC,
	};
	unsigned w = pv_image_of(first).width;
	uint32_t len;

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct gw_buffer a = {0}, b = {0};

		size_t n = all_of(first, types[i], &a);

		assert_int_equal(all_of(later, types[i], &b), n);
		assert_int_equal(a.len, b.len);
		/* A restored vCPU is always online, whatever its flags were. */
		if (types[i] == GW_REC_X86_PV_VCPU_BASIC) {
			for (size_t v = 0; v < n; v++)
				a.data[v * (a.len / n) + 16 + 512] |= 0x20;
			assert_true(n >= 1);
		}
		if (a.len)
			assert_memory_equal(a.data, b.data, a.len);
		gw_buffer_free(&a);
		gw_buffer_free(&b);
	}
	assert_same_shared_info(w, find_record(first, GW_REC_SHARED_INFO, &len),
				find_record(later, GW_REC_SHARED_INFO, &len));
}
