/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The findings, records and progress of a walk, on their way to the sink.
 */
#include "examine/walk.h"

#include "base/clock.h"
#include "channel/position.h"

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

void gw_walk_progress(struct gw_walk *w, enum gw_stage stage)
{
	struct gw_progress progress = {
		.stage = stage,
		.pages_done = w->sum->pages,
		.bytes = w->in.ch->read_pos,
		.bytes_total = gw_channel_expected_size(w->in.ch),
	};

	if (!w->sink->progress)
		return;
	if (stage == GW_STAGE_DONE)
		progress.bytes_total = progress.bytes;
	gw_estimate(&w->estimate, &progress, gw_clock_ns());
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
