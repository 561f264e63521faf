/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the reading of real images: which events a listener gets, in which order, and when a round
 * counts; cut anywhere, with and without all_errors; and a round from its spool.
 */
#include "lib/gwtest.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/util.h"
#include "lib/bytes.h"
#include "lib/random.h"
#include "lib/realdata.h"
#include "read/round_spool.h"

/* The events that a listener got. */
struct heard {
	struct gw_reading reading;
	struct gw_input in;
	uint64_t arrived, records, pages, bodies, rounds, contents;
	uint32_t last_stream_record, last_at_round;
	uint64_t records_at_round; /* records of the image at that time */
	uint64_t stop_at_round;	   /* 0: never */
	unsigned errors;
	uint64_t digest; /* of all bytes of records and pages, in order */
};

static void digest(struct heard *h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h->digest = (h->digest ^ p[i]) * UINT64_C(0x100000001b3);
}

static void on_arrived(void *owner, enum gw_read_part part, enum gw_counts counts)
{
	struct heard *h = owner;

	h->arrived++;
}

static enum gw_read_result on_record(void *owner, struct gw_error *err)
{
	struct heard *h = owner;
	const struct gw_record *rec = &h->reading.image.rec;

	h->records++;
	digest(h, rec->data, rec->length);
	/* Offsets of the image include what lies between its parts. */
	assert_int_equal(gw_input_offset(h->reading.in),
			 h->reading.image_offset + h->reading.image.offset);
	return GW_READ_OK;
}

static enum gw_read_result on_pages(void *owner, struct gw_error *err)
{
	struct heard *h = owner;
	const struct gw_image_reader *r = &h->reading.image;

	h->pages++;
	digest(h, r->entries, r->nr_entries * sizeof(*r->entries));
	for (uint64_t left = r->data_len; left; left -= GW_PAGE_SIZE) {
		uint8_t page[GW_PAGE_SIZE];
		enum gw_read_result rc = gw_input_read(h->reading.in, page, sizeof(page), err);

		if (rc != GW_READ_OK)
			return rc;
		h->contents++;
		digest(h, page, 64);
	}
	return GW_READ_OK;
}

static enum gw_read_result on_stream_record(void *owner, struct gw_error *err)
{
	struct heard *h = owner;

	h->last_stream_record = h->reading.stream.rec.type;
	return GW_READ_OK;
}

static enum gw_read_result on_round(void *owner, struct gw_error *err)
{
	struct heard *h = owner;

	h->records_at_round = h->records;
	h->last_at_round = h->last_stream_record;
	assert_int_equal(h->reading.checkpoints.complete, ++h->rounds);
	return h->rounds == h->stop_at_round ? GW_READ_ENDED : GW_READ_OK;
}

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct heard *h = opaque;

	h->errors += finding->level == GW_LEVEL_ERROR;
}

static const struct gw_read_listener listener = {
	.arrived = on_arrived,
	.image_record = on_record,
	.image_pages = on_pages,
	.stream_record = on_stream_record,
	.round_complete = on_round,
};

struct image {
	struct gw_buffer file;
	size_t start;
	bool libxl;
};

static struct image load(const char *name)
{
	struct image image = {.file = realdata_load(realdata_path(name))};
	const uint8_t *stream = memmem(image.file.data, image.file.len, "LibxlFmt", 8);

	image.libxl = stream;
	image.start = stream ? (size_t)(stream - image.file.data) : realdata_image(&image.file);
	return image;
}

/* Reads the first len bytes of the image; the caller sets the options in h. */
static enum gw_read_result read_part(const struct image *image, size_t len, struct heard *h,
				     struct gw_error *err)
{
	const struct gw_findings findings = {.report = on_finding, .opaque = h};
	enum gw_read_result rc;

	h->in.ch = bytes_source("image", image->file.data + image->start, len);
	h->in.origin = image->start;
	h->reading.in = &h->in;
	h->reading.listener = &listener;
	h->reading.owner = h;
	h->reading.findings = &findings;
	h->reading.kind = GW_IMAGE_ANY;
	rc = image->libxl ? gw_read_stream(&h->reading, err) : gw_read_image(&h->reading, err);
	gw_reading_free(&h->reading);
	gw_channel_close(h->in.ch);
	return rc;
}

