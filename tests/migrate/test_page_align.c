/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the arithmetic of page boundaries in a file, against a walk entry by entry, and the choice
 * of pfns without a page. cli/aligned.sh tests whole files.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/libxc/image.h"
#include "migrate/page_align.h"

static struct gw_page_align at(int64_t offset, uint64_t filler)
{
	struct gw_page_align a = {.filler = filler};

	gw_page_align_begin(&a, offset);
	return a;
}

/* Where the contents begin in a record of n entries. */
static uint64_t contents(const struct gw_page_align *a, size_t n)
{
	return a->offset + 16 + 8 * (uint64_t)n;
}

static void test_fillers(void **state)
{
	for (int64_t offset = 0; offset < 3 * GW_PAGE_SIZE; offset += 8) {
		struct gw_page_align a = at(offset, 0x1000);

		for (size_t n = 1; n <= 1024; n += n < 3 || n > 1020 ? 1 : 97) {
			size_t fillers = 0;

			while (contents(&a, n + fillers) % GW_PAGE_SIZE)
				fillers++;
			assert_int_equal(gw_page_align_fillers(&a, n), fillers);
			assert_true(fillers <= GW_PAGE_ALIGN_MAX);
		}
	}
}

static void test_fill(void **state)
{
	struct gw_page_align a = at(0, 0x1000);
	uint64_t entries[4] = {0};

	gw_page_align_fill(&a, 3, entries);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(gw_page_entry_pfn(entries[i]), 0x1000 + i);
		assert_int_equal(gw_page_entry_type(entries[i]), GW_PAGE_XTAB);
	}
	assert_int_equal(entries[3], 0);
}

/* Without a filler: as many entries as fit, and the right number of them. */
static void test_count(void **state)
{
	for (int64_t offset = 0; offset < 3 * GW_PAGE_SIZE; offset += 8) {
		struct gw_page_align a = at(offset, GW_INVALID_PFN);
		size_t most = 1024;

		while (contents(&a, most) % GW_PAGE_SIZE)
			most--;
		assert_true(gw_page_align_by_count(&a));
		assert_int_equal(gw_page_align_count(&a, 1024), most);
		assert_int_equal(gw_page_align_fillers(&a, 7), 0);
	}
}

static void test_off(void **state)
{
	static const int64_t offsets[] = {-1, 1, 4, 12, 4095};
	struct gw_page_align zeroed = {0};

	for (size_t i = 0; i < GW_ARRAY_SIZE(offsets); i++) {
		struct gw_page_align a = at(offsets[i], 0x1000);

		assert_false(a.on);
		assert_int_equal(gw_page_align_fillers(&a, 1), 0);
		a.filler = GW_INVALID_PFN;
		assert_false(gw_page_align_by_count(&a));
	}
	assert_int_equal(gw_page_align_fillers(&zeroed, 1), 0);
	assert_false(gw_page_align_by_count(&zeroed));
}

static uint64_t chosen(enum gw_guest_type type, const struct gw_pfn_range *ranges, size_t n,
		       uint64_t nr_pfns)
{
	struct gw_page_align a = {0};

	gw_page_align_choose(&a, type, ranges, n, nr_pfns);
	return a.filler;
}

static void test_choice(void **state)
{
	const struct gw_pfn_range two[] = {{0, 1000}, {1511, 100}};
	const struct gw_pfn_range close[] = {{0, 1000}, {1510, 100}};
	const struct gw_pfn_range late[] = {{511, 100}};

	/* The first hole that is large enough, and after the last range as well. */
	assert_int_equal(chosen(GW_GUEST_X86_PV, two, 2, 1611), 1000);
	assert_int_equal(chosen(GW_GUEST_X86_PV, late, 1, 1611), 0);
	assert_int_equal(chosen(GW_GUEST_X86_PV, close, 2, 1610 + 511), 1610);
	assert_int_equal(chosen(GW_GUEST_X86_PV, two, 1, 1511), 1000);
	/* There is none: an HVM guest has pfns beyond its last, a PV guest has not. */
	assert_int_equal(chosen(GW_GUEST_X86_PV, close, 2, 1610 + 510), GW_INVALID_PFN);
	assert_int_equal(chosen(GW_GUEST_X86_HVM, close, 2, 1610 + 510), 1610 + 510);
	/* Ranges that go beyond the last pfn. */
	assert_int_equal(chosen(GW_GUEST_X86_PV, two, 2, 900), GW_INVALID_PFN);
	assert_int_equal(chosen(GW_GUEST_X86_HVM, two, 2, 900), 1000);
	assert_int_equal(chosen(GW_GUEST_X86_HVM, NULL, 0, 10), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fillers), cmocka_unit_test(test_fill),
		cmocka_unit_test(test_count),	cmocka_unit_test(test_off),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests_name("page_align", tests, NULL, NULL);
}
