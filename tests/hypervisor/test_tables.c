/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests tables that other code fills: of an older size, of another version, with entries missing.
 * Tests also what the wrappers add: page types in parts, maps that are all or nothing, short
 * bitmaps.
 */
#include "lib/gwtest.h"

#include <stddef.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"

#define NR_PFNS 5000

static int info(struct gw_domain *d, struct gw_domain_info *i, struct gw_error *err)
{
	*i = (struct gw_domain_info){.type = d->type};
	return 0;
}

static int nr_pfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	*nr = NR_PFNS;
	return 0;
}

/* Page types are pfn % 5; more gfns than Xen accepts in one call are an error. */
static int page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
		      struct gw_error *err)
{
	if (n > GW_PAGE_TYPES_MAX)
		return gw_fail(err, GW_SYSTEM, "Argument list too long");
	for (size_t i = 0; i < n; i++)
		types[i] = gfns[i] % 5;
	return 0;
}

static uint8_t the_page[GW_PAGE_SIZE];
static int nr_mapped;

/* gfn 3 does not exist, gfn 4 is a page table. */
static int map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
	       uint8_t *results, struct gw_mapping *mapping, struct gw_error *err)
{
	for (size_t i = 0; i < n; i++) {
		results[i] = gfns[i] == 3		? GW_MAP_GONE
			     : gfns[i] == 4 && writable ? GW_MAP_REFUSED
							: GW_MAP_OK;
		pages[i] = results[i] == GW_MAP_OK ? the_page : NULL;
	}
	nr_mapped++;
	return 0;
}

static void unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	nr_mapped--;
}

static int populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		    size_t *done, struct gw_error *err)
{
	*done = n;
	return 0;
}

static void close_it(struct gw_domain *d)
{
}

static int start(struct gw_domain *d, struct gw_error *err)
{
	return 0;
}

/* Every page is dirty. */
static int fetch(struct gw_domain *d, uint64_t *bitmap, uint64_t nr, uint64_t *dirty,
		 struct gw_error *err)
{
	if (nr < NR_PFNS)
		return gw_fail(err, GW_USAGE, "short");
	gw_bitmap_set_range(bitmap, 0, NR_PFNS);
	*dirty = NR_PFNS;
	return 0;
}

static int peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err)
{
	*dirty = NR_PFNS;
	return 0;
}

static void stop(struct gw_domain *d)
{
}

static int policy(struct gw_domain *d, struct gw_policy *p, struct gw_error *err)
{
	return 0;
}

static int set_policy(struct gw_domain *d, const struct gw_policy *p, struct gw_error *err)
{
	return 0;
}

static int get_tsc(struct gw_domain *d, struct gw_tsc_info *tsc, struct gw_error *err)
{
	return 0;
}

static int set_tsc(struct gw_domain *d, const struct gw_tsc_info *tsc, struct gw_error *err)
{
	return 0;
}

static int get_context(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err)
{
	return 0;
}

static int set_context(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err)
{
	return 0;
}

static int get_param(struct gw_domain *d, uint32_t index, uint64_t *value, struct gw_error *err)
{
	return 0;
}

static int set_param(struct gw_domain *d, uint32_t index, uint64_t value, struct gw_error *err)
{
	return 0;
}

static const struct gw_x86_ops x86 = {GW_TABLE_HEAD(struct gw_x86_ops), policy, set_policy, get_tsc,
				      set_tsc};
static const struct gw_x86_hvm_ops hvm = {GW_TABLE_HEAD(struct gw_x86_hvm_ops), get_context,
					  set_context, get_param, set_param};

static struct gw_domain_ops whole_ops(void)
{
	return (struct gw_domain_ops){
		.head = GW_TABLE_HEAD(struct gw_domain_ops),
		.info = info,
		.nr_pfns = nr_pfns,
		.page_types = page_types,
		.map = map,
		.unmap = unmap,
		.populate = populate,
		.close = close_it,
		.logdirty_start = start,
		.logdirty_fetch_and_clear = fetch,
		.logdirty_peek = peek,
		.logdirty_stop = stop,
	};
}

static int init(struct gw_domain *d, const struct gw_domain_ops *ops, struct gw_error *err)
{
	const struct gw_domain_tables tables = {.ops = ops, .x86 = &x86, .hvm = &hvm};

	return gw_domain_init(d, GW_GUEST_X86_HVM, 7, &tables, err);
}

/* A backend that was built when the table ended after close: the memory after that is not part of
 * the table. */
