/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes of a walk, and its findings. What the bytes mean is not of this file.
 */
#include "examine/walk.h"

#include <stdio.h>
#include <string.h>

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

void gw_walk_progress(struct gw_walk *w, const char *stage)
{
	uint64_t ns = gw_clock_ns() - w->started_ns;
	struct gw_progress progress = {
		.stage = stage,
		.pages_done = w->sum->pages,
		.bytes = w->in->read_pos,
	};

	if (!w->sink->progress)
		return;
	/* A rate of the first instant says nothing. */
	if (ns > 100000000u)
		progress.bytes_per_s = (uint64_t)((double)progress.bytes * 1e9 / (double)ns);
	w->sink->progress(w->sink->opaque, &progress);
}

/* The compression of the input is damaged or cut off. It stays so: one finding is enough. */
static void report_damage(struct gw_walk *w, const char *text)
{
	if (!w->damaged)
		gw_report(&w->findings, "file-damaged", w->in->read_pos, NULL, "%s", text);
	w->damaged = true;
}

int gw_walk_judge_read(struct gw_walk *w, const struct gw_error *failure, struct gw_error *err)
{
	struct gw_error again = GW_ERROR_INIT;
	uint8_t byte;

	if (failure->code == GW_INVALID) {
		report_damage(w, failure->text);
		return 0;
	}
	if (failure->code != GW_TRUNCATED)
		return gw_fail(err, failure->code, "%s", failure->text);
	/* At its true end the input says so, once it is asked for nothing in particular. */
	if (gw_channel_read_some(w->in, &byte, 1, &again) < 0)
		report_damage(w, again.text);
	return 0;
}

int gw_walk_bring(struct gw_walk *w, void *to, uint64_t len, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = w->in->read_pos;
	int rc;

	if (len == 0)
		return 1;
	rc = to ? gw_channel_read(w->in, to, (size_t)len, &failure)
		: gw_channel_skip(w->in, len, &failure);
	w->read_some = w->in->read_pos != before;
	return rc >= 0 ? rc : gw_walk_judge_read(w, &failure, err);
}

ssize_t gw_walk_peek(struct gw_walk *w, uint8_t *buf, size_t len, struct gw_error *err)
{
	size_t have = 0;

	while (have < len) {
		struct gw_error failure = GW_ERROR_INIT;
		ssize_t n = gw_channel_read_some(w->in, buf + have, len - have, &failure);

		if (n < 0 && gw_walk_judge_read(w, &failure, err) < 0)
			return -1;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	gw_channel_unread(w->in, buf, have);
	return (ssize_t)have;
}