static enum gw_read_result read_all(const struct image *image, struct heard *h)
{
	struct gw_error err = GW_ERROR_INIT;
	enum gw_read_result rc = read_part(image, image->file.len - image->start, h, &err);

	if (rc == GW_READ_FAILED)
		fail_msg("%s", err.text);
	return rc;
}

static void test_plain(void **state)
{
	struct image bare = load("xen-code/v3_422_hvm_1024.xz");
	struct image libxl = load("xen-code/v3_422_libxl_hvm_1024.xz");
	struct heard h = {0}, s = {0};

	assert_int_equal(read_all(&bare, &h), GW_READ_OK);
	assert_int_equal(h.rounds, 0);
	assert_true(h.pages > 0 && h.contents > 1000);
	assert_int_equal(h.arrived, 1 + h.records + h.pages);
	assert_true(h.reading.checkpoints.ended);
	assert_int_equal(read_all(&libxl, &s), GW_READ_OK);
	assert_true(s.arrived > 1 + s.records + s.pages);
	assert_int_equal(s.last_stream_record, GW_STREAM_END);
	gw_buffer_free(&bare.file);
	gw_buffer_free(&libxl.file);
}

/* A round is complete with CHECKPOINT, CHECKPOINT_END or, for COLO, the record that the caller
 * chose. */
static void test_rounds(void **state)
{
	static const struct {
		const char *name;
		enum gw_read_colo colo;
		uint32_t completes; /* of the libxl stream */
	} cases[] = {
		{"xen-code/v3_422_hvm_remus3_1024.xz", GW_READ_COLO_LOOK, 0},
		{"xen-code/v3_422_libxl_hvm_remus3_1024.xz", GW_READ_COLO_NO,
		 GW_STREAM_CHECKPOINT_END},
		{"xen-code/v3_422_libxl_hvm_remus3_1024.xz", GW_READ_COLO_LOOK,
		 GW_STREAM_CHECKPOINT_END},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct image image = load(cases[i].name);
		struct heard whole = {.reading.colo = cases[i].colo};
		struct heard stopped = {.reading.colo = cases[i].colo, .stop_at_round = 2};

		assert_int_equal(read_all(&image, &whole), GW_READ_ENDED);
		assert_int_equal(whole.rounds, 3);
		assert_int_equal(whole.last_at_round, cases[i].completes);
		assert_int_equal(read_all(&image, &stopped), GW_READ_ENDED);
		assert_int_equal(stopped.rounds, 2);
		assert_int_equal(stopped.records, stopped.records_at_round);
		assert_true(stopped.contents < whole.contents);
		gw_buffer_free(&image.file);
	}
}

/* Offsets at which each CHECKPOINT_END ends. */
struct ends {
	struct gw_reading reading;
	uint64_t at[3];
	size_t nr;
};

static enum gw_read_result note_end(void *owner, struct gw_error *err)
{
	struct ends *e = owner;

	if (e->reading.stream.rec.type == GW_STREAM_CHECKPOINT_END)
		e->at[e->nr++] = gw_input_offset(e->reading.in);
	return GW_READ_OK;
}

/* A Remus stream with the record that COLO adds after each CHECKPOINT_END. */
static struct image colo_image(void)
{
	static const struct gw_read_listener noting = {.stream_record = note_end};
	struct image remus = load("xen-code/v3_422_libxl_hvm_remus3_1024.xz"),
		     colo = {.libxl = true};
	const uint8_t *data = remus.file.data + remus.start;
	size_t len = remus.file.len - remus.start, done = 0;
	struct gw_input in = {.ch = bytes_source("remus", data, len)};
	struct ends e = {.reading = {.in = &in, .listener = &noting, .owner = &e}};
	struct gw_error err = GW_ERROR_INIT;

	e.reading.kind = GW_IMAGE_ANY;
	assert_int_equal(gw_read_stream(&e.reading, &err), GW_READ_ENDED);
	assert_int_equal(e.nr, 3);
	for (size_t i = 0; i < e.nr; i++) {
		assert_ok(gw_buffer_append(&colo.file, data + done, e.at[i] - done, &err), &err);
		assert_ok(gw_checkpoint_state_append(&colo.file, 0, &err), &err);
		done = e.at[i];
	}
	assert_ok(gw_buffer_append(&colo.file, data + done, len - done, &err), &err);
	gw_reading_free(&e.reading);
	gw_channel_close(in.ch);
	gw_buffer_free(&remus.file);
	return colo;
}