static void test_older_table(void **state)
{
	struct {
		struct gw_domain_ops ops;
	} older = {whole_ops()};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_pfn_range *ranges;
	struct gw_ring ring = {0};
	struct gw_domain d;
	uint64_t dirty;
	void *blob;
	size_t n;

	older.ops.head.size = offsetof(struct gw_domain_ops, ranges);
	memset((uint8_t *)&older.ops + older.ops.head.size, 0xee,
	       sizeof(older.ops) - older.ops.head.size);
	assert_ok(init(&d, &older.ops, &err), &err);
	assert_int_equal(d.ops->head.size, sizeof(struct gw_domain_ops));
	assert_int_equal(d.domid, 7);

	assert_ok(gw_domain_ranges(&d, &ranges, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(ranges[0].first, 0);
	assert_int_equal(ranges[0].count, NR_PFNS);
	free(ranges);
	assert_fails(gw_domain_logdirty_start(&d, &err), &err, GW_UNSUPPORTED, "domain 7");
	assert_fails(gw_domain_logdirty_peek(&d, &dirty, &err), &err, GW_UNSUPPORTED, "");
	assert_fails(gw_domain_logdirty_fetch_and_clear(&d, &dirty, 64, &dirty, &err), &err,
		     GW_UNSUPPORTED, "");
	gw_domain_logdirty_stop(&d);
	assert_ok(gw_domain_get_extra(&d, GW_EXTRA_XENABI, &blob, &n, &err), &err);
	assert_null(blob);
	assert_int_equal(n, 0);
	assert_fails(gw_domain_set_extra(&d, "other", "", 0, &err), &err, GW_UNSUPPORTED,
		     "\"other\"");
	assert_ok(gw_domain_seed_grants(&d, &ring, &ring, &err), &err);
	gw_domain_fini(&d);
}

/* One that was built later has entries that this library does not know. */
static void test_newer_table(void **state)
{
	struct {
		struct gw_domain_ops ops;
		void *later[4];
	} newer = {.ops = whole_ops()};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain d;

	newer.ops.head.size = sizeof(newer);
	assert_ok(init(&d, &newer.ops, &err), &err);
	assert_int_equal(d.ops->head.size, sizeof(struct gw_domain_ops));
	gw_domain_fini(&d);
}

static void test_bad_tables(void **state)
{
	struct gw_domain_ops ops = whole_ops();
	struct gw_domain_tables tables = {.ops = &ops, .x86 = &x86};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain d;

	ops.head.version++;
	assert_fails(init(&d, &ops, &err), &err, GW_UNSUPPORTED, "domain table has version 2");
	ops = whole_ops();
	ops.head.size = 4;
	assert_fails(init(&d, &ops, &err), &err, GW_USAGE, "size 4");
	ops = whole_ops();
	ops.head.size = offsetof(struct gw_domain_ops, close);
	assert_fails(init(&d, &ops, &err), &err, GW_USAGE, "no close");
	ops = whole_ops();
	ops.logdirty_peek = NULL;
	assert_fails(init(&d, &ops, &err), &err, GW_USAGE, "no logdirty_peek");
	ops = whole_ops();
	assert_fails(gw_domain_init(&d, GW_GUEST_X86_HVM, 7, &tables, &err), &err, GW_USAGE,
		     "no x86 HVM table");
	assert_fails(gw_domain_init(&d, GW_GUEST_X86_PV, 7, &tables, &err), &err, GW_USAGE,
		     "no x86 PV table");
}

static int host_policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *p,
		       struct gw_error *err)
{
	return 0;
}

static unsigned guest_types(struct gw_host *host)
{
	return 0;
}

static void host_close(struct gw_host *host)
{
}

static void test_host_defaults(void **state)
{
	struct gw_host_ops ops = {
		.head = GW_TABLE_HEAD(struct gw_host_ops),
		.name = "strange",
		.policy = host_policy,
		.guest_types = guest_types,
		.close = host_close,
	};
	const struct gw_domain_config config = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host host;

	assert_ok(gw_host_init(&host, &ops, &err), &err);
	assert_true(gw_host_free_pages(&host) == UINT64_MAX);
	assert_null(gw_host_create(&host, &config, &err));
	assert_fails(-1, &err, GW_UNSUPPORTED, "strange: cannot create");
	assert_null(gw_host_attach(&host, 3, 0, &err));
	assert_fails(-1, &err, GW_UNSUPPORTED, "strange: cannot attach");
	gw_host_fini(&host);
	ops.policy = NULL;
	assert_fails(gw_host_init(&host, &ops, &err), &err, GW_USAGE, "no policy");
}

static int do_nothing(struct gw_control *c, struct gw_error *err)
{
	return 0;
}

static int suspend(struct gw_control *c, int timeout_ms, const struct gw_cancel *cancel,
		   struct gw_error *err)
{
	return 0;
}

static void destroy(struct gw_control *c)
{
}

static void test_control_defaults(void **state)
{
	struct gw_control_ops ops = {
		.head = GW_TABLE_HEAD(struct gw_control_ops),
		.pause = do_nothing,
		.unpause = do_nothing,
		.suspend = suspend,
		.resume = do_nothing,
		.restored = do_nothing,
		.destroy = destroy,
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain d = {0};
	struct gw_control c;

	assert_ok(gw_control_init(&c, &d, &ops, &err), &err);
	assert_ptr_equal(d.control, &c);
	gw_control_set_events(&c, NULL);
	assert_string_equal(gw_control_crash_text(&c), "");
	gw_control_fini(&c);
	ops.restored = NULL;
	assert_fails(gw_control_init(&c, &d, &ops, &err), &err, GW_USAGE, "no restored");
}

static void test_wrappers(void **state)
{
	const struct gw_domain_ops ops = whole_ops();
	struct gw_error err = GW_ERROR_INIT;
	static uint64_t gfns[3000];
	static uint8_t types[3000];
	uint64_t *bitmap = gw_bitmap_new(100), dirty;
	uint8_t results[3];
	struct gw_mapping mapping;
	struct gw_domain d;
	void *pages[3];

	assert_ok(init(&d, &ops, &err), &err);
	for (unsigned i = 0; i < GW_ARRAY_SIZE(gfns); i++)
		gfns[i] = i * 7;
	assert_ok(gw_domain_page_types(&d, GW_ARRAY_SIZE(gfns), gfns, types, &err), &err);
	for (unsigned i = 0; i < GW_ARRAY_SIZE(gfns); i++)
		assert_int_equal(types[i], gfns[i] % 5);

	assert_fails(gw_domain_map(&d, 3, (uint64_t[]){1, 3, 2}, false, pages, &mapping, &err),
		     &err, GW_INVALID, "gfn 0x3 cannot be mapped: it has no page");
	assert_fails(gw_domain_map(&d, 2, (uint64_t[]){1, 4}, true, pages, &mapping, &err), &err,
		     GW_INVALID, "gfn 0x4 cannot be mapped: it is a page table");
	assert_int_equal(nr_mapped, 0);
	assert_ok(gw_domain_map_each(&d, 3, (uint64_t[]){1, 3, 4}, true, pages, results, &mapping,
				     &err),
		  &err);
	assert_memory_equal(results, ((uint8_t[]){GW_MAP_OK, GW_MAP_GONE, GW_MAP_REFUSED}), 3);
	assert_non_null(pages[0]);
	assert_null(pages[1]);
	gw_domain_unmap(&d, &mapping);

	/* The backend's own function refuses a short bitmap; the wrapper drops the rest. */
	assert_ok(gw_domain_logdirty_fetch_and_clear(&d, bitmap, 100, &dirty, &err), &err);
	assert_int_equal(dirty, 100);
	assert_int_equal(gw_bitmap_count(bitmap, 128), 100);
	free(bitmap);
	gw_domain_fini(&d);
}

static struct gw_domain *create(struct gw_host *host)
{
	const struct gw_domain_config config = {
		.name = "held", .type = GW_GUEST_X86_HVM, .max_pages = 100, .vcpus = 1};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = gw_host_create(host, &config, &err);

	if (!d)
		fail_msg("%s", err.text);
	return d;
}

/* close releases a domain, which exists until its control destroys it or its host is closed. */
static void test_attach_and_close(void **state)
{
	const char *uri = *state;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open(uri, &err);
	uint64_t pfn = 5, gfn;
	struct gw_domain_info i;
	struct gw_domain *d, *again, *kept;
	uint32_t domid;

	if (!host)
		skip();
	d = create(host);
	domid = d->domid;
	assert_ok(gw_domain_populate(d, 1, &pfn, &gfn, &err), &err);
	gw_domain_close(d);
	assert_null(gw_host_attach(host, domid + 1, 0, &err));
	assert_fails(-1, &err, GW_UNSUPPORTED, "not one of this host");
	again = gw_host_attach(host, domid, 0, &err);
	assert_non_null(again);
	assert_ok(gw_domain_info(again, &i, &err), &err);
	assert_int_equal(i.nr_pages, 1);
	gw_control_destroy(again->control);
	assert_null(gw_host_attach(host, domid, 0, &err));

	/* A domain without a handle is destroyed with the host; one with a handle stays. */
	kept = create(host);
	gw_domain_close(create(host));
	gw_host_close(host);
	assert_ok(gw_domain_populate(kept, 1, &pfn, &gfn, &err), &err);
	gw_domain_close(kept);
}

/* max_pages bounds the number of pages, max_pfns their pfns. */
static void test_bounds(void **state)
{
	const char *uri = *state;
	struct gw_domain_config config = {.name = "bounded",
					  .type = GW_GUEST_X86_HVM,
					  .max_pages = 2,
					  .max_pfns = 0x200,
					  .vcpus = 1};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open(uri, &err);
	uint64_t nr, gfns[3];
	struct gw_domain *d;

	if (!host)
		skip();
	d = gw_host_create(host, &config, &err);
	assert_non_null(d);
	assert_ok(gw_domain_nr_pfns(d, &nr, &err), &err);
	assert_int_equal(nr, 0x200);
	assert_fails(gw_domain_populate(d, 1, (uint64_t[]){0x200}, gfns, &err), &err, GW_INVALID,
		     "beyond");
	assert_ok(gw_domain_populate(d, 2, (uint64_t[]){0x1ff, 3}, gfns, &err), &err);
	assert_fails(gw_domain_populate(d, 1, (uint64_t[]){4}, gfns, &err), &err, GW_INVALID, "");
	gw_control_destroy(d->control);
	config.max_pfns = 0;
	d = gw_host_create(host, &config, &err);
	assert_non_null(d);
	assert_ok(gw_domain_nr_pfns(d, &nr, &err), &err);
	assert_int_equal(nr, 0x100002);
	gw_control_destroy(d->control);
	gw_host_close(host);
}

/* A large hole needs no entry; a short one is inside an entry. */
static void test_ranges(void **state)
{
	const char *uri = *state;
	uint64_t pfns[] = {0, 1, 2, 500, 501, 0x40000, 0xfeffc, 0xfeffd, 0xff400};
	uint64_t gfns[GW_ARRAY_SIZE(pfns)];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open(uri, &err);
	struct gw_pfn_range *ranges;
	struct gw_domain *d;
	size_t n;

	if (!host)
		skip();
	d = create(host);
	assert_ok(gw_domain_ranges(d, &ranges, &n, &err), &err);
	assert_int_equal(n, 0);
	free(ranges);
	assert_ok(gw_domain_populate(d, GW_ARRAY_SIZE(pfns), pfns, gfns, &err), &err);
	assert_ok(gw_domain_ranges(d, &ranges, &n, &err), &err);
	assert_int_equal(n, 4);
	assert_memory_equal(
		ranges,
		((struct gw_pfn_range[]){{0, 502}, {0x40000, 1}, {0xfeffc, 2}, {0xff400, 1}}),
		n * sizeof(*ranges));
	free(ranges);
	gw_control_destroy(d->control);
	gw_host_close(host);
}

/* A short bitmap at the backend's own entry loses no dirty page. */
static void test_short_fetch(void **state)
{
	const char *uri = *state;
	uint64_t pfns[] = {1, 0x300}, gfns[2], *bitmap, nr, dirty;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open(uri, &err);
	struct gw_domain *d;

	if (!host)
		skip();
	d = create(host);
	assert_ok(gw_domain_populate(d, 1, pfns, gfns, &err), &err);
	assert_ok(gw_domain_logdirty_start(d, &err), &err);
	assert_ok(gw_domain_populate(d, 1, pfns + 1, gfns + 1, &err), &err);
	assert_ok(gw_domain_nr_pfns(d, &nr, &err), &err);
	bitmap = gw_bitmap_new(nr);
	assert_fails(d->ops->logdirty_fetch_and_clear(d, bitmap, nr - 1, &dirty, &err), &err,
		     GW_USAGE, "bitmap");
	assert_ok(d->ops->logdirty_fetch_and_clear(d, bitmap, nr, &dirty, &err), &err);
	assert_true(gw_bitmap_test(bitmap, 0x300));
	gw_domain_logdirty_stop(d);
	free(bitmap);
	gw_control_destroy(d->control);
	gw_host_close(host);
}

#define ON_BOTH(test)                                                                              \
	{#test " memory", test, NULL, NULL, (void *)(uintptr_t) "memory:"},                        \
	{                                                                                          \
#test " emu", test, NULL, NULL, (void *)(uintptr_t) "emu:"                         \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_older_table),
		cmocka_unit_test(test_newer_table),
		cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_host_defaults),
		cmocka_unit_test(test_control_defaults),
		cmocka_unit_test(test_wrappers),
		ON_BOTH(test_attach_and_close),
		ON_BOTH(test_bounds),
		ON_BOTH(test_ranges),
		ON_BOTH(test_short_fetch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
