/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the codecs with every real stream of version 2 and 3: xl header, libxl stream, libxc image,
 * COLO's back channel. Each header and each body that has a codec is decoded into its struct and
 * encoded again; the bytes must be the same. On the way, the readers must want no byte beyond the
 * current record, and the rules must find no error in what Xen wrote.
 *
 * The files are those of tests/data; GODWIT_STREAMS can name a folder with more of them.
 */
#include "lib/gwtest.h"

#include <ftw.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/hvm_context.h"
#include "format/rules/rules.h"
#include "lib/realdata.h"

struct trip {
	const char *path;
	const uint8_t *data;
	size_t len, pos;
	size_t limit; /* the reader may want no byte at or after it now */
	struct gw_buffer out;
	struct gw_image_reader image;
	struct gw_image_rules *image_rules;
	struct gw_stream_reader stream;
	struct gw_stream_rules *stream_rules;
	struct gw_error err;
};

static void forbid_errors(void *opaque, const struct gw_finding *finding)
{
	struct trip *t = opaque;
	char text[600];

	if (finding->level == GW_LEVEL_ERROR)
		fail_msg("%s: %s: %s", t->path, finding->rule->id,
			 gw_finding_format(finding, text, sizeof(text)));
}

/* Until the next call, the reader may read this many bytes from here and no more. */
static void allow(struct trip *t, uint64_t len)
{
	assert_true(len <= t->len - t->pos);
	t->limit = t->pos + (size_t)len;
}

/* Allows the record whose header is next. This test has no cut input. */
static void allow_record(struct trip *t)
{
	uint32_t length;

	assert_true(t->len - t->pos >= 8);
	length = gw_get_le32(t->data + t->pos + 4);
	allow(t, 8 + (uint64_t)length + gw_record_padding(length));
}

/* Brings the bytes that the reader wants, one at a time, each from a different address. */
static void bring(struct trip *t, void *to, size_t len)
{
	assert_true(len <= t->limit - t->pos);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = t->data[t->pos++];
}

static void append(struct trip *t, const void *data, size_t len)
{
	assert_ok(gw_buffer_append(&t->out, data, len, &t->err), &t->err);
}

static void copy(struct trip *t, uint64_t len)
{
	assert_true(len <= t->limit - t->pos);
	append(t, t->data + t->pos, (size_t)len);
	t->pos += (size_t)len;
}

/* The bytes of this unit must be the same in and out; a difference is reported here, at its
 * place. */
static void compare(const struct trip *t, const char *what)
{
	size_t n = GW_MIN(t->out.len, t->pos), i = 0;

	while (i < n && t->out.data[i] == t->data[i])
		i++;
	if (i < n || t->out.len != t->pos)
		fail_msg("%s: %s: byte 0x%zx differs (%zu bytes in, %zu out)", t->path, what, i,
			 t->pos, t->out.len);
}

/* Compares only the last bytes, for speed; everything is compared once at the end. */
static void compare_tail(const struct trip *t, uint64_t len, const char *what)
{
	if (t->out.len != t->pos || len > t->pos ||
	    memcmp(t->out.data + t->pos - len, t->data + t->pos - len, (size_t)len) != 0)
		compare(t, what);
}

/* Bodies of the image's records, each encoded from its struct. */

static void rewrite_context(struct trip *t, const struct gw_record *rec)
{
	struct gw_buffer body = {0};
	struct gw_hvm_entry entry;
	struct gw_hvm_header header;
	struct gw_hvm_cpu cpu;
	struct gw_hvm_walk walk;
	int rc;

	gw_hvm_walk_init(&walk, rec->data, rec->length);
	while ((rc = gw_hvm_walk_next(&walk, &entry, NULL)) > 0) {
		uint8_t raw[GW_HVM_CPU_SIZE];
		const void *data = entry.data;

		if (entry.typecode == GW_HVM_HEADER) {
			assert_ok(gw_hvm_header_decode(&entry, &header, &t->err), &t->err);
			gw_hvm_header_encode(raw, &header);
			data = raw;
		}
		if (entry.typecode == GW_HVM_CPU && entry.length == GW_HVM_CPU_SIZE) {
			assert_ok(gw_hvm_cpu_decode(&entry, &cpu, &t->err), &t->err);
			gw_hvm_cpu_encode(raw, &cpu);
			data = raw;
		}
		assert_ok(gw_hvm_entry_append(&body, entry.typecode, entry.instance, data,
					      entry.length, &t->err),
			  &t->err);
	}
	/* Some recordings have a context that Xen never saw: it is kept as bytes, as by any tool
	 * but Xen. */
	if (rc < 0) {
		gw_buffer_reset(&body);
		assert_ok(gw_buffer_append(&body, rec->data, rec->length, &t->err), &t->err);
	}
	assert_ok(gw_record_append(&t->out, rec->type, body.data, body.len, &t->err), &t->err);
	gw_buffer_free(&body);
}

