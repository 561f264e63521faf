/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests both implementations of log-dirty: no write of a running guest is lost, and writes other
 * than a guest's stores are logged as well.
 */
#include "emu_bench.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "hypervisor/domain.h"
#include "hypervisor/emu/emu.h"
#include "hypervisor/emu/logdirty.h"
#include "hypervisor/machine/machine.h"
#include "lib/random.h"

#define MEM_PAGES 1024

struct shadow {
	struct guest *g;
	uint64_t nr;
	uint8_t *copy;	  /* nr pages */
	uint64_t *bitmap; /* scratch */
	uint64_t copied;  /* pages copied in all rounds */
};

static bool uffd_works(void)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gw_emu_dirty_uffd_probe(&err) == 0)
		return true;
	print_message("no uffd here: %s\n", err.text);
	return false;
}

/* The methods of the machine under test. */
struct methods {
	const char *query[2];
	int n;
};

static struct methods methods(void)
{
	struct methods m = {{"logdirty=hook"}, 1};

	if (bench_on_kvm())
		return (struct methods){{""}, 1};
	if (uffd_works())
		m.query[m.n++] = "logdirty=uffd";
	return m;
}

static bool has_page(struct guest *g, uint64_t gfn)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t type;

	assert_ok(gw_domain_page_types(g->d, 1, &gfn, &type, &err), &err);
	return type == GW_PAGE_NOTAB;
}

static struct shadow shadow_start(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;
	struct shadow s = {.g = g};

	assert_ok(gw_domain_nr_pfns(g->d, &s.nr, &err), &err);
	s.bitmap = gw_bitmap_new(s.nr);
	/* As sparse as the guest's memory. */
	s.copy = mmap(NULL, s.nr * GW_PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(s.copy, MAP_FAILED);
	assert_ok(gw_domain_logdirty_start(g->d, &err), &err);
	for (uint64_t gfn = 0; gfn < s.nr; gfn++)
		if (has_page(g, gfn))
			memcpy(s.copy + gfn * GW_PAGE_SIZE, guest_page(g, gfn), GW_PAGE_SIZE);
	return s;
}

static uint64_t shadow_round(struct shadow *s)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t dirty, found = 0;

	memset(s->bitmap, 0, GW_BITMAP_WORDS(s->nr) * 8);
	assert_ok(gw_domain_logdirty_fetch_and_clear(s->g->d, s->bitmap, s->nr, &dirty, &err),
		  &err);
	assert_int_equal(dirty, gw_bitmap_count(s->bitmap, s->nr));
	for (uint64_t gfn = 0; (gfn = gw_bitmap_next_set(s->bitmap, s->nr, gfn)) < s->nr; gfn++)
		if (has_page(s->g, gfn)) {
			memcpy(s->copy + gfn * GW_PAGE_SIZE, guest_page(s->g, gfn), GW_PAGE_SIZE);
			found++;
		}
	s->copied += found;
	return found;
}

static void shadow_compare(struct shadow *s)
{
	uint64_t different = 0, first = 0;

	for (uint64_t gfn = s->nr; gfn-- > 0;)
		if (has_page(s->g, gfn) &&
		    memcmp(s->copy + gfn * GW_PAGE_SIZE, guest_page(s->g, gfn), GW_PAGE_SIZE)) {
			different++;
			first = gfn;
		}
	if (different)
		fail_msg("%llu pages were written without being logged, the first is 0x%llx",
			 (unsigned long long)different, (unsigned long long)first);
}

static void shadow_free(struct shadow *s)
{
	munmap(s->copy, s->nr * GW_PAGE_SIZE);
	free(s->bitmap);
}

/* The host writes through a mapping that stays open across a clean. */
static void host_writes(struct shadow *s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_mapping mapping;
	uint64_t gfn = MEM_PAGES - 1 - (uint64_t)(random64() % 16);
	uint32_t *page;

	assert_ok(gw_domain_map(s->g->d, 1, &gfn, true, (void **)&page, &mapping, &err), &err);
	page[random64() % 1024] = (uint32_t)random64();
	shadow_round(s);
	page[random64() % 1024] = (uint32_t)random64();
	gw_domain_unmap(s->g->d, &mapping);
}

