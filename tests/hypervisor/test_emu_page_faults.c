/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests faults on guest memory that the caller serves: a page is copied before its first write, an
 * absent page is filled at its first access, both under a running guest, and log-dirty at the same
 * time.
 */
#include "emu_bench.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"

#define MEM_PAGES 1024

struct snapshot {
	struct guest *g;
	uint64_t nr;
	uint8_t *copy;	/* each page as it was before its first write */
	uint64_t *have; /* by pfn */
	atomic_uint faults;
};

static void require_faults(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gw_domain_protect_start(g->d, NULL, NULL, &err) == 0) {
		assert_ok(gw_domain_protect_stop(g->d, &err), &err);
		return;
	}
	print_message("no faults to serve here: %s\n", err.text);
	guest_free(g);
	skip();
}

static void keep(struct snapshot *s, uint64_t pfn, const void *page)
{
	memcpy(s->copy + pfn * GW_PAGE_SIZE, page, GW_PAGE_SIZE);
	gw_bitmap_set(s->have, pfn);
}

static void before_write(void *opaque, uint64_t pfn, const void *page)
{
	struct snapshot *s = opaque;

	atomic_fetch_add(&s->faults, 1);
	if (pfn < s->nr && !gw_bitmap_test(s->have, pfn))
		keep(s, pfn, page);
}

static struct snapshot snapshot_of(struct guest *g)
{
	struct snapshot s = {.g = g, .nr = MEM_PAGES};

	s.copy = calloc(MEM_PAGES, GW_PAGE_SIZE);
	s.have = gw_bitmap_new(MEM_PAGES);
	assert_true(s.copy && s.have);
	return s;
}

/* The pfns below MEM_PAGES that have a page; the guest's shared info frame is not one of them. */
static size_t pages_of(struct guest *g, uint64_t pfns[MEM_PAGES])
{
	struct gw_error err = GW_ERROR_INIT;
	size_t n = 0;

	for (uint64_t pfn = 0; pfn < MEM_PAGES; pfn++) {
		uint8_t type;

		assert_ok(gw_domain_page_types(g->d, 1, &pfn, &type, &err), &err);
		if (type == GW_PAGE_NOTAB)
			pfns[n++] = pfn;
	}
	return n;
}

/* Copies the guest's memory as it is now. */
static uint8_t *memory_now(struct guest *g, size_t n, const uint64_t *pfns)
{
	uint8_t *copy = calloc(MEM_PAGES, GW_PAGE_SIZE);

	for (size_t i = 0; i < n; i++)
		memcpy(copy + pfns[i] * GW_PAGE_SIZE, guest_page(g, pfns[i]), GW_PAGE_SIZE);
	return copy;
}

/* A snapshot of a guest that runs all the time. */
static void test_protect(void **state)
{
	struct guest *g = guest_boot("", "32", "pages=64 period=1", MEM_PAGES);
	struct gw_error err = GW_ERROR_INIT;
	struct snapshot s = snapshot_of(g);
	uint64_t pfns[MEM_PAGES];
	uint8_t *expected;
	size_t n;

	require_faults(g);
	guest_unpause(g);
	guest_wait(g, 0, "beat 3 ");
	guest_pause(g);
	n = pages_of(g, pfns);
	expected = memory_now(g, n, pfns);
	assert_ok(gw_domain_protect_start(g->d, before_write, &s, &err), &err);
	assert_fails(gw_domain_protect_start(g->d, before_write, &s, &err), &err, GW_BUSY,
		     "already");
	guest_unpause(g);
	guest_wait(g, guest_console_len(g), "beat ");
	assert_true(atomic_load(&s.faults) > 0);
	guest_pause(g);
	for (size_t i = 0; i < n; i++) {
		if (!gw_bitmap_test(s.have, pfns[i]))
			keep(&s, pfns[i], guest_page(g, pfns[i]));
		assert_ok(gw_domain_protect_release(g->d, 1, &pfns[i], &err), &err);
	}
	assert_memory_equal(s.copy, expected, (size_t)MEM_PAGES * GW_PAGE_SIZE);
	/* After the release nothing faults. */
	unsigned faults = atomic_load(&s.faults);

	guest_unpause(g);
	guest_wait(g, guest_console_len(g), "beat ");
	guest_pause(g);
	assert_int_equal(atomic_load(&s.faults), faults);
	assert_ok(gw_domain_protect_stop(g->d, &err), &err);
	guest_unpause(g);
	guest_wait(g, guest_console_len(g), "beat ");
	guest_pause(g);
	free(expected);
	free(s.copy);
	free(s.have);
	guest_free(g);
}

