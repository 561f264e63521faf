/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The restore: a listener of a reading (read/reading.h) that applies each record to the domain.
 * Static data waits until it is complete. Pages are restored in two halves, judge and apply.
 * Records after the first checkpoint wait in a spool until their own checkpoint is complete.
 */
#include "migrate/restore.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/util.h"
#include "hypervisor/domain.h"
#include "migrate/device_model.h"
#include "migrate/lockstep.h"
#include "migrate/restore_apply.h"
#include "migrate/restore_judge.h"
#include "migrate/restore_progress.h"
#include "migrate/restore_static.h"
#include "migrate/toolstack.h"
#include "read/round_spool.h"

#define PROGRESS_NS UINT64_C(100000000)

struct restore {
	const struct gw_restore_args *args;
	struct gw_toolstack toolstack; /* complete */
	struct gw_restore_result *result;
	struct gw_domain *domain;
	struct gw_input in;
	struct gw_reading reading;
	const struct gw_reading *current; /* the reading whose record is being applied */

	struct gw_static_data static_data;
	bool static_done;
	bool guest_ready; /* the guest's setup was called */
	struct gw_restore_guest guest;

	struct gw_batch_pool pool;
	struct gw_restore_memory memory;

	bool spooling; /* set after the first complete checkpoint */
	struct gw_round_spool round;
	struct gw_device_model device_model;

	uint64_t start_ns, round_start_pages;
	struct gw_restore_progress progress;
};

/* A round that is read again from its spool. */
struct replay {
	struct restore *r;
	struct gw_reading reading;
};

static void progress(struct restore *r, bool now)
{
	const struct gw_toolstack *ts = &r->toolstack;
	uint64_t ns = gw_clock_ns();

	if (!now && ns - r->progress.updated_ns < PROGRESS_NS)
		return;
	gw_restore_progress_update(&r->progress, r->memory.pages - r->round_start_pages,
				   r->guest.given, ns);
	gw_operation_set_progress(r->args->op, &r->progress.now);
	ts->progress(ts->owner, &r->progress.now);
}

/* After each record: checks for a cancel that no read has noticed, and publishes progress. */
static enum gw_read_result step(struct restore *r, struct gw_error *err)
{
	if (gw_cancel_is_set(r->args->cancel)) {
		gw_fail(err, GW_CANCELLED, "the restore was cancelled");
		return GW_READ_FAILED;
	}
	progress(r, false);
	return GW_READ_OK;
}

/* Refusals */

/* Only a record of the input has a number and an offset that the user can find. */
static struct gw_refusal make_refusal(const struct restore *r, const char *rule,
				      const struct gw_error *fault)
{
	const struct gw_record *rec = &r->reading.image.rec;
	struct gw_refusal refusal = {.rule = rule};
	size_t len = GW_MIN(strlen(fault->text), sizeof(refusal.text) - 1);

	memcpy(refusal.text, fault->text, len);
	if (r->current != &r->reading)
		return refusal;
	refusal.has_record = true;
	refusal.record_type = rec->type;
	refusal.record_number = rec->number;
	refusal.offset = r->reading.image_offset + rec->offset;
	return refusal;
}

/* gw_restore_faults.report: a fault after which the restore goes on. */
static void report_fault(void *owner, const char *rule, const struct gw_error *fault)
{
	struct restore *r = owner;
	struct gw_refusal refusal = make_refusal(r, rule, fault);

	r->args->refused(r->args->owner, &refusal);
}

/* The restore fails with err. If that breaks a rule, the result says so. */
static void note_refusal(struct restore *r, struct gw_error *err)
{
	if (!r->guest.rule || r->result->refusal.rule || err->code != GW_INVALID)
		return;
	err->rule = r->guest.rule;
	r->result->refusal = make_refusal(r, r->guest.rule, err);
	if (r->args->refused)
		r->args->refused(r->args->owner, &r->result->refusal);
}

/* Records */

static void note_fingerprint(struct restore *r, const struct gw_record *rec)
{
	uint64_t *print = &r->result->fingerprint;

	*print = gw_fingerprint(*print, &rec->type, sizeof(rec->type));
	if (rec->data)
		*print = gw_fingerprint(*print, rec->data, rec->length);
}

