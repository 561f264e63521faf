/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests real HVM and PVH streams, plain and checkpointed, through the restore hooks into a domain
 * and through the save hooks out again. After a restore the pages of the rings are empty; all
 * others are as sent.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"
#include "loop.h"

#define ALL (~0u)

struct stream {
	const char *image, *manifest;
	unsigned checkpoint;
	unsigned at_least;
	unsigned missing; /* policies */
};

static const struct stream streams[] = {
	{"xen417/tiny-pvh.save.xz", NULL, ALL, 1040, 0},
	{"xen417/tiny-pvh.migrate-fwd.xz", NULL, ALL, 1040, 0},
	{"xen417/tiny-hvm.save.xz", NULL, ALL, 4000, 0},
	{"xen-code/v2_46_hvm_w64_1024.xz", "xen-code/v2_46_hvm_w64_1024.manifest.xz", ALL, 900, 3},
	{"xen-code/v3_422_hvm_1024.xz", "xen-code/v3_422_hvm_1024.manifest.xz", ALL, 900, 0},
	{"xen-code/v3_422_hvm_live_4096.xz", "xen-code/v3_422_hvm_live_4096.manifest.xz", ALL, 4000,
	 0},
	{"xen-code/v3_422_hvm_verify_1024.xz", "xen-code/v3_422_hvm_verify_1024.manifest.xz", ALL,
	 900, 0},
	{"xen-code/v3_422_libxl_hvm_1024.xz", "xen-code/v3_422_libxl_hvm_1024.manifest.xz", ALL,
	 900, 0},
	{"xen-code/v3_422_hvm_remus3_1024.xz", "xen-code/v3_422_hvm_remus3_1024.cp0.manifest.xz", 0,
	 900, 0},
	{"xen-code/v3_422_hvm_remus3_1024.xz", "xen-code/v3_422_hvm_remus3_1024.cp1.manifest.xz", 1,
	 900, 0},
	{"xen-code/v3_422_hvm_remus3_1024.xz", "xen-code/v3_422_hvm_remus3_1024.cp2.manifest.xz",
	 ALL, 900, 0},
};

struct params {
	uint64_t value[64];
};

static struct params params_of(const struct image *image)
{
	struct params p = {0};
	uint32_t len;
	const uint8_t *rec = find_record(image, GW_REC_HVM_PARAMS, &len);

	assert_non_null(rec);
	for (uint32_t i = 0; i < gw_get_le32(rec); i++) {
		uint64_t index = gw_get_le64(rec + 8 + 16 * i);

		assert_in_range(index, 0, 63);
		p.value[index] = gw_get_le64(rec + 16 + 16 * i);
	}
	/* The old param VM86_TSS is now VM86_TSS_SIZED with 128 bytes. */
	if (p.value[15])
		p.value[37] = UINT64_C(128) << 32 | p.value[15];
	p.value[15] = 0;
	return p;
}

static bool is_special(const struct params *p, uint64_t pfn)
{
	return pfn && (pfn == p->value[1] || pfn == p->value[17] || pfn == p->value[5] ||
		       pfn == p->value[6]);
}

static bool is_zero(const uint8_t *page)
{
	static const uint8_t zero[4096];

	return memcmp(page, zero, sizeof(zero)) == 0;
}

static unsigned compare_domain(struct gw_domain *d, const struct pages *expected,
			       const struct params *p)
{
	unsigned data = 0;

	for (uint64_t pfn = 0; pfn < expected->nr; pfn++) {
		const struct page *page = &expected->page[pfn];
		const uint8_t *have = gw_memory_page(d, pfn);

		assert_int_equal(have != NULL, page->exists && page->type != 0xd);
		if (!have || !(page->data || page->has_hash))
			continue;
		data++;
		if (is_special(p, pfn))
			assert_true(is_zero(have));
		else if (hash_page(have) != (page->has_hash ? page->hash : hash_page(page->data)))
			fail_msg("pfn 0x%llx differs", (unsigned long long)pfn);
	}
	return data;
}

static void assert_same_pages(const struct pages *a, const struct pages *b, const struct params *p)
{
	for (uint64_t pfn = 0; pfn < a->nr || pfn < b->nr; pfn++) {
		const uint8_t *x = pfn < a->nr ? a->page[pfn].data : NULL;
		const uint8_t *y = pfn < b->nr ? b->page[pfn].data : NULL;

		assert_int_equal(x != NULL, y != NULL);
		if (x && !is_special(p, pfn))
			assert_memory_equal(x, y, 4096);
	}
}