static void rewrite_p2m(struct trip *t, const struct gw_record *rec)
{
	unsigned width = gw_image_rules_facts(t->image_rules)->pv_width;
	struct gw_p2m_frames frames;
	uint64_t *pfns;

	assert_ok(gw_p2m_frames_decode(rec, width, &frames, &t->err), &t->err);
	pfns = calloc(frames.count, sizeof(*pfns));
	assert_non_null(pfns);
	for (uint32_t i = 0; i < frames.count; i++)
		pfns[i] = gw_p2m_frames_get(rec, i);
	assert_ok(gw_p2m_frames_append(&t->out, &frames, pfns, &t->err), &t->err);
	free(pfns);
}

static void rewrite_params(struct trip *t, const struct gw_record *rec)
{
	uint64_t index[64], value[64];
	uint32_t count;

	assert_ok(gw_hvm_params_decode(rec, &count, &t->err), &t->err);
	assert_true(count <= GW_ARRAY_SIZE(index));
	for (uint32_t i = 0; i < count; i++) {
		gw_hvm_params_get(rec, i, &index[i], &value[i]);
		assert_non_null(gw_hvm_param_name(index[i]));
	}
	assert_ok(gw_hvm_params_append(&t->out, count, index, value, &t->err), &t->err);
}

static void rewrite_policy(struct trip *t, const struct gw_record *rec)
{
	struct gw_policy policy = {0};

	if (rec->type == GW_REC_X86_CPUID_POLICY)
		assert_ok(gw_cpuid_policy_decode(rec, &policy, &t->err), &t->err);
	else
		assert_ok(gw_msr_policy_decode(rec, &policy, &t->err), &t->err);
	assert_ok(gw_policy_append(&t->out, &policy, &t->err), &t->err);
	gw_policy_free(&policy);
}

static void rewrite_vcpu(struct trip *t, const struct gw_record *rec)
{
	unsigned width = gw_image_rules_facts(t->image_rules)->pv_width;
	struct gw_vcpu_blob vcpu;

	assert_ok(gw_vcpu_blob_decode(rec, width, &vcpu, &t->err), &t->err);
	assert_ok(gw_vcpu_blob_append(&t->out, rec->type, &vcpu, &t->err), &t->err);
}

static void rewrite_small(struct trip *t, const struct gw_record *rec)
{
	struct gw_pv_info info;
	struct gw_tsc_info tsc;
	uint8_t raw[24];

	if (rec->type == GW_REC_X86_PV_INFO) {
		assert_ok(gw_pv_info_decode(rec, &info, &t->err), &t->err);
		gw_pv_info_encode(raw, &info);
	} else {
		assert_ok(gw_tsc_info_decode(rec, &tsc, &t->err), &t->err);
		gw_tsc_info_encode(raw, &tsc);
	}
	assert_ok(gw_record_append(&t->out, rec->type, raw, rec->length, &t->err), &t->err);
}

static void rewrite_record(struct trip *t, const struct gw_record *rec)
{
	switch (rec->type) {
	case GW_REC_X86_PV_INFO:
	case GW_REC_X86_TSC_INFO:
		return rewrite_small(t, rec);
	case GW_REC_X86_PV_P2M_FRAMES:
		return rewrite_p2m(t, rec);
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
		return rewrite_vcpu(t, rec);
	case GW_REC_HVM_CONTEXT:
		return rewrite_context(t, rec);
	case GW_REC_HVM_PARAMS:
		return rewrite_params(t, rec);
	case GW_REC_X86_CPUID_POLICY:
	case GW_REC_X86_MSR_POLICY:
		return rewrite_policy(t, rec);
	case GW_REC_END:
	case GW_REC_VERIFY:
	case GW_REC_CHECKPOINT:
	case GW_REC_STATIC_DATA_END:
		assert_int_equal(rec->length, 0);
		/* fall through */
	case GW_REC_SHARED_INFO:
		assert_ok(gw_record_append(&t->out, rec->type, rec->data, rec->length, &t->err),
			  &t->err);
		return;
	default:
		fail_msg("%s: a record of type 0x%x", t->path, rec->type);
	}
}

