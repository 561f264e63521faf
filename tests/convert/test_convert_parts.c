/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the stores for waiting rounds: pages by pfn, and records that a later round replaces.
 */
#include "fixture.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "convert/page_store.h"
#include "convert/state_records.h"
#include "format/libxc/image.h"
#include "lib/random.h"

#define PFNS 5000u

/* Compares with a plain array, over several rounds. */
static void slots_hold_the_last_of_each(void **state)
{
	static const uint8_t types[] = {0, 0, 0, 1, 4, 9, 0xd, 0xe, 0xf};
	uint64_t entries[GW_PAGE_STORE_CHUNK];
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *type = malloc(PFNS), *value = calloc(PFNS, 1), page[4096], same[4096];
	struct gw_page_store s = {0};

	for (int round = 0; round < 5; round++) {
		size_t marked = 0, taken = 0;

		memset(type, 5, PFNS);
		for (int i = 0; i < 4000; i++) {
			uint64_t pfn = random64() % PFNS;
			/* Pfns in two ranges that are far apart. */
			uint64_t at = pfn + (pfn & 1024 ? UINT64_C(1) << 35 : 0);
			uint8_t t = types[random64() % sizeof(types)];

			assert_ok(gw_page_store_mark(&s, at, t, &err), &err);
			if (t != 0xe || type[pfn] >= 0xd || type[pfn] == 5)
				type[pfn] = t;
			if (t >= 0xd)
				continue;
			value[pfn] = (uint8_t)random64();
			memset(page, value[pfn], sizeof(page));
			assert_ok(gw_page_store_write(&s, at, 1, page, &err), &err);
		}
		for (uint64_t pfn = 0; pfn < PFNS; pfn++)
			marked += type[pfn] != 5;
		for (size_t c = 0; c < s.nr_chunks; c++) {
			size_t n = gw_page_store_take(&s, c, entries);

			for (size_t i = 0; i < n; i++) {
				uint64_t at = gw_page_entry_pfn(entries[i]);
				uint64_t pfn = at % (UINT64_C(1) << 35);

				assert_int_equal(gw_page_entry_type(entries[i]), type[pfn]);
				assert_ok(gw_page_store_read(&s, at, 1, page, &err), &err);
				memset(same, value[pfn], sizeof(same));
				assert_memory_equal(page, same, sizeof(page));
			}
			taken += n;
			assert_int_equal(gw_page_store_take(&s, c, entries), 0);
		}
		assert_int_equal(taken, marked);
	}
	/* The store is no larger than the guest, in whole chunks. */
	assert_true(s.nr_chunks <= PFNS / GW_PAGE_STORE_CHUNK + 1);
	assert_int_equal(lseek(s.fd, 0, SEEK_END),
			 (off_t)(s.nr_chunks * GW_PAGE_STORE_CHUNK * 4096));
	gw_page_store_free(&s);
	free(type);
	free(value);
}

static void slots_across_chunks(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *pages = malloc((size_t)3000 * 4096), page[4096];
	struct gw_page_store s = {0};

	for (size_t i = 0; i < 3000; i++)
		memset(pages + i * 4096, (int)i, 4096);
	assert_ok(gw_page_store_write(&s, 700, 3000, pages, &err), &err);
	for (uint64_t i = 0; i < 3000; i++) {
		assert_ok(gw_page_store_read(&s, 700 + i, 1, page, &err), &err);
		assert_memory_equal(page, pages + i * 4096, 4096);
	}
	/* A page that never came is zero, whether its chunk exists or not. */
	memset(pages, 0, 4096);
	assert_ok(gw_page_store_read(&s, 699, 1, page, &err), &err);
	assert_memory_equal(page, pages, 4096);
	assert_ok(gw_page_store_read(&s, 1000000, 1, page, &err), &err);
	assert_memory_equal(page, pages, 4096);
	gw_page_store_free(&s);
	free(pages);
}

/* Pfns that are as far apart as possible use memory, but only up to a bound. */
static void slots_have_a_bound(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_page_store s = {0};
	uint64_t n = 0;

	while (gw_page_store_mark(&s, n * GW_PAGE_STORE_CHUNK * 7, 0xf, &err) == 0)
		n++;
	assert_fails(-1, &err, GW_UNSUPPORTED, "too scattered");
	assert_int_equal(n, 1 << 18);
	gw_page_store_free(&s);
}

