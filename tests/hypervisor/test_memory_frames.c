/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the frames of the memory backend: populate and its bounds, mapping, log-dirty, the M2P, and
 * the state of an HVM domain.
 */
#include "lib/gwtest.h"

#include <godwit/hypervisor.h>

#include "base/bitmap.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"

#define PFNS 3000

struct fixture {
	struct gw_host *host;
	struct gw_domain *d;
	struct gw_error err;
};

static void open_domain(struct fixture *f, const char *uri, enum gw_guest_type type, uint64_t seed)
{
	struct gw_domain_config config = {
		.name = "test", .type = type, .max_pages = PFNS, .vcpus = 2, .seed = seed};

	memset(f, 0, sizeof(*f));
	f->host = gw_host_open(uri, &f->err);
	assert_non_null(f->host);
	f->d = gw_host_create(f->host, &config, &f->err);
	assert_non_null(f->d);
}

static void close_domain(struct fixture *f)
{
	/* The host may be closed before the domain. */
	gw_host_close(f->host);
	gw_control_destroy(f->d->control);
}

static void test_populate(void **state)
{
	struct fixture f;
	uint64_t gfns[3], pfns[3] = {5, 2, 2999};
	struct gw_domain_info info;

	open_domain(&f, "memory:?pages=5", GW_GUEST_X86_HVM, 0);
	assert_ok(gw_domain_populate(f.d, 3, pfns, gfns, &f.err), &f.err);
	assert_memory_equal(gfns, pfns, sizeof(pfns));
	assert_int_equal(gw_host_free_pages(f.host), 2);

	/* All or nothing: pfn 7 must not be there after either failure. */
	assert_fails(gw_domain_populate(f.d, 2, (uint64_t[]){7, 5}, gfns, &f.err), &f.err, GW_USAGE,
		     "pfn 0x5 has a page");
	assert_fails(gw_domain_populate(f.d, 2, (uint64_t[]){7, 7}, gfns, &f.err), &f.err, GW_USAGE,
		     "listed twice");
	assert_fails(gw_domain_populate(f.d, 2, (uint64_t[]){7, 0x100000 + PFNS}, gfns, &f.err),
		     &f.err, GW_INVALID, "beyond");
	assert_fails(gw_domain_populate(f.d, 1, (uint64_t[]){UINT64_MAX}, gfns, &f.err), &f.err,
		     GW_INVALID, "beyond");
	assert_fails(gw_domain_populate(f.d, 3, (uint64_t[]){7, 8, 9}, gfns, &f.err), &f.err,
		     GW_NO_MEMORY, "host's 5");
	assert_ok(gw_domain_populate(f.d, 1, (uint64_t[]){0x100000 + PFNS - 1}, gfns, &f.err),
		  &f.err);
	assert_ok(gw_memory_depopulate(f.d, 1, gfns, &f.err), &f.err);
	assert_ok(gw_domain_info(f.d, &info, &f.err), &f.err);
	assert_int_equal(info.nr_pages, 3);
	assert_int_equal(gw_memory_page_type(f.d, 7), GW_PAGE_XTAB);
	assert_int_equal(gw_memory_next(f.d, 0), 2);
	assert_int_equal(gw_memory_next(f.d, 6), 2999);
	assert_int_equal(gw_host_free_pages(f.host), 2);

	/* A page that was removed and comes back is zero. */
	strcpy(gw_memory_page(f.d, 5), "old");
	assert_ok(gw_memory_depopulate(f.d, 1, (uint64_t[]){5}, &f.err), &f.err);
	assert_fails(gw_memory_depopulate(f.d, 1, (uint64_t[]){5}, &f.err), &f.err, GW_USAGE,
		     "no page");
	assert_ok(gw_domain_populate(f.d, 1, (uint64_t[]){5}, gfns, &f.err), &f.err);
	assert_int_equal(*(char *)gw_memory_page(f.d, 5), 0);
	close_domain(&f);
}

