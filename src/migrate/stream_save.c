/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing a libxl stream around an image: header, LIBXC_CONTEXT, the image, the device model's
 * state, END; and between the checkpoints of an image what libxl itself would put there.
 */
#include "migrate/save.h"

#include "format/libxl/stream.h"

struct stream_save {
	const struct gw_save_args *args; /* the caller's */
	const struct gw_buffer *emulator;
	struct gw_toolstack toolstack; /* the caller's, with checkpoint replaced */
	uint64_t bytes;		       /* of this layer */
};

static int write_records(struct stream_save *s, struct gw_buffer *records, struct gw_error *err)
{
	int rc = gw_channel_write(s->args->out, records->data, records->len, err);

	s->bytes += records->len;
	gw_buffer_free(records);
	return rc;
}

static int append_emulator(struct stream_save *s, struct gw_buffer *records, struct gw_error *err)
{
	struct gw_emulator_data emulator = {.emulator_id = GW_EMULATOR_UPSTREAM};

	if (!s->emulator)
		return 0;
	emulator.data = s->emulator->data;
	emulator.len = s->emulator->len;
	return gw_emulator_data_append(records, GW_STREAM_EMULATOR_CONTEXT, &emulator, err);
}

/* The records behind an image or a checkpoint of it. */
static int write_tail(struct stream_save *s, uint32_t last, struct gw_error *err)
{
	struct gw_buffer records = {0};

	if (append_emulator(s, &records, err) < 0 ||
	    gw_record_append(&records, last, NULL, 0, err) < 0) {
		gw_buffer_free(&records);
		return -1;
	}
	return write_records(s, &records, err);
}

static int stream_checkpoint(void *opaque, struct gw_error *err)
{
	struct stream_save *s = opaque;

	if (write_tail(s, GW_STREAM_CHECKPOINT_END, err) < 0 ||
	    gw_channel_drain(s->args->out, err) < 0)
		return -1;
	return s->args->toolstack->checkpoint(s->args->toolstack->opaque, err);
}

static int write_head(struct stream_save *s, struct gw_error *err)
{
	struct gw_stream_header header = {.version = GW_STREAM_VERSION};
	struct gw_buffer records = {0};
	uint8_t raw[GW_STREAM_HEADER_SIZE];

	gw_stream_header_encode(&header, raw);
	if (gw_buffer_append(&records, raw, sizeof(raw), err) < 0 ||
	    gw_record_append(&records, GW_STREAM_LIBXC_CONTEXT, NULL, 0, err) < 0) {
		gw_buffer_free(&records);
		return -1;
	}
	return write_records(s, &records, err);
}

/* The table's other entries must keep their own opaque: they are called through these. */
static int ts_suspend(void *opaque, struct gw_error *err)
{
	const struct gw_toolstack *ts = ((struct stream_save *)opaque)->args->toolstack;

	return ts->suspend(ts->opaque, err);
}

static int ts_resume(void *opaque, struct gw_error *err)
{
	const struct gw_toolstack *ts = ((struct stream_save *)opaque)->args->toolstack;

	return ts->resume(ts->opaque, err);
}

static int ts_logdirty_switch(void *opaque, int enable, struct gw_error *err)
{
	const struct gw_toolstack *ts = ((struct stream_save *)opaque)->args->toolstack;

	return ts->logdirty_switch(ts->opaque, enable, err);
}

static void ts_progress(void *opaque, const struct gw_progress *progress)
{
	const struct gw_toolstack *ts = ((struct stream_save *)opaque)->args->toolstack;

	ts->progress(ts->opaque, progress);
}

static void wrap_toolstack(struct stream_save *s)
{
	const struct gw_toolstack *ts = s->args->toolstack;

	s->toolstack = (struct gw_toolstack){
		.opaque = s,
		.suspend = ts->suspend ? ts_suspend : NULL,
		.resume = ts->resume ? ts_resume : NULL,
		.checkpoint = ts->checkpoint ? stream_checkpoint : NULL,
		.logdirty_switch = ts->logdirty_switch ? ts_logdirty_switch : NULL,
		.progress = ts->progress ? ts_progress : NULL,
		.log = ts->log,
	};
}

static int save_image(struct stream_save *s, struct gw_error *err)
{
	struct gw_save_args args = *s->args;

	if (s->args->toolstack && s->args->stream_type != GW_STREAM_PLAIN) {
		wrap_toolstack(s);
		args.toolstack = &s->toolstack;
	}
	return gw_save_image(&args, err);
}

int gw_save_stream(const struct gw_save_args *args, const struct gw_buffer *emulator,
		   struct gw_error *err)
{
	struct stream_save s = {.args = args, .emulator = emulator};
	const struct gw_cancel *before = args->out->cancel;
	int rc;

	if (args->cancel)
		gw_channel_set_cancel(args->out, args->cancel);
	rc = write_head(&s, err);
	if (rc == 0)
		rc = save_image(&s, err);
	if (rc == 0 && args->stream_type == GW_STREAM_PLAIN) {
		rc = write_tail(&s, GW_STREAM_END, err);
		if (rc == 0)
			rc = gw_channel_drain(args->out, err);
	}
	gw_channel_set_cancel(args->out, before);
	if (args->report)
		args->report->bytes += s.bytes;
	return rc;
}
