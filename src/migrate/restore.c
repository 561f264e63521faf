/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading a libxc image into a domain: the loop over its records, each checked before it is
 * applied. Static data, memory and checkpoints have files of their own.
 */
#include "migrate/restore_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

#define PROGRESS_NS UINT64_C(100000000)

enum gw_pull gw_restore_readv(struct gw_restore *r, struct gw_channel *from, struct iovec *iov,
			      int n, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	int rc = gw_channel_readv(from, iov, n, &why);

	if (rc > 0)
		return GW_PULL_OK;
	if (rc == 0 || why.code == GW_TRUNCATED || why.code == GW_SYSTEM || why.code == GW_PEER) {
		r->lost = why;
		return GW_PULL_LOST;
	}
	gw_fail(err, why.code, "%s", why.text);
	return GW_PULL_FAILED;
}

/* Broken framing: the reader's words, with the place. */
static int framing(struct gw_restore *r, const struct gw_image_reader *reader,
		   const struct gw_error *why, struct gw_error *err)
{
	const struct gw_record *rec =
		reader->offset > GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE ? &reader->rec : NULL;

	if (why->code != GW_INVALID)
		return gw_fail(err, why->code, "%s", why->text);
	gw_image_rules_framing(r->rules, rec ? rec->offset : 0, rec, why->text, err);
	return gw_fail(err, GW_INVALID, "%s", why->text);
}

enum gw_pull gw_restore_pull(struct gw_restore *r, struct gw_channel *from,
			     struct gw_image_reader *reader, enum gw_image_event *event,
			     struct gw_error *err)
{
	*event = GW_IMAGE_MORE;
	while (*event == GW_IMAGE_MORE) {
		struct gw_error why = GW_ERROR_INIT;
		struct iovec iov;
		enum gw_pull rc = GW_PULL_OK;

		if (gw_image_reader_want(reader, &iov.iov_base, &iov.iov_len, err) < 0)
			return GW_PULL_FAILED;
		if (iov.iov_len > 0)
			rc = gw_restore_readv(r, from, &iov, 1, err);
		if (rc != GW_PULL_OK)
			return rc;
		if (gw_image_reader_got(reader, event, &why) < 0) {
			framing(r, reader, &why, err);
			return GW_PULL_FAILED;
		}
	}
	return GW_PULL_OK;
}

static int check_event(struct gw_restore *r, enum gw_image_event event, struct gw_error *err)
{
	switch (event) {
	case GW_IMAGE_HEADER:
		return gw_image_rules_header(r->rules, &r->reader.header, err);
	case GW_IMAGE_RECORD:
		return gw_image_rules_record(r->rules, &r->reader.rec, err);
	case GW_IMAGE_PAGES:
		if (gw_image_rules_pages(r->rules, &r->reader, err) < 0)
			return -1;
		return r->reader.well_formed ? 0
					     : gw_fail(err, GW_INVALID,
						       "image record %llu (PAGE_DATA): malformed",
						       (unsigned long long)r->reader.rec.number);
	default:
		return 0;
	}
}

void gw_restore_refused(struct gw_restore *r, const struct gw_image_reader *reader,
			const struct gw_error *err)
{
	struct gw_refusal *refusal = &r->args->refusal;
	size_t len;

	if (!r->guest.rule || refusal->rule || !err || err->code != GW_INVALID)
		return;
	refusal->rule = r->guest.rule;
	len = GW_MIN(strlen(err->text), sizeof(refusal->text) - 1);
	memcpy(refusal->text, err->text, len);
	refusal->text[len] = 0;
	if (reader != &r->reader)
		return;
	refusal->has_record = true;
	refusal->record_type = reader->rec.type;
	refusal->record_number = reader->rec.number;
	refusal->offset = r->args->base + reader->rec.offset;
}

