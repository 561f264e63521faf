/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes that a conversion takes, and what it says of them.
 */
#include "convert/conversion.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

#define SPOOL_AT_ONCE ((size_t)64 << 10)

int gw_conv_judge_read(struct gw_channel *in, struct gw_error *failure, struct gw_error *err)
{
	uint8_t byte;

	if (failure->code == GW_TRUNCATED) {
		gw_error_clear(failure);
		if (gw_channel_read_some(in, &byte, 1, failure) >= 0)
			return 0;
	}
	if (err && err->code == GW_OK)
		*err = *failure;
	return -1;
}

int gw_conv_bring(struct gw_conv *c, void *to, uint64_t len, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = c->in->read_pos;
	int rc;

	if (len == 0)
		return 1;
	rc = to ? gw_channel_read(c->in, to, (size_t)len, &failure)
		: gw_channel_skip(c->in, len, &failure);
	c->read_some = c->in->read_pos != before;
	return rc >= 0 ? rc : gw_conv_judge_read(c->in, &failure, err);
}

int gw_conv_move(struct gw_conv *c, uint64_t len, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = c->in->read_pos;
	int rc;

	if (len == 0)
		return 1;
	rc = gw_channel_move(c->in, c->out, len, &failure);
	c->read_some = c->in->read_pos != before;
	return rc >= 0 ? rc : gw_conv_judge_read(c->in, &failure, err);
}

int gw_conv_tee(struct gw_conv *c, uint64_t len, struct gw_tee *tee, uint64_t offset,
		struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = c->in->read_pos;
	int rc = gw_channel_tee(c->in, c->out, len, tee, offset, &failure);

	c->read_some = c->in->read_pos != before;
	return rc >= 0 ? rc : gw_conv_judge_read(c->in, &failure, err);
}

int gw_conv_spool(struct gw_conv *c, struct gw_spool *spool, uint64_t len, struct gw_error *err)
{
	while (len) {
		size_t n = (size_t)GW_MIN(len, (uint64_t)SPOOL_AT_ONCE);
		void *room = gw_spool_room(spool, n, err);
		int rc = room ? gw_conv_bring(c, room, n, err) : -1;

		if (rc <= 0)
			return rc;
		if (gw_spool_filled(spool, n, err) < 0)
			return -1;
		len -= n;
	}
	return 1;
}

ssize_t gw_conv_peek(struct gw_conv *c, uint8_t *buf, size_t len, struct gw_error *err)
{
	size_t have = 0;

	while (have < len) {
		struct gw_error failure = GW_ERROR_INIT;
		ssize_t n = gw_channel_read_some(c->in, buf + have, len - have, &failure);

		if (n < 0)
			return gw_conv_judge_read(c->in, &failure, err);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	gw_channel_unread(c->in, buf, have);
	return (ssize_t)have;
}

/* That a round or the device model is lost is what its owner has to know; most other warnings are
 * true of every image of its kind. */
static bool is_loss(const struct gw_finding *finding)
{
	static const char *const ids[] = {"image-cut-round", "stream-cut-round", "legacy-cut-round",
					  "legacy-no-device-model"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(ids); i++)
		if (strcmp(finding->rule->id, ids[i]) == 0)
			return true;
	return false;
}

void gw_conv_finding(void *conv, const struct gw_finding *finding)
{
	struct gw_conv *c = conv;
	char text[600];

	if (finding->level == GW_LEVEL_WARNING)
		gw_logf(&c->log, is_loss(finding) ? GW_LOG_WARNING : GW_LOG_INFO, "%s",
			gw_finding_format(finding, text, sizeof(text)));
}

void gw_conv_progress(struct gw_conv *c)
{
	uint64_t ns = gw_clock_ns() - c->started_ns;
	struct gw_progress progress = {
		.stage = GW_STAGE_CONVERTING,
		.round = (unsigned)c->done->checkpoints,
		.pages_done = c->done->pages,
		.bytes = c->in->read_pos - c->in_start,
	};

	if (!c->args->toolstack || !c->args->toolstack->progress)
		return;
	/* A rate of the first instant says nothing. */
	if (ns > 100000000u)
		progress.bytes_per_s = (uint64_t)((double)progress.bytes * 1e9 / (double)ns);
	c->args->toolstack->progress(c->args->toolstack->owner, &progress);
}

void gw_conv_dropped(struct gw_conv *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->done->dropped++;
	gw_logf(&c->log, GW_LOG_WARNING, "%s", text);
}