static void rewrite_pages(struct trip *t)
{
	size_t max = 16 + 8 * t->image.nr_entries;
	uint8_t *raw = gw_buffer_reserve(&t->out, max, &t->err);

	assert_non_null(raw);
	assert_true(t->image.well_formed);
	t->out.len += gw_page_data_head_encode(raw, t->image.nr_entries, t->image.entries,
					       t->image.nr_pages);
	copy(t, t->image.data_len);
	gw_image_reader_pages_done(&t->image);
}

enum went { ENDED, CHECKPOINTED, RAN_OUT };

static enum went rewrite_image_event(struct trip *t, enum gw_image_event event)
{
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];
	const struct gw_record *rec = &t->image.rec;

	switch (event) {
	case GW_IMAGE_HEADER:
		assert_ok(gw_image_rules_header(t->image_rules, &t->image.header, &t->err),
			  &t->err);
		gw_image_header_encode(&t->image.header, raw);
		append(t, raw, sizeof(raw));
		break;
	case GW_IMAGE_RECORD:
		assert_ok(gw_image_rules_record(t->image_rules, rec, &t->err), &t->err);
		rewrite_record(t, rec);
		break;
	case GW_IMAGE_PAGES:
		assert_ok(gw_image_rules_pages(t->image_rules, &t->image, &t->err), &t->err);
		rewrite_pages(t);
		break;
	default:
		return ENDED;
	}
	assert_int_equal(t->pos, t->limit);
	compare_tail(t, event == GW_IMAGE_HEADER ? 40 : 8 + rec->length, "image");
	return event == GW_IMAGE_RECORD && rec->type == GW_REC_CHECKPOINT ? CHECKPOINTED : ENDED;
}

/* Goes to the image's END, or with stop to a CHECKPOINT, or to the end of the input between
 * records. */
static enum went rewrite_image(struct trip *t, bool begin, bool stop)
{
	enum gw_image_event event;

	if (begin)
		allow(t, GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE);
	for (;;) {
		void *to;
		size_t len;

		if (!begin && t->pos == t->len && gw_image_reader_at_boundary(&t->image)) {
			assert_ok(gw_image_rules_end(t->image_rules, true, NULL, t->pos, &t->err),
				  &t->err);
			return RAN_OUT;
		}
		if (t->pos == t->limit && gw_image_reader_at_boundary(&t->image))
			allow_record(t);
		begin = false;
		assert_ok(gw_image_reader_want(&t->image, &to, &len, &t->err), &t->err);
		bring(t, to, len);
		assert_ok(gw_image_reader_got(&t->image, &event, &t->err), &t->err);
		if (event == GW_IMAGE_MORE || event == GW_IMAGE_RECORD_HEAD)
			continue;
		if (rewrite_image_event(t, event) == CHECKPOINTED && stop)
			return CHECKPOINTED;
		/* The next want would be for the record after END. */
		if (event == GW_IMAGE_RECORD && t->image.rec.type == GW_REC_END)
			break;
	}
	assert_ok(gw_image_reader_want(&t->image, &(void *){NULL}, &(size_t){0}, &t->err), &t->err);
	assert_ok(gw_image_reader_got(&t->image, &event, &t->err), &t->err);
	assert_int_equal(event, GW_IMAGE_DONE);
	assert_ok(gw_image_rules_end(t->image_rules, true, NULL, t->pos, &t->err), &t->err);
	return ENDED;
}

/* Records of the libxl layer. */

static void rewrite_xenstore(struct trip *t, const struct gw_record *rec)
{
	struct gw_emulator_data emu;
	struct gw_buffer pairs = {0};
	const char *key, *value;
	size_t pos = 0;
	int rc;

	assert_ok(gw_emulator_data_decode(rec, &emu, &t->err), &t->err);
	while ((rc = gw_xenstore_pair(&emu, &pos, &key, &value, &t->err)) > 0) {
		assert_ok(gw_buffer_append(&pairs, key, strlen(key) + 1, &t->err), &t->err);
		assert_ok(gw_buffer_append(&pairs, value, strlen(value) + 1, &t->err), &t->err);
	}
	assert_ok(rc, &t->err);
	emu.data = pairs.data;
	emu.len = pairs.len;
	assert_ok(gw_emulator_data_append(&t->out, rec->type, &emu, &t->err), &t->err);
	gw_buffer_free(&pairs);
}

