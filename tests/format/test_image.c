/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the libxc image: headers, framing, bodies, the reader. The bytes below were worked out by
 * hand from the specification, not made by the code under test.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "lib/feed.h"

/* The smallest well-formed v3 image of an HVM guest. */
static const uint8_t smallest[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x58, 0x45, 0x4e, 0x46, 0,    0,
	0,    3,    0,	  0,	0,    0,    0,	  0,	0,    0,    0x02, 0,	0,    0,
	0x0c, 0,    0,	  0,	0x04, 0,    0,	  0,	0x11, 0,    0,	  0,	0x10, 0,
	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,
};

/* pfn 0x100 is XTAB, pfn 0x101 NOTAB; the page follows. */
static const uint8_t page_data_head[] = {
	0x01, 0, 0, 0, 0x18, 0x10, 0, 0,    0x02, 0,	0, 0, 0, 0, 0, 0,
	0x00, 1, 0, 0, 0,    0,	   0, 0xf0, 0x01, 0x01, 0, 0, 0, 0, 0, 0,
};

static const uint8_t params[] = {
	0x0a, 0, 0, 0, 0x18, 0, 0, 0, 0x01, 0,	  0,	0, 0, 0, 0, 0,
	0x01, 0, 0, 0, 0,    0, 0, 0, 0xff, 0xef, 0x0f, 0, 0, 0, 0, 0,
};

static const uint8_t empty_msrs[] = {0x0c, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};

/* A record as the reader gives it: the header at raw, the body after it. */
static struct gw_record record_at(const uint8_t *raw)
{
	struct gw_record rec = {.data = raw + GW_RECORD_HEADER_SIZE};

	gw_record_header_decode(raw, &rec.type, &rec.length);
	return rec;
}

/* Feeds the reader until its next event. The reader never wants a byte beyond the input. */
static int next_event(struct gw_image_reader *r, struct feed *src, enum gw_image_event *event,
		      struct gw_error *err)
{
	enum fed fed = feed_image(src, r, event, err);

	assert_int_not_equal(fed, FED_ENDED);
	if (fed == FED_FAILED)
		return -1;
	assert_int_equal(r->offset, src->pos);
	return 0;
}

static void expect_event(struct gw_image_reader *r, struct feed *src, enum gw_image_event wanted)
{
	struct gw_error err = GW_ERROR_INIT;
	enum gw_image_event event;

	assert_ok(next_event(r, src, &event, &err), &err);
	assert_int_equal(event, wanted);
}

static void reads_the_smallest_image(void **state)
{
	struct feed src = {smallest, sizeof(smallest), 0};
	struct gw_image_reader r;
	uint8_t raw[40];

	gw_image_reader_init(&r);
	assert_true(gw_image_reader_at_boundary(&r));
	expect_event(&r, &src, GW_IMAGE_HEADER);
	assert_int_equal(r.header.version, 3);
	assert_int_equal(r.header.type, GW_GUEST_X86_HVM);
	assert_int_equal(r.header.page_shift, 12);
	assert_int_equal(r.header.xen_major, 4);
	assert_int_equal(r.header.xen_minor, 17);
	gw_image_header_encode(&r.header, raw);
	assert_memory_equal(raw, smallest, sizeof(raw));
	assert_true(gw_image_reader_at_boundary(&r));

	expect_event(&r, &src, GW_IMAGE_RECORD);
	assert_int_equal(r.rec.type, GW_REC_STATIC_DATA_END);
	assert_int_equal(r.rec.offset, 40);
	assert_int_equal(r.rec.number, 0);
	expect_event(&r, &src, GW_IMAGE_RECORD);
	assert_int_equal(r.rec.type, GW_REC_END);
	assert_int_equal(r.rec.number, 1);
	expect_event(&r, &src, GW_IMAGE_DONE);
	expect_event(&r, &src, GW_IMAGE_DONE);
	assert_true(gw_image_reader_at_boundary(&r));
	assert_int_equal(src.pos, src.len);
	gw_image_reader_free(&r);
}

