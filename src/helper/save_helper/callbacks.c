/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The toolstack table of the save helper: each entry is a message to libxl and its answer.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/util.h"
#include "helper/save_helper/helper.h"
#include "helper/save_helper/stand_in.h"

/* The policy of Xen's own helper (simple_precopy_policy() in xg_sr_save.c): so many passes at most,
 * and none after one that began with fewer dirty pages. */
#define XEN_MAX_PASSES 5
#define XEN_FEW_PAGES  50

static int level_of(enum gw_log_level level)
{
	switch (level) {
	case GW_LOG_ERROR:
		return GW_LIBXL_ERROR;
	case GW_LOG_WARNING:
		return GW_LIBXL_WARN;
	case GW_LOG_INFO:
		return GW_LIBXL_INFO;
	default:
		return GW_LIBXL_DEBUG;
	}
}

static void log_to_libxl(void *opaque, enum gw_log_level level, const char *text)
{
	struct gw_helper *h = opaque;

	gw_libxl_log(&h->pipe, (enum gw_libxl_level)level_of(level), -1, "godwit", text);
}

struct gw_log gw_helper_log(struct gw_helper *h)
{
	return (struct gw_log){.fn = log_to_libxl, .opaque = h, .max = GW_LOG_DEBUG};
}

static bool counts_pages(const struct gw_progress *p)
{
	return p->stage == GW_STAGE_MEMORY || p->stage == GW_STAGE_FINAL_ROUND ||
	       p->stage == GW_STAGE_VERIFY;
}

/* One message for each stage and round, then how far it is. */
static void progress(void *owner, const struct gw_progress *p)
{
	struct gw_helper *h = owner;
	bool is_round = p->stage == GW_STAGE_MEMORY && !h->args.restore;
	uint64_t total = counts_pages(p) ? p->pages_total : 0;
	char what[64];

	if (p->stage == h->stage && p->round == h->round && total == 0)
		return;
	h->stage = p->stage;
	h->round = p->round;
	/* Xen's helper says "Frames iteration N", too. */
	if (is_round)
		snprintf(what, sizeof(what), "Frames iteration %u", p->round);
	else
		snprintf(what, sizeof(what), "%s", gw_stage_name(p->stage));
	gw_libxl_progress(&h->pipe, what, total ? p->pages_done : 0, total);
}

static int ask(struct gw_helper *h, enum gw_libxl_message message, int32_t *answer,
	       struct gw_error *err)
{
	*answer = 0;
	return gw_libxl_ask(&h->pipe, message, 0, NULL, answer, err);
}

/* An answer to the save: 0 if it is positive, else -1. */
static int check_answer(int32_t answer, const char *what, struct gw_error *err)
{
	if (answer > 0)
		return 0;
	return gw_fail(err, GW_GUEST, "libxl could not %s the domain (it answered %d)", what,
		       answer);
}

/* The answers to a restore (XGR_CHECKPOINT_ in xenguest.h): 1 done, 2 the other side is gone. */
static int restore_answer(int32_t answer, const char *what, struct gw_error *err)
{
	if (answer == 1)
		return 0;
	if (answer == 2)
		return GW_CHECKPOINT_FAILOVER;
	return gw_fail(err, GW_PEER, "libxl could not %s (it answered %d)", what, answer);
}

static int suspend(void *owner, struct gw_error *err)
{
	struct gw_helper *h = owner;
	int32_t answer;
	int rc = ask(h, GW_LIBXL_SUSPEND, &answer, err);

	h->suspended |= answer > 0;
	if (rc < 0)
		return -1;
	if (h->args.restore)
		rc = restore_answer(answer, "suspend the secondary", err);
	else
		rc = check_answer(answer, "suspend", err);
	return rc == 0 ? gw_stand_in_suspend(h->stand_in, err) : rc;
}

static int postcopy(void *owner, struct gw_error *err)
{
	struct gw_helper *h = owner;
	int32_t answer;

	if (ask(h, GW_LIBXL_POSTCOPY, &answer, err) < 0)
		return -1;
	int rc = h->args.restore ? restore_answer(answer, "run the secondary", err)
				 : check_answer(answer, "resume", err);

	if (rc != 0)
		return rc;
	h->suspended = false;
	return gw_stand_in_resume(h->stand_in, err);
}