/* An EMULATOR_CONTEXT, of which the reader only decodes the ids. */
static void rewrite_emulator(struct trip *t)
{
	struct gw_record head = {.length = 8, .data = t->stream.body_head};
	struct gw_emulator_data emu;

	assert_ok(gw_emulator_data_decode(&head, &emu, &t->err), &t->err);
	assert_true(t->stream.body_left <= t->limit - t->pos);
	emu.data = t->data + t->pos;
	emu.len = t->stream.rec.length - 8;
	assert_ok(gw_emulator_data_append(&t->out, t->stream.rec.type, &emu, &t->err), &t->err);
	t->pos += (size_t)t->stream.body_left;
	gw_stream_reader_body_done(&t->stream);
}

static void rewrite_stream_record(struct trip *t, const struct gw_record *rec)
{
	uint32_t id;

	if (rec->type == GW_STREAM_EMULATOR_XENSTORE_DATA) {
		rewrite_xenstore(t, rec);
	} else if (rec->type == GW_STREAM_CHECKPOINT_STATE) {
		assert_ok(gw_checkpoint_state_decode(rec, &id, &t->err), &t->err);
		assert_ok(gw_checkpoint_state_append(&t->out, id, &t->err), &t->err);
	} else {
		assert_int_equal(rec->length, 0);
		assert_ok(gw_record_append(&t->out, rec->type, NULL, 0, &t->err), &t->err);
	}
}

static void enter_image(struct trip *t, bool begin, bool *in_checkpoint)
{
	size_t from = t->pos;

	*in_checkpoint = rewrite_image(t, begin, true) == CHECKPOINTED;
	if (*in_checkpoint)
		gw_stream_rules_checkpoint(t->stream_rules);
	gw_stream_reader_resume(&t->stream, t->pos - from);
	t->limit = t->pos;
}

static void rewrite_stream(struct trip *t)
{
	uint8_t raw[GW_STREAM_HEADER_SIZE];
	const struct gw_record *rec = &t->stream.rec;
	enum gw_stream_event event;
	bool in_checkpoint = false;
	void *to;
	size_t len;

	allow(t, GW_STREAM_HEADER_SIZE);
	while (t->pos < t->len) {
		if (t->pos == t->limit)
			allow_record(t);
		assert_ok(gw_stream_reader_want(&t->stream, &to, &len, &t->err), &t->err);
		bring(t, to, len);
		assert_ok(gw_stream_reader_got(&t->stream, &event, &t->err), &t->err);
		if (event == GW_STREAM_MORE)
			continue;
		if (event == GW_STREAM_HEADER) {
			assert_ok(
				gw_stream_rules_header(t->stream_rules, &t->stream.header, &t->err),
				&t->err);
			gw_stream_header_encode(&t->stream.header, raw);
			append(t, raw, sizeof(raw));
			continue;
		}

		enum gw_guest_type guest = gw_image_rules_facts(t->image_rules)->type;

		if (event == GW_STREAM_BODY) {
			assert_ok(gw_stream_rules_body(t->stream_rules, &t->stream, guest, &t->err),
				  &t->err);
			rewrite_emulator(t);
		} else {
			assert_ok(gw_stream_rules_record(t->stream_rules, rec, guest, &t->err),
				  &t->err);
			rewrite_stream_record(t, rec);
		}
		assert_int_equal(t->pos, t->limit);
		compare(t, "stream");
		if (event == GW_STREAM_CONTEXT)
			enter_image(t, true, &in_checkpoint);
		else if (in_checkpoint && rec->type == GW_STREAM_CHECKPOINT_END)
			enter_image(t, false, &in_checkpoint);
		if (rec->type == GW_STREAM_END)
			break;
	}
	assert_ok(gw_stream_rules_end(t->stream_rules, true, NULL, t->pos, &t->err), &t->err);
}

static void rewrite_xl(struct trip *t)
{
	const struct gw_findings out = {forbid_errors, t};
	struct gw_xlfile xl = {0};
	uint8_t raw[GW_XLFILE_HEADER_SIZE];
	const char *config;
	size_t len;

	allow(t, GW_XLFILE_HEADER_SIZE);
	bring(t, raw, sizeof(raw));
	assert_ok(gw_xlfile_header_decode(raw, &xl, &t->err), &t->err);
	assert_true(xl.mandatory_flags & GW_XLFILE_STREAM_V2);
	allow(t, xl.optional_len);
	assert_ok(gw_buffer_append(&xl.optional, t->data + t->pos, xl.optional_len, &t->err),
		  &t->err);
	t->pos = t->limit;
	assert_ok(gw_xlfile_rules(&xl, &out, 0, &t->err), &t->err);
	config = gw_xlfile_config(&xl, &len);
	assert_non_null(config);
	assert_ok(gw_xlfile_append(&t->out, xl.mandatory_flags, config, len, &t->err), &t->err);
	compare(t, "xl header");
	gw_xlfile_free(&xl);
}