static void headers_in_either_order(void **state)
{
	const struct gw_image_header h = {
		.version = 0x01020304,
		.options = 1,
		.reserved1 = 0x1122,
		.reserved2 = 0x33445566,
		.type = 7,
		.page_shift = 13,
		.reserved3 = 0x7788,
		.xen_major = 9,
		.xen_minor = 10,
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_image_header back;
	uint8_t raw[40];

	gw_image_header_encode(&h, raw);
	assert_memory_equal(raw + 8, "XENF\1\2\3\4\0\1\x11\x22\x33\x44\x55\x66", 16);
	assert_memory_equal(raw + 24, "\0\0\0\7\0\x0d\x77\x88\0\0\0\x09\0\0\0\x0a", 16);
	assert_ok(gw_image_header_decode(raw, &back, &err), &err);
	assert_memory_equal(&back, &h, sizeof(h));

	raw[9] = 'x';
	assert_fails(gw_image_header_decode(raw, &back, &err), &err, GW_INVALID, "XENF");
	raw[0] = 0;
	assert_fails(gw_image_header_decode(raw, &back, &err), &err, GW_INVALID, "marker");
}

/* The smallest image with these bytes instead of STATIC_DATA_END. */
static struct gw_buffer image_with(const void *records, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};

	assert_ok(gw_buffer_append(&buf, smallest, 40, &err), &err);
	assert_ok(gw_buffer_append(&buf, records, len, &err), &err);
	assert_ok(gw_buffer_append(&buf, smallest + 48, 8, &err), &err);
	return buf;
}

static void page_contents_are_the_callers(void **state)
{
	const uint64_t entries[] = {gw_page_entry(0x100, GW_PAGE_XTAB),
				    gw_page_entry(0x101, GW_PAGE_NOTAB)};
	uint8_t raw[sizeof(page_data_head) + GW_PAGE_SIZE] = {0};
	struct gw_image_reader r;
	size_t len;
	void *to;

	assert_int_equal(gw_page_data_head_encode(raw, 2, entries, 1), sizeof(page_data_head));
	assert_memory_equal(raw, page_data_head, sizeof(page_data_head));

	struct gw_buffer image = image_with(raw, sizeof(raw));
	struct feed src = {image.data, image.len, 0};
	struct gw_error err = GW_ERROR_INIT;

	gw_image_reader_init(&r);
	expect_event(&r, &src, GW_IMAGE_HEADER);
	expect_event(&r, &src, GW_IMAGE_RECORD_HEAD);
	assert_int_equal(r.rec.length, 0x1018);
	expect_event(&r, &src, GW_IMAGE_PAGES);
	assert_int_equal(src.pos, 40 + sizeof(page_data_head));
	assert_int_equal(r.nr_entries, 2);
	assert_int_equal(r.nr_pages, 1);
	assert_int_equal(r.entries[0], entries[0]);
	assert_int_equal(r.entries[1], entries[1]);
	assert_int_equal(r.data_len, GW_PAGE_SIZE);
	assert_true(r.well_formed);
	assert_false(gw_image_reader_at_boundary(&r));
	assert_ok(gw_image_reader_want(&r, &to, &len, &err), &err);
	assert_int_equal(len, 0);
	src.pos += r.data_len;
	gw_image_reader_pages_done(&r);
	assert_true(gw_image_reader_at_boundary(&r));
	expect_event(&r, &src, GW_IMAGE_RECORD);
	assert_int_equal(r.rec.type, GW_REC_END);
	assert_int_equal(r.rec.number, 1);
	assert_int_equal(r.rec.offset, 40 + sizeof(raw));
	gw_image_reader_free(&r);
	gw_buffer_free(&image);
}

