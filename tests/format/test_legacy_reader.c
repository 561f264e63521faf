/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the legacy reader with images that today's libxc does not write: guest type and width
 * detected, forced or neither; headers of old versions; what is refused; and claimed lengths that
 * must use no memory.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "legacy_feed.h"
#include "lib/legacy_put.h"

#define PV   GW_GUEST_X86_PV
#define HVM  GW_GUEST_X86_HVM
#define NONE GW_GUEST_NONE

/* Sixteen bytes, as four words. */
static void detect(const uint32_t words[4], struct gw_legacy_kind forced, unsigned width,
		   enum gw_guest_type guest, const char *text)
{
	struct gw_error err = GW_ERROR_INIT;
	struct legacy_out o = {0};
	struct gw_legacy_kind kind = forced;
	int rc;

	for (unsigned i = 0; i < 4; i++)
		legacy_put32(&o, words[i]);
	rc = gw_legacy_detect(o.bytes.data, o.bytes.len, &kind, &err);
	if (text) {
		assert_fails(rc, &err, GW_INVALID, text);
	} else {
		assert_ok(rc, &err);
		assert_int_equal(kind.width, width);
		assert_int_equal(kind.guest, guest);
	}
	gw_buffer_free(&o.bytes);
}

static const struct gw_legacy_kind nothing;

static void detection(void **state)
{
	static const uint32_t all = UINT32_MAX;

	detect((uint32_t[]){0x400, 0, all, all}, nothing, 8, PV, NULL);
	detect((uint32_t[]){0x400, 0, 1024, 0}, nothing, 8, HVM, NULL);
	detect((uint32_t[]){0x400, 0, (uint32_t)-7, 2}, nothing, 8, HVM, NULL);
	detect((uint32_t[]){0x400, 0, (uint32_t)-21, 0}, nothing, 8, HVM, NULL);
	detect((uint32_t[]){0x0fffffff, all, 0xb00, 0}, nothing, 4, PV, NULL);
	detect((uint32_t[]){0x400, 1024, 0, 1}, nothing, 4, HVM, NULL);
	detect((uint32_t[]){0x400, (uint32_t)-5, 1, 16}, nothing, 4, HVM, NULL);

	detect((uint32_t[]){all, all, 0x46455858, 0}, nothing, 0, NONE, "version 2 or 3");
	detect((uint32_t[]){0, 0, 1, 0}, nothing, 0, NONE, "it begins with 0x0, expected");
	detect((uint32_t[]){0x10000000, 0, 1, 0}, nothing, 0, NONE, "it begins with 0x10000000");
	detect((uint32_t[]){0x66206e61, 0x20656c69, 0, 0}, nothing, 0, NONE, "expected the size");
	detect((uint32_t[]){0x400, 0, (uint32_t)-22, 0}, nothing, 0, NONE, "(-22)");
	detect((uint32_t[]){0x800, 0, 1025, 0}, nothing, 0, NONE,
	       "a chunk of an HVM guest (1025); it may be a PV guest saved by Xen 3.0");
	detect((uint32_t[]){0x800, 1025, 0, 0}, nothing, 0, NONE, "saved by Xen 3.0");
	detect((uint32_t[]){0x400, 1025, 0, 0}, nothing, 0, NONE, "chunk of an HVM guest (1025)");
}

