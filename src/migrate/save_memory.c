/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory of a save: a round, the final round after the suspend, VERIFY. save_batch.c has the
 * stages of a batch, save_live.c the live passes.
 */
#include "migrate/save_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "base/util.h"
#include "channel/offset_io.h"
#include "hypervisor/domain.h"

#define POOL_BATCHES  1
#define PEEKS_A_ROUND 8
#define LONG_WAIT_NS  UINT64_C(100000000)
#define LOOK_MS	      UINT64_C(200) /* how often a paced save looks for the guest's shutdown */

int gw_save_memory_init(struct gw_save *s, struct gw_error *err)
{
	uint64_t nr = s->guest.nr_pfns;

	s->due = gw_bitmap_new(nr);
	s->deferred = gw_bitmap_new(nr);
	s->sent = gw_bitmap_new(nr);
	if (!s->due || !s->deferred || !s->sent)
		return gw_fail(err, GW_NO_MEMORY, "memory for bitmaps of %llu pages",
			       (unsigned long long)nr);
	if (gw_batch_pool_init(&s->pool, POOL_BATCHES, err) < 0)
		return -1;
	gw_channel_sink_init(&s->channel_sink, s->args->out, s->domain, &s->pool);
	s->sink = &s->channel_sink.sink;
	return 0;
}

void gw_save_memory_free(struct gw_save *s)
{
	if (s->sink)
		s->sink->abandon(s->sink->opaque);
	gw_batch_pool_free(&s->pool);
	free(s->passes);
	free(s->due);
	free(s->deferred);
	free(s->sent);
}

static int look_at_peer(struct gw_save *s, struct gw_error *err)
{
	gw_for_each_layer (l, s)
		if (l->paused && l->paused(l->opaque, err) < 0)
			return -1;
	return 0;
}

/* Live passes are paced; the final round never is. A pause may be long, and the guest may shut down
 * meanwhile. */
static int pace(struct gw_save *s, uint64_t bytes, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();
	uint64_t wait_ns = gw_pacing_wait_ns(&s->pacing, bytes, start), now = start;

	/* Nothing else is published in a long wait. */
	if (wait_ns >= LONG_WAIT_NS)
		gw_save_progress(s, true);
	while (now + 1000000 <= start + wait_ns) {
		uint64_t ms = GW_MIN((start + wait_ns - now) / 1000000, LOOK_MS);

		if (gw_cancel_wait(s->cancel, -1, 0, (int)ms, err) < 0 ||
		    gw_save_check_guest(s, err) < 0 || look_at_peer(s, err) < 0)
			return -1;
		now = gw_clock_ns();
	}
	s->round_waited_ns += now - start;
	return 0;
}

/* Adds pfns that a later round has to try again. */
static void note_deferred(struct gw_save *s, const struct gw_batch *b)
{
	for (size_t i = 0; i < b->nr; i++) {
		bool again = b->gfns[i] == GW_INVALID_PFN || (b->nr_deferred > 0 && b->deferred[i]);

		if (again && !gw_bitmap_test(s->deferred, b->pfns[i])) {
			gw_bitmap_set(s->deferred, b->pfns[i]);
			s->nr_deferred++;
		}
	}
}

/*
 * In the first round every pfn is due, and most may have no page: only pages with contents count.
 * Of a later round each pfn has a page, or had one.
 */
static void count_done(struct gw_save *s, uint64_t pfns, uint64_t pages)
{
	s->progress.pages_done += s->all_due ? pages : pfns;
	s->progress.pages_total = GW_MAX(s->progress.pages_total, s->progress.pages_done);
}

/* Looks which pages are due again, after each eighth of a live round: this tells how much is left.
 */
static int look_at_dirty(struct gw_save *s, struct gw_error *err)
{
	const struct gw_progress *p = &s->progress;
	uint64_t dirty = 0;

	if (p->pages_done == p->pages_total ||
	    p->pages_done * PEEKS_A_ROUND / p->pages_total <= s->peeks)
		return 0;
	s->peeks = (unsigned)(p->pages_done * PEEKS_A_ROUND / p->pages_total);
	if (gw_domain_logdirty_peek(s->domain, &dirty, err) < 0)
		return -1;
	s->known_dirty = dirty + s->nr_deferred;
	return 0;
}

