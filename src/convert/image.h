/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An image of version 2 or 3 on its way to version 3: what its files share. current.c listens to
 * the reading, image.c takes the records of the image, stream.c those of the libxl stream around
 * it.
 */
#ifndef GW_CONVERT_IMAGE_H
#define GW_CONVERT_IMAGE_H

#include "convert/conversion.h"
#include "read/reading.h"

struct gw_conv_image {
	struct gw_conv *c;
	struct gw_reading reading;
	bool static_end;	   /* STATIC_DATA_END was written */
	struct gw_buffer now;	   /* records after the pages of the current round */
	struct gw_buffer complete; /* and of the last complete one */
	struct gw_buffer frames;   /* X86_PV_P2M_FRAMES of a round that waits */
};

/* image.c: 0 or -1, or as gw_input_read(). */

/* The header: the output begins. */
int gw_conv_image_header(struct gw_conv_image *i, struct gw_error *err);
/* Any record but PAGE_DATA. END is written, unless there were checkpoints: then the last one is
 * what counts. */
int gw_conv_image_record(struct gw_conv_image *i, struct gw_error *err);
enum gw_read_result gw_conv_image_pages(struct gw_conv_image *i, struct gw_error *err);
/* A round counts: what waited is written, but for the records after the pages. */
int gw_conv_image_round(struct gw_conv_image *i, struct gw_error *err);
/* Of an image with checkpoints: those records, and END. */
int gw_conv_image_finish(struct gw_conv_image *i, struct gw_error *err);

/* stream.c */

/* A record with its body; one whose body comes next. */
int gw_conv_stream_record(struct gw_conv_image *i, struct gw_error *err);
enum gw_read_result gw_conv_stream_body(struct gw_conv_image *i, struct gw_error *err);
/* The image has stopped at a checkpoint: what follows of this layer waits for its end. */
int gw_conv_stream_checkpoint(struct gw_conv_image *i, struct gw_error *err);
/* Of an image with checkpoints: what of the last one stands after the image, and END. */
int gw_conv_stream_finish(struct gw_conv_image *i, struct gw_error *err);

#endif