/* The last record of a type before the end, or before the CHECKPOINT of this number. */
static const uint8_t *last_record(const struct image *image, uint32_t type, unsigned checkpoint,
				  uint32_t *length)
{
	const uint8_t *found = NULL;
	unsigned seen = 0;

	for (size_t at = 40; at + 8 <= image->len;) {
		uint32_t t = gw_get_le32(image->data + at), len = gw_get_le32(image->data + at + 4);

		if (t == type) {
			found = image->data + at + 8;
			*length = len;
		}
		if (t == GW_REC_END || (t == GW_REC_CHECKPOINT && seen++ == checkpoint))
			break;
		at += 8 + (((size_t)len + 7) & ~(size_t)7);
	}
	return found;
}

static void assert_same_state(const struct image *first, unsigned checkpoint,
			      const struct image *later)
{
	static const uint32_t types[] = {GW_REC_HVM_CONTEXT, GW_REC_X86_TSC_INFO,
					 GW_REC_X86_CPUID_POLICY, GW_REC_X86_MSR_POLICY};

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint32_t n = 0, m = 0;
		const uint8_t *a = last_record(first, types[i], checkpoint, &n);
		const uint8_t *b = last_record(later, types[i], ALL, &m);

		assert_int_equal(a != NULL, b != NULL);
		assert_int_equal(n, m);
		if (a)
			assert_memory_equal(a, b, n);
	}
	struct params a = params_of(first), b = params_of(later);

	assert_memory_equal(&a, &b, sizeof(a));
}

static struct gw_domain *new_domain(struct gw_host *host)
{
	struct gw_domain_config config = {.type = GW_GUEST_X86_HVM, .max_pages = 5000, .vcpus = 1};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = gw_host_create(host, &config, &err);

	assert_non_null(d);
	return d;
}

/* Xen leaves out params of value 0, and stock Xen may not expect them. */
static void assert_no_empty_param(const struct image *image)
{
	uint32_t len;
	const uint8_t *rec = find_record(image, GW_REC_HVM_PARAMS, &len);

	assert_non_null(rec);
	for (uint32_t i = 0; i < gw_get_le32(rec); i++)
		assert_true(gw_get_le64(rec + 16 + 16 * i) != 0);
}

static void round_trip(struct gw_host *host, const struct stream *s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct image image = load_image(s->image);
	struct pages expected = s->manifest ? pages_of_manifest(s->manifest)
					    : pages_of_image(&image, s->checkpoint);
	struct params params = params_of(&image);
	struct restore_options how = {.checkpoint = s->checkpoint};
	struct save_options save = {0};
	struct gw_domain *d = new_domain(host);
	struct gw_buffer out = {0};

	print_message("%s, checkpoint %d\n", s->image, (int)s->checkpoint);
	assert_ok(restore_loop(&image, d, &how, &err), &err);
	assert_int_equal(how.mismatches, 0);
	assert_int_equal(how.missing, s->missing);
	assert_int_equal(how.store_gfn, params.value[1]);
	assert_int_equal(how.console_gfn, params.value[17] ?: GW_INVALID_PFN);
	assert_true(compare_domain(d, &expected, &params) >= s->at_least);

	assert_ok(gw_domain_set_extra(d, GW_EXTRA_XENABI, "mine", 4, &err), &err);
	assert_ok(gw_domain_set_extra(d, GW_EXTRA_KVM, "too", 3, &err), &err);
	assert_ok(save_loop(d, &out, &save, &err), &err);
	struct image again = image_of(&out, GW_GUEST_X86_HVM);
	struct pages first = pages_of_image(&image, s->checkpoint);
	struct pages second = pages_of_image(&again, ALL);
	struct gw_domain *copy = new_domain(host);
	void *abi = NULL;
	size_t len;

	assert_same_pages(&first, &second, &params);
	assert_same_state(&image, s->checkpoint, &again);
	assert_no_empty_param(&again);
	how = (struct restore_options){.checkpoint = ALL};
	assert_ok(restore_loop(&again, copy, &how, &err), &err);
	compare_domain(copy, &expected, &params);
	assert_ok(gw_domain_get_extra(copy, GW_EXTRA_XENABI, &abi, &len, &err), &err);
	assert_int_equal(len, 4);
	assert_memory_equal(abi, "mine", 4);
	free(abi);
	gw_control_destroy(copy->control);
	gw_control_destroy(d->control);
	free_pages(&expected);
	free_pages(&first);
	free_pages(&second);
	free_image(&again);
	free_image(&image);
}

static void test_round_trips(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		round_trip(host, &streams[i]);
	gw_host_close(host);
}