static int send_batch(struct gw_save *s, struct gw_batch *b, bool final, struct gw_error *err)
{
	uint64_t bytes, pfns = b->nr, pages;

	if (gw_save_batch_prepare(s, b, final, err) < 0) {
		gw_batch_put(&s->pool, b);
		return -1;
	}
	if (!final)
		note_deferred(s, b);
	bytes = b->bytes;
	pages = b->nr_pages;
	s->round_pages += b->nr_pages;
	s->round_bytes += bytes;
	s->report->pages += b->nr_pages;
	s->report->bytes += bytes;
	/* From here on the sink owns b. */
	if (s->sink->batch(s->sink->opaque, b, err) < 0)
		return -1;
	count_done(s, pfns, pages);
	if (!final && look_at_dirty(s, err) < 0)
		return -1;
	gw_save_progress(s, false);
	if (gw_cancel_is_set(s->cancel))
		return gw_fail(err, GW_CANCELLED, "the save was cancelled");
	if (final)
		return 0;
	return gw_save_check_guest(s, err) < 0 ? -1 : pace(s, bytes, err);
}

static struct gw_batch *next_batch(struct gw_save *s, struct gw_error *err)
{
	struct gw_batch *b = gw_batch_get(&s->pool);

	if (!b && s->sink->reclaim(s->sink->opaque, err) == 0)
		b = gw_batch_get(&s->pool);
	return b;
}

static_assert((GW_BATCH_MAX & (GW_BATCH_MAX - 1)) == 0, "a window's end is found by its bits");

/*
 * Takes due pfns from *pfn on, in ascending order. If all are due, a batch stays within an aligned
 * window of GW_BATCH_MAX pfns, because Xen makes superpages only from one record; otherwise it
 * continues across gaps. A PV guest has no superpages: a file of one may have records of any size.
 */
static void take_due(const struct gw_save *s, struct gw_batch *b, uint64_t *pfn)
{
	uint64_t nr = s->guest.nr_pfns;
	uint64_t limit = s->all_due ? GW_MIN(nr, (*pfn | (GW_BATCH_MAX - 1)) + 1) : nr;
	size_t max = GW_BATCH_MAX;

	if (gw_page_align_by_count(&s->align)) {
		limit = nr;
		max = gw_page_align_count(&s->align, GW_BATCH_MAX);
	}
	while (*pfn < limit && b->nr < max) {
		uint64_t most = GW_MIN(limit, *pfn + (max - b->nr));
		uint64_t end = gw_bitmap_next_clear(s->due, most, *pfn);

		while (*pfn < end)
			b->pfns[b->nr++] = (*pfn)++;
		*pfn = gw_bitmap_next_set(s->due, nr, end);
	}
}

/* Sends every pfn of s->due. */
static int send_due(struct gw_save *s, bool final, struct gw_error *err)
{
	uint64_t nr = s->guest.nr_pfns;
	uint64_t pfn = gw_bitmap_next_set(s->due, nr, 0);

	while (pfn < nr) {
		struct gw_batch *b = next_batch(s, err);

		if (!b)
			return -1;
		take_due(s, b, &pfn);
		if (send_batch(s, b, final, err) < 0)
			return -1;
	}
	return s->sink->barrier(s->sink->opaque, err);
}

int gw_save_round(struct gw_save *s, enum gw_stage stage, uint64_t nr_due, bool final,
		  struct gw_error *err)
{
	uint64_t start = gw_clock_ns(), ns;
	struct gw_report *r = s->report;
	unsigned slot = GW_MIN(r->rounds, (unsigned)GW_ARRAY_SIZE(r->round_pages) - 1);

	s->round_pages = s->round_bytes = s->round_waited_ns = 0;
	s->known_dirty = 0;
	s->peeks = 0;
	s->progress.stage = stage;
	s->progress.round = r->rounds;
	s->progress.pages_done = 0;
	s->progress.pages_total = nr_due;
	s->progress.dirty_pages = nr_due;
	gw_save_progress(s, true);
	if (send_due(s, final, err) < 0 || s->guest.ops->check_state(&s->guest, err) < 0)
		return -1;
	ns = gw_clock_ns() - start;
	r->rounds++;
	r->round_pages[slot] += s->round_pages;
	r->round_ns[slot] += ns;
	if (final)
		r->final_round_ns = ns;
	s->progress.pages_done = s->progress.pages_total;
	gw_save_progress(s, true);
	return 0;
}

static void none_due(struct gw_save *s)
{
	memset(s->due, 0, GW_BITMAP_WORDS(s->guest.nr_pfns) * sizeof(*s->due));
	s->all_due = false;
}

int gw_save_fetch_dirty(struct gw_save *s, uint64_t *nr_due, struct gw_error *err)
{
	none_due(s);
	return gw_domain_logdirty_fetch_and_clear(s->domain, s->due, s->guest.nr_pfns, nr_due, err);
}