/* Applies a record of the engine or the guest; not END, CHECKPOINT or PAGE_DATA. */
static int apply_record(struct restore *r, const struct gw_record *rec, struct gw_error *err)
{
	const char *name = gw_record_name(rec->type);
	int rc;

	note_fingerprint(r, rec);

	if (rec->type == GW_REC_STATIC_DATA_END)
		return 0;
	if (rec->type == GW_REC_VERIFY) {
		r->memory.verifying = true;
		return 0;
	}
	rc = r->guest.ops->record(&r->guest, rec, err);
	if (rc == 0 && !(rec->type & GW_RECORD_OPTIONAL))
		rc = gw_fail(err, GW_INVALID, "not a record of this guest type");
	if (rc >= 0 || (r->static_done && gw_restore_survives(&r->guest, err)))
		return 0;
	note_refusal(r, err);
	return gw_fail_in(err, "image record %llu (%s)", (unsigned long long)rec->number,
			  name ? name : "unknown");
}

/* Applies the pages of a record, batch by batch, from the input of its reading. */
static enum gw_read_result apply_pages(struct restore *r, const struct gw_reading *reading,
				       struct gw_error *err)
{
	const struct gw_page_source source = gw_page_source_of(reading->in);
	const struct gw_image_reader *record = &reading->image;
	struct gw_batch *b = gw_batch_get(&r->pool);
	enum gw_read_result rc = GW_READ_OK;

	for (size_t i = 0; rc == GW_READ_OK && i < record->nr_entries; i += GW_BATCH_MAX) {
		if (gw_restore_judge_pages(&r->guest, record, i, b, err) < 0)
			rc = GW_READ_FAILED;
		else
			rc = gw_restore_apply(&r->memory, b, &source, err);
	}
	gw_batch_put(&r->pool, b);
	if (rc != GW_READ_FAILED)
		return rc;
	note_refusal(r, err);
	gw_fail_in(err, "image record %" PRIu64 " (PAGE_DATA) at offset 0x%" PRIx64,
		   record->rec.number, reading->image_offset + record->rec.offset);
	return rc;
}

/* Static data */

static int set_up_guest(struct restore *r, struct gw_error *err)
{
	struct gw_domain *d = r->domain;
	enum gw_guest_type type = gw_reading_guest(&r->reading);

	if (!d)
		return gw_fail(err, GW_USAGE, "there is no domain to restore into");
	if (d->type != type)
		return gw_fail(err, GW_INVALID,
			       "the guest of the image has type %d, domain %u has type %d", type,
			       d->domid, d->type);
	r->guest = (struct gw_restore_guest){
		.ops = gw_restore_guest_ops(type),
		.domain = d,
		.store = r->args->store,
		.console = r->args->console,
		.store_gfn = GW_INVALID_PFN,
		.console_gfn = GW_INVALID_PFN,
		.faults = {.report = r->args->refused ? report_fault : NULL, .owner = r},
	};
	if (!r->guest.ops)
		return gw_fail(err, GW_UNSUPPORTED, "guests of type %d cannot be restored", type);
	if (gw_domain_nr_pfns(d, &r->guest.max_pfns, err) < 0)
		return -1;
	r->guest_ready = true;
	return r->guest.ops->setup(&r->guest, err);
}

static int apply_static_data(struct restore *r, struct gw_error *err)
{
	struct gw_record rec;

	for (size_t pos = 0; gw_static_data_next(&r->static_data, &pos, &rec);)
		if (apply_record(r, &rec, err) < 0)
			return -1;
	return 0;
}

/* The static data is complete: asks for the domain, and applies it. */
static int complete_static_data(struct restore *r, struct gw_error *err)
{
	const struct gw_toolstack *ts = &r->toolstack;
	unsigned missing = 0;
	int rc;

	if (ts->static_data(ts->owner, gw_reading_guest(&r->reading), &r->static_data.policy, err) <
	    0)
		return -1;
	if (r->args->static_data &&
	    r->args->static_data(r->args->owner, &r->domain, gw_reading_guest(&r->reading),
				 &r->static_data.policy, err) < 0)
		return -1;
	if (r->args->expected_pages)
		r->progress.expected_pages = r->args->expected_pages(r->args->owner);
	r->current = NULL;
	rc = set_up_guest(r, err);
	if (rc == 0)
		rc = apply_static_data(r, err);
	r->current = &r->reading;
	if (rc < 0 || r->guest.ops->static_data_complete(&r->guest, &missing, err) < 0)
		return -1;
	if (ts->static_data_done(ts->owner, missing, err) < 0)
		return -1;
	r->static_done = true;
	return 0;
}

/*
 * Static data ends with its record, or (version 2) where memory or the P2M begins; the rules
 * decide. 1: the record was static data and is kept; 0: it has to be applied; -1.
 */