static void forced_kinds(void **state)
{
	static const uint32_t all = UINT32_MAX;
	const struct gw_legacy_kind pv = {.guest = PV}, hvm = {.guest = HVM}, w4 = {.width = 4},
				    w8 = {.width = 8}, pv4 = {4, PV};

	detect((uint32_t[]){0x400, 0, all, all}, pv, 8, PV, NULL);
	detect((uint32_t[]){0x400, 0, all, all}, w8, 8, PV, NULL);
	detect((uint32_t[]){0x400, all, 0, 0}, pv4, 4, PV, NULL);
	detect((uint32_t[]){0x400, 1024, 0, 0}, w4, 4, HVM, NULL);
	/* As Xen 3.0 wrote it. */
	detect((uint32_t[]){0x400, 0, 0x3ff, 0}, pv, 8, PV, NULL);
	detect((uint32_t[]){0x400, 0x3ff, 0x3fe, 0}, pv, 4, PV, NULL);

	detect((uint32_t[]){0x400, 0, 0x400, 0}, pv, 0, NONE,
	       "0x400 is where a PV guest has its extended info or, in Xen 3.0, its first P2M frame (below 0x400); it looks like an HVM guest saved by 64-bit tools");
	detect((uint32_t[]){0x400, 1024, 0, 0}, pv, 0, NONE, "an HVM guest saved by 32-bit tools");
	detect((uint32_t[]){0x400, 0, all, all}, hvm, 0, NONE,
	       "it looks like a PV guest saved by 64-bit tools");
	detect((uint32_t[]){0x400, all, 0, 0}, hvm, 0, NONE,
	       "it looks like a PV guest saved by 32-bit tools");
	detect((uint32_t[]){0x400, all, 0, 0}, w8, 0, NONE,
	       "read as 64-bit, the size is 0xffffffff00000400 pages; it looks like a PV guest saved by 32-bit tools");
	detect((uint32_t[]){0x400, 0, 1024, 0}, w4, 0, NONE,
	       "32-bit tools never write 0 after the size of the guest; it looks like an HVM guest saved by 64-bit tools");
	detect((uint32_t[]){0x400, 0, 0x500, 0}, hvm, 0, NONE, "neither the extended info");
}

static void too_few_bytes(void **state)
{
	static const uint8_t pv64[] = {0, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff},
			     pv32[] = {0, 4, 0, 0, 0xff, 0xff, 0xff, 0xff};
	struct gw_legacy_kind kind = {0};
	struct gw_error err = GW_ERROR_INIT;

	assert_fails(gw_legacy_detect(pv64, 7, &kind, &err), &err, GW_TRUNCATED, "7 bytes");
	assert_fails(gw_legacy_detect(pv64, 11, &kind, &err), &err, GW_TRUNCATED, "11 bytes");
	/* For 32-bit tools eight bytes are enough. */
	assert_ok(gw_legacy_detect(pv32, 8, &kind, &err), &err);
	assert_int_equal(kind.guest, PV);
}

/* Reads the image and frees it; the reader fails with this message. */
static void fails_as(struct legacy_out *o, struct gw_legacy_kind forced, const char *text)
{
	struct legacy_feed f = {.in = {o->bytes.data, o->bytes.len, 0}};
	enum gw_legacy_event event = GW_LEGACY_MORE;

	gw_legacy_reader_init(&f.r, &forced);
	while (legacy_feed_next(&f, &event))
		assert_true(event != GW_LEGACY_DONE);
	assert_false(f.cut);
	assert_fails(-1, &f.err, GW_INVALID, text);
	gw_legacy_reader_free(&f.r);
	gw_buffer_free(&o->bytes);
}

static void fails(struct legacy_out *o, const char *text)
{
	fails_as(o, nothing, text);
}

/* A PV guest's header, up to the total length of the extended info and the header of its first
 * block. */
static struct legacy_out info(uint32_t total, const char *id, uint32_t size)
{
	struct legacy_out o = {.width = 8};

	legacy_put_long(&o, 0x400);
	legacy_put_long(&o, UINT64_MAX);
	legacy_put32(&o, total);
	legacy_put(&o, id, 4);
	legacy_put32(&o, size);
	return o;
}

static void bad_info(void **state)
{
	struct legacy_out o = info(7, "extv", 0);

	fails(&o, "7 bytes are left of the extended info, a block needs at least 8");
	o = info(8 + 4, "extv", 5);
	fails(&o, "the block \"extv\" of the extended info has 5 bytes, 4 are left");
	o = info(100, "\1\2z\xff", 0xffffffff);
	fails(&o, "the block \"??z?\" of the extended info has 4294967295 bytes, 92 are left");
	o = info(8 + 0x1431, "vcpu", 0x1431);
	fails(&o, "has 5169 bytes, expected 5168 (64-bit guest) or 2800");
	o = info(8 + 8, "xcnt", 8);
	fails(&o, "the block \"xcnt\" of the extended info has 8 bytes, expected 4");
	o = info(8 + 4, "xcnt", 4);
	legacy_put32(&o, 15);
	fails(&o, "gives 15 bytes for each vCPU, expected at least 16");
	o = info(8 + 4, "extv", 0);
	legacy_put32(&o, 0);
	fails(&o, "4 bytes are left of the extended info");
}

