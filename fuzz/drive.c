/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Drives the layers over bytes in memory.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/x86/hvm_context.h"
#include "format/x86/policy.h"
#include "format/rules/rules.h"
#include "format/xend/sxp.h"

struct drive {
	const uint8_t *data;
	size_t len, pos;
	struct drive_result *result;
	struct gw_findings out;
};

/* Results of decoders are stored here, so that no compiler leaves the reads out. */
static volatile uint64_t sink;

static void report(void *opaque, const struct gw_finding *finding)
{
	struct drive_result *result = opaque;

	if (finding->level == GW_LEVEL_WARNING)
		result->warnings++;
	if (finding->level == GW_LEVEL_ERROR && result->errors++ == 0)
		gw_finding_format(finding, result->first_error, sizeof(result->first_error));
}

static void begin(struct drive *d, const uint8_t *data, size_t len, struct drive_result *result)
{
	memset(result, 0, sizeof(*result));
	*d = (struct drive){.data = data, .len = len, .result = result, .out = {report, result}};
}

/* Brings wanted bytes; false at the end of the input. */
static int bring(struct drive *d, void *to, uint64_t len)
{
	if (len > d->len - d->pos)
		return 0;
	if (to && len)
		memcpy(to, d->data + d->pos, (size_t)len);
	d->pos += (size_t)len;
	return 1;
}

static void held(struct drive *d, const struct gw_buffer *buf)
{
	d->result->most_memory = GW_MAX(d->result->most_memory, buf->cap);
}

static void decode_context(const struct gw_record *rec)
{
	struct gw_hvm_entry entry;
	struct gw_hvm_header header;
	struct gw_hvm_cpu cpu;
	struct gw_hvm_walk walk;
	uint8_t raw[GW_HVM_CPU_SIZE];

	gw_hvm_walk_init(&walk, rec->data, rec->length);
	while (gw_hvm_walk_next(&walk, &entry, NULL) > 0) {
		if (entry.typecode == GW_HVM_HEADER)
			gw_hvm_header_decode(&entry, &header, NULL);
		if (entry.typecode == GW_HVM_CPU && gw_hvm_cpu_decode(&entry, &cpu, NULL) == 0) {
			gw_hvm_cpu_encode(raw, &cpu);
			if (entry.length == sizeof(raw) &&
			    memcmp(raw, entry.data, sizeof(raw)) != 0)
				abort();
		}
	}
}

static void no_report(void *opaque, const struct gw_policy_lack *lack)
{
	sink += lack->leaf;
}

static void decode_policy(const struct gw_record *rec)
{
	struct gw_policy policy = {0}, empty = {0};

	if (rec->type == GW_REC_X86_CPUID_POLICY)
		gw_cpuid_policy_decode(rec, &policy, NULL);
	else
		gw_msr_policy_decode(rec, &policy, NULL);
	gw_policy_compare(&policy, &empty, no_report, NULL);
	gw_policy_compare(&empty, &policy, no_report, NULL);
	gw_policy_free(&policy);
}

/* Runs every decoder, whatever the rules found, as inspect does. */
static void decode_record(const struct gw_record *rec, unsigned width)
{
	struct gw_pv_info info;
	struct gw_p2m_frames frames;
	struct gw_vcpu_blob vcpu;
	struct gw_tsc_info tsc;
	uint64_t index, value, pfns;
	uint32_t count;

	switch (rec->type) {
	case GW_REC_X86_PV_INFO:
		gw_pv_info_decode(rec, &info, NULL);
		break;
	case GW_REC_X86_PV_P2M_FRAMES:
		if (gw_p2m_frames_decode(rec, width, &frames, NULL) == 0)
			sink += gw_p2m_frames_get(rec, frames.count - 1);
		break;
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
		if (gw_vcpu_blob_decode(rec, width, &vcpu, NULL) == 0 && vcpu.blob_len)
			sink += vcpu.blob[vcpu.blob_len - 1];
		break;
	case GW_REC_X86_TSC_INFO:
		gw_tsc_info_decode(rec, &tsc, NULL);
		break;
	case GW_REC_HVM_PARAMS:
		if (gw_hvm_params_decode(rec, &count, NULL) == 0 && count)
			gw_hvm_params_get(rec, count - 1, &index, &value);
		break;
	case GW_REC_HVM_CONTEXT:
		decode_context(rec);
		break;
	case GW_REC_X86_CPUID_POLICY:
	case GW_REC_X86_MSR_POLICY:
		decode_policy(rec);
		break;
	case GW_REC_CHECKPOINT_DIRTY_PFN_LIST:
		if (gw_dirty_pfn_list_decode(rec, &pfns, NULL) == 0 && pfns)
			sink += gw_dirty_pfn_list_get(rec, pfns - 1);
		break;
	default:
		break;
	}
}

enum went { ENDED, CHECKPOINTED, STOPPED };

/* Handles an event of the image's reader. True while the input goes on. */
static int image_event(struct drive *d, struct gw_image_reader *r, struct gw_image_rules *rules,
		       enum gw_image_event event)
{
	uint64_t skipped;

