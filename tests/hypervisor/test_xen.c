/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Xen backend, call by call, over a simulated Xen with the habits of the real one.
 */
#include "lib/gwtest.h"

#include <errno.h>

#include <xenctrl.h>

#include "base/bitmap.h"
#include "fake_xen.h"
#include "format/libxc/image.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"
#include "hypervisor/xen/xen.h"

#define NR_GPFNS 0xff000u

struct fixture {
	struct gw_host *host;
	struct fake_domain *fake;
	struct gw_domain *d;
	struct gw_error err;
};

static struct fixture open_domain(enum gw_guest_type type, uint64_t max_pages)
{
	struct fixture f = {0};

	fake_start();
	f.host = gw_xen_host_open("", &f.err);
	assert_non_null(f.host);
	f.fake = fake_add(5, type, max_pages, 8);
	f.d = gw_host_attach(f.host, 5, 0, &f.err);
	assert_non_null(f.d);
	return f;
}

/* The tiny PVH guest: 4 MiB, 16 pages below 4 GiB and 8 at the end of what it uses. */
static struct fixture open_pvh(void)
{
	struct fixture f = open_domain(GW_GUEST_X86_HVM, 2000);

	fake_populate(f.fake, 0, 0x400);
	fake_populate(f.fake, 0xfc000, 16);
	fake_populate(f.fake, 0xfeff8, 8);
	gw_domain_close(f.d);
	f.d = gw_host_attach(f.host, 5, 0, &f.err);
	assert_non_null(f.d);
	return f;
}

/* The domain outlives its host's handle. */
static void close_all(struct fixture *f)
{
	gw_host_close(f->host);
	gw_domain_close(f->d);
	fake_stop();
}

static void test_host(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy pv, hvm;

	fake_start();
	assert_null(gw_xen_host_open("color=red", &err));
	assert_fails(-1, &err, GW_USAGE, "\"color\": xen: has no options");
	fake.open_errno = ENOENT;
	assert_null(gw_xen_host_open("", &err));
	assert_fails(-1, &err, GW_UNSUPPORTED, "does not run Xen");
	fake.open_errno = EACCES;
	assert_null(gw_xen_host_open("", &err));
	assert_fails(-1, &err, GW_SYSTEM, "Permission denied");
	fake.open_errno = 0;
	struct gw_host *host = gw_xen_host_open("", &err);

	assert_string_equal(host->ops->name, "xen");
	assert_int_equal(gw_host_guest_types(host), 1 << GW_GUEST_X86_PV | 1 << GW_GUEST_X86_HVM);
	assert_int_equal(gw_host_free_pages(host), 0x30000);
	assert_ok(gw_host_policy(host, GW_GUEST_X86_PV, &pv, &err), &err);
	assert_ok(gw_host_policy(host, GW_GUEST_X86_HVM, &hvm, &err), &err);
	assert_int_equal(pv.nr_leaves, 46);
	assert_int_equal(hvm.nr_leaves, 51);
	assert_int_equal(hvm.nr_msrs, 1);
	assert_int_equal(pv.leaves[1].d, 0x0fc9c3f5);
	assert_int_equal(hvm.leaves[1].d, 0x0fcbfbfd);
	assert_int_equal(hvm.leaves[1].subleaf, GW_CPUID_NO_SUBLEAF);
	assert_int_equal(hvm.msrs[0].index, 0xce);
	gw_policy_free(&pv);
	gw_policy_free(&hvm);
	assert_null(gw_host_create(host, &(struct gw_domain_config){0}, &err));
	assert_fails(-1, &err, GW_UNSUPPORTED, "cannot create");
	gw_host_close(host);
	fake_stop();
}