/* A list of P2M frames without extended info, as Xen 3.0 wrote it, and a batch that looks like
 * one. */
static void no_info(void **state)
{
	const struct gw_legacy_kind pv = {.guest = PV};
	struct legacy_out o = {.width = 4};
	struct legacy_feed f = {0};
	enum gw_legacy_event event = GW_LEGACY_MORE;

	legacy_put_long(&o, 0x800);
	legacy_put_frames(&o, 0x800, 4, 0x7fe);
	f.in.data = o.bytes.data;
	f.in.len = o.bytes.len;
	gw_legacy_reader_init(&f.r, &pv);
	assert_true(legacy_feed_next(&f, &event));
	assert_int_equal(event, GW_LEGACY_HEADER);
	assert_false(f.r.header.has_extended_info);
	assert_int_equal(f.r.header.guest_width, 4);
	assert_int_equal(f.r.header.p2m_frames, 2);
	assert_int_equal(gw_legacy_p2m_frame(&f.r, 1), 0x7ff);
	gw_legacy_reader_free(&f.r);
	gw_buffer_free(&o.bytes);

	/* An HVM guest whose batch of three entries is read as a list because the caller forces
	 * it. */
	o = (struct legacy_out){.width = 8};
	legacy_put_long(&o, 0x800);
	legacy_put_batch(&o, (uint32_t[]){0, 1, 2}, 3);
	legacy_put(&o, NULL, 3 * (size_t)4096);
	fails_as(
		&o, pv,
		"entry 1 of the list of P2M frames is 0x100000000, the guest has 0x800 pages: this does not look like a PV guest saved by 64-bit tools without extended info");
}

/* The other way round: such a list is taken for an HVM guest, which soon fails. */
static void no_info_not_told(void **state)
{
	uint8_t page[4096];
	struct legacy_out o = {.width = 8};

	legacy_put_long(&o, 0x800);
	legacy_put_frames(&o, 0x800, 8, 0x40);
	legacy_put(&o, NULL, 600);
	fails(&o,
	      "entry 0 of 64 is 0x4100000000, expected a type and a pfn in 32 bits; it may be a PV guest saved by Xen 3.0");
	o = (struct legacy_out){.width = 4};
	legacy_put_long(&o, 0x400);
	legacy_put_frames(&o, 0x400, 4, 1);
	legacy_put_batch(&o, (uint32_t[]){0}, 1);
	memset(page, 1, sizeof(page));
	legacy_put(&o, page, sizeof(page));
	fails(&o, "a batch of 16843009 pages, expected at most 1024; it may be a PV guest");
}

static struct legacy_out hvm(void)
{
	struct legacy_out o = {.width = 8};

	legacy_put_long(&o, 0x800);
	legacy_put_param(&o, -3, 1);
	return o;
}

static struct legacy_out hvm_tail(void)
{
	struct legacy_out o = hvm();

	legacy_put_id(&o, 0);
	legacy_put(&o, NULL, 24);
	return o;
}

static void bad_chunks(void **state)
{
	struct legacy_out o = hvm();

	legacy_put_id(&o, 1025);
	fails(&o, "a batch of 1025 pages, expected at most 1024");
	o = hvm();
	legacy_put_id(&o, INT32_MIN);
	fails(&o, "chunk id -2147483648 was never written by Xen, expected -21 to -1, 0,");
	o = hvm();
	legacy_put_batch(&o, (uint32_t[]){1, 2}, 2);
	o.bytes.data[o.bytes.len - 1] = 0x80;
	fails(&o, "entry 1 of 2 is 0x8000000000000002, expected a type and a pfn in 32 bits");
	o = hvm();
	legacy_put_id(&o, -2);
	legacy_put32(&o, 4096);
	fails(&o, "the highest vCPU is 4096, expected less than 4096");
	o = hvm();
	legacy_put_id(&o, -18);
	legacy_put32(&o, GW_LEGACY_CONTEXT_MAX + 1);
	fails(&o, "length is 16777217, expected at most 16777216");
	o = hvm();
	legacy_put_id(&o, -12);
	legacy_put_long(&o, UINT64_MAX);
	fails(&o, "length of the compressed data is 0xffffffffffffffff");
	o = hvm();
	legacy_put_id(&o, -5);
	legacy_put(&o, NULL, 28);
	fails(&o, "tmem: 0x0 at byte 8 of the head, expected 0xffffffff");
}