	switch (event) {
	case GW_IMAGE_HEADER:
		gw_image_rules_header(rules, &r->header, NULL);
		return 1;
	case GW_IMAGE_RECORD_HEAD:
		/* Some bodies are skipped, as a caller may do. */
		if (r->rec.type == (GW_RECORD_OPTIONAL | 0x5c)) {
			gw_image_reader_skip_body(r, &skipped);
			return bring(d, NULL, skipped);
		}
		return 1;
	case GW_IMAGE_RECORD:
		gw_image_rules_record(rules, &r->rec, NULL);
		decode_record(&r->rec, gw_image_rules_facts(rules)->pv_width);
		return 1;
	case GW_IMAGE_PAGES:
		gw_image_rules_pages(rules, r, NULL);
		if (!bring(d, NULL, r->data_len))
			return 0;
		gw_image_reader_pages_done(r);
		return 1;
	default:
		return 1;
	}
}

static enum went walk_image(struct drive *d, struct gw_image_reader *r,
			    struct gw_image_rules *rules, int in_stream)
{
	for (;;) {
		struct gw_error err = GW_ERROR_INIT;
		enum gw_image_event event;
		size_t len;
		void *to;

		if (gw_image_reader_want(r, &to, &len, &err) < 0)
			return STOPPED;
		held(d, &r->buf);
		if (!bring(d, to, len)) {
			gw_image_rules_end(rules,
					   d->pos == d->len && gw_image_reader_at_boundary(r), NULL,
					   r->offset, NULL);
			return STOPPED;
		}
		if (gw_image_reader_got(r, &event, &err) < 0) {
			gw_image_rules_framing(rules, r->offset, NULL, err.text, NULL);
			return STOPPED;
		}
		if (event == GW_IMAGE_DONE) {
			gw_image_rules_end(rules, true, NULL, r->offset, NULL);
			return ENDED;
		}
		if (!image_event(d, r, rules, event)) {
			gw_image_rules_end(rules, false, NULL, r->offset, NULL);
			return STOPPED;
		}
		if (in_stream && event == GW_IMAGE_RECORD && r->rec.type == GW_REC_CHECKPOINT)
			return CHECKPOINTED;
	}
}

void drive_image(const uint8_t *data, size_t len, struct drive_result *result)
{
	struct gw_image_reader reader;
	struct gw_image_rules *rules;
	struct drive d;

	begin(&d, data, len, result);
	rules = gw_image_rules_new(&d.out, 0, GW_IMAGE_ANY, 0);
	if (!rules)
		return;
	gw_image_reader_init(&reader);
	walk_image(&d, &reader, rules, 0);
	gw_image_reader_free(&reader);
	gw_image_rules_free(rules);
	result->consumed = d.pos;
}

struct layers {
	struct gw_stream_reader stream;
	struct gw_stream_rules *stream_rules;
	struct gw_image_reader image;
	struct gw_image_rules *image_rules;
	int in_checkpoint;
};

/* The image, for the first time or after a checkpoint. */
static int enter_image(struct drive *d, struct layers *l)
{
	size_t at = d->pos;
	enum went went = walk_image(d, &l->image, l->image_rules, 1);

	if (went == STOPPED)
		return 0;
	l->in_checkpoint = went == CHECKPOINTED;
	if (l->in_checkpoint)
		gw_stream_rules_checkpoint(l->stream_rules);
	gw_stream_reader_resume(&l->stream, d->pos - at);
	return 1;
}

static void decode_stream_record(const struct gw_record *rec)
{
	struct gw_emulator_data emu;
	const char *key, *value;
	size_t pos = 0;
	uint32_t id;

	if (rec->type == GW_STREAM_CHECKPOINT_STATE)
		gw_checkpoint_state_decode(rec, &id, NULL);
	if (rec->type == GW_STREAM_EMULATOR_XENSTORE_DATA &&
	    gw_emulator_data_decode(rec, &emu, NULL) == 0)
		while (gw_xenstore_pair(&emu, &pos, &key, &value, NULL) > 0)
			sink += strlen(key) + strlen(value);
}

static int stream_event(struct drive *d, struct layers *l, enum gw_stream_event event)
{
	enum gw_guest_type guest = gw_image_rules_facts(l->image_rules)->type;
	struct gw_stream_reader *r = &l->stream;

	switch (event) {
	case GW_STREAM_HEADER:
		gw_stream_rules_header(l->stream_rules, &r->header, NULL);
		return 1;
	case GW_STREAM_CONTEXT:
		return gw_stream_rules_record(l->stream_rules, &r->rec, guest, NULL) == 0 &&
		       enter_image(d, l);
	case GW_STREAM_RECORD:
		gw_stream_rules_record(l->stream_rules, &r->rec, guest, NULL);
		decode_stream_record(&r->rec);
		if (l->in_checkpoint && r->rec.type == GW_STREAM_CHECKPOINT_END)
			return enter_image(d, l);
		return 1;
	case GW_STREAM_BODY:
		gw_stream_rules_body(l->stream_rules, r, guest, NULL);
		if (!bring(d, NULL, r->body_left))
			return 0;
		gw_stream_reader_body_done(r);
		return 1;
	default:
		return event != GW_STREAM_DONE;
	}
}

