/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An image of version 2 or 3 on its way to version 3. The libxl layer around it, if there is one,
 * is stream.c's and says when a checkpoint is complete.
 */
#ifndef GW_CONVERT_IMAGE_H
#define GW_CONVERT_IMAGE_H

#include "convert/conversion.h"

struct gw_conv_image {
	struct gw_conv *c;
	struct gw_image_reader r;
	struct gw_image_rules *rules;
	uint64_t base;		   /* where it begins in the input */
	bool has_header;	   /* the output has begun */
	bool static_end;	   /* STATIC_DATA_END was written */
	struct gw_buffer now;	   /* records behind the pages of the round at hand */
	struct gw_buffer complete; /* and of the last complete one */
	struct gw_buffer frames;   /* X86_PV_P2M_FRAMES of a round that waits */
};

/* It begins here. 0 or -1. */
int gw_conv_image_init(struct gw_conv_image *i, struct gw_conv *c, struct gw_error *err);
void gw_conv_image_free(struct gw_conv_image *i);

enum gw_conv_image_pause {
	GW_CONV_IMAGE_FAILED = -1,
	/* END. It was written, unless there were checkpoints: then the last is what counts. */
	GW_CONV_IMAGE_ENDED,
	GW_CONV_IMAGE_CHECKPOINT, /* a CHECKPOINT: whoever knows says if it counts */
	GW_CONV_IMAGE_CUT,	  /* the input broke off: the last checkpoint is what counts */
};
/* From where it stands. */
enum gw_conv_image_pause gw_conv_image_go(struct gw_conv_image *i, struct gw_error *err);
/* The checkpoint counts: what waited is written, but for the records behind the pages. */
int gw_conv_image_checkpoint(struct gw_conv_image *i, struct gw_error *err);
/* Of an image with checkpoints: those records, and END. */
int gw_conv_image_finish(struct gw_conv_image *i, struct gw_error *err);

#endif