static void loses_nothing(const char *query, const char *width)
{
	struct guest *g =
		guest_boot(query, width, "pages=300 rate=5 check=1 period=200", MEM_PAGES);
	struct gw_error err = GW_ERROR_INIT;
	uint64_t dirty;
	struct shadow s;

	guest_unpause(g);
	guest_wait(g, 0, "godwit-guest: up");
	s = shadow_start(g);
	/* On a slow machine a guest writes less in that time, so more rounds run. */
	for (int round = 0; round < 60 || (s.copied <= 100 && round < 3000); round++) {
		shadow_round(&s);
		if (round % 5 == 0)
			host_writes(&s);
		usleep((useconds_t)(random64() % 3000));
	}
	guest_pause(g);
	assert_ok(gw_domain_logdirty_peek(g->d, &dirty, &err), &err);
	shadow_round(&s);
	shadow_compare(&s);
	assert_ok(gw_domain_logdirty_peek(g->d, &dirty, &err), &err);
	assert_int_equal(dirty, 0);
	print_message("%s, %s-bit: %llu pages copied\n", query, width,
		      (unsigned long long)s.copied);
	assert_true(s.copied > 100);
	gw_domain_logdirty_stop(g->d);
	guest_unpause(g);
	guest_wait(g, guest_console_len(g), " ok\n");
	shadow_free(&s);
	guest_free(g);
}

static void no_write_is_lost(void **state)
{
	struct methods m = methods();

	for (int q = 0; q < m.n; q++) {
		loses_nothing(m.query[q], "32");
		loses_nothing(m.query[q], "64");
	}
}

static void expect_dirty(struct guest *g, uint64_t wanted, const char *what)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t *bitmap, nr, dirty = 0;

	assert_ok(gw_domain_nr_pfns(g->d, &nr, &err), &err);
	bitmap = gw_bitmap_new(nr);
	assert_ok(gw_domain_logdirty_peek(g->d, &dirty, &err), &err);
	if (dirty != (wanted != GW_INVALID_PFN))
		fail_msg("%s: %llu pages are dirty", what, (unsigned long long)dirty);
	assert_ok(gw_domain_logdirty_fetch_and_clear(g->d, bitmap, nr, &dirty, &err), &err);
	if (dirty != (wanted != GW_INVALID_PFN))
		fail_msg("%s: %llu pages were dirty", what, (unsigned long long)dirty);
	if (dirty && !gw_bitmap_test(bitmap, wanted))
		fail_msg("%s: another page was dirty", what);
	free(bitmap);
}

static void write_through(struct guest *g, uint64_t gfn, bool by_kernel)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_mapping mapping;
	void *page;

	assert_ok(gw_domain_map(g->d, 1, &gfn, true, &page, &mapping, &err), &err);
	if (by_kernel) {
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		assert_int_equal(write(fds[1], "from the kernel", 15), 15);
		assert_int_equal(read(fds[0], page, 15), 15);
		close(fds[0]);
		close(fds[1]);
	} else {
		memset(page, 0x5a, 64);
	}
	gw_domain_unmap(g->d, &mapping);
}

/* A page that can be written at any time is reported each time. */
static void written_while_mapped(struct guest *g, uint64_t gfn)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_mapping mapping;
	uint8_t *page;

	assert_ok(gw_domain_map(g->d, 1, &gfn, true, (void **)&page, &mapping, &err), &err);
	for (int i = 0; i < 3; i++) {
		page[i] = 0x77;
		expect_dirty(g, gfn, "written while it is mapped");
	}
	gw_domain_unmap(g->d, &mapping);
	/* The end of the mapping may count as a write. */
	assert_ok(gw_domain_logdirty_start(g->d, &err), &err);
}

static void sees_other_writers(const char *query)
{
	struct gw_error err = GW_ERROR_INIT;
	/* Booted but never run: only the test writes. */
	struct guest *g = guest_boot(query, "32", "", MEM_PAGES);
	uint64_t gfn = 900, added = 0x2000, same;

	assert_ok(gw_domain_logdirty_start(g->d, &err), &err);
	expect_dirty(g, GW_INVALID_PFN, "nothing written");
	write_through(g, gfn, false);
	expect_dirty(g, gfn, "written by a store");
	write_through(g, gfn, true);
	expect_dirty(g, gfn, "written by read(2)");
	expect_dirty(g, GW_INVALID_PFN, "nothing written any more");
	written_while_mapped(g, gfn);
	/* Makes room first: the guest has as many pages as it may have. */
	assert_ok(gw_machine_depopulate(gw_machine_of(g->d), 1, &gfn, &err), &err);
	expect_dirty(g, gfn, "taken away");
	assert_ok(gw_domain_populate(g->d, 1, &added, &same, &err), &err);
	expect_dirty(g, added, "added");
	write_through(g, added, false);
	expect_dirty(g, added, "written after it was added");
	gw_domain_logdirty_stop(g->d);
	gw_domain_logdirty_stop(g->d);
	assert_fails(gw_domain_logdirty_peek(g->d, &same, &err), &err, GW_USAGE, "does not log");
	guest_free(g);
}

static void other_writers_are_seen(void **state)
{
	struct methods m = methods();

	for (int q = 0; q < m.n; q++)
		sees_other_writers(m.query[q]);
}