static int take_static_data(struct restore *r, bool is_pages, struct gw_error *err)
{
	const struct gw_record *rec = &r->reading.image.rec;
	bool ends = !is_pages && (rec->type == GW_REC_END || rec->type == GW_REC_CHECKPOINT);

	if (r->static_done)
		return 0;
	if (ends || gw_reading_facts(&r->reading)->static_data_end)
		return complete_static_data(r, err);
	if (!is_pages &&
	    gw_static_data_keep(&r->static_data, rec, r->reading.image_offset, err) < 0)
		return -1;
	return 1;
}

/* The reading */

static enum gw_read_result on_header(void *owner, struct gw_error *err)
{
	struct restore *r = owner;

	if (r->args->header && r->args->header(r->args->owner, &r->reading.image.header, err) < 0)
		return GW_READ_FAILED;
	return GW_READ_OK;
}

/* The rules have let it pass: an earlier one counts. */
static bool is_late_policy(const struct gw_record *rec)
{
	return rec->type == GW_REC_X86_CPUID_POLICY || rec->type == GW_REC_X86_MSR_POLICY;
}

/* The round never counts: the restore ends here, whatever was complete before. */
static enum gw_read_result fail_in_round(const struct restore *r, struct gw_error *err)
{
	const struct gw_record *rec = &r->reading.image.rec;
	const char *name = gw_record_name(rec->type);

	if (err->code == GW_INVALID)
		gw_fail_in(err, "image record %" PRIu64 " (%s) at offset 0x%" PRIx64, rec->number,
			   name ? name : "unknown", r->reading.image_offset + rec->offset);
	return GW_READ_FAILED;
}

static enum gw_read_result on_record(void *owner, struct gw_error *err)
{
	struct restore *r = owner;
	const struct gw_record *rec = &r->reading.image.rec;
	int rc = take_static_data(r, false, err);

	if (rc == 0 && rec->type != GW_REC_END && rec->type != GW_REC_CHECKPOINT &&
	    !is_late_policy(rec))
		rc = r->spooling ? gw_round_spool_record(&r->round, rec, err)
				 : apply_record(r, rec, err);
	if (rc < 0 && r->spooling)
		return fail_in_round(r, err);
	return rc < 0 ? GW_READ_FAILED : step(r, err);
}

static enum gw_read_result on_pages(void *owner, struct gw_error *err)
{
	struct restore *r = owner;
	enum gw_read_result rc;

	if (take_static_data(r, true, err) < 0)
		return GW_READ_FAILED;
	if (r->spooling)
		rc = gw_round_spool_pages(&r->round, &r->reading.image, &r->in, err);
	else
		rc = apply_pages(r, &r->reading, err);
	if (rc == GW_READ_FAILED && r->spooling)
		return fail_in_round(r, err);
	return rc == GW_READ_OK ? step(r, err) : rc;
}

static enum gw_read_result on_stream_record(void *owner, struct gw_error *err)
{
	struct restore *r = owner;

	return gw_device_model_record(&r->device_model, &r->reading.stream.rec, err) < 0
		       ? GW_READ_FAILED
		       : GW_READ_OK;
}

static enum gw_read_result on_stream_body(void *owner, struct gw_error *err)
{
	struct restore *r = owner;

	return gw_device_model_read(&r->device_model, &r->reading.stream, &r->in, err);
}

/* Rounds */

/* COLO with a primary at the other end, not an image that was stored. */
static bool is_lockstep(const struct restore *r)
{
	return r->args->stream_type == GW_STREAM_COLO && r->args->under_way;
}

static enum gw_read_result on_replayed_record(void *owner, struct gw_error *err)
{
	struct replay *p = owner;

	return apply_record(p->r, &p->reading.image.rec, err) < 0 ? GW_READ_FAILED : GW_READ_OK;
}

static enum gw_read_result on_replayed_pages(void *owner, struct gw_error *err)
{
	struct replay *p = owner;

	return apply_pages(p->r, &p->reading, err);
}

/* Applies the spooled round. */
static int apply_round(struct restore *r, struct gw_error *err)
{
	static const struct gw_read_listener listener = {
		.image_record = on_replayed_record,
		.image_pages = on_replayed_pages,
	};
	struct replay p = {.r = r, .reading = {.listener = &listener, .owner = &p}};
	int rc;

	r->current = &p.reading;
	rc = gw_round_spool_replay(&r->round, &p.reading, err);
	r->current = &r->reading;
	return rc < 0 ? gw_fail_in(err, "applying the round of checkpoint %llu",
				   (unsigned long long)r->result->checkpoints)
		      : 0;
}