static void test_attach(void **state)
{
	struct fixture f = open_pvh();
	struct gw_domain_info info;

	assert_int_equal(f.d->type, GW_GUEST_X86_HVM);
	assert_null(f.d->control);
	assert_ok(gw_domain_info(f.d, &info, &f.err), &f.err);
	assert_int_equal(info.nr_pages, 1048);
	assert_int_equal(info.max_vcpu_id, 1);
	assert_true(info.paused);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_NONE);
	/* Asked for 3, Xen answers for 5. */
	assert_null(gw_host_attach(f.host, 3, 0, &f.err));
	assert_fails(-1, &f.err, GW_SYSTEM, "domain 3 does not exist");
	assert_null(gw_host_attach(f.host, 6, 0, &f.err));
	assert_fails(-1, &f.err, GW_SYSTEM, "domain 6 does not exist");
	assert_null(gw_host_attach(f.host, 0x10005, 0, &f.err));
	assert_fails(-1, &f.err, GW_USAGE, "domain 65541");
	f.fake->reason = SHUTDOWN_suspend;
	assert_ok(gw_domain_info(f.d, &info, &f.err), &f.err);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_SUSPEND);
	f.fake->reason = SHUTDOWN_watchdog;
	assert_ok(gw_domain_info(f.d, &info, &f.err), &f.err);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_CRASH);
	f.fake->dying = true;
	assert_null(gw_host_attach(f.host, 5, 0, &f.err));
	assert_fails(-1, &f.err, GW_SYSTEM, "is being destroyed");
	close_all(&f);
}

/* A domain without memory has 1 pfn for Xen. */
static void test_bound(void **state)
{
	struct fixture f = open_domain(GW_GUEST_X86_HVM, 1000);
	uint64_t nr, gfn, pfn = 3, done;

	assert_ok(gw_domain_nr_pfns(f.d, &nr, &f.err), &f.err);
	assert_true(nr > 0x100000);
	gw_domain_close(f.d);
	f.d = gw_host_attach(f.host, 5, 0x12345, &f.err);
	assert_ok(gw_domain_nr_pfns(f.d, &nr, &f.err), &f.err);
	assert_int_equal(nr, 0x12345);
	/* Memory that comes does not make the bound smaller; memory above it makes it greater. */
	assert_ok(gw_domain_populate(f.d, 1, &pfn, &gfn, &f.err), &f.err);
	assert_ok(gw_domain_nr_pfns(f.d, &nr, &f.err), &f.err);
	assert_int_equal(nr, 0x12345);
	pfn = 0x20000;
	assert_ok(gw_domain_populate_part(f.d, 1, &pfn, &gfn, &done, &f.err), &f.err);
	assert_ok(gw_domain_nr_pfns(f.d, &nr, &f.err), &f.err);
	assert_int_equal(nr, 0x20001);
	close_all(&f);
}

static void test_types(void **state)
{
	struct fixture f = open_pvh();
	uint64_t gfns[GW_PAGE_TYPES_MAX + 1] = {0x3ff, 0x400, GW_INVALID_PFN, 0xfefff};
	uint8_t types[GW_PAGE_TYPES_MAX + 1];

	assert_ok(f.d->ops->page_types(f.d, 4, gfns, types, &f.err), &f.err);
	assert_int_equal(types[0], GW_PAGE_NOTAB);
	assert_int_equal(types[1], GW_PAGE_XTAB);
	assert_int_equal(types[2], GW_PAGE_XTAB);
	assert_int_equal(types[3], GW_PAGE_NOTAB);
	assert_ok(f.d->ops->page_types(f.d, 0, gfns, types, &f.err), &f.err);
	assert_fails(f.d->ops->page_types(f.d, GW_PAGE_TYPES_MAX + 1, gfns, types, &f.err), &f.err,
		     GW_USAGE, "at most 1024");
	assert_ok(gw_domain_page_types(f.d, GW_PAGE_TYPES_MAX + 1, gfns, types, &f.err), &f.err);
	f.fake->domid = 6; /* it is gone */
	assert_fails(f.d->ops->page_types(f.d, 1, gfns, types, &f.err), &f.err, GW_SYSTEM,
		     "domain 5: types of 1 pages from gfn 0x3ff: No such process");
	f.fake->domid = 5;
	close_all(&f);
}