/* The kernel drops its mark of a written page when it takes the page out of the page table. */
static void reclaimed_pages_count(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g;
	uint64_t gfn = 900;

	if (bench_on_kvm() || !uffd_works())
		skip();
	g = guest_boot("logdirty=uffd", "32", "", MEM_PAGES);
	assert_ok(gw_domain_logdirty_start(g->d, &err), &err);
	write_through(g, gfn, false);
	/* The same effect on the page table as reclaim has; the page itself stays in the memfd. */
	assert_int_equal(madvise(guest_page(g, gfn), GW_PAGE_SIZE, MADV_DONTNEED), 0);
	expect_dirty(g, gfn, "written and reclaimed");
	write_through(g, gfn, false);
	expect_dirty(g, gfn, "written again");
	guest_free(g);
}

#define SWEEP_FIRST 0x1000u
#define SWEEP_END   0x3000u

/* mov eax, VALUE; mov edi, FIRST; 1: mov [edi], eax; add edi, 4096; cmp edi, END; jb 1b; 2: hlt;
 * jmp 2b */
static const uint8_t sweep_code[] = {0xb8, 0,	 0,    0,    0,	   0xbf, 0,    0,    0,	   0x01,
				     0x89, 0x07, 0x81, 0xc7, 0,	   0x10, 0,    0,    0x81, 0xff,
				     0,	   0,	 0,    0x03, 0x72, 0xf0, 0xf4, 0xeb, 0xfd};

/*
 * Each page is written once, so that no later write hides one that was lost between fetching a
 * page's mark and clearing it.
 */
static void sweep_clean(struct guest *g, uint64_t *bitmap, uint32_t *shadow)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t dirty;

	memset(bitmap, 0, GW_BITMAP_WORDS(SWEEP_END) * 8);
	assert_ok(gw_domain_logdirty_fetch_and_clear(g->d, bitmap, SWEEP_END, &dirty, &err), &err);
	for (uint64_t p = SWEEP_FIRST; (p = gw_bitmap_next_set(bitmap, SWEEP_END, p)) < SWEEP_END;
	     p++)
		shadow[p - SWEEP_FIRST] = *(volatile uint32_t *)guest_page(g, p);
}

/* Returns the number of cleans that ran while the guest did. */
static unsigned sweep(struct guest *g, uint64_t *bitmap, uint32_t *shadow, uint8_t value)
{
	volatile uint32_t *last = guest_page(g, SWEEP_END - 1);
	unsigned cleans = 0;

	guest_set_entry(g, 0x100000);
	guest_write(g, 0x100, 1, &value, 1);
	guest_unpause(g);
	for (; *last != value; cleans++)
		sweep_clean(g, bitmap, shadow);
	guest_pause(g);
	sweep_clean(g, bitmap, shadow);
	for (uint64_t p = SWEEP_FIRST; p < SWEEP_END; p++) {
		uint32_t now = *(volatile uint32_t *)guest_page(g, p);

		assert_int_equal(now, value);
		if (shadow[p - SWEEP_FIRST] != now)
			fail_msg("the store to page 0x%x was not logged", (unsigned)p);
	}
	return cleans;
}

static void no_single_store_is_lost(void **state)
{
	struct methods m = methods();

	for (int q = 0; q < m.n; q++) {
		struct gw_error err = GW_ERROR_INIT;
		uint64_t *bitmap = gw_bitmap_new(SWEEP_END);
		unsigned cleans = 0;
		uint32_t *shadow = calloc(SWEEP_END - SWEEP_FIRST, sizeof(*shadow));
		struct guest *g = guest_raw(m.query[q], sweep_code, sizeof(sweep_code), SWEEP_END);

		assert_ok(gw_domain_logdirty_start(g->d, &err), &err);
		for (uint8_t value = 1; value <= 20; value++)
			cleans += sweep(g, bitmap, shadow, value);
		print_message("%s: %u cleans in 20 sweeps\n", m.query[q], cleans);
		assert_true(cleans > 20);
		guest_free(g);
		free(bitmap);
		free(shadow);
	}
}

static void chosen_by_uri(void **state)
{
	struct gw_error err = GW_ERROR_INIT;

	if (bench_on_kvm())
		skip();
	assert_null(gw_emu_host_open("logdirty=soft", &err));
	assert_int_equal(err.code, GW_USAGE);
	gw_error_clear(&err);
	setenv("GODWIT_LOGDIRTY", "none", 1);
	assert_null(gw_emu_host_open("", &err));
	assert_int_equal(err.code, GW_USAGE);
	unsetenv("GODWIT_LOGDIRTY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_write_is_lost),	  cmocka_unit_test(no_single_store_is_lost),
		cmocka_unit_test(other_writers_are_seen), cmocka_unit_test(reclaimed_pages_count),
		cmocka_unit_test(chosen_by_uri),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_logdirty", tests, NULL, NULL);
}