static int checkpoint(void *owner, struct gw_error *err)
{
	struct gw_helper *h = owner;
	int32_t answer;

	if (ask(h, GW_LIBXL_CHECKPOINT, &answer, err) < 0)
		return -1;
	if (h->args.restore) {
		int rc = restore_answer(answer, "complete a checkpoint", err);

		return rc == 0 ? GW_CHECKPOINT_GO_ON : rc;
	}
	return answer > 0 ? GW_CHECKPOINT_GO_ON : GW_CHECKPOINT_STOP;
}

static int wait_checkpoint(void *owner, struct gw_error *err)
{
	struct gw_helper *h = owner;
	int32_t answer;

	if (ask(h, GW_LIBXL_WAIT_CHECKPOINT, &answer, err) < 0)
		return -1;
	if (h->args.restore) {
		int rc = restore_answer(answer, "wait for a checkpoint", err);

		return rc == 0 ? GW_CHECKPOINT_GO_ON : rc;
	}
	return answer > 0 ? GW_CHECKPOINT_GO_ON : GW_CHECKPOINT_STOP;
}

static int static_data_done(void *owner, unsigned missing, struct gw_error *err)
{
	struct gw_helper *h = owner;
	const uint32_t fields[] = {missing};
	int32_t answer = 0;

	if (gw_libxl_ask(&h->pipe, GW_LIBXL_STATIC_DATA_DONE, 1, fields, &answer, err) < 0)
		return -1;
	if (answer == 0)
		return 0;
	return gw_fail(err, GW_REFUSED,
		       "libxl could not complete the static data (it answered %d)%s", answer,
		       missing & 1 ? ": the image has no CPUID policy" : "");
}

/* 0 instead of "none", as in Xen's. With COLO libxl needs them at every checkpoint. */
static int restore_results(void *owner, uint64_t store_gfn, uint64_t console_gfn,
			   struct gw_error *err)
{
	struct gw_helper *h = owner;

	h->store_gfn = store_gfn == GW_INVALID_PFN ? 0 : store_gfn;
	h->console_gfn = console_gfn == GW_INVALID_PFN ? 0 : console_gfn;
	if (h->args.stream_type == GW_STREAM_COLO)
		gw_libxl_restore_results(&h->pipe, h->store_gfn, h->console_gfn);
	return 0;
}

static bool has_time(const struct gw_helper *h)
{
	uint64_t limit = h->settings.precopy.timeout_ms;

	return limit == 0 || (gw_clock_ns() - h->start_ns) / 1000000 < limit;
}

static int xen_policy(void *owner, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	const struct gw_helper *h = owner;

	if (stats->iteration >= XEN_MAX_PASSES || stats->last_due < XEN_FEW_PAGES || !has_time(h))
		return GW_PRECOPY_STOP;
	return GW_PRECOPY_CONTINUE;
}

static bool serves(const struct gw_helper *h, enum gw_libxl_message message)
{
	return h->args.callbacks & 1u << message;
}

void gw_helper_fill_toolstack(struct gw_helper *h, struct gw_toolstack *table)
{
	*table = (struct gw_toolstack){
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = h,
		.log = gw_helper_log(h),
		.progress = progress,
		.suspend = serves(h, GW_LIBXL_SUSPEND) ? suspend : NULL,
		.postcopy = serves(h, GW_LIBXL_POSTCOPY) ? postcopy : NULL,
		.checkpoint = serves(h, GW_LIBXL_CHECKPOINT) ? checkpoint : NULL,
		.wait_checkpoint = serves(h, GW_LIBXL_WAIT_CHECKPOINT) ? wait_checkpoint : NULL,
		.static_data_done = serves(h, GW_LIBXL_STATIC_DATA_DONE) ? static_data_done : NULL,
		.restore_results = restore_results,
		.back_channel = h->back,
	};
	if (!h->args.restore && !gw_helper_settings_have_target(&h->settings))
		table->precopy_policy = xen_policy;
}