static enum gw_read_result obey(const struct restore *r, int verdict, struct gw_error *err)
{
	if (verdict == GW_CHECKPOINT_GO_ON)
		return GW_READ_OK;
	if (verdict == GW_CHECKPOINT_FAILOVER)
		return GW_READ_ENDED;
	if (verdict == GW_CHECKPOINT_STOP)
		gw_fail(err, GW_PEER, "the toolstack did not accept checkpoint %llu",
			(unsigned long long)r->result->checkpoints);
	return GW_READ_FAILED;
}

/* The domain's owner also decides whether a checkpoint counts. */
static enum gw_read_result ask_owner(struct restore *r, struct gw_error *err)
{
	const struct gw_restore_args *args = r->args;
	const struct gw_toolstack *ts = &r->toolstack;
	enum gw_read_result rc = GW_READ_OK;

	if (args->checkpoint_complete)
		rc = obey(r,
			  args->checkpoint_complete(args->owner, r->result->checkpoints + 1, err),
			  err);
	return rc == GW_READ_OK ? obey(r, ts->checkpoint(ts->owner, err), err) : rc;
}

/* A checkpoint that could not become a domain must not be reported as applied. */
static enum gw_read_result report_applied(struct restore *r, struct gw_error *err)
{
	const struct gw_restore_args *args = r->args;

	if (!args->checkpoint_applied)
		return GW_READ_OK;
	if (r->guest.ops->stream_complete(&r->guest, err) < 0) {
		note_refusal(r, err);
		return GW_READ_FAILED;
	}
	return obey(r, args->checkpoint_applied(args->owner, r->result->checkpoints, err), err);
}

/* A PV guest's pfns are bounded by its P2M, which is checked with the record. */
static int begin_round(struct restore *r, struct gw_error *err)
{
	struct gw_round_limits limits = {.pages = r->args->max_pages, .entries = UINT64_MAX};
	uint64_t pfns;

	if (gw_domain_nr_pfns(r->domain, &pfns, err) < 0)
		return -1;
	limits.entries = GW_MAX(pfns, r->guest.max_pfns);
	if (!limits.pages)
		limits.pages = limits.entries;
	return gw_round_spool_begin(&r->round, &r->reading.image.header, &limits, err);
}

static enum gw_read_result on_round_complete(void *owner, struct gw_error *err)
{
	struct restore *r = owner;
	enum gw_read_result rc = ask_owner(r, err);

	if (rc != GW_READ_OK)
		return rc;
	if (r->spooling && apply_round(r, err) < 0)
		return GW_READ_FAILED;
	gw_device_model_complete(&r->device_model);
	r->result->checkpoints++;
	r->spooling = true;
	r->progress.now.round++;
	r->round_start_pages = r->memory.pages;
	if (is_lockstep(r))
		rc = gw_lockstep_run(&r->toolstack, &r->guest, err);
	if (rc == GW_READ_OK && begin_round(r, err) < 0)
		rc = GW_READ_FAILED;
	if (rc == GW_READ_OK)
		rc = report_applied(r, err);
	return rc == GW_READ_OK ? step(r, err) : rc;
}

static const struct gw_read_listener listener = {
	.image_header = on_header,
	.image_record = on_record,
	.image_pages = on_pages,
	.stream_record = on_stream_record,
	.stream_body = on_stream_body,
	.round_complete = on_round_complete,
};

/* Reads the whole input: 0 if the domain can be completed. */
static int read_input(struct restore *r, enum gw_layer outermost, struct gw_error *err)
{
	enum gw_read_result rc = outermost == GW_LAYER_LIBXL ? gw_read_stream(&r->reading, err)
							     : gw_read_image(&r->reading, err);

	if (rc == GW_READ_FAILED)
		return -1;
	if (rc == GW_READ_OK) {
		gw_device_model_complete(&r->device_model);
		return 0;
	}
	if (r->result->checkpoints == 0)
		return gw_fail(err, GW_TRUNCATED,
			       "the image ends at offset 0x%" PRIx64 " without END",
			       gw_input_offset(&r->in));
	r->result->failed_over = true;
	return 0;
}

/* The last complete state was read: applies everything that had to wait. */
static int complete_domain(struct restore *r, struct gw_error *err)
{
	const struct gw_toolstack *ts = &r->toolstack;

	/* The secondary of COLO was completed at its last checkpoint, and has run since. */
	if (is_lockstep(r))
		return 0;
	r->progress.now.stage = GW_STAGE_DEVICE_STATE;
	progress(r, true);
	r->current = NULL;
	if (r->guest.ops->stream_complete(&r->guest, err) < 0) {
		note_refusal(r, err);
		return -1;
	}
	return ts->restore_results(ts->owner, r->guest.store_gfn, r->guest.console_gfn, err);
}