static void test_types_and_map(void **state)
{
	struct fixture f;
	uint64_t gfns[4] = {0, GW_INVALID_PFN, 4, 99999};
	uint8_t types[4];
	void *pages[2];
	struct gw_mapping mapping;

	open_domain(&f, "memory:", GW_GUEST_X86_HVM, 0);
	assert_ok(gw_domain_populate(f.d, 2, (uint64_t[]){3, 4}, gfns + 2, &f.err), &f.err);
	gfns[2] = 4;
	gfns[3] = 99999;
	assert_ok(gw_domain_page_types(f.d, 4, gfns, types, &f.err), &f.err);
	assert_memory_equal(types, ((uint8_t[]){0xf, 0xf, 0, 0xf}), 4);
	assert_ok(gw_domain_map(f.d, 2, (uint64_t[]){4, 3}, true, pages, &mapping, &f.err), &f.err);
	memset(pages[0], 0x44, GW_PAGE_SIZE);
	memset(pages[1], 0x33, GW_PAGE_SIZE);
	gw_domain_unmap(f.d, &mapping);
	assert_int_equal(((uint8_t *)gw_memory_page(f.d, 4))[4095], 0x44);
	assert_int_equal(((uint8_t *)gw_memory_page(f.d, 3))[0], 0x33);
	assert_fails(gw_domain_map(f.d, 1, (uint64_t[]){5}, false, pages, &mapping, &f.err), &f.err,
		     GW_INVALID, "gfn 0x5 cannot be mapped: it has no page");
	close_domain(&f);
}

static void test_logdirty(void **state)
{
	struct fixture f;
	uint64_t gfns[100], pfns[100], map[GW_BITMAP_WORDS(PFNS)] = {0}, dirty;
	void *pages[1];
	struct gw_mapping mapping;

	open_domain(&f, "memory:", GW_GUEST_X86_PV, 7);
	for (unsigned i = 0; i < 100; i++)
		pfns[i] = 10 * i;
	assert_ok(gw_domain_populate(f.d, 100, pfns, gfns, &f.err), &f.err);
	gw_domain_logdirty_stop(f.d);
	assert_fails(gw_domain_logdirty_peek(f.d, &dirty, &f.err), &f.err, GW_USAGE, "not on");
	assert_ok(gw_domain_logdirty_start(f.d, &f.err), &f.err);
	gw_memory_touch(f.d, 20);
	gw_memory_touch(f.d, 30);
	gw_memory_touch(f.d, 30);
	gw_memory_touch(f.d, PFNS + 5);
	assert_ok(gw_domain_map(f.d, 1, &gfns[50], true, pages, &mapping, &f.err), &f.err);
	assert_ok(gw_domain_logdirty_peek(f.d, &dirty, &f.err), &f.err);
	assert_int_equal(dirty, 3);
	gw_bitmap_set(map, 2999);
	assert_ok(gw_domain_logdirty_fetch_and_clear(f.d, map, PFNS, &dirty, &f.err), &f.err);
	assert_int_equal(dirty, 3);
	assert_int_equal(gw_bitmap_count(map, PFNS), 4);
	assert_true(gw_bitmap_test(map, 20) && gw_bitmap_test(map, 30) && gw_bitmap_test(map, 500));

	/* Still mapped: writes from now on are in the next clean. */
	memset(map, 0, sizeof(map));
	gw_domain_unmap(f.d, &mapping);
	assert_ok(gw_domain_logdirty_fetch_and_clear(f.d, map, PFNS, &dirty, &f.err), &f.err);
	assert_int_equal(dirty, 1);
	assert_true(gw_bitmap_test(map, 500));
	assert_ok(gw_domain_map(f.d, 1, &gfns[50], false, pages, &mapping, &f.err), &f.err);
	gw_domain_unmap(f.d, &mapping);
	assert_ok(gw_domain_logdirty_fetch_and_clear(f.d, map, PFNS, &dirty, &f.err), &f.err);
	assert_int_equal(dirty, 0);
	gw_domain_logdirty_stop(f.d);
	close_domain(&f);
}