static void bad_tails(void **state)
{
	const struct legacy_info xcnt = {.xcnt = true, .xsave_bytes = 16 + 592};
	struct legacy_out o = hvm_tail();

	legacy_put32(&o, GW_LEGACY_CONTEXT_MAX + 1);
	fails(&o, "length is 16777217, expected at most 16777216");
	o = hvm_tail();
	legacy_put_context(&o, NULL, 0);
	legacy_put(&o,
		   "DeviceModel\x1fRecord\xff"
		   "02",
		   21);
	fails(&o, "\"DeviceModel?Record?02\" is where the device model's record begins");

	o = (struct legacy_out){.width = 8};
	legacy_put_long(&o, 0x40);
	legacy_put_info(&o, &(struct legacy_info){0});
	legacy_put_frames(&o, 0x40, 8, 1);
	legacy_put_id(&o, 0);
	legacy_put32(&o, (1u << 28) + 1);
	fails(&o, "count of pfns without memory is 268435457");
	o = (struct legacy_out){.width = 8};
	legacy_put_long(&o, 0x40);
	legacy_put_info(&o, &xcnt);
	legacy_put_frames(&o, 0x40, 8, 1);
	legacy_put_id(&o, 0);
	legacy_put32(&o, 0);
	legacy_put(&o, NULL, 0x1430 + 8);
	legacy_put64(&o, GW_LEGACY_XSAVE_MAX + 1);
	fails(&o, "vCPU 0 has 0x10001 bytes of extended state");
}

/* Large lengths with no data after them. */
static void claims_cost_nothing(void **state)
{
	struct legacy_out o[4] = {hvm_tail(), hvm(), {.width = 8}, {.width = 8}};

	legacy_put32(&o[0], GW_LEGACY_CONTEXT_MAX);
	legacy_put_id(&o[1], -18);
	legacy_put32(&o[1], GW_LEGACY_CONTEXT_MAX);
	legacy_put_long(&o[2], GW_LEGACY_P2M_MAX);
	legacy_put_info(&o[2], &(struct legacy_info){0});
	o[3] = info(UINT32_MAX, "what", UINT32_MAX - 8);
	for (unsigned i = 0; i < GW_ARRAY_SIZE(o); i++) {
		struct legacy_feed f = {.in = {o[i].bytes.data, o[i].bytes.len, 0}};
		enum gw_legacy_event event = GW_LEGACY_MORE;

		gw_legacy_reader_init(&f.r, NULL);
		while (legacy_feed_next(&f, &event))
			;
		assert_true(f.cut);
		assert_true(f.r.buf.cap <= 200u << 10);
		gw_legacy_reader_free(&f.r);
		gw_buffer_free(&o[i].bytes);
	}
}

static void names(void **state)
{
	assert_string_equal(gw_legacy_id_name(5), "pages");
	assert_string_equal(gw_legacy_id_name(1024), "pages");
	assert_null(gw_legacy_id_name(1025));
	assert_null(gw_legacy_id_name(-22));
	assert_null(gw_legacy_id_name(-99));
	assert_null(gw_legacy_id_name(-107));
	assert_null(gw_legacy_id_name(INT32_MIN));
	assert_string_equal(gw_legacy_id_name(-100), "header");
	assert_string_equal(gw_legacy_id_name(-106), "SHARED_INFO");
	for (int32_t id = -21; id <= 0; id++)
		assert_non_null(gw_legacy_id_name(id));
	assert_string_equal(gw_legacy_id_name(-2), "VCPU_INFO");
	assert_int_equal(gw_legacy_id_param(-21), 36);
	assert_int_equal(gw_legacy_id_param(-2), -1);
	assert_int_equal(gw_legacy_id_param(1), -1);
	assert_int_equal(gw_legacy_id_param(-22), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detection),
		cmocka_unit_test(forced_kinds),
		cmocka_unit_test(too_few_bytes),
		cmocka_unit_test(bad_info),
		cmocka_unit_test(no_info),
		cmocka_unit_test(no_info_not_told),
		cmocka_unit_test(bad_chunks),
		cmocka_unit_test(bad_tails),
		cmocka_unit_test(claims_cost_nothing),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("legacy_reader", tests, NULL, NULL);
}