static void test_map(void **state)
{
	struct fixture f = open_pvh();
	const uint64_t gfns[] = {0x10, 0x400, 0xfc001, GW_INVALID_PFN};
	void *pages[2000];
	uint8_t results[2000];
	uint64_t many[2000];
	struct gw_mapping mapping;

	*(uint8_t *)gw_memory_page(f.fake->memory, 0x10) = 1;
	*(uint8_t *)gw_memory_page(f.fake->memory, 0xfc001) = 2;
	assert_ok(gw_domain_map_each(f.d, 4, gfns, true, pages, results, &mapping, &f.err), &f.err);
	assert_int_equal(results[0], GW_MAP_OK);
	assert_int_equal(results[1], GW_MAP_GONE);
	assert_int_equal(results[2], GW_MAP_OK);
	assert_int_equal(results[3], GW_MAP_GONE);
	assert_int_equal(*(uint8_t *)pages[0], 1);
	assert_null(pages[1]);
	assert_int_equal(*(uint8_t *)pages[2], 2);
	*(uint8_t *)pages[2] = 3;
	gw_domain_unmap(f.d, &mapping);
	assert_int_equal(*(uint8_t *)gw_memory_page(f.fake->memory, 0xfc001), 3);
	assert_ok(gw_domain_map_each(f.d, 1, gfns + 1, false, pages, results, &mapping, &f.err),
		  &f.err);
	assert_int_equal(results[0], GW_MAP_GONE);
	gw_domain_unmap(f.d, &mapping);
	assert_fails(gw_domain_map(f.d, 2, gfns, false, pages, &mapping, &f.err), &f.err,
		     GW_INVALID, "gfn 0x400 cannot be mapped: it has no page");
	/* More than have their results on the stack. */
	for (unsigned i = 0; i < 2000; i++)
		many[i] = i % 0x400;
	assert_ok(gw_domain_map(f.d, 2000, many, false, pages, &mapping, &f.err), &f.err);
	gw_domain_unmap(f.d, &mapping);
	close_all(&f);
}

static void test_populate(void **state)
{
	struct fixture f = open_domain(GW_GUEST_X86_HVM, 1100);
	uint64_t pfns[1200], gfns[1200];
	size_t done;

	for (unsigned i = 0; i < 1200; i++)
		pfns[i] = 0x1f0 + i;
	/* 16 single pages, 512 at once, the rest of the limit. */
	assert_fails(gw_domain_populate_part(f.d, 1200, pfns, gfns, &done, &f.err), &f.err,
		     GW_NO_MEMORY, "of which it got 1100");
	assert_int_equal(done, 1100);
	assert_int_equal(fake.superpages, 2);
	assert_memory_equal(gfns, pfns, sizeof(gfns));
	assert_non_null(gw_memory_page(f.fake->memory, 0x1f0 + 1099));
	assert_null(gw_memory_page(f.fake->memory, 0x1f0 + 1100));
	assert_false(f.d->ops->populate_zeroes);
	assert_int_equal(*(uint8_t *)gw_memory_page(f.fake->memory, 0x1f0), 0xa5);
	close_all(&f);
}

/* Where no 2 MiB are free, 4 KiB do. */
static void test_populate_small(void **state)
{
	struct fixture f = open_domain(GW_GUEST_X86_HVM, 700);
	uint64_t pfns[1024], gfns[1024];
	size_t done;

	fake.no_superpages = true;
	for (unsigned i = 0; i < 1024; i++)
		pfns[i] = i;
	assert_ok(gw_domain_populate_part(f.d, 600, pfns, gfns, &done, &f.err), &f.err);
	assert_int_equal(done, 600);
	fake.no_superpages = false;
	/* There is not enough for another one. */
	pfns[600] = 1;
	for (unsigned i = 0; i < 512; i++)
		pfns[i] = 1024 + i;
	assert_int_equal(gw_domain_populate_part(f.d, 512, pfns, gfns, &done, &f.err), -1);
	assert_int_equal(done, 100);
	assert_int_equal(fake.superpages, 0);
	close_all(&f);
}

static void assert_ranges(struct fixture *f, const struct gw_pfn_range *want, size_t nr)
{
	struct gw_pfn_range *ranges;
	size_t n;

	gw_error_clear(&f->err);
	assert_ok(gw_domain_ranges(f->d, &ranges, &n, &f->err), &f->err);
	assert_int_equal(n, nr);
	assert_memory_equal(ranges, want, nr * sizeof(*want));
	free(ranges);
}