static void test_mfns(void **state)
{
	struct fixture f, g;
	static uint64_t gfns[PFNS], other[PFNS], pfns[PFNS];
	const uint64_t *m2p;
	uint64_t max_mfn, same = 0, consecutive = 0, held = 0, shared_mfn;
	void *shared;

	for (unsigned i = 0; i < PFNS; i++)
		pfns[i] = i;
	open_domain(&f, "memory:", GW_GUEST_X86_PV, 1);
	open_domain(&g, "memory:", GW_GUEST_X86_PV, 2);
	assert_ok(gw_domain_populate(f.d, PFNS, pfns, gfns, &f.err), &f.err);
	assert_ok(gw_domain_populate(g.d, PFNS, pfns, other, &g.err), &g.err);
	assert_ok(gw_domain_m2p(f.d, &m2p, &max_mfn, &f.err), &f.err);
	for (unsigned i = 0; i < PFNS; i++) {
		assert_in_range(gfns[i], 1, max_mfn);
		assert_int_equal(m2p[gfns[i]], i);
		assert_int_equal(gw_memory_gfn(f.d, i), gfns[i]);
		same += gfns[i] == other[i];
		consecutive += i > 0 && gfns[i] == gfns[i - 1] + 1;
	}
	for (uint64_t mfn = 0; mfn <= max_mfn; mfn++)
		held += m2p[mfn] != GW_INVALID_PFN;
	assert_int_equal(held, PFNS);
	assert_true(max_mfn > PFNS + PFNS / 4);
	assert_in_range(same, 0, 30);
	assert_in_range(consecutive, 0, 30);
	assert_ok(gw_domain_shared_info(f.d, &shared, &shared_mfn, &f.err), &f.err);
	assert_true(m2p[shared_mfn] == GW_INVALID_PFN);

	/* Freed frames are used again. */
	for (unsigned round = 0; round < 5; round++) {
		assert_ok(gw_memory_depopulate(f.d, PFNS, gfns, &f.err), &f.err);
		assert_int_equal(gw_memory_gfn(f.d, 0), GW_INVALID_PFN);
		assert_ok(gw_domain_populate(f.d, PFNS, pfns, gfns, &f.err), &f.err);
	}
	close_domain(&f);
	open_domain(&f, "memory:", GW_GUEST_X86_HVM, 0);
	assert_ok(gw_domain_populate(f.d, PFNS, pfns, gfns, &f.err), &f.err);
	assert_fails(gw_domain_populate(f.d, 1, (uint64_t[]){PFNS}, gfns, &f.err), &f.err,
		     GW_INVALID, "1 more pages are needed, but the domain may have 3000");
	close_domain(&f);
	close_domain(&g);
}

static void test_hvm_state(void **state)
{
	struct fixture f;
	uint64_t value;
	void *blob;
	size_t len;
	struct gw_tsc_info tsc = {.mode = 2, .khz = 1000, .nsec = 5, .incarnation = 1}, back;

	open_domain(&f, "memory:", GW_GUEST_X86_HVM, 0);
	assert_null(f.d->pv);
	assert_fails(gw_domain_get_context(f.d, &blob, &len, &f.err), &f.err, GW_UNSUPPORTED,
		     "no HVM context");
	assert_fails(gw_domain_set_context(f.d, "", 0, &f.err), &f.err, GW_INVALID, "empty");
	assert_ok(gw_domain_set_context(f.d, "first one", 9, &f.err), &f.err);
	assert_ok(gw_domain_set_context(f.d, "second", 6, &f.err), &f.err);
	assert_ok(gw_domain_get_context(f.d, &blob, &len, &f.err), &f.err);
	assert_int_equal(len, 6);
	assert_memory_equal(blob, "second", 6);
	free(blob);
	assert_ok(gw_domain_set_param(f.d, 38, 99, &f.err), &f.err);
	assert_ok(gw_domain_get_param(f.d, 38, &value, &f.err), &f.err);
	assert_int_equal(value, 99);
	assert_fails(gw_domain_set_param(f.d, 39, 1, &f.err), &f.err, GW_UNSUPPORTED, "param 39");
	assert_ok(gw_domain_set_tsc(f.d, &tsc, &f.err), &f.err);
	assert_ok(gw_domain_get_tsc(f.d, &back, &f.err), &f.err);
	assert_memory_equal(&tsc, &back, sizeof(tsc));
	assert_ok(gw_domain_get_extra(f.d, GW_EXTRA_XENABI, &blob, &len, &f.err), &f.err);
	assert_int_equal(len, 0);
	assert_ok(gw_domain_set_extra(f.d, GW_EXTRA_XENABI, "abi", 3, &f.err), &f.err);
	assert_ok(gw_domain_get_extra(f.d, GW_EXTRA_XENABI, &blob, &len, &f.err), &f.err);
	assert_int_equal(len, 3);
	free(blob);
	close_domain(&f);
}

