/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the walk over legacy images that are made here: an HVM guest of a few pages whose second
 * round is compressed, validly or not.
 */
#include "lib/gwtest.h"

#include "format/x86/pv_layout.h"
#include "base/clock.h"
#include "base/util.h"

#include "items.h"
#include "lib/legacy_compress.h"
#include "lib/legacy_put.h"
#include "lib/random.h"
#include "lib/hvm_context.h"
#include "walked.h"

#define PAGES 4u

static const uint64_t one_vcpu[] = {1};

static void put_tail(struct legacy_out *o)
{
	struct gw_buffer context = hvm_context(1);

	legacy_put_id(o, GW_LEG_END);
	legacy_put(o, NULL, 24);
	legacy_put_context(o, context.data, (uint32_t)context.len);
	gw_buffer_free(&context);
	legacy_put_model(o, "DeviceModelRecord0002", "QEVM", 4);
}

static void put_batch(struct legacy_out *o)
{
	uint32_t entries[PAGES + 1];

	for (uint32_t i = 0; i < PAGES; i++)
		entries[i] = i;
	entries[PAGES] = UINT32_C(0xf0000000); /* a filler has no page */
	legacy_put_batch(o, entries, PAGES + 1);
}

/* Round 1, and the batch of round 2. */
static struct legacy_out compressed_image(unsigned width)
{
	static const struct gw_tsc_info tsc = {.mode = 2, .khz = 1000000};
	struct legacy_out o = {.width = width};

	legacy_put_long(&o, PAGES);
	legacy_put_tsc(&o, &tsc);
	put_batch(&o);
	legacy_put(&o, NULL, (size_t)PAGES * 4096);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	legacy_put_id(&o, GW_LEG_ENABLE_COMPRESSION);
	put_tail(&o);
	put_batch(&o);
	return o;
}

static void put_compressed(struct legacy_out *o, const void *data, size_t len)
{
	legacy_put_id(o, GW_LEG_COMPRESSED_DATA);
	legacy_put_long(o, len);
	legacy_put(o, data, len);
}

/* Pages of every kind: unchanged, whole, in parts. */
static struct gw_buffer compressed_pages(unsigned n)
{
	uint8_t old[4096] = {0}, new_page[4096] = {0}, out[LEGACY_COMPRESS_MAX];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer data = {0};

	for (unsigned i = 0; i < n; i++) {
		size_t len;

		new_page[8 * i] = (uint8_t)i;
		new_page[4092] = (uint8_t)(i / 2);
		len = i == 2 ? legacy_compress_full(new_page, out)
			     : legacy_compress_page(old, new_page, out);
		assert_ok(gw_buffer_append(&data, out, len, &err), &err);
		if (i % 2)
			memcpy(old, new_page, sizeof(old));
	}
	return data;
}

static void expect_image(struct legacy_out *o, const char *rule, const char *text)
{
	const struct gw_finding *found;
	struct outcome outcome;

	examine(o->bytes.data, o->bytes.len, &outcome);
	found = rule ? find(&outcome, rule) : NULL;
	if (outcome.sum.errors != (rule != NULL) || (rule && !found))
		show(&outcome);
	assert_int_equal(outcome.sum.errors, rule != NULL);
	if (rule) {
		assert_non_null(found);
		if (!strstr(found->text, text))
			fail_msg("\"%s\" does not contain \"%s\"", found->text, text);
	}
	gw_buffer_free(&o->bytes);
}

/* The compressed bytes in one piece, and each byte in a piece of its own: the pages are the
 * same. */
static void compressed_rounds(void **unused)
{
	for (unsigned width = 4; width <= 8; width += 4) {
		struct gw_buffer data = compressed_pages(PAGES);
		struct legacy_out o = compressed_image(width);

		put_compressed(&o, data.data, data.len);
		put_tail(&o);
		expect_image(&o, NULL, NULL);
		o = compressed_image(width);
		for (size_t i = 0; i < data.len; i++)
			put_compressed(&o, data.data + i, 1);
		put_tail(&o);
		expect_image(&o, NULL, NULL);
		gw_buffer_free(&data);
	}
}