static void test_ranges(void **state)
{
	struct fixture f = open_pvh();
	const struct gw_pfn_range want[] = {{0, 0x400}, {0xfc000, 64}, {0xfefc0, 64}};
	const struct gw_pfn_range more[] = {{0, 0x400}, {0x7f00, 64}, {0xfc000, 64}, {0xfefc0, 64}};
	uint64_t nr;

	assert_ok(gw_domain_nr_pfns(f.d, &nr, &f.err), &f.err);
	assert_int_equal(nr, NR_GPFNS);
	assert_ranges(&f, want, 3);
	/* A hole costs a sample of itself, not itself. */
	assert_true(fake.types_asked < NR_GPFNS / 20);
	/* A page that no sample finds is found because Xen counts one more. */
	fake_populate(f.fake, 0x7f11, 1);
	fake.types_asked = 0;
	assert_ranges(&f, more, 4);
	assert_true(fake.types_asked >= NR_GPFNS);
	close_all(&f);
}

/* The last range ends where the domain does, and a domain without memory has none. */
static void test_ranges_ends(void **state)
{
	struct fixture f = open_domain(GW_GUEST_X86_HVM, 1000);
	const struct gw_pfn_range want[] = {{64, 70 - 64}};

	assert_ranges(&f, want, 0);
	fake_populate(f.fake, 69, 1);
	assert_ranges(&f, want, 1);
	/* More ranges than there was room for at first. */
	for (unsigned i = 1; i < 40; i++)
		fake_populate(f.fake, 69 + i * 128, 1);
	struct gw_pfn_range *ranges;
	size_t n;

	assert_ok(gw_domain_ranges(f.d, &ranges, &n, &f.err), &f.err);
	assert_int_equal(n, 40);
	for (unsigned i = 0; i < 39; i++)
		assert_int_equal(ranges[i].first, 64 + i * 128);
	free(ranges);
	close_all(&f);
}

static uint64_t fetch(struct fixture *f, uint64_t *bitmap)
{
	uint64_t dirty;

	assert_ok(gw_domain_logdirty_fetch_and_clear(f->d, bitmap, NR_GPFNS, &dirty, &f->err),
		  &f->err);
	return dirty;
}

static void test_logdirty(void **state)
{
	struct fixture f = open_pvh();
	uint64_t *bitmap = gw_bitmap_new(NR_GPFNS), dirty;

	assert_ok(gw_domain_logdirty_start(f.d, &f.err), &f.err);
	gw_memory_touch(f.fake->memory, 7);
	/* Started again it begins anew. */
	assert_ok(gw_domain_logdirty_start(f.d, &f.err), &f.err);
	assert_int_equal(fetch(&f, bitmap), 0);
	gw_memory_touch(f.fake->memory, 3);
	gw_memory_touch(f.fake->memory, 0xfefff);
	assert_ok(gw_domain_logdirty_peek(f.d, &dirty, &f.err), &f.err);
	assert_int_equal(dirty, 2);
	/* Nothing is forgotten by what is refused. */
	assert_fails(f.d->ops->logdirty_fetch_and_clear(f.d, bitmap, 64, &dirty, &f.err), &f.err,
		     GW_USAGE, "a bitmap of 64 pages");
	gw_bitmap_set(bitmap, 100);
	assert_int_equal(fetch(&f, bitmap), 2);
	assert_true(gw_bitmap_test(bitmap, 3) && gw_bitmap_test(bitmap, 0xfefff) &&
		    gw_bitmap_test(bitmap, 100));
	assert_int_equal(gw_bitmap_count(bitmap, NR_GPFNS), 3);
	assert_int_equal(fetch(&f, bitmap), 0);
	/* An old bit of Xen's buffer is not found again. */
	assert_int_equal(gw_bitmap_count(bitmap, NR_GPFNS), 3);
	gw_domain_logdirty_stop(f.d);
	gw_domain_logdirty_stop(f.d);
	assert_fails(gw_domain_logdirty_peek(f.d, &dirty, &f.err), &f.err, GW_SYSTEM,
		     "Invalid argument");
	free(bitmap);
	close_all(&f);
}