/* The reader refuses a PAGE_DATA of this length and count. */
static void malformed_pages(uint32_t length, uint32_t count, size_t nr_entries, uint64_t data_len)
{
	uint8_t raw[8 + 64] = {0};
	uint32_t padded = length + gw_record_padding(length);
	struct gw_image_reader r;
	enum gw_image_event event;
	struct gw_error err = GW_ERROR_INIT;

	gw_record_header_encode(raw, GW_REC_PAGE_DATA, length);
	gw_put_le32(raw + 8, count);

	struct gw_buffer image = image_with(raw, 8 + padded);
	struct feed src = {image.data, image.len, 0};

	gw_image_reader_init(&r);
	expect_event(&r, &src, GW_IMAGE_HEADER);
	do
		assert_ok(next_event(&r, &src, &event, &err), &err);
	while (event == GW_IMAGE_RECORD_HEAD);
	assert_int_equal(event, GW_IMAGE_PAGES);
	assert_false(r.well_formed);
	assert_int_equal(r.claimed_count, length < 8 ? 0 : count);
	assert_int_equal(r.nr_entries, nr_entries);
	assert_int_equal(r.data_len, data_len);
	src.pos += r.data_len;
	gw_image_reader_pages_done(&r);
	expect_event(&r, &src, GW_IMAGE_RECORD);
	assert_int_equal(r.rec.type, GW_REC_END);
	gw_image_reader_free(&r);
	gw_buffer_free(&image);
}

static void malformed_pages_keep_the_framing(void **state)
{
	malformed_pages(0, 0, 0, 0);
	malformed_pages(5, 0, 0, 8);
	malformed_pages(8, 0, 0, 0);
	malformed_pages(16, 2, 0, 8);
	malformed_pages(16, UINT32_MAX, 0, 8);
	malformed_pages(16, 1, 1, 0); /* NOTAB without its page */
	malformed_pages(27, 2, 2, 3 + 5);
}

static void bodies_can_be_passed_over(void **state)
{
	const uint8_t raw[] = {9, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0, 7};
	struct gw_buffer image = image_with(raw, sizeof(raw));
	struct feed src = {image.data, image.len, 0};
	struct gw_image_reader r;
	uint64_t len;

	gw_image_reader_init(&r);
	expect_event(&r, &src, GW_IMAGE_HEADER);
	expect_event(&r, &src, GW_IMAGE_RECORD_HEAD);
	gw_image_reader_skip_body(&r, &len);
	assert_int_equal(len, 8);
	src.pos += len;
	expect_event(&r, &src, GW_IMAGE_RECORD);
	assert_int_equal(r.rec.type, GW_REC_END);
	gw_image_reader_free(&r);

	src.pos = 0;
	gw_image_reader_init(&r);
	expect_event(&r, &src, GW_IMAGE_HEADER);
	expect_event(&r, &src, GW_IMAGE_RECORD_HEAD);
	assert_false(gw_image_reader_at_boundary(&r));
	expect_event(&r, &src, GW_IMAGE_RECORD);
	assert_int_equal(r.rec.length, 3);
	assert_memory_equal(r.rec.data, "abc", 3);
	assert_memory_equal(r.rec.padding, "\0\0\0\0\7", 5);
	gw_image_reader_free(&r);
	gw_buffer_free(&image);
}

static void memory_follows_the_bytes(void **state)
{
	uint8_t raw[8];
	struct gw_image_reader r;
	struct gw_error err = GW_ERROR_INIT;
	enum gw_image_event event;
	size_t len, came = 0;
	void *to;

	gw_record_header_encode(raw, GW_REC_HVM_CONTEXT, GW_RECORD_MAX);

	struct gw_buffer image = image_with(raw, sizeof(raw));
	struct feed src = {image.data, image.len, 0};

	gw_image_reader_init(&r);
	expect_event(&r, &src, GW_IMAGE_HEADER);
	expect_event(&r, &src, GW_IMAGE_RECORD_HEAD);
	while (came < (8u << 20)) {
		assert_ok(gw_image_reader_want(&r, &to, &len, &err), &err);
		assert_true(len > 0 && len <= GW_MAX(came, (size_t)1 << 16));
		assert_true(r.buf.cap <= GW_MAX(3 * came, (size_t)1 << 17));
		memset(to, 0, len);
		assert_ok(gw_image_reader_got(&r, &event, &err), &err);
		assert_int_equal(event, GW_IMAGE_MORE);
		came += len;
	}
	gw_image_reader_free(&r);
	gw_buffer_free(&image);

	gw_record_header_encode(raw, GW_REC_HVM_CONTEXT, GW_RECORD_MAX + 1);
	image = image_with(raw, sizeof(raw));
	src = (struct feed){image.data, image.len, 0};
	gw_image_reader_init(&r);
	expect_event(&r, &src, GW_IMAGE_HEADER);
	assert_fails(next_event(&r, &src, &event, &err), &err, GW_INVALID, "134217729 exceeds");
	gw_image_reader_free(&r);
	gw_buffer_free(&image);
}