static void compressed_rounds_that_are_wrong(void **unused)
{
	struct gw_buffer data = compressed_pages(PAGES), more = compressed_pages(PAGES + 1);
	struct legacy_out o = compressed_image(8);

	put_compressed(&o, data.data, data.len - 1);
	put_tail(&o);
	expect_image(&o, "legacy-compressed-data", "the body ends before every page of the round");
	o = compressed_image(8);
	put_compressed(&o, more.data, more.len);
	put_tail(&o);
	expect_image(&o, "legacy-compressed-data", "more pages than the round has entries");
	/* A second batch has entries for the additional pages. */
	o = compressed_image(8);
	put_compressed(&o, data.data, data.len);
	put_batch(&o);
	put_compressed(&o, data.data, data.len);
	put_tail(&o);
	expect_image(&o, NULL, NULL);
	/* An empty run, which is reported once. */
	o = compressed_image(8);
	data.data[1] = 0x81;
	data.data[2] = 0;
	data.data[0] = 0x81;
	put_compressed(&o, data.data, data.len);
	put_compressed(&o, data.data, data.len);
	put_tail(&o);
	expect_image(&o, "legacy-compressed-data", "an empty run");
	gw_buffer_free(&data);
	gw_buffer_free(&more);
}

/* A fault in a later round is also reported once. */
static void later_rounds_are_judged_once(void **unused)
{
	static const uint32_t bad[] = {UINT32_C(0x50000001)};
	struct gw_buffer data = compressed_pages(PAGES + 1);
	struct legacy_out o = compressed_image(8);

	legacy_put_batch(&o, bad, 1);
	put_compressed(&o, data.data, data.len);
	put_tail(&o);
	expect_image(&o, "legacy-page-type", "pfn 0x1 of type 0x5");
	gw_buffer_free(&data);
}

/* Whatever the bytes are, the walk comes to an end and reports findings. */
static void random_damage(void **unused)
{
	struct gw_buffer data = compressed_pages(PAGES);
	struct legacy_out o = compressed_image(8);
	struct gw_buffer *b = &o.bytes;

	put_compressed(&o, data.data, data.len);
	put_tail(&o);
	for (unsigned n = 0; n < 4000; n++) {
		/* Between the first round's pages and the end, or in the header. */
		size_t at = random64() % 4 ? b->len - (size_t)random64() % 700 - 1
					   : (size_t)random64() % 64;
		uint8_t was = b->data[at];
		struct outcome outcome;

		b->data[at] = random64() % 2 ? (uint8_t)random64()
					     : (uint8_t)(was ^ 1u << random64() % 8);
		examine(b->data, b->len - (size_t)(random64() % 8 ? 0 : random64() % 100),
			&outcome);
		assert_true(outcome.sum.bytes <= b->len);
		if (random64() % 3)
			b->data[at] = was;
		if (n % 50 == 0) { /* start from the undamaged image again */
			gw_buffer_free(b);
			o = compressed_image(n % 100 ? 4 : 8);
			put_compressed(&o, data.data, data.len);
			put_tail(&o);
		}
	}
	gw_buffer_free(b);
	gw_buffer_free(&data);
}

/* An empty list of pfns without memory is an item like any other. */
static void no_pfn_without_memory(void **unused)
{
	static const struct legacy_info info = {.vcpu = true, .guest_width = 8};
	struct legacy_out o = {.width = 8};
	struct items *items = items_new();
	const uint32_t entry = 1;
	static uint8_t context[0x1430];

	gw_put_le32(context + 512, GW_PV_VCPU_KERNEL);
	legacy_put_long(&o, PAGES);
	legacy_put_info(&o, &info);
	legacy_put_frames(&o, PAGES, 8, 1);
	legacy_put_batch(&o, &entry, 1);
	legacy_put(&o, NULL, 4096);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	legacy_put_id(&o, GW_LEG_LAST_CHECKPOINT);
	legacy_put_id(&o, GW_LEG_END);
	legacy_put32(&o, 0);
	legacy_put(&o, context, sizeof(context));
	legacy_put(&o, NULL, 4096);
	items_walk(o.bytes.data, o.bytes.len, items);
	for (size_t i = 1; i < items->nr; i++)
		assert_int_equal(items->at[i], items->end[i - 1]);
	assert_int_equal(items->end[items->nr - 1], o.bytes.len);
	assert_int_equal(items->id[4], GW_LEG_TAIL_UNMAPPED);
	items_free(items);
	expect_image(&o, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compressed_rounds),
		cmocka_unit_test(compressed_rounds_that_are_wrong),
		cmocka_unit_test(later_rounds_are_judged_once),
		cmocka_unit_test(random_damage),
		cmocka_unit_test(no_pfn_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
