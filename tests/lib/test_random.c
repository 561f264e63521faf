/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the generator of the tests: the numbers of a test depend only on the seed and the test's
 * name.
 */
#include "lib/gwtest.h"

#include "lib/random.h"

#define DRAWN 64

static void draw(uint64_t *to)
{
	for (size_t i = 0; i < DRAWN; i++)
		to[i] = random64();
}

/* The two lists have no number in common. */
static void assert_unrelated(const uint64_t *a, const uint64_t *b)
{
	for (size_t i = 0; i < DRAWN; i++)
		for (size_t j = 0; j < DRAWN; j++)
			assert_true(a[i] != b[j]);
}

static uint64_t of_first[DRAWN], of_second[DRAWN], seed_of_first;

static void first_test(void **state)
{
	draw(of_first);
	seed_of_first = random_seed();
}

/* An earlier test drew numbers; this one still starts its own sequence. */
static void second_test(void **state)
{
	uint64_t again[DRAWN];

	draw(of_second);
	assert_unrelated(of_first, of_second);
	assert_true(random_seed() != seed_of_first);
	random_start(random_program_seed(), "second_test");
	draw(again);
	assert_memory_equal(of_second, again, sizeof(again));
	random_start(random_program_seed(), "first_test");
	draw(again);
	assert_memory_equal(of_first, again, sizeof(again));
}

/* Every letter of a name counts, and not only how many there are. */
static void every_letter_counts(void **state)
{
	static const char *const names[] = {"test_a", "test_b", "uest_a", "test_ab"};
	uint64_t drawn[4][DRAWN];

	for (size_t i = 0; i < 4; i++) {
		random_start(7, names[i]);
		draw(drawn[i]);
		for (size_t j = 0; j < i; j++)
			assert_unrelated(drawn[i], drawn[j]);
	}
}

static void any_seed_works(void **state)
{
	static const uint64_t seeds[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63};
	uint64_t drawn[4][DRAWN], set = 0, clear = 0;

	for (size_t i = 0; i < 4; i++) {
		random_start(seeds[i], "");
		draw(drawn[i]);
		for (size_t j = 0; j < i; j++)
			assert_unrelated(drawn[i], drawn[j]);
		for (size_t k = 0; k < DRAWN; k++) {
			set |= drawn[i][k];
			clear |= ~drawn[i][k];
		}
		assert_true(set == UINT64_MAX && clear == UINT64_MAX);
		set = clear = 0;
	}
}

/* A state of the caller's own has no effect on the test's. */
static void states_are_apart(void **state)
{
	uint64_t own = 0, expected[DRAWN], drawn[DRAWN];

	random_start(7, "states");
	draw(expected);
	random_start(7, "states");
	for (size_t i = 0; i < DRAWN; i++) {
		assert_true(random_next(&own) != 0);
		drawn[i] = random64();
	}
	assert_memory_equal(drawn, expected, sizeof(drawn));
}

static void below_is_less(void **state)
{
	bool seen[7] = {false};

	assert_int_equal(random_below(0), 0);
	assert_int_equal(random_below(1), 0);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t n = random_below(7);

		assert_true(n < 7);
		seen[n] = true;
	}
	for (unsigned i = 0; i < 7; i++)
		assert_true(seen[i]);
}

static void seed_is_read(void **state)
{
	const char *given = getenv("GODWIT_SEED");
	char *kept = given ? strdup(given) : NULL;
	uint64_t usual;

	unsetenv("GODWIT_SEED");
	usual = random_program_seed();
	assert_int_equal(random_program_seed(), usual);
	setenv("GODWIT_SEED", "0", 1);
	assert_int_equal(random_program_seed(), 0);
	setenv("GODWIT_SEED", "0x1f", 1);
	assert_int_equal(random_program_seed(), 31);
	if (kept)
		setenv("GODWIT_SEED", kept, 1);
	else
		unsetenv("GODWIT_SEED");
	free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_test),	       cmocka_unit_test(second_test),
		cmocka_unit_test(every_letter_counts), cmocka_unit_test(any_seed_works),
		cmocka_unit_test(states_are_apart),    cmocka_unit_test(below_is_less),
		cmocka_unit_test(seed_is_read),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
