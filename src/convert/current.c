/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An image of version 2 or 3, bare or in a libxl stream: the listener of its reading, and what is
 * left to write after it.
 */
#include "convert/image.h"

static enum gw_read_result result(int rc)
{
	return rc < 0 ? GW_READ_FAILED : GW_READ_OK;
}

static void on_arrived(void *owner, enum gw_read_part part, enum gw_counts counts)
{
	struct gw_conv_image *i = owner;

	if (part != GW_READ_STREAM_HEADER)
		return;
	i->c->has_stream = true;
	i->c->stream = i->reading.stream.header;
}

static enum gw_read_result on_image_header(void *owner, struct gw_error *err)
{
	return result(gw_conv_image_header(owner, err));
}

static enum gw_read_result on_image_record(void *owner, struct gw_error *err)
{
	struct gw_conv_image *i = owner;

	if (i->reading.image.rec.type != GW_REC_CHECKPOINT)
		return result(gw_conv_image_record(i, err));
	return i->c->has_stream ? result(gw_conv_stream_checkpoint(i, err)) : GW_READ_OK;
}

static enum gw_read_result on_image_pages(void *owner, struct gw_error *err)
{
	return gw_conv_image_pages(owner, err);
}

static enum gw_read_result on_stream_record(void *owner, struct gw_error *err)
{
	return result(gw_conv_stream_record(owner, err));
}

static enum gw_read_result on_stream_body(void *owner, struct gw_error *err)
{
	return gw_conv_stream_body(owner, err);
}

static enum gw_read_result on_round_complete(void *owner, struct gw_error *err)
{
	struct gw_conv_image *i = owner;

	if (gw_conv_image_round(i, err) < 0)
		return GW_READ_FAILED;
	return i->c->has_stream ? result(gw_conv_deferred_complete(i->c, err)) : GW_READ_OK;
}

static const struct gw_read_listener listener = {
	.arrived = on_arrived,
	.image_header = on_image_header,
	.image_record = on_image_record,
	.image_pages = on_image_pages,
	.stream_record = on_stream_record,
	.stream_body = on_stream_body,
	.round_complete = on_round_complete,
};

/* A bare image gets a libxl layer around it. */
static int end_of_new_stream(struct gw_conv_image *i, struct gw_error *err)
{
	if (gw_reading_guest(&i->reading) == GW_GUEST_X86_HVM)
		gw_logf(&i->c->log, GW_LOG_WARNING,
			"a bare image has no device model state: only a PVH guest can be restored from the result");
	return gw_conv_empty_record(i->c, GW_STREAM_END, err);
}

/* The state of the last checkpoint: what of it waits is written after its pages. */
static int finish(struct gw_conv_image *i, struct gw_error *err)
{
	if (i->c->later && gw_conv_image_finish(i, err) < 0)
		return -1;
	if (!gw_conv_has_stream(i->c))
		return 0;
	if (!i->c->has_stream)
		return end_of_new_stream(i, err);
	return i->c->later ? gw_conv_stream_finish(i, err) : 0;
}

int gw_conv_current(struct gw_conv *c, enum gw_layer outermost, struct gw_error *err)
{
	struct gw_conv_image i = {
		.c = c,
		.reading = {.in = &c->in,
			    .listener = &listener,
			    .owner = &i,
			    .findings = &c->findings,
			    .kind = GW_IMAGE_ANY},
	};
	enum gw_read_result rc;

	c->deferred.current.limit = c->deferred.complete.limit = 2 * (uint64_t)GW_EMULATOR_MAX;
	rc = outermost == GW_LAYER_LIBXL ? gw_read_stream(&i.reading, err)
					 : gw_read_image(&i.reading, err);
	if (rc != GW_READ_FAILED && finish(&i, err) < 0)
		rc = GW_READ_FAILED;
	gw_reading_free(&i.reading);
	gw_buffer_free(&i.now);
	gw_buffer_free(&i.complete);
	gw_buffer_free(&i.frames);
	return rc == GW_READ_FAILED ? -1 : 0;
}
