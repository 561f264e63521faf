/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that the work of a save grows with the guest and not faster: the words of the bitmaps that
 * it looks at are counted. The linker lets this program's bitmap walks go through the counters.
 */
#include "lib/gwtest.h"

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "lib/bytes.h"
#include "migrate/faulty.h"
#include "migrate/stored.h"

#define HVM "xen-code/v3_422_hvm_1024.xz"

static uint64_t words;

uint64_t __real_gw_bitmap_next_set(const uint64_t *map, uint64_t nbits, uint64_t from);
uint64_t __real_gw_bitmap_next_clear(const uint64_t *map, uint64_t nbits, uint64_t from);
uint64_t __wrap_gw_bitmap_next_set(const uint64_t *map, uint64_t nbits, uint64_t from);
uint64_t __wrap_gw_bitmap_next_clear(const uint64_t *map, uint64_t nbits, uint64_t from);

uint64_t __wrap_gw_bitmap_next_set(const uint64_t *map, uint64_t nbits, uint64_t from)
{
	uint64_t to = __real_gw_bitmap_next_set(map, nbits, from);

	words += (to - GW_MIN(from, to)) / 64 + 1;
	return to;
}

uint64_t __wrap_gw_bitmap_next_clear(const uint64_t *map, uint64_t nbits, uint64_t from)
{
	uint64_t to = __real_gw_bitmap_next_clear(map, nbits, from);

	words += (to - GW_MIN(from, to)) / 64 + 1;
	return to;
}

/* 1024 pages of a guest, with room for nr pfns. */
static struct faulty *domain_of(uint64_t nr)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct stored s = stored_load(HVM);
	uint64_t last = nr - 1;
	struct gw_domain *d;

	s.nr_pfns = nr;
	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	stored_free(&s);
	assert_ok(gw_domain_populate(d, 1, &last, &last, &err), &err);
	return faulty_new(d);
}

/* Every odd pfn of the guest's, or one in 5000: written in the first pass. */
static void write_some(struct gw_domain *d, uint64_t nr, uint64_t step)
{
	for (uint64_t pfn = 1; pfn < nr; pfn += step)
		gw_memory_touch(d, pfn);
}

struct writer {
	struct gw_toolstack inner;
	struct gw_domain *d;
	uint64_t nr, step;
};

static int suspend(void *owner, struct gw_error *err)
{
	struct writer *w = owner;

	write_some(w->d, w->nr, w->step);
	return w->inner.suspend(w->inner.owner, err);
}

/* The words that a save of a guest of nr pfns looks at; step: of the pfns written (live), or 0. */
static uint64_t words_of_save(uint64_t nr, bool one_range, uint64_t step)
{
	struct gw_error err = GW_ERROR_INIT;
	struct faulty *f = domain_of(nr);
	struct writer w = {stored_toolstack(&f->base), f->inner, nr, step};
	const struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = &w, .suspend = suspend};
	struct gw_buffer image = {0};
	struct gw_channel *out = bytes_sink("saved", &image);
	struct gw_save_args args = {
		.domain = &f->base, .out = out, .toolstack = step ? &ts : &w.inner, .live = step};

	f->one_range = one_range;
	words = 0;
	assert_ok(gw_save_image(&args, NULL, &err), &err);
	gw_channel_close(out);
	gw_buffer_free(&image);
	faulty_free(f);
	return words;
}

/* The pfns of four times as many words cost at most four times as much, and a little. */
static void check_linear(bool one_range, uint64_t step)
{
	for (uint64_t nr = UINT64_C(1) << 16; nr <= UINT64_C(1) << 20; nr <<= 2) {
		uint64_t some = words_of_save(nr, one_range, step);
		uint64_t most = 8 * (nr / 64) + (step ? 4 * nr / step : 0) + 1000;

		assert_in_range(some, 1, most);
	}
}

static void test_whole_memory(void **state)
{
	check_linear(true, 0);
	check_linear(false, 0);
}

static void test_written_pages(void **state)
{
	check_linear(false, 2);
	check_linear(false, 5000);
	check_linear(true, 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_memory),
		cmocka_unit_test(test_written_pages),
	};

	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
