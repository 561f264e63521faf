/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The findings, records and progress of a walk, on their way to the sink.
 */
#include "examine/walk.h"

#include "base/clock.h"

void gw_walk_finding(void *opaque, const struct gw_finding *finding)
{
	struct gw_walk *w = opaque;

	switch (finding->level) {
	case GW_LEVEL_ERROR:
		w->sum->errors++;
		break;
	case GW_LEVEL_WARNING:
		w->sum->warnings++;
		break;
	case GW_LEVEL_NOTE:
		w->sum->notes++;
		break;
	}
	if (w->sink->finding)
		w->sink->finding(w->sink->opaque, finding);
}

void gw_walk_progress(struct gw_walk *w)
{
	uint64_t ns = gw_clock_ns() - w->started_ns;
	struct gw_progress progress = {
		.stage = GW_STAGE_READING,
		.pages_done = w->sum->pages,
		.bytes = w->in.ch->read_pos,
	};

	if (!w->sink->progress)
		return;
	/* A rate of the first instant says nothing. */
	if (ns > 100000000u)
		progress.bytes_per_s = (uint64_t)((double)progress.bytes * 1e9 / (double)ns);
	w->sink->progress(w->sink->opaque, &progress);
}

void gw_walk_record(struct gw_walk *w, const struct gw_examine_record *record)
{
	if (record->layer == GW_LAYER_LIBXC)
		w->sum->image_records++;
	else
		w->sum->stream_records++;
	if (w->sink->record)
		w->sink->record(w->sink->opaque, record);
}
