/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The steps that the order of an image (save.c) and its memory (save_memory.c) share: writing
 * records, suspending the domain, publishing progress.
 */
#include "migrate/save_internal.h"

#include "base/clock.h"
#include "hypervisor/domain.h"

#define PROGRESS_NS   UINT64_C(100000000)
#define GW_PAGE_BYTES (GW_PAGE_SIZE + sizeof(uint64_t)) /* a page and its entry in the record */

int gw_save_write_records(struct gw_save *s, struct gw_error *err)
{
	s->report->bytes += s->records.len;
	if (s->records.len > 0 &&
	    gw_channel_write(s->args->out, s->records.data, s->records.len, err) < 0)
		return -1;
	gw_buffer_reset(&s->records);
	return 0;
}

static int fail_ended(enum gw_shutdown_reason reason, struct gw_error *err)
{
	return gw_fail(err, GW_GONE, "the guest %s while its memory was sent",
		       gw_shutdown_words(reason));
}

/* A guest that is neither suspended nor held still would be torn: its memory and its vCPUs of
 * different moments. */
static int check_suspended(struct gw_save *s, struct gw_error *err)
{
	struct gw_domain_info info;

	if (gw_domain_info(s->domain, &info, err) < 0)
		return -1;
	if (info.shutdown == GW_SHUTDOWN_SUSPEND ||
	    (info.shutdown == GW_SHUTDOWN_NONE && info.paused))
		return 0;
	if (info.shutdown == GW_SHUTDOWN_NONE)
		return gw_fail(err, GW_GUEST, "domain %u still runs after it was suspended",
			       s->domain->domid);
	return fail_ended(info.shutdown, err);
}

int gw_save_check_guest(struct gw_save *s, struct gw_error *err)
{
	struct gw_domain_info info;

	if (gw_domain_info(s->domain, &info, err) < 0)
		return -1;
	return gw_shutdown_is_end(info.shutdown) ? fail_ended(info.shutdown, err) : 0;
}

static int switch_over(struct gw_save *s, struct gw_error *err)
{
	if (s->switched)
		return 0;
	s->switched = true;
	gw_for_each_layer (l, s)
		if (l->switchover && l->switchover(l->opaque, err) < 0)
			return -1;
	return 0;
}

void gw_save_end_throttle(struct gw_save *s)
{
	const struct gw_toolstack *ts = &s->toolstack;

	if (s->throttle > 0)
		ts->throttle(ts->owner, 0, NULL);
	s->throttle = s->progress.throttle = 0;
}

int gw_save_suspend(struct gw_save *s, struct gw_error *err)
{
	const struct gw_toolstack *ts = &s->toolstack;
	uint64_t start;

	if (switch_over(s, err) < 0)
		return -1;
	s->progress.stage = GW_STAGE_SUSPEND;
	gw_save_progress(s, true);
	/* A slow guest would answer late. */
	gw_save_end_throttle(s);
	start = gw_clock_ns();
	if (ts->suspend(ts->owner, err) < 0)
		return gw_fail_in(err, "suspending domain %u", s->domain->domid);
	s->report->pause_ns = gw_clock_ns() - start;
	return check_suspended(s, err);
}

/* The bytes of the rest of this round, and of the pages that are known to be due after it. */
static uint64_t bytes_left(const struct gw_save *s)
{
	const struct gw_progress *p = &s->progress;
	uint64_t pages = p->pages_total > p->pages_done ? p->pages_total - p->pages_done : 0;

	return (pages + s->known_dirty) * GW_PAGE_BYTES;
}

void gw_save_progress(struct gw_save *s, bool now)
{
	uint64_t ns = gw_clock_ns();

	if (!now && ns - s->progress_ns < PROGRESS_NS)
		return;
	s->progress_ns = ns;
	s->progress.bytes = s->report->bytes;
	/* Before the first round little is sent, and nothing is known. */
	if (s->progress.stage != GW_STAGE_STATIC_DATA) {
		s->progress.bytes_total = s->report->bytes + bytes_left(s);
		gw_estimate(&s->estimate, &s->progress, ns);
	}
	gw_operation_set_progress(s->args->op, &s->progress);
	s->toolstack.progress(s->toolstack.owner, &s->progress);
}