/* Xen does not log a page that comes, and it does not say where one came. */
static void test_new_pages(void **state)
{
	struct fixture f = open_pvh();
	uint64_t *bitmap = gw_bitmap_new(NR_GPFNS);
	struct gw_pfn_range *ranges;
	size_t n;

	assert_ok(gw_domain_logdirty_start(f.d, &f.err), &f.err);
	assert_ok(gw_domain_ranges(f.d, &ranges, &n, &f.err), &f.err);
	free(ranges);
	gw_memory_touch(f.fake->memory, 2);
	fake.type_calls = 0;
	assert_int_equal(fetch(&f, bitmap), 1);
	assert_int_equal(fake.type_calls, 0);
	fake_populate(f.fake, 0x5011, 2);
	assert_int_equal(fetch(&f, bitmap), 2);
	assert_true(gw_bitmap_test(bitmap, 0x5011) && gw_bitmap_test(bitmap, 0x5012));
	assert_int_equal(fetch(&f, bitmap), 0);
	/* One goes, two come. */
	assert_ok(gw_memory_depopulate(f.fake->memory, 1, &(uint64_t){0x300}, &f.err), &f.err);
	fake_populate(f.fake, 0x6000, 2);
	assert_int_equal(fetch(&f, bitmap), 2);
	assert_true(gw_bitmap_test(bitmap, 0x6001) && !gw_bitmap_test(bitmap, 0x300));
	/* As many go as come while Xen's number is not theirs. */
	f.fake->shared = 2;
	assert_int_equal(fetch(&f, bitmap), 0);
	assert_ok(gw_memory_depopulate(f.fake->memory, 1, &(uint64_t){0x301}, &f.err), &f.err);
	fake_populate(f.fake, 0x7011, 1);
	assert_int_equal(fetch(&f, bitmap), 1);
	assert_true(gw_bitmap_test(bitmap, 0x7011));
	f.fake->shared = 0;
	free(bitmap);
	close_all(&f);
}

static struct fake_domain *growing;

static void grow(void)
{
	fake_populate(growing, 0x180000, 1);
}

/* What a CLEAN does not cover it forgets: that must not pass for "not written". */
static void test_short_clean(void **state)
{
	struct fixture f = open_pvh();
	uint64_t *bitmap = gw_bitmap_new(1 << 21), dirty;

	assert_ok(gw_domain_logdirty_start(f.d, &f.err), &f.err);
	fake.clean_most = 64 * 100;
	assert_fails(gw_domain_logdirty_fetch_and_clear(f.d, bitmap, NR_GPFNS, &dirty, &f.err),
		     &f.err, GW_SYSTEM, "the dirty pages of 6400 pfns, the domain has 1044480");
	fake.clean_most = 0;
	close_all(&f);

	/* A domain of more pfns than it had a moment ago, and than the slack of the buffer. */
	f = open_domain(GW_GUEST_X86_HVM, 0x100000);
	fake_populate(f.fake, 0, 16);
	assert_ok(gw_domain_logdirty_start(f.d, &f.err), &f.err);
	growing = f.fake;
	fake.before_clean = grow;
	assert_fails(f.d->ops->logdirty_fetch_and_clear(f.d, bitmap, 1 << 20, &dirty, &f.err),
		     &f.err, GW_SYSTEM, "the others are lost");
	free(bitmap);
	close_all(&f);
}

static void test_logdirty_pv(void **state)
{
	struct fixture f = open_domain(GW_GUEST_X86_PV, 1000);

	fake.no_shadow = true;
	assert_fails(gw_domain_logdirty_start(f.d, &f.err), &f.err, GW_UNSUPPORTED,
		     "logs no dirty pages of PV guests");
	fake.no_shadow = false;
	assert_ok(gw_domain_logdirty_start(f.d, &f.err), &f.err);
	close_all(&f);
}

