/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes that a conversion moves on, and what it reports.
 */
#include "convert/conversion.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "channel/position.h"

#define SPOOL_AT_ONCE ((size_t)64 << 10)

enum gw_read_result gw_conv_move(struct gw_conv *c, uint64_t len, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = c->in.ch->read_pos;

	if (len == 0)
		return GW_READ_OK;
	return gw_input_took(&c->in, before, gw_channel_move(c->in.ch, c->out, len, &failure),
			     &failure, err);
}

enum gw_read_result gw_conv_tee(struct gw_conv *c, uint64_t len, struct gw_tee *tee,
				uint64_t offset, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = c->in.ch->read_pos;
	int rc = gw_channel_tee(c->in.ch, c->out, len, tee, offset, &failure);

	return gw_input_took(&c->in, before, rc, &failure, err);
}

enum gw_read_result gw_conv_spool(struct gw_conv *c, struct gw_spool *spool, uint64_t len,
				  struct gw_error *err)
{
	while (len) {
		size_t n = (size_t)GW_MIN(len, (uint64_t)SPOOL_AT_ONCE);
		void *room = gw_spool_room(spool, n, err);
		enum gw_read_result rc =
			room ? gw_input_read(&c->in, room, n, err) : GW_READ_FAILED;

		if (rc != GW_READ_OK)
			return rc;
		if (gw_spool_filled(spool, n, err) < 0)
			return GW_READ_FAILED;
		len -= n;
	}
	return GW_READ_OK;
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

void gw_conv_progress(struct gw_conv *c, enum gw_stage stage)
{
	const struct gw_observer *observer = c->args->observer;
	uint64_t size = gw_channel_expected_size(c->in.ch);
	struct gw_progress progress = {
		.stage = stage,
		.round = (unsigned)c->done->checkpoints,
		.pages_done = c->done->pages,
		.bytes = c->in.ch->read_pos - c->in_start,
		.bytes_total = size > c->in_start ? size - c->in_start : 0,
	};

	if (!observer || !observer->progress)
		return;
	if (stage == GW_STAGE_DONE)
		progress.bytes_total = progress.bytes;
	gw_estimate(&c->estimate, &progress, gw_clock_ns());
	observer->progress(observer->owner, &progress);
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
