/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Follows the checkpoints of an image: CHECKPOINT in a bare image, CHECKPOINT_END or
 * CHECKPOINT_STATE in a libxl stream, and END.
 */
#include "read/checkpoints.h"

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
		c->in_checkpoint = false;
		return c->complete ? GW_COUNTS_NEVER : GW_COUNTS_END;
	default:
		return GW_COUNTS_LATER;
	}
}

enum gw_counts gw_checkpoints_record(struct gw_checkpoints *c, enum gw_layer layer, uint32_t type)
{
	const uint32_t last =
		c->state_completes ? GW_STREAM_CHECKPOINT_STATE : GW_STREAM_CHECKPOINT_END;

	if (layer == GW_LAYER_LIBXC)
		return image_record(c, type);
	return c->in_checkpoint && type == last ? complete(c) : GW_COUNTS_LATER;
}

int gw_checkpoints_over(const struct gw_checkpoints *c, struct gw_error *err)
{
	if (c->ended || c->complete)
		return 0;
	return gw_fail(err, GW_TRUNCATED, "the image contains no complete checkpoint");
}