static void test_policy(void **state)
{
	struct fixture f = open_pvh();
	struct gw_policy policy;
	struct gw_cpuid_leaf leaf = {.leaf = 0x999, .subleaf = 3};
	struct gw_msr_entry msr = {.index = 0x12345};
	const struct gw_policy bad_leaf = {.leaves = &leaf, .nr_leaves = 1};
	const struct gw_policy bad_msr = {.msrs = &msr, .nr_msrs = 1};

	assert_ok(gw_domain_get_policy(f.d, &policy, &f.err), &f.err);
	assert_int_equal(policy.nr_leaves, 51);
	assert_int_equal(policy.nr_msrs, 1);
	assert_fails(gw_domain_set_policy(f.d, &bad_leaf, &f.err), &f.err, GW_REFUSED,
		     "CPUID leaf 0x999 subleaf 0x3");
	leaf.subleaf = GW_CPUID_NO_SUBLEAF;
	assert_fails(gw_domain_set_policy(f.d, &bad_leaf, &f.err), &f.err, GW_REFUSED,
		     "CPUID leaf 0x999: ");
	assert_fails(gw_domain_set_policy(f.d, &bad_msr, &f.err), &f.err, GW_REFUSED,
		     "MSR 0x12345");
	policy.leaves[7].c = 77;
	assert_ok(gw_domain_set_policy(f.d, &policy, &f.err), &f.err);
	gw_policy_free(&policy);
	assert_ok(gw_domain_get_policy(f.d, &policy, &f.err), &f.err);
	assert_int_equal(policy.nr_leaves, 51);
	assert_int_equal(policy.leaves[7].c, 77);
	f.fake->ran = true;
	assert_fails(gw_domain_set_policy(f.d, &policy, &f.err), &f.err, GW_BUSY,
		     "has run already");
	f.fake->domid = 6; /* it is gone */
	assert_fails(gw_domain_set_policy(f.d, &policy, &f.err), &f.err, GW_SYSTEM,
		     "cannot give the CPU policy: No such process");
	f.fake->domid = 5;
	gw_policy_free(&policy);
	close_all(&f);
}

static void test_hvm_state(void **state)
{
	struct fixture f = open_pvh();
	const struct gw_tsc_info in = {.mode = 1, .khz = 2000, .nsec = 33, .incarnation = 4};
	const struct gw_ring store = {.gfn = 0xfeffc, .domid = 1, .evtchn = 3};
	const struct gw_ring console = {.gfn = GW_INVALID_PFN};
	uint8_t context[32] = {1, 0, 0, 0, 8, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9};
	struct gw_tsc_info tsc;
	uint64_t value;
	void *blob;
	size_t len;

	assert_ok(gw_domain_set_tsc(f.d, &in, &f.err), &f.err);
	assert_ok(gw_domain_get_tsc(f.d, &tsc, &f.err), &f.err);
	assert_int_equal(tsc.mode, in.mode);
	assert_int_equal(tsc.khz, in.khz);
	assert_int_equal(tsc.nsec, in.nsec);
	assert_int_equal(tsc.incarnation, in.incarnation);
	assert_fails(gw_domain_set_tsc(f.d, &(struct gw_tsc_info){.mode = 9}, &f.err), &f.err,
		     GW_SYSTEM, "its TSC (mode 9");

	assert_fails(gw_domain_get_context(f.d, &blob, &len, &f.err), &f.err, GW_SYSTEM,
		     "HVM context");
	assert_ok(gw_domain_set_context(f.d, context, 24, &f.err), &f.err);
	assert_ok(gw_domain_get_context(f.d, &blob, &len, &f.err), &f.err);
	assert_int_equal(len, 24);
	assert_memory_equal(blob, context, 24);
	free(blob);
	context[0] = 99;
	assert_fails(gw_domain_set_context(f.d, context, 24, &f.err), &f.err, GW_SYSTEM,
		     "an HVM context of 24 bytes: Invalid argument");
	assert_fails(gw_domain_set_context(f.d, context, 0, &f.err), &f.err, GW_INVALID, "0 bytes");

	assert_ok(gw_domain_set_param(f.d, HVM_PARAM_STORE_PFN, 0xfeffc, &f.err), &f.err);
	assert_ok(gw_domain_get_param(f.d, HVM_PARAM_STORE_PFN, &value, &f.err), &f.err);
	assert_int_equal(value, 0xfeffc);
	assert_ok(gw_domain_set_param(f.d, HVM_PARAM_PAE_ENABLED, 1, &f.err), &f.err);
	assert_fails(gw_domain_set_param(f.d, 99, 1, &f.err), &f.err, GW_SYSTEM, "HVM param 99");
	assert_fails(gw_domain_get_param(f.d, 99, &value, &f.err), &f.err, GW_SYSTEM,
		     "HVM param 99");

	assert_ok(gw_domain_get_extra(f.d, GW_EXTRA_XENABI, &blob, &len, &f.err), &f.err);
	assert_int_equal(len, 0);
	assert_fails(gw_domain_set_extra(f.d, GW_EXTRA_XENABI, "x", 1, &f.err), &f.err,
		     GW_UNSUPPORTED, "built-in machine");

	assert_ok(gw_domain_seed_grants(f.d, &store, &console, &f.err), &f.err);
	assert_true(f.fake->seeded_hvm);
	assert_int_equal(f.fake->seeded_store, 0xfeffc);
	assert_int_equal(f.fake->seeded_store_domid, 1);
	assert_true(f.fake->seeded_console == GW_INVALID_PFN);
	close_all(&f);
}