int gw_save_make_all_due(struct gw_save *s, uint64_t *nr_pages, struct gw_error *err)
{
	uint64_t nr = s->guest.nr_pfns, nr_due = 0;
	struct gw_domain_info info;
	struct gw_pfn_range *ranges;
	size_t n;

	if (gw_domain_info(s->domain, &info, err) < 0 ||
	    gw_domain_ranges(s->domain, &ranges, &n, err) < 0)
		return -1;
	none_due(s);
	s->all_due = true;
	for (size_t i = 0; i < n && ranges[i].first < nr; i++) {
		uint64_t count = GW_MIN(ranges[i].count, nr - ranges[i].first);

		gw_bitmap_set_range(s->due, ranges[i].first, count);
		nr_due += count;
	}
	gw_page_align_choose(&s->align, s->domain->type, ranges, n, nr);
	free(ranges);
	*nr_pages = GW_MIN(nr_due, info.nr_pages);
	return 0;
}

static int start_logging(struct gw_save *s, struct gw_error *err)
{
	const struct gw_toolstack *ts = &s->toolstack;

	if (s->domain->type == GW_GUEST_X86_HVM) {
		if (ts->logdirty_switch(ts->owner, 1, err) < 0)
			return -1;
		s->model_logging = true;
	}
	if (gw_domain_logdirty_start(s->domain, err) < 0)
		return -1;
	s->logging = true;
	return 0;
}

/*
 * Suspends, then sends the pages written since the last fetch, and the deferred ones; with
 * others_too also those that the secondary has written.
 */
static int final_round(struct gw_save *s, bool others_too, struct gw_error *err)
{
	uint64_t nr = s->guest.nr_pfns, dirty;

	if (gw_save_suspend(s, err) < 0 || gw_save_fetch_dirty(s, &dirty, err) < 0)
		return -1;
	if (others_too &&
	    gw_dirty_list_read(s->toolstack.back_channel, &s->list_form, s->due, nr, err) < 0)
		return -1;
	gw_bitmap_or(s->due, s->deferred, nr);
	memset(s->deferred, 0, GW_BITMAP_WORDS(nr) * sizeof(*s->deferred));
	s->nr_deferred = 0;
	return gw_save_round(s, GW_STAGE_FINAL_ROUND, gw_bitmap_count(s->due, nr), true, err);
}

/* Sends everything again after VERIFY, for the receiver to compare. */
static int verify(struct gw_save *s, struct gw_error *err)
{
	uint64_t final_ns = s->report->final_round_ns, nr_due;

	if (gw_record_append(&s->records, GW_REC_VERIFY, NULL, 0, err) < 0 ||
	    gw_save_write_records(s, err) < 0 || gw_save_make_all_due(s, &nr_due, err) < 0 ||
	    gw_save_round(s, GW_STAGE_VERIFY, nr_due, true, err) < 0)
		return -1;
	s->report->final_round_ns += final_ns;
	return 0;
}

/* The only pass of a save that is not live. */
static int suspended_pass(struct gw_save *s, struct gw_error *err)
{
	uint64_t nr_due;

	s->report->stopped_by = GW_STOP_NOT_LIVE;
	if (gw_save_suspend(s, err) < 0)
		return -1;
	if (s->args->align_pages)
		gw_page_align_begin(&s->align, gw_channel_file_offset(s->args->out));
	if (gw_save_make_all_due(s, &nr_due, err) < 0)
		return -1;
	return gw_save_round(s, GW_STAGE_MEMORY, nr_due, true, err);
}

/* 0: log-dirty is on. 1: the domain has none, and the save goes on without it. -1. */
static int start_logging_or_not(struct gw_save *s, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;

	if (start_logging(s, &why) == 0)
		return 0;
	if (why.code != GW_UNSUPPORTED || !s->args->suspend_if_not_logged ||
	    s->args->stream_type != GW_STREAM_PLAIN)
		return gw_fail_as(err, &why);
	gw_logf(&s->toolstack.log, GW_LOG_WARNING,
		"the domain is suspended before its memory is sent, because it cannot be saved live: %s",
		why.text);
	return 1;
}

int gw_save_memory(struct gw_save *s, struct gw_error *err)
{
	if (!s->live)
		return suspended_pass(s, err);
	s->pacing.bytes_per_s = s->args->precopy.bandwidth;
	switch (start_logging_or_not(s, err)) {
	case 0:
		break;
	case 1:
		return suspended_pass(s, err);
	default:
		return -1;
	}
	if (gw_save_live(s, err) < 0 || final_round(s, false, err) < 0)
		return -1;
	return s->args->verify && s->args->stream_type == GW_STREAM_PLAIN ? verify(s, err) : 0;
}

int gw_save_memory_again(struct gw_save *s, struct gw_error *err)
{
	return final_round(s, s->args->stream_type == GW_STREAM_COLO, err);
}