static void walk_stream(struct drive *d, struct layers *l)
{
	struct gw_error err = GW_ERROR_INIT;
	enum gw_stream_event event;
	size_t len;
	void *to;

	do {
		if (gw_stream_reader_want(&l->stream, &to, &len, &err) < 0)
			return;
		held(d, &l->stream.buf);
		if (!bring(d, to, len))
			break;
		if (gw_stream_reader_got(&l->stream, &event, &err) < 0) {
			gw_rules_report(&d->out,
					l->stream.header.version ? "stream-framing"
								 : "stream-ident",
					d->pos, NULL, "%s", err.text);
			return;
		}
	} while (stream_event(d, l, event));
	gw_stream_rules_end(l->stream_rules, gw_stream_reader_at_boundary(&l->stream), NULL,
			    l->stream.offset, NULL);
}

static void stream_at(struct drive *d)
{
	struct layers l = {
		.stream_rules = gw_stream_rules_new(&d->out, d->pos),
		.image_rules = gw_image_rules_new(&d->out, d->pos, GW_IMAGE_ANY, 0),
	};

	gw_stream_reader_init(&l.stream);
	gw_image_reader_init(&l.image);
	if (l.stream_rules && l.image_rules)
		walk_stream(d, &l);
	gw_stream_reader_free(&l.stream);
	gw_image_reader_free(&l.image);
	gw_stream_rules_free(l.stream_rules);
	gw_image_rules_free(l.image_rules);
	d->result->consumed = d->pos;
}

void drive_stream(const uint8_t *data, size_t len, struct drive_result *result)
{
	struct drive d;

	begin(&d, data, len, result);
	stream_at(&d);
}

/* The header of xend, its config read in every way, and the image. */
static void xend_at(struct drive *d)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer laid_out = {0};
	struct gw_xend_config config;
	struct gw_xend xend = {0};
	size_t len = 1;
	void *to;

	while (gw_xend_want(&xend, &to, &len, &err) == 0 && len) {
		if (!bring(d, to, len)) {
			gw_rules_report(&d->out, "xend-truncated", d->pos, NULL, "cut");
			break;
		}
		if (gw_xend_got(&xend, &err) < 0) {
			gw_rules_report(&d->out, "xend-magic", 0, NULL, "%s", err.text);
			break;
		}
	}
	held(d, &xend.config);
	if (len == 0 && gw_xend_rules(&xend, &d->out, 0, NULL) == 0) {
		const char *text = (const char *)xend.config.data;

		if (gw_xend_config_read(text, xend.config.len, &config, NULL) == 0)
			sink += config.memory + strlen(config.name) + config.nr_devices;
		gw_sxp_lay_out(text, xend.config.len, &laid_out, NULL);
		d->pos += drive_legacy_at(d->data + d->pos, d->len - d->pos, d->result);
	}
	gw_buffer_free(&laid_out);
	gw_xend_free(&xend);
	d->result->consumed = d->pos;
}

void drive_xend(const uint8_t *data, size_t len, struct drive_result *result)
{
	struct drive d;

	begin(&d, data, len, result);
	xend_at(&d);
}

void drive_xlfile(const uint8_t *data, size_t len, struct drive_result *result)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[GW_XLFILE_HEADER_SIZE];
	struct gw_xlfile xl = {0};
	struct gw_config_facts facts;
	struct drive d;
	size_t config_len, n;

	begin(&d, data, len, result);
	if (gw_xend_is_magic(data, len)) {
		xend_at(&d);
		return;
	}
	if (!bring(&d, raw, sizeof(raw))) {
		gw_rules_report(&d.out, "xl-truncated", 0, NULL, "cut");
		return;
	}
	if (gw_xlfile_header_decode(raw, &xl, &err) < 0) {
		gw_rules_report(&d.out, "xl-magic", 0, NULL, "%s", err.text);
		return;
	}
	n = GW_MIN((size_t)xl.optional_len, d.len - d.pos);
	if (n <= GW_XLFILE_CONFIG_MAX &&
	    gw_buffer_append(&xl.optional, d.data + d.pos, n, NULL) == 0)
		d.pos += n;
	gw_xlfile_rules(&xl, &d.out, 0, NULL);
	gw_xlfile_config_rules(&xl, false, &facts, &d.out, 0, NULL);

	const char *config = gw_xlfile_config(&xl, &config_len);

	for (size_t i = 0; config && i < config_len; i++)
		sink += (uint8_t)config[i];
	if (xl.optional.len < xl.optional_len)
		gw_rules_report(&d.out, "xl-truncated", d.pos, NULL, "cut");
	else if (xl.mandatory_flags & GW_XLFILE_STREAM_V2)
		stream_at(&d);
	else
		d.pos += drive_legacy_at(d.data + d.pos, d.len - d.pos, result);
	gw_xlfile_free(&xl);
	result->consumed = d.pos;
}