static void big_endian_records_are_refused(void **state)
{
	struct gw_buffer image = image_with(smallest + 40, 8);
	struct feed src = {image.data, image.len, 0};
	struct gw_error err = GW_ERROR_INIT;
	enum gw_image_event event;
	struct gw_image_reader r;

	image.data[17] = 1;
	gw_image_reader_init(&r);
	expect_event(&r, &src, GW_IMAGE_HEADER);
	assert_fails(next_event(&r, &src, &event, &err), &err, GW_UNSUPPORTED, "big-endian");
	gw_image_reader_free(&r);
	gw_buffer_free(&image);
}

static void appends_records_with_padding(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};

	assert_ok(gw_record_append(&buf, GW_REC_GODWIT_XENABI, "xyz", 3, &err), &err);
	assert_int_equal(buf.len, 16);
	assert_memory_equal(buf.data, "\x01\x58\x67\x80\3\0\0\0xyz\0\0\0\0\0", 16);
	assert_fails(gw_record_append(&buf, 9, NULL, (size_t)GW_RECORD_MAX + 1, &err), &err,
		     GW_INVALID, "134217729 bytes");
	assert_int_equal(buf.len, 16);
	gw_buffer_free(&buf);

	assert_string_equal(gw_record_name(GW_REC_GODWIT_XENABI), "GODWIT_XENABI");
	assert_string_equal(gw_record_name(0x12), "X86_MSR_POLICY");
	assert_null(gw_record_name(0x13));
}

static void hvm_params(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_record rec = record_at(params);
	uint64_t index, value;
	struct gw_buffer buf = {0};
	uint32_t count;

	assert_ok(gw_hvm_params_decode(&rec, &count, &err), &err);
	assert_int_equal(count, 1);
	gw_hvm_params_get(&rec, 0, &index, &value);
	assert_string_equal(gw_hvm_param_name(index), "STORE_PFN");
	assert_int_equal(value, 0xfefff);
	assert_ok(gw_hvm_params_append(&buf, 1, &index, &value, &err), &err);
	assert_int_equal(buf.len, sizeof(params));
	assert_memory_equal(buf.data, params, sizeof(params));
	gw_buffer_free(&buf);

	rec.length = 23;
	assert_fails(gw_hvm_params_decode(&rec, &count, &err), &err, GW_INVALID,
		     "count 1 needs 24 bytes, record has 23");
	rec.length = 7;
	assert_fails(gw_hvm_params_decode(&rec, &count, &err), &err, GW_INVALID, "at least 8");

	assert_null(gw_hvm_param_name(3));
	assert_null(gw_hvm_param_name(UINT64_MAX));
	for (size_t i = 0; i < 16; i++)
		assert_non_null(gw_hvm_param_name(gw_hvm_params_saved[i]));
}