/* A record of the engine's own or of the guest's; not END, CHECKPOINT or PAGE_DATA. */
int gw_restore_record(struct gw_restore *r, const struct gw_record *rec, struct gw_error *err)
{
	int rc;

	switch (rec->type) {
	case GW_REC_STATIC_DATA_END:
		return 0;
	case GW_REC_VERIFY:
		r->verifying = true;
		return 0;
	default:
		break;
	}
	rc = r->guest.ops->record(&r->guest, rec, err);
	if (rc == 0 && !(rec->type & GW_RECORD_OPTIONAL))
		rc = gw_fail(err, GW_INVALID, "not known to this kind of guest");
	if (rc < 0) {
		gw_restore_refused(r, rec == &r->reader.rec ? &r->reader : NULL, err);
		return gw_fail_in(err, "image record %llu (%s)", (unsigned long long)rec->number,
				  gw_record_name(rec->type) ? gw_record_name(rec->type)
							    : "unknown");
	}
	return 0;
}

enum gw_pull gw_restore_apply(struct gw_restore *r, struct gw_channel *from,
			      struct gw_image_reader *reader, enum gw_image_event event,
			      struct gw_error *err)
{
	enum gw_pull rc;

	if (event == GW_IMAGE_RECORD)
		return gw_restore_record(r, &reader->rec, err) < 0 ? GW_PULL_FAILED : GW_PULL_OK;
	if (event != GW_IMAGE_PAGES)
		return GW_PULL_OK;
	rc = gw_restore_pages(r, from, reader, err);
	if (rc == GW_PULL_OK)
		gw_image_reader_pages_done(reader);
	return rc;
}

/*
 * Static data ends with its record, or (version 2) where memory or the p2m begins: the rules know.
 * 1: the event was static data and is dealt with, 0: go on with it, -1.
 */
static int static_part(struct gw_restore *r, enum gw_image_event event, struct gw_error *err)
{
	const struct gw_image_facts *facts = gw_image_rules_facts(r->rules);
	bool record = event == GW_IMAGE_RECORD;
	uint32_t type = r->reader.rec.type;

	if (r->static_done)
		return 0;
	if (facts->static_data_end || (record && (type == GW_REC_END || type == GW_REC_CHECKPOINT)))
		return gw_restore_static_complete(r, err);
	if (record && gw_restore_keep_static(r, &r->reader.rec, err) < 0)
		return -1;
	return 1;
}

static enum gw_pull one_event(struct gw_restore *r, enum gw_image_event event, struct gw_error *err)
{
	bool record = event == GW_IMAGE_RECORD;
	int rc;

	if (check_event(r, event, err) < 0)
		return GW_PULL_FAILED;
	if (event == GW_IMAGE_HEADER && r->args->header &&
	    r->args->header(r->args->opaque, &r->reader.header, err) < 0)
		return GW_PULL_FAILED;
	if (!record && event != GW_IMAGE_PAGES)
		return GW_PULL_OK;
	rc = static_part(r, event, err);
	if (rc != 0)
		return rc < 0 ? GW_PULL_FAILED : GW_PULL_OK;
	if (record && r->reader.rec.type == GW_REC_END) {
		r->ended = true;
		return GW_PULL_OK;
	}
	if (record && r->reader.rec.type == GW_REC_CHECKPOINT)
		return gw_restore_checkpoint(r, err);
	if (r->spooling)
		return gw_restore_spool(r, event, err);
	return gw_restore_apply(r, r->args->in, &r->reader, event, err);
}

static void progress(struct gw_restore *r, bool now)
{
	const struct gw_toolstack *ts = r->args->toolstack;
	uint64_t ns = gw_clock_ns();

	if (!ts || !ts->progress || (!now && ns - r->progress_ns < PROGRESS_NS))
		return;
	r->progress_ns = ns;
	r->progress.bytes = r->reader.offset;
	ts->progress(ts->opaque, &r->progress);
}

/* The input is over where it should not be: without a complete checkpoint nothing can be made of
 * it. */
static int lost(struct gw_restore *r, struct gw_error *err)
{
	bool boundary = gw_image_reader_at_boundary(&r->reader);
	bool in_record =
		!boundary && r->reader.offset >= GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE;
	struct gw_error why = GW_ERROR_INIT;

	if (r->args->checkpoints > 0) {
		r->args->failed_over = true;
		return 0;
	}
	if (r->lost.code != GW_OK && r->lost.code != GW_TRUNCATED)
		return gw_fail(err, r->lost.code, "%s", r->lost.text);
	gw_image_rules_end(
		r->rules, boundary && r->args->in->read_pos == r->start_pos + r->reader.offset,
		in_record ? &r->reader.rec : NULL, r->args->in->read_pos - r->start_pos, &why);
	if (why.code == GW_OK)
		gw_fail(&why, GW_TRUNCATED, "the image ends at offset 0x%" PRIx64 " without END",
			r->args->base + r->reader.offset);
	return gw_fail(err, GW_TRUNCATED, "%s", why.text);
}