/* CHECKPOINT_STATE comes after CHECKPOINT_END: the round waits for it only if the caller asks for
 * that. */
static void test_colo(void **state)
{
	struct image image = colo_image();
	struct heard known = {.reading.colo = GW_READ_COLO_YES}, found = {0};

	assert_int_equal(read_all(&image, &known), GW_READ_ENDED);
	assert_int_equal(known.rounds, 3);
	assert_int_equal(known.last_at_round, GW_STREAM_CHECKPOINT_STATE);
	assert_int_equal(read_all(&image, &found), GW_READ_ENDED);
	assert_int_equal(found.rounds, 3);
	assert_int_equal(found.last_at_round, GW_STREAM_CHECKPOINT_END);
	assert_true(known.digest == found.digest);
	gw_buffer_free(&image.file);
}

/* Where the rules find an error, a reading without all_errors fails; otherwise both readings get
 * the same events. */
static void cut_anywhere(const char *name)
{
	struct image image = load(name);
	size_t all = image.file.len - image.start;

	for (unsigned i = 0; i < 60; i++) {
		size_t len = i ? random_below(all) : all;
		struct heard obeys = {0}, reports = {.reading.all_errors = true};
		struct gw_error err = GW_ERROR_INIT, none = GW_ERROR_INIT;
		enum gw_read_result rc = read_part(&image, len, &obeys, &err);
		enum gw_read_result all_rc = read_part(&image, len, &reports, &none);

		assert_int_equal(none.code, GW_OK);
		assert_int_equal(rc == GW_READ_FAILED, reports.errors > 0);
		if (rc == GW_READ_FAILED)
			assert_int_equal(err.code, GW_TRUNCATED);
		assert_int_equal(all_rc, rc == GW_READ_OK ? GW_READ_OK : GW_READ_ENDED);
		assert_int_equal(obeys.rounds, reports.rounds);
		assert_true(obeys.digest == reports.digest);
		/* Data after a complete checkpoint may be cut. */
		assert_true(rc != GW_READ_FAILED || obeys.rounds == 0);
	}
	gw_buffer_free(&image.file);
}

static void test_cut_anywhere(void **state)
{
	cut_anywhere("xen-code/v3_422_hvm_1024.xz");
	cut_anywhere("xen-code/v3_422_hvm_remus3_1024.xz");
	cut_anywhere("xen-code/v3_422_libxl_hvm_remus3_1024.xz");
}

/* A damaged record: one reading ends there, the other goes on after it. */
static void test_damaged_record(void **state)
{
	struct image image = load("xen-code/v3_422_hvm_1024.xz");
	struct heard whole = {0}, obeys = {0}, reports = {.reading.all_errors = true};
	struct gw_error err = GW_ERROR_INIT;
	size_t first = image.start + 40, len = image.file.len - image.start;

	assert_int_equal(read_all(&image, &whole), GW_READ_OK);
	gw_put_le32(image.file.data + first, 0x77); /* an unknown type that is not optional */
	assert_int_equal(read_part(&image, len, &obeys, &err), GW_READ_FAILED);
	assert_int_equal(err.code, GW_INVALID);
	assert_int_equal(obeys.records, 0);
	assert_int_equal(read_part(&image, len, &reports, NULL), GW_READ_OK);
	assert_true(reports.errors > 0);
	assert_int_equal(reports.records, whole.records);
	assert_int_equal(reports.contents, whole.contents);
	gw_buffer_free(&image.file);
}

/* Where an image's first PAGE_DATA begins. */
static size_t first_pages(const struct image *image)
{
	size_t at = image->start + 40;

	while (gw_get_le32(image->file.data + at) != GW_REC_PAGE_DATA)
		at += 8 + ((gw_get_le32(image->file.data + at + 4) + 7u) & ~7u);
	return at;
}