static void vcpu_blobs(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_record rec = record_at(empty_msrs);
	uint8_t big[8 + 5168] = {3};
	struct gw_vcpu_blob blob;
	struct gw_buffer buf = {0};

	assert_ok(gw_vcpu_blob_decode(&rec, 0, &blob, &err), &err);
	assert_int_equal(blob.vcpu_id, 1);
	assert_int_equal(blob.blob_len, 0);
	assert_ok(gw_vcpu_blob_append(&buf, rec.type, &blob, &err), &err);
	assert_int_equal(buf.len, sizeof(empty_msrs));
	assert_memory_equal(buf.data, empty_msrs, sizeof(empty_msrs));
	gw_buffer_free(&buf);

	rec = (struct gw_record){.type = GW_REC_X86_PV_VCPU_BASIC, .length = 5176, .data = big};
	assert_ok(gw_vcpu_blob_decode(&rec, 8, &blob, &err), &err);
	assert_int_equal(blob.vcpu_id, 3);
	assert_int_equal(blob.blob_len, 5168);
	assert_fails(gw_vcpu_blob_decode(&rec, 4, &blob, &err), &err, GW_INVALID, "expected 2800");
	assert_fails(gw_vcpu_blob_decode(&rec, 0, &blob, &err), &err, GW_INVALID, "width");
	rec.length = 2808;
	assert_ok(gw_vcpu_blob_decode(&rec, 4, &blob, &err), &err);
	rec.type = GW_REC_X86_PV_VCPU_EXTENDED;
	assert_fails(gw_vcpu_blob_decode(&rec, 4, &blob, &err), &err, GW_INVALID, "at most 128");
	rec.type = GW_REC_X86_PV_VCPU_XSAVE;
	rec.length = 8 + 15;
	assert_fails(gw_vcpu_blob_decode(&rec, 4, &blob, &err), &err, GW_INVALID, "at least 16");
	rec.type = GW_REC_X86_PV_VCPU_MSRS;
	assert_fails(gw_vcpu_blob_decode(&rec, 4, &blob, &err), &err, GW_INVALID, "multiple of 16");
	rec.length = 7;
	assert_fails(gw_vcpu_blob_decode(&rec, 4, &blob, &err), &err, GW_INVALID, "at least 8");
}

static void p2m_frames(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_p2m_frames frames = {.start_pfn = 0, .end_pfn = 1023, .count = 2};
	const uint64_t pfns[] = {0x40, 0x41};
	struct gw_buffer buf = {0};

	assert_ok(gw_p2m_frames_append(&buf, &frames, pfns, &err), &err);
	assert_memory_equal(buf.data, "\3\0\0\0\x18\0\0\0\0\0\0\0\xff\3\0\0\x40\0\0\0\0\0\0\0\x41",
			    25);
	assert_int_equal(buf.len, 32);

	struct gw_record rec = record_at(buf.data);

	assert_ok(gw_p2m_frames_decode(&rec, 8, &frames, &err), &err);
	assert_int_equal(frames.count, 2);
	assert_int_equal(frames.end_pfn, 1023);
	assert_int_equal(gw_p2m_frames_get(&rec, 1), 0x41);
	assert_fails(gw_p2m_frames_decode(&rec, 4, &frames, &err), &err, GW_INVALID,
		     "need 1 frames, 16 bytes; record has 24");
	assert_fails(gw_p2m_frames_decode(&rec, 0, &frames, &err), &err, GW_INVALID, "width");
	gw_put_le32(buf.data + 12, UINT32_MAX);
	assert_fails(gw_p2m_frames_decode(&rec, 8, &frames, &err), &err, GW_INVALID,
		     "8388608 frames");
	gw_put_le32(buf.data + 8, 5);
	gw_put_le32(buf.data + 12, 4);
	assert_fails(gw_p2m_frames_decode(&rec, 8, &frames, &err), &err, GW_INVALID, "above");
	gw_buffer_free(&buf);
}

static void small_bodies(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	const struct gw_tsc_info tsc = {2, 2594110, 0x123456789abc, 3};
	struct gw_tsc_info tsc_back;
	struct gw_pv_info info;
	uint64_t count;
	uint8_t raw[24];

	gw_tsc_info_encode(raw, &tsc);
	assert_memory_equal(
		raw, "\2\0\0\0\x3e\x95\x27\0\xbc\x9a\x78\x56\x34\x12\0\0\3\0\0\0\0\0\0\0", 24);
	struct gw_record rec = {.type = GW_REC_X86_TSC_INFO, .length = 24, .data = raw};
	assert_ok(gw_tsc_info_decode(&rec, &tsc_back, &err), &err);
	assert_int_equal(tsc_back.mode, tsc.mode);
	assert_int_equal(tsc_back.khz, tsc.khz);
	assert_int_equal(tsc_back.nsec, tsc.nsec);
	assert_int_equal(tsc_back.incarnation, tsc.incarnation);
	rec.length = 25;
	assert_fails(gw_tsc_info_decode(&rec, &tsc_back, &err), &err, GW_INVALID,
		     "length is 25, expected 24");

	rec = (struct gw_record){.length = 8, .data = (const uint8_t *)"\x08\x04\0\0\0\0\0\5"};
	assert_ok(gw_pv_info_decode(&rec, &info, &err), &err);
	assert_int_equal(info.guest_width, 8);
	assert_int_equal(info.pt_levels, 4);
	gw_pv_info_encode(raw, &info);
	assert_memory_equal(raw, rec.data, 8);
	rec.length = 7;
	assert_fails(gw_pv_info_decode(&rec, &info, &err), &err, GW_INVALID, "expected 8");

	rec = (struct gw_record){.length = 16,
				 .data = (const uint8_t *)"\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0"};
	assert_ok(gw_dirty_pfn_list_decode(&rec, &count, &err), &err);
	assert_int_equal(count, 2);
	assert_int_equal(gw_dirty_pfn_list_get(&rec, 1), 2);
	rec.length = 15;
	assert_fails(gw_dirty_pfn_list_decode(&rec, &count, &err), &err, GW_INVALID, "multiple");
}