static int read_image(struct gw_restore *r, struct gw_error *err)
{
	while (!r->ended) {
		enum gw_image_event event;
		enum gw_pull rc = gw_restore_pull(r, r->args->in, &r->reader, &event, err);

		if (rc == GW_PULL_OK)
			rc = one_event(r, event, err);
		if (rc == GW_PULL_LOST)
			return lost(r, err);
		if (rc == GW_PULL_FAILED)
			return -1;
		if (gw_cancel_is_set(r->args->cancel))
			return gw_fail(err, GW_CANCELLED, "the restore was cancelled");
		progress(r, false);
	}
	return gw_image_rules_end(r->rules, true, NULL, r->reader.offset, err);
}

/* The last complete state is in: what had to wait is put in place. */
static int finish(struct gw_restore *r, struct gw_error *err)
{
	const struct gw_toolstack *ts = r->args->toolstack;

	r->progress.stage = "device state";
	progress(r, true);
	if (r->guest.ops->stream_complete(&r->guest, err) < 0) {
		gw_restore_refused(r, NULL, err);
		return -1;
	}
	if (ts && ts->restore_results)
		ts->restore_results(ts->opaque, r->guest.store_gfn, r->guest.console_gfn);
	return 0;
}

static void clean_up(struct gw_restore *r)
{
	if (r->guest_ready)
		r->guest.ops->cleanup(&r->guest);
	gw_policy_free(&r->guest.policy);
	gw_policy_free(&r->policy);
	gw_buffer_free(&r->static_records);
	gw_restore_pages_free(r);
	gw_spool_close(&r->spool);
	gw_image_reader_free(&r->reader);
	gw_image_rules_free(r->rules);
}

static void fill_report(const struct gw_restore *r, uint64_t state_ns)
{
	struct gw_report *report = r->args->report;

	if (!report)
		return;
	*report = (struct gw_report){
		.rounds = r->progress.round + 1,
		.pages = r->pages,
		.bytes = r->reader.offset,
		.total_ns = gw_clock_ns() - r->start_ns,
		.device_state_ns = state_ns,
	};
}

static enum gw_image_kind image_kind(const struct gw_restore_args *args)
{
	if (args->stream_type != GW_STREAM_PLAIN)
		return GW_IMAGE_CHECKPOINTED;
	return args->under_way ? GW_IMAGE_PLAIN : GW_IMAGE_ANY;
}

static int restore(struct gw_restore *r, struct gw_error *err)
{
	uint64_t start;
	int rc;

	/* A finding that is no error goes nowhere: verify is the verb that tells them all. */
	r->rules = gw_image_rules_new(NULL, r->args->base, image_kind(r->args), 0);
	if (!r->rules)
		return gw_fail(err, GW_NO_MEMORY, "memory for the rules of an image");
	if (read_image(r, err) < 0)
		return -1;
	start = gw_clock_ns();
	rc = finish(r, err);
	r->args->verify_mismatches = r->mismatches;
	fill_report(r, gw_clock_ns() - start);
	return rc;
}

int gw_restore_image_in(struct gw_restore_args *args, const struct gw_restore_layer *layer,
			struct gw_error *err)
{
	struct gw_restore r = {
		.args = args,
		.layer = layer,
		.start_ns = gw_clock_ns(),
		.start_pos = args->in->read_pos,
		.progress = {.stage = "memory"},
	};
	const struct gw_cancel *before = args->in->cancel;
	int rc;

	args->failed_over = false;
	args->checkpoints = 0;
	args->verify_mismatches = 0;
	args->refusal = (struct gw_refusal){0};
	gw_image_reader_init(&r.reader);
	if (args->cancel)
		gw_channel_set_cancel(args->in, args->cancel);
	rc = restore(&r, err);
	args->bytes = r.reader.offset;
	gw_channel_set_cancel(args->in, before);
	clean_up(&r);
	return rc;
}

int gw_restore_image(struct gw_restore_args *args, struct gw_error *err)
{
	return gw_restore_image_in(args, NULL, err);
}