/* The image with 8 bytes more in its first PAGE_DATA than its pages need. */
static struct image with_long_pages(const char *name)
{
	struct image image = load(name), longer = {0};
	size_t at = first_pages(&image);
	uint32_t len = gw_get_le32(image.file.data + at + 4);
	size_t end = at + 8 + len;
	struct gw_error err = GW_ERROR_INIT;

	assert_int_equal(len % 8, 0);
	gw_put_le32(image.file.data + at + 4, len + 8);
	assert_ok(gw_buffer_append(&longer.file, image.file.data, end, &err), &err);
	assert_ok(gw_buffer_append(&longer.file, "8 bytes.", 8, &err), &err);
	assert_ok(gw_buffer_append(&longer.file, image.file.data + end, image.file.len - end, &err),
		  &err);
	longer.start = image.start;
	gw_buffer_free(&image.file);
	return longer;
}

/* A length that is not that of the entries and pages: a listener never gets such page data. */
static void test_malformed_pages(void **state)
{
	struct image plain = load("xen-code/v3_422_hvm_1024.xz");
	struct image image = with_long_pages("xen-code/v3_422_hvm_1024.xz");
	struct heard whole = {0}, obeys = {0}, reports = {.reading.all_errors = true};
	struct heard unjudged = {.reading.is_judged = true};
	size_t len = image.file.len - image.start;
	struct gw_error err = GW_ERROR_INIT;

	assert_int_equal(read_all(&plain, &whole), GW_READ_OK);
	assert_fails(read_part(&image, len, &obeys, &err), &err, GW_INVALID, " bytes, record has ");
	assert_int_equal(obeys.pages, 0);
	/* No rule looks at an input that was judged before: what is malformed there is still
	 * refused. */
	assert_fails(read_part(&image, len, &unjudged, &err), &err, GW_INVALID,
		     "(PAGE_DATA): malformed");
	assert_int_equal(unjudged.pages, 0);
	assert_int_equal(read_part(&image, len, &reports, &err), GW_READ_OK);
	assert_int_equal(reports.errors, 1);
	assert_int_equal(reports.pages, whole.pages - 1);
	assert_int_equal(reports.records, whole.records);
	gw_buffer_free(&image.file);
	gw_buffer_free(&plain.file);
}

/* Everything of an image but its END, put into a spool, is heard again from there. */
static const struct gw_round_limits no_limits = {UINT64_MAX, UINT64_MAX};

struct spooling {
	struct heard h;
	struct gw_round_spool spool;
};

static enum gw_read_result spool_header(void *owner, struct gw_error *err)
{
	struct spooling *s = owner;

	return gw_round_spool_begin(&s->spool, &s->h.reading.image.header, &no_limits, err) < 0
		       ? GW_READ_FAILED
		       : GW_READ_OK;
}

static enum gw_read_result spool_record(void *owner, struct gw_error *err)
{
	struct spooling *s = owner;
	const struct gw_record *rec = &s->h.reading.image.rec;

	if (rec->type == GW_REC_END)
		return GW_READ_OK;
	return gw_round_spool_record(&s->spool, rec, err) < 0 ? GW_READ_FAILED : GW_READ_OK;
}

static enum gw_read_result spool_pages(void *owner, struct gw_error *err)
{
	struct spooling *s = owner;

	return gw_round_spool_pages(&s->spool, &s->h.reading.image, s->h.reading.in, err);
}

static void test_round_spool(void **state)
{
	static const struct gw_read_listener into = {
		.image_header = spool_header,
		.image_record = spool_record,
		.image_pages = spool_pages,
	};
	struct image image = load("xen-code/v3_422_hvm_1024.xz");
	struct spooling s = {.h.reading = {.listener = &into, .owner = &s, .kind = GW_IMAGE_ANY}};
	struct heard whole = {0}, again = {.reading = {.listener = &listener, .owner = &again}};
	const struct gw_record odd = {
		.type = GW_RECORD_OPTIONAL | 0x55, .length = 5, .data = (const uint8_t *)"12345"};
	struct gw_error err = GW_ERROR_INIT;

	assert_int_equal(read_all(&image, &whole), GW_READ_OK);
	s.h.in.ch =
		bytes_source("image", image.file.data + image.start, image.file.len - image.start);
	s.h.reading.in = &s.h.in;
	assert_int_equal(gw_read_image(&s.h.reading, &err), GW_READ_OK);
	gw_reading_free(&s.h.reading);
	gw_channel_close(s.h.in.ch);
	/* One more record, with padding; the record after it is found. */
	assert_ok(gw_round_spool_record(&s.spool, &odd, &err), &err);
	assert_ok(gw_round_spool_record(&s.spool, &odd, &err), &err);
	digest(&whole, odd.data, odd.length);
	digest(&whole, odd.data, odd.length);
	assert_ok(gw_round_spool_replay(&s.spool, &again.reading, &err), &err);
	/* All but END, which was not spooled, and those two. */
	assert_int_equal(again.records, whole.records + 1);
	assert_int_equal(again.contents, whole.contents);
	assert_true(again.digest == whole.digest);
	gw_round_spool_close(&s.spool);
	gw_buffer_free(&image.file);
}