/* One descriptor serves both: a page is copied before its first write, and writes are logged, round
 * after round. */
static void test_logdirty_beside_protect(void **state)
{
	struct guest *g = guest_boot("", "32", "pages=8 period=1", MEM_PAGES);
	struct gw_error err = GW_ERROR_INIT;
	struct snapshot s = snapshot_of(g);
	uint64_t nr, dirty, *bitmap, pfns[MEM_PAGES];
	size_t n;

	require_faults(g);
	guest_unpause(g);
	guest_wait(g, 0, "beat 1 ");
	guest_pause(g);
	n = pages_of(g, pfns);
	assert_ok(gw_domain_nr_pfns(g->d, &nr, &err), &err);
	bitmap = gw_bitmap_new(nr);
	assert_ok(gw_domain_protect_start(g->d, before_write, &s, &err), &err);
	assert_ok(gw_domain_logdirty_start(g->d, &err), &err);
	assert_fails(gw_domain_protect_stop(g->d, &err), &err, GW_BUSY, "logs dirty pages");
	for (int round = 0; round < 5; round++) {
		uint8_t *then = memory_now(g, n, pfns);

		guest_unpause(g);
		guest_wait(g, guest_console_len(g), "beat ");
		guest_pause(g);
		memset(bitmap, 0, GW_BITMAP_WORDS(nr) * sizeof(*bitmap));
		assert_ok(gw_domain_logdirty_fetch_and_clear(g->d, bitmap, nr, &dirty, &err), &err);
		for (size_t i = 0; i < n; i++)
			if (memcmp(then + pfns[i] * GW_PAGE_SIZE, guest_page(g, pfns[i]),
				   GW_PAGE_SIZE) &&
			    !gw_bitmap_test(bitmap, pfns[i]))
				fail_msg("round %d: the write to pfn 0x%llx was lost", round,
					 (unsigned long long)pfns[i]);
		assert_in_range(dirty, 1, MEM_PAGES - 1);
		free(then);
	}
	gw_domain_logdirty_stop(g->d);
	assert_ok(gw_domain_protect_stop(g->d, &err), &err);
	assert_ok(gw_domain_logdirty_start(g->d, &err), &err);
	assert_fails(gw_domain_protect_start(g->d, before_write, &s, &err), &err, GW_BUSY,
		     "stop that first");
	gw_domain_logdirty_stop(g->d);
	free(bitmap);
	free(s.copy);
	free(s.have);
	guest_free(g);
}

static void on_touch(void *opaque, uint64_t pfn)
{
	struct snapshot *s = opaque;
	struct gw_error err = GW_ERROR_INIT;

	atomic_fetch_add(&s->faults, 1);
	assert_ok(gw_domain_fill(s->g->d, pfn, s->copy + pfn * GW_PAGE_SIZE, &err), &err);
}

/* The guest runs on without its memory, which is filled page by page as it is accessed. */
static void test_absent(void **state)
{
	struct guest *g = guest_boot("", "32", "pages=8 period=1", MEM_PAGES);
	struct gw_error err = GW_ERROR_INIT;
	struct snapshot s = snapshot_of(g);
	uint64_t pfns[MEM_PAGES];
	size_t n;

	require_faults(g);
	guest_unpause(g);
	guest_wait(g, 0, "beat 3 ");
	guest_pause(g);
	n = pages_of(g, pfns);
	free(s.copy);
	s.copy = memory_now(g, n, pfns);
	assert_ok(gw_domain_absent_start(g->d, n, pfns, on_touch, &s, &err), &err);
	guest_unpause(g);
	guest_wait(g, guest_console_len(g), "beat ");
	guest_wait(g, guest_console_len(g), "beat ");
	assert_in_range(atomic_load(&s.faults), 1, MEM_PAGES - 1);
	assert_fails(gw_domain_absent_stop(g->d, &err), &err, GW_BUSY, "still absent");
	/* The rest is filled without faults while the guest runs; a page that exists is not
	 * changed. */
	for (size_t i = 0; i < n; i++)
		assert_ok(gw_domain_fill(g->d, pfns[i], s.copy + pfns[i] * GW_PAGE_SIZE, &err),
			  &err);
	assert_ok(gw_domain_absent_stop(g->d, &err), &err);
	guest_wait(g, guest_console_len(g), "beat ");
	guest_pause(g);
	assert_null(strstr(g->text, "CORRUPT"));
	free(s.copy);
	free(s.have);
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protect),
		cmocka_unit_test(test_logdirty_beside_protect),
		cmocka_unit_test(test_absent),
	};

	bench_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