/* The caller is informed which of the two policies the static data lacks. */
static void test_missing_policies(void **state)
{
	static const uint32_t policies[] = {GW_REC_X86_CPUID_POLICY, GW_REC_X86_MSR_POLICY};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);

	for (unsigned i = 0; i < 2; i++) {
		struct image image = load_image("xen-code/v3_422_hvm_1024.xz");
		struct restore_options how = {.checkpoint = ALL};
		struct gw_domain *d = new_domain(host);
		uint8_t *rec;
		uint32_t len;

		while ((rec = find_record(&image, policies[i], &len)))
			gw_put_le32(rec - 8, GW_RECORD_OPTIONAL);
		assert_ok(restore_loop(&image, d, &how, &err), &err);
		assert_int_equal(how.missing, 1u << i);
		gw_control_destroy(d->control);
		free_image(&image);
	}
	gw_host_close(host);
}

static unsigned count_records(const struct image *image, uint32_t type)
{
	unsigned n = 0;

	for (size_t at = 40; at + 8 <= image->len;) {
		n += gw_get_le32(image->data + at) == type;
		at += 8 + (((size_t)gw_get_le32(image->data + at + 4) + 7) & ~(size_t)7);
	}
	return n;
}

/* The optional record is in the first round only: stock Xen fails if a later round has one. */
static void test_xenabi_once(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct image image = load_image("xen-code/v3_422_hvm_1024.xz");
	struct restore_options how = {.checkpoint = ALL};
	struct save_options save = {.checkpoints = 3};
	struct gw_domain *d = new_domain(host);
	struct gw_buffer out = {0};

	assert_ok(restore_loop(&image, d, &how, &err), &err);
	assert_ok(gw_domain_set_extra(d, GW_EXTRA_XENABI, "mine", 4, &err), &err);
	assert_ok(gw_domain_set_extra(d, GW_EXTRA_KVM, "too", 3, &err), &err);
	assert_ok(save_loop(d, &out, &save, &err), &err);
	struct image again = image_of(&out, GW_GUEST_X86_HVM);

	assert_int_equal(count_records(&again, GW_REC_CHECKPOINT), 3);
	assert_int_equal(count_records(&again, GW_REC_HVM_CONTEXT), 3);
	assert_int_equal(count_records(&again, GW_REC_GODWIT_XENABI), 1);
	assert_int_equal(count_records(&again, GW_REC_GODWIT_KVM), 1);
	gw_control_destroy(d->control);
	free_image(&again);
	free_image(&image);
	gw_host_close(host);
}

static struct gw_ring seeded[2];
static bool seeding_fails;

static int seed_grants(struct gw_domain *d, const struct gw_ring *store,
		       const struct gw_ring *console, struct gw_error *err)
{
	seeded[0] = *store;
	seeded[1] = *console;
	return seeding_fails ? gw_fail(err, GW_SYSTEM, "no grant table") : 0;
}

/* The domain's own table with that entry replaced. */
static struct gw_domain_ops with_grants(struct gw_domain *d)
{
	struct gw_domain_ops ops = *d->ops;

	ops.seed_grants = seed_grants;
	return ops;
}

/* The rings' other ends, given by the owner, get into the guest and its grant table. */
static void test_rings(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct image image = load_image("xen417/tiny-hvm.save.xz");
	struct params params = params_of(&image);

	for (int fails = 0; fails < 2; fails++) {
		struct restore_options how = {.checkpoint = ALL,
					      .store = {.domid = 3, .port = 11},
					      .console = {.domid = 4, .port = 12}};
		struct gw_domain *d = new_domain(host);
		const struct gw_domain_ops *real = d->ops, ops = with_grants(d);
		uint64_t value;

		d->ops = &ops;
		seeding_fails = fails;
		if (fails)
			assert_fails(restore_loop(&image, d, &how, &err), &err, GW_SYSTEM,
				     "no grant table");
		else
			assert_ok(restore_loop(&image, d, &how, &err), &err);
		assert_ok(gw_domain_get_param(d, 2, &value, &err), &err);
		assert_int_equal(value, 11);
		assert_ok(gw_domain_get_param(d, 18, &value, &err), &err);
		assert_int_equal(value, 12);
		assert_int_equal(seeded[0].gfn, params.value[1]);
		assert_int_equal(seeded[0].domid, 3);
		assert_int_equal(seeded[1].gfn, params.value[17] ?: GW_INVALID_PFN);
		assert_int_equal(seeded[1].domid, 4);
		d->ops = real;
		gw_control_destroy(d->control);
	}
	free_image(&image);
	gw_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_missing_policies),
		cmocka_unit_test(test_xenabi_once),
		cmocka_unit_test(test_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