static void test_life(void **state)
{
	struct fixture f;
	struct gw_domain_info info;
	struct gw_cancel *cancel;

	open_domain(&f, "memory:", GW_GUEST_X86_HVM, 0);
	assert_ok(gw_domain_info(f.d, &info, &f.err), &f.err);
	assert_true(info.paused);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_NONE);
	assert_int_equal(info.max_vcpu_id, 1);
	assert_ok(gw_control_pause(f.d->control, &f.err), &f.err);
	assert_ok(gw_control_unpause(f.d->control, &f.err), &f.err);
	assert_ok(gw_control_unpause(f.d->control, &f.err), &f.err);
	assert_fails(gw_control_unpause(f.d->control, &f.err), &f.err, GW_USAGE, "not paused");
	assert_fails(gw_control_resume(f.d->control, &f.err), &f.err, GW_USAGE, "not suspended");
	cancel = gw_cancel_new(&f.err);
	gw_cancel_set(cancel);
	assert_fails(gw_control_suspend(f.d->control, 1000, cancel, &f.err), &f.err, GW_CANCELLED,
		     "cancelled");
	gw_cancel_free(cancel);
	assert_int_equal(gw_control_suspend(f.d->control, 1000, NULL, &f.err), 1);
	assert_ok(gw_domain_info(f.d, &info, &f.err), &f.err);
	assert_false(info.paused);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_SUSPEND);
	assert_ok(gw_control_resume(f.d->control, &f.err), &f.err);
	assert_ok(gw_domain_info(f.d, &info, &f.err), &f.err);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_NONE);
	close_domain(&f);
}

static void test_bad_configs(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	static const struct {
		struct gw_domain_config config;
		enum gw_code code;
		const char *says;
	} bad[] = {
		{{.type = GW_GUEST_NONE, .max_pages = 1, .vcpus = 1}, GW_UNSUPPORTED, "type 0"},
		{{.type = GW_GUEST_X86_HVM, .max_pages = 0, .vcpus = 1}, GW_USAGE, "0 pages"},
		{{.type = GW_GUEST_X86_HVM, .max_pages = UINT64_MAX, .vcpus = 1},
		 GW_USAGE,
		 "pages"},
		{{.type = GW_GUEST_X86_PV, .max_pages = 1u << 29, .vcpus = 1}, GW_USAGE, "pages"},
		{{.type = GW_GUEST_X86_PV, .max_pages = 1, .vcpus = 0}, GW_USAGE, "0 vCPUs"},
		{{.type = GW_GUEST_X86_PV, .max_pages = 1, .vcpus = 1, .pv_width = 5},
		 GW_USAGE,
		 "width 5"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(gw_host_create(host, &bad[i].config, &err));
		assert_fails(-1, &err, bad[i].code, bad[i].says);
	}
	gw_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_populate),    cmocka_unit_test(test_types_and_map),
		cmocka_unit_test(test_logdirty),    cmocka_unit_test(test_mfns),
		cmocka_unit_test(test_hvm_state),   cmocka_unit_test(test_life),
		cmocka_unit_test(test_bad_configs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