/* A spool file that lost its last bytes: those of a whole record, then a part of one. */
static void test_round_spool_lost(void **state)
{
	static const struct gw_image_header header = {
		.version = 3, .type = GW_GUEST_X86_HVM, .page_shift = 12};
	static const struct gw_read_listener deaf = {0};
	const struct gw_record rec = {.type = GW_RECORD_OPTIONAL | 0x55,
				      .length = 13,
				      .data = (const uint8_t *)"0123456789abc"};
	struct gw_reading reading = {.listener = &deaf};
	struct gw_round_spool spool = {0};
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_round_spool_begin(&spool, &header, &no_limits, &err), &err);
	for (int i = 0; i < 3; i++)
		assert_ok(gw_round_spool_record(&spool, &rec, &err), &err);
	assert_int_equal(spool.spool.bytes, 40 + 3 * 24);
	assert_ok(gw_round_spool_replay(&spool, &reading, &err), &err);
	for (int lost = 24; lost < 30; lost += 5) {
		assert_int_equal(ftruncate(spool.spool.fd, 40 + 3 * 24 - lost), 0);
		reading = (struct gw_reading){.listener = &deaf};
		assert_fails(gw_round_spool_replay(&spool, &reading, &err), &err, GW_SYSTEM,
			     "the spooled round lost bytes after");
	}
	/* All that was put, and still no whole record. */
	spool.spool.bytes = 40 + 24 + 8;
	assert_int_equal(ftruncate(spool.spool.fd, 40 + 24 + 8), 0);
	reading = (struct gw_reading){.listener = &deaf};
	assert_fails(gw_round_spool_replay(&spool, &reading, &err), &err, GW_SYSTEM,
		     "the spooled round lost bytes after");
	gw_round_spool_close(&spool);
}

/* Records beside the pages: a head of 8 bytes each, and the padding, count too. */
static void test_round_spool_state(void **state)
{
	static const uint8_t body[(1 << 20) - 8 - 3];
	static const struct gw_image_header header = {
		.version = 3, .type = GW_GUEST_X86_HVM, .page_shift = 12};
	const struct gw_record rec = {
		.type = GW_RECORD_OPTIONAL | 0x55, .length = sizeof(body), .data = body};
	const struct gw_record small = {.type = GW_RECORD_OPTIONAL | 0x55};
	struct gw_round_spool spool = {0};
	struct gw_error err = GW_ERROR_INIT;

	for (int again = 0; again < 2; again++) {
		assert_ok(gw_round_spool_begin(&spool, &header, &no_limits, &err), &err);
		for (uint64_t n = 0; n < GW_ROUND_STATE_MAX >> 20; n++)
			assert_ok(gw_round_spool_record(&spool, &rec, &err), &err);
		assert_fails(gw_round_spool_record(&spool, &small, &err), &err, GW_INVALID,
			     "this round of checkpoints has 67108872 bytes beside its pages, more "
			     "than the 67108864 that one may have");
		assert_int_equal(spool.spool.bytes, 40 + GW_ROUND_STATE_MAX);
	}
	gw_round_spool_close(&spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_colo),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_damaged_record),
		cmocka_unit_test(test_malformed_pages),
		cmocka_unit_test(test_round_spool),
		cmocka_unit_test(test_round_spool_lost),
		cmocka_unit_test(test_round_spool_state),
	};

	return cmocka_run_group_tests_name("reading", tests, NULL, NULL);
}