static void test_pv(void **state)
{
	struct fixture f = open_domain(GW_GUEST_X86_PV, 3000);
	uint64_t pfns[2100], mfns[2100], max_mfn, last_mfn, mfn;
	uint8_t types[2100], result;
	struct gw_mapping mapping;
	const uint64_t *m2p;
	unsigned width;
	void *page;

	fake.no_pv32 = true;
	assert_fails(gw_domain_set_width(f.d, 4, &f.err), &f.err, GW_UNSUPPORTED,
		     "no PV guests of 32 bits");
	assert_fails(gw_domain_compat_m2p_mfn0(f.d, &mfn, &f.err), &f.err, GW_UNSUPPORTED,
		     "no M2P for 32-bit");
	fake.no_pv32 = false;
	assert_ok(gw_domain_compat_m2p_mfn0(f.d, &mfn, &f.err), &f.err);
	assert_true(mfn != 0);
	assert_fails(gw_domain_set_width(f.d, 6, &f.err), &f.err, GW_UNSUPPORTED, "expected 4 or");
	assert_ok(gw_domain_set_width(f.d, 4, &f.err), &f.err);
	assert_ok(gw_domain_get_width(f.d, &width, &f.err), &f.err);
	assert_int_equal(width, 4);
	assert_ok(gw_domain_set_width(f.d, 8, &f.err), &f.err);
	for (unsigned i = 0; i < 2100; i++) {
		pfns[i] = i;
		types[i] = GW_PAGE_PINNED | 1;
	}
	assert_ok(gw_domain_populate(f.d, 2100, pfns, mfns, &f.err), &f.err);
	assert_int_equal(fake.superpages, 0);
	assert_ok(gw_domain_m2p(f.fake->memory, &m2p, &last_mfn, &f.err), &f.err);
	assert_ok(gw_domain_m2p(f.d, &m2p, &max_mfn, &f.err), &f.err);
	assert_int_equal(max_mfn, last_mfn);
	for (unsigned i = 0; i < 2100; i++) {
		assert_in_range(mfns[i], 1, max_mfn);
		assert_int_equal(m2p[mfns[i]], i);
		assert_ok(gw_domain_map(f.d, 1, &mfns[i], true, &page, &mapping, &f.err), &f.err);
		memset(page, 0, GW_PAGE_SIZE);
		gw_domain_unmap(f.d, &mapping);
	}
	/* In batches. */
	assert_ok(gw_domain_pin(f.d, 2050, mfns, types, &f.err), &f.err);
	assert_int_equal(fake.pins, 3);
	assert_ok(gw_domain_page_types(f.d, 1, &mfns[2049], types, &f.err), &f.err);
	assert_int_equal(types[0], GW_PAGE_PINNED | 1);
	assert_ok(gw_domain_map_each(f.d, 1, &mfns[0], true, &page, &result, &mapping, &f.err),
		  &f.err);
	assert_int_equal(result, GW_MAP_REFUSED);
	gw_domain_unmap(f.d, &mapping);
	assert_ok(
		gw_domain_map_each(f.d, 1, &(uint64_t){1}, true, &page, &result, &mapping, &f.err),
		&f.err);
	assert_int_equal(result, GW_MAP_GONE);
	gw_domain_unmap(f.d, &mapping);
	assert_fails(gw_domain_pin(f.d, 1, &mfns[2060], &(uint8_t){1}, &f.err), &f.err, GW_USAGE,
		     "as type 0x1");
	assert_fails(gw_domain_pin(f.d, 1, &mfns[0], types, &f.err), &f.err, GW_SYSTEM,
		     "pinning 1 page tables");
	assert_ok(gw_domain_shared_info(f.d, &page, &mfn, &f.err), &f.err);
	*(uint8_t *)page = 42;
	void *again;

	assert_ok(gw_domain_shared_info(f.d, &again, &mfn, &f.err), &f.err);
	assert_ptr_equal(page, again);
	close_all(&f);
}

