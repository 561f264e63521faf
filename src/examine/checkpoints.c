/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The CHECKPOINT of a bare image, the CHECKPOINT_END of a libxl stream, and END.
 */
#include "examine/checkpoints.h"

#include <string.h>

void gw_checkpoints_stream(struct gw_checkpoints *c)
{
	c->in_stream = true;
}

static enum gw_counts complete(struct gw_checkpoints *c)
{
	c->in_checkpoint = false;
	c->complete++;
	return GW_COUNTS_CHECKPOINT;
}

static enum gw_counts image_record(struct gw_checkpoints *c, uint32_t type)
{
	switch (type) {
	case GW_REC_VERIFY:
		c->verifying = true;
		return GW_COUNTS_LATER;
	case GW_REC_CHECKPOINT:
		c->in_checkpoint = true;
		return c->in_stream ? GW_COUNTS_LATER : complete(c);
	case GW_REC_END:
		c->ended = true;
		return c->complete ? GW_COUNTS_NEVER : GW_COUNTS_END;
	default:
		return GW_COUNTS_LATER;
	}
}

enum gw_counts gw_checkpoints_record(struct gw_checkpoints *c,
				     const struct gw_examined_record *record)
{
	if (record->pages)
		return GW_COUNTS_LATER;
	if (record->layer == GW_LAYER_LIBXC)
		return image_record(c, record->rec->type);
	if (c->in_checkpoint && record->rec->type == GW_STREAM_CHECKPOINT_END)
		return complete(c);
	return GW_COUNTS_LATER;
}

int gw_checkpoints_over(const struct gw_checkpoints *c, struct gw_error *err)
{
	if (c->ended || c->complete)
		return 0;
	return gw_fail(err, GW_TRUNCATED, "no complete checkpoint came");
}

static bool is_loss(const struct gw_finding *finding)
{
	return strcmp(finding->rule->id, "image-cut-round") == 0 ||
	       strcmp(finding->rule->id, "stream-cut-round") == 0;
}

void gw_checkpoints_finding(const struct gw_finding *finding, const struct gw_log *log,
			    struct gw_error *bad)
{
	char text[600];

	gw_finding_format(finding, text, sizeof(text));
	if (finding->level == GW_LEVEL_ERROR)
		gw_fail(bad, GW_INVALID, "%s", text);
	else if (finding->level == GW_LEVEL_WARNING)
		gw_logf(log, is_loss(finding) ? GW_LOG_WARNING : GW_LOG_INFO, "%s", text);
}