static void policies(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cpuid_leaf leaves[] = {{7, 1, 2, 3, 4, 5},
					 {1, GW_CPUID_NO_SUBLEAF, 6, 7, 8, 9},
					 {2, GW_CPUID_NO_SUBLEAF, 1, 1, 1, 1}};
	struct gw_msr_entry msrs[] = {{0x10a, 0, 0x1122334455667788}};
	const struct gw_policy policy = {leaves, 3, msrs, 1};
	struct gw_policy back = {0}, copy;
	struct gw_buffer buf = {0};

	assert_ok(gw_policy_append(&buf, &policy, &err), &err);
	assert_int_equal(buf.len, 8 + 72 + 8 + 16);
	assert_memory_equal(buf.data, "\x11\0\0\0\x48\0\0\0\7\0\0\0\1\0\0\0\2\0\0\0\3", 21);
	assert_memory_equal(buf.data + 80, "\x12\0\0\0\x10\0\0\0\x0a\1\0\0\0\0\0\0\x88\x77", 18);

	struct gw_record cpuid = record_at(buf.data), msr = record_at(buf.data + 80);

	assert_ok(gw_cpuid_policy_decode(&cpuid, &back, &err), &err);
	assert_ok(gw_cpuid_policy_decode(&cpuid, &back, &err), &err); /* replaces the leaves */
	assert_ok(gw_msr_policy_decode(&msr, &back, &err), &err);
	assert_ok(gw_policy_copy(&copy, &back, &err), &err);
	gw_policy_free(&back);
	assert_int_equal(copy.nr_leaves, 3);
	assert_memory_equal(copy.leaves, leaves, sizeof(leaves));
	assert_int_equal(copy.nr_msrs, 1);
	assert_memory_equal(copy.msrs, msrs, sizeof(msrs));

	cpuid.length = 0;
	assert_fails(gw_cpuid_policy_decode(&cpuid, &copy, &err), &err, GW_INVALID, "empty");
	cpuid.length = 25;
	assert_fails(gw_cpuid_policy_decode(&cpuid, &copy, &err), &err, GW_INVALID,
		     "multiple of 24");
	msr.length = 24;
	assert_fails(gw_msr_policy_decode(&msr, &copy, &err), &err, GW_INVALID, "multiple of 16");
	assert_int_equal(copy.nr_leaves, 3); /* a failure leaves it as it was */

	gw_policy_free(&copy);
	gw_buffer_reset(&buf);
	assert_ok(gw_policy_append(&buf, &copy, &err), &err);
	assert_int_equal(buf.len, 0);
	gw_buffer_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_smallest_image),
		cmocka_unit_test(headers_in_either_order),
		cmocka_unit_test(page_contents_are_the_callers),
		cmocka_unit_test(malformed_pages_keep_the_framing),
		cmocka_unit_test(bodies_can_be_passed_over),
		cmocka_unit_test(memory_follows_the_bytes),
		cmocka_unit_test(big_endian_records_are_refused),
		cmocka_unit_test(appends_records_with_padding),
		cmocka_unit_test(hvm_params),
		cmocka_unit_test(vcpu_blobs),
		cmocka_unit_test(p2m_frames),
		cmocka_unit_test(small_bodies),
		cmocka_unit_test(policies),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