static void add(struct gw_buffer *records, uint32_t type, const void *body, uint32_t len)
{
	const struct gw_record rec = {.type = type, .length = len, .data = body};

	assert_int_equal(gw_state_records_add(records, &rec, NULL), 0);
}

static void add_vcpu(struct gw_buffer *records, uint32_t type, uint32_t id, uint8_t value)
{
	uint8_t body[16] = {0};

	gw_put_le32(body, id);
	body[8] = value;
	add(records, type, body, sizeof(body));
}

static void add_params(struct gw_buffer *records, size_t n, const uint64_t (*params)[2])
{
	uint64_t index[8], value[8];

	for (size_t i = 0; i < n; i++) {
		index[i] = params[i][0];
		value[i] = params[i][1];
	}
	assert_int_equal(gw_hvm_params_append(records, (uint32_t)n, index, value, NULL), 0);
}

static void check_records(struct gw_buffer *is, struct gw_buffer *expected)
{
	assert_int_equal(is->len, expected->len);
	assert_memory_equal(is->data, expected->data, is->len);
	gw_buffer_free(is);
	gw_buffer_free(expected);
}

/* The result is that of a restore of both rounds. */
static void newer_records_replace(void **state)
{
	static const uint64_t old_params[][2] = {{1, 10}, {5, 11}, {17, 12}};
	static const uint64_t new_params[][2] = {{5, 20}, {6, 21}};
	static const uint64_t kept_params[][2] = {{1, 10}, {17, 12}};
	struct gw_buffer older = {0}, records = {0}, expected = {0};

	add(&older, GW_REC_X86_TSC_INFO, "older...older...older..", 24);
	add(&older, GW_REC_HVM_CONTEXT, "older", 5);
	add_params(&older, 3, old_params);
	add(&older, GW_REC_GODWIT_XENABI, "xenabi", 6);
	add(&records, GW_REC_HVM_CONTEXT, "newer one", 9);
	add_params(&records, 2, new_params);
	gw_buffer_append(&expected, records.data, records.len, NULL);
	add(&expected, GW_REC_X86_TSC_INFO, "older...older...older..", 24);
	add_params(&expected, 2, kept_params);
	add(&expected, GW_REC_GODWIT_XENABI, "xenabi", 6);
	assert_int_equal(gw_state_records_merge(&records, &older, NULL), 0);
	check_records(&records, &expected);
	gw_buffer_free(&older);
}

static void vcpus_are_told_apart(void **state)
{
	struct gw_buffer older = {0}, records = {0}, expected = {0};

	for (uint32_t id = 0; id < 3; id++) {
		add_vcpu(&older, GW_REC_X86_PV_VCPU_BASIC, id, 1);
		add_vcpu(&older, GW_REC_X86_PV_VCPU_MSRS, id, 1);
	}
	add_vcpu(&records, GW_REC_X86_PV_VCPU_BASIC, 0, 2);
	add_vcpu(&records, GW_REC_X86_PV_VCPU_BASIC, 2, 2);
	add_vcpu(&records, GW_REC_X86_PV_VCPU_MSRS, 0, 2);
	gw_buffer_append(&expected, records.data, records.len, NULL);
	add_vcpu(&expected, GW_REC_X86_PV_VCPU_BASIC, 1, 1);
	add_vcpu(&expected, GW_REC_X86_PV_VCPU_MSRS, 1, 1);
	add_vcpu(&expected, GW_REC_X86_PV_VCPU_MSRS, 2, 1);
	assert_int_equal(gw_state_records_merge(&records, &older, NULL), 0);
	check_records(&records, &expected);
	gw_buffer_free(&older);
}

static void tails_have_a_bound(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer records = {0};
	uint8_t *body = calloc(1, GW_RECORD_MAX);
	const struct gw_record rec = {
		.type = GW_REC_HVM_CONTEXT,
		.length = GW_RECORD_MAX / 2,
		.data = body,
	};

	assert_ok(gw_state_records_add(&records, &rec, &err), &err);
	assert_fails(gw_state_records_add(&records, &rec, &err), &err, GW_UNSUPPORTED,
		     "more than any guest");
	gw_buffer_free(&records);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_hold_the_last_of_each),
		cmocka_unit_test(slots_across_chunks),
		cmocka_unit_test(slots_have_a_bound),
		cmocka_unit_test(newer_records_replace),
		cmocka_unit_test(vcpus_are_told_apart),
		cmocka_unit_test(tails_have_a_bound),
	};

	return cmocka_run_group_tests_name("convert parts", tests, NULL, NULL);
}