static void set_and_get(struct fixture *f, uint32_t record, const void *in, size_t len)
{
	void *blob;
	size_t got;

	assert_ok(gw_domain_set_vcpu(f->d, 1, record, in, len, &f->err), &f->err);
	assert_ok(gw_domain_get_vcpu(f->d, 1, record, &blob, &got, &f->err), &f->err);
	assert_int_equal(got, len);
	assert_memory_equal(blob, in, len);
	free(blob);
}

static void test_vcpu(void **state)
{
	struct fixture f = open_domain(GW_GUEST_X86_PV, 100);
	uint8_t extended[64] = {1, 0, 0, 0, 64, 0, 0, 0, 7, 8, 9};
	uint8_t xsave[700] = {3, 0, 0, 0, 0, 0, 0, 0, 3};
	uint8_t msrs[32] = {0x81, 0, 0, 0xc0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0x45, 0x23, 1};
	bool online;
	void *blob;
	size_t len;

	assert_ok(gw_domain_vcpu_online(f.d, 1, &online, &f.err), &f.err);
	assert_false(online);
	assert_fails(gw_domain_vcpu_online(f.d, 9, &online, &f.err), &f.err, GW_SYSTEM, "vCPU 9");
	assert_fails(gw_domain_get_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_BASIC, &blob, &len, &f.err),
		     &f.err, GW_SYSTEM, "domain 5, vCPU 1: its context");
	assert_fails(gw_domain_set_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_BASIC, xsave, 700, &f.err),
		     &f.err, GW_INVALID, "700 bytes: expected 5168");

	set_and_get(&f, GW_REC_X86_PV_VCPU_EXTENDED, extended, 64);
	assert_fails(gw_domain_set_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_EXTENDED, extended, 64, &f.err),
		     &f.err, GW_INVALID, "of vCPU 1");
	assert_fails(gw_domain_set_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_EXTENDED, xsave, 129, &f.err),
		     &f.err, GW_INVALID, "expected 8 to 128");

	/* Without XSAVE Xen speaks of 16 bytes that there are not. */
	assert_ok(gw_domain_get_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_XSAVE, &blob, &len, &f.err),
		  &f.err);
	assert_int_equal(len, 0);
	assert_null(blob);
	assert_fails(gw_domain_set_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_XSAVE, xsave, 700, &f.err),
		     &f.err, GW_SYSTEM, "does this host have XSAVE?");
	fake.xsave_mask = 7;
	set_and_get(&f, GW_REC_X86_PV_VCPU_XSAVE, xsave, 700);

	/* Xen speaks of 7 MSRs; there are none. */
	assert_ok(gw_domain_get_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_MSRS, &blob, &len, &f.err), &f.err);
	assert_int_equal(len, 0);
	set_and_get(&f, GW_REC_X86_PV_VCPU_MSRS, msrs, 16);
	assert_fails(gw_domain_set_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_MSRS, msrs, 32, &f.err), &f.err,
		     GW_SYSTEM, "its MSR 0x12345");
	assert_fails(gw_domain_set_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_MSRS, msrs, 17, &f.err), &f.err,
		     GW_INVALID, "not a multiple of 16");
	assert_fails(gw_domain_set_vcpu(f.d, 1, GW_REC_END, msrs, 16, &f.err), &f.err, GW_USAGE,
		     "is not known");
	close_all(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_populate),
		cmocka_unit_test(test_populate_small),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_ranges_ends),
		cmocka_unit_test(test_logdirty),
		cmocka_unit_test(test_new_pages),
		cmocka_unit_test(test_short_clean),
		cmocka_unit_test(test_logdirty_pv),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_hvm_state),
		cmocka_unit_test(test_pv),
		cmocka_unit_test(test_vcpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