/* The back channel of COLO: bare records of both layers, in turn. */
static void rewrite_back_channel(struct trip *t)
{
	while (t->pos < t->len) {
		struct gw_record rec = {0};

		allow_record(t);
		gw_record_header_decode(t->data + t->pos, &rec.type, &rec.length);
		rec.data = t->data + t->pos + 8;
		t->pos = t->limit;
		if (rec.type == GW_STREAM_CHECKPOINT_STATE) {
			rewrite_stream_record(t, &rec);
		} else {
			struct gw_buffer body = {0};
			uint64_t count, raw;

			assert_int_equal(rec.type, GW_REC_CHECKPOINT_DIRTY_PFN_LIST);
			assert_ok(gw_dirty_pfn_list_decode(&rec, &count, &t->err), &t->err);
			for (uint64_t i = 0; i < count; i++) {
				gw_put_le64(&raw, gw_dirty_pfn_list_get(&rec, i));
				assert_ok(gw_buffer_append(&body, &raw, 8, &t->err), &t->err);
			}
			assert_ok(gw_record_append(&t->out, rec.type, body.data, body.len, &t->err),
				  &t->err);
			gw_buffer_free(&body);
		}
		compare(t, "back channel");
	}
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static unsigned trips;

/* Rewrites a whole file; false for a file that is not of version 2 or 3. */
static bool make_trip(struct trip *t)
{
	const struct gw_findings out = {forbid_errors, t};
	uint8_t marker[8];

	memset(marker, 0xff, sizeof(marker));
	gw_image_reader_init(&t->image);
	gw_stream_reader_init(&t->stream);
	t->image_rules = gw_image_rules_new(&out, 0, GW_IMAGE_ANY, 0);
	t->stream_rules = gw_stream_rules_new(&out, 0);
	if (ends_with(t->path, ".back")) {
		rewrite_back_channel(t);
	} else if (t->len >= 48 && gw_xlfile_is_magic(t->data, t->len)) {
		if (!(gw_get_le32(t->data + 36) & GW_XLFILE_STREAM_V2))
			return false; /* a legacy image follows */
		rewrite_xl(t);
		rewrite_stream(t);
		allow(t, t->len - t->pos);
		copy(t, t->len - t->pos); /* the message of xl migrate, if any */
	} else if (t->len >= 16 && !memcmp(t->data, "LibxlFmt", 8)) {
		rewrite_stream(t);
	} else if (t->len >= 40 && !memcmp(t->data, marker, 8)) {
		rewrite_image(t, true, false);
	} else {
		return false;
	}
	if (t->pos != t->len)
		fail_msg("%s: %zu of %zu bytes were read", t->path, t->pos, t->len);
	compare(t, "whole file");
	return true;
}

static void trip_through(const char *path)
{
	struct gw_buffer file = realdata_load(path);
	struct trip t = {.path = path, .data = file.data, .len = file.len};

	if (make_trip(&t))
		trips++;
	gw_buffer_free(&t.out);
	gw_image_reader_free(&t.image);
	gw_stream_reader_free(&t.stream);
	gw_image_rules_free(t.image_rules);
	gw_stream_rules_free(t.stream_rules);
	gw_buffer_free(&file);
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	/* Those of xen-refuses break the rules. */
	if (kind == FTW_F && !ends_with(path, ".md") && !strstr(path, ".manifest") &&
	    !strstr(path, "/xen-refuses/"))
		trip_through(path);
	return 0;
}

static void data_of_the_tests(void **state)
{
	trips = 0;
	assert_int_equal(nftw(realdata_path("."), visit, 16, FTW_PHYS), 0);
	print_message("%u streams\n", trips);
	assert_true(trips >= 16);
}

static void streams_from_elsewhere(void **state)
{
	const char *dir = getenv("GODWIT_STREAMS");

	if (!dir) {
		print_message("GODWIT_STREAMS is not set\n");
		skip();
	}
	trips = 0;
	assert_int_equal(nftw(dir, visit, 16, FTW_PHYS), 0);
	print_message("%u streams\n", trips);
	assert_true(trips > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_of_the_tests),
		cmocka_unit_test(streams_from_elsewhere),
	};

	return cmocka_run_group_tests_name("roundtrip", tests, NULL, NULL);
}