static void fill_report(const struct restore *r, uint64_t state_ns)
{
	r->result->report = (struct gw_report){
		.rounds = r->progress.now.round + 1,
		.pages = r->memory.pages,
		.bytes = r->reading.image.offset,
		.total_ns = gw_clock_ns() - r->start_ns,
		.device_state_ns = state_ns,
	};
}

static int run(struct restore *r, enum gw_layer outermost, struct gw_error *err)
{
	uint64_t start;

	if (gw_batch_pool_init(&r->pool, 1, err) < 0 || read_input(r, outermost, err) < 0)
		return -1;
	start = gw_clock_ns();
	if (complete_domain(r, err) < 0)
		return -1;
	fill_report(r, gw_clock_ns() - start);
	progress(r, true);
	return 0;
}

static enum gw_image_kind image_kind(const struct gw_restore_args *args)
{
	if (args->stream_type != GW_STREAM_PLAIN)
		return GW_IMAGE_CHECKPOINTED;
	return args->under_way ? GW_IMAGE_PLAIN : GW_IMAGE_ANY;
}

static void init(struct restore *r)
{
	const struct gw_restore_args *args = r->args;

	r->domain = args->domain;
	/* If the sender is lost, the input ends there. */
	r->in = (struct gw_input){
		.ch = args->in,
		.origin = args->origin - args->in->read_pos,
		.lost_is_end = true,
	};
	/* Findings that are not errors are dropped: the verb verify reports them all. */
	r->reading = (struct gw_reading){
		.in = &r->in,
		.listener = &listener,
		.owner = r,
		.kind = image_kind(args),
		.colo = args->stream_type == GW_STREAM_COLO ? GW_READ_COLO_YES : GW_READ_COLO_NO,
	};
	if (args->config)
		r->reading.config = *args->config;
	r->current = &r->reading;
	r->memory = (struct gw_restore_memory){
		.guest = &r->guest,
		.log = &r->toolstack.log,
	};
	r->progress.now.stage = GW_STAGE_MEMORY;
	r->progress.in = args->in;
	r->progress.start_pos = args->in->read_pos;
	r->start_ns = gw_clock_ns();
}

static void clean_up(struct restore *r)
{
	if (r->guest_ready)
		r->guest.ops->cleanup(&r->guest);
	gw_policy_free(&r->guest.policy);
	gw_static_data_free(&r->static_data);
	gw_batch_pool_free(&r->pool);
	gw_round_spool_close(&r->round);
	gw_device_model_free(&r->device_model);
	gw_reading_free(&r->reading);
}

/* What the toolstack must have. */
static unsigned needed_of(const struct restore *r)
{
	return is_lockstep(r) ? GW_TOOLSTACK_SUSPENDS | GW_TOOLSTACK_CHECKPOINTS |
					GW_TOOLSTACK_BACK_CHANNEL
			      : 0;
}

static int restore(const struct gw_restore_args *args, enum gw_layer outermost,
		   struct gw_buffer *device_model, struct gw_restore_result *result,
		   struct gw_error *err)
{
	const struct gw_cancel *before = args->in->cancel;
	uint64_t start = args->in->read_pos;
	struct gw_restore_result unwanted = {0};
	struct gw_error own = GW_ERROR_INIT;
	struct restore r = {.args = args, .result = result ? result : &unwanted};
	int rc;

	*r.result = (struct gw_restore_result){.fingerprint = GW_FINGERPRINT};
	if (gw_toolstack_complete(&r.toolstack, args->toolstack, needed_of(&r), err) < 0)
		return -1;
	r.device_model.complete = device_model;
	r.device_model.kept = args->emulator;
	init(&r);
	if (args->cancel)
		gw_channel_set_cancel(args->in, args->cancel);
	rc = run(&r, outermost, err ? err : &own);
	gw_channel_set_cancel(args->in, before);
	r.result->bytes = args->in->read_pos - start;
	r.result->verify_mismatches = r.memory.mismatches;
	clean_up(&r);
	return rc;
}

int gw_restore_image(const struct gw_restore_args *args, struct gw_restore_result *result,
		     struct gw_error *err)
{
	return restore(args, GW_LAYER_LIBXC, NULL, result, err);
}

int gw_restore_stream(const struct gw_restore_args *args, struct gw_buffer *device_model,
		      struct gw_restore_result *result, struct gw_error *err)
{
	return restore(args, GW_LAYER_LIBXL, device_model, result, err);
}
