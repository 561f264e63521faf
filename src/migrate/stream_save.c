/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The libxl layer of a save: header and LIBXC_CONTEXT before the image, the state of the device
 * model after each of its checkpoints, END.
 */
#include "migrate/save.h"

#include <stdlib.h>

#include "format/libxl/stream.h"
#include "migrate/device_model.h"

struct stream_save {
	struct gw_domain *domain;
	struct gw_channel *out;
	const struct gw_emulator_records *emulator; /* those that the domain came with, or NULL */
	void *model; /* state of the device model at the last suspend, or NULL */
	size_t model_len;
	uint64_t bytes; /* of this layer */
};

static int write_records(struct stream_save *s, struct gw_buffer *records, struct gw_error *err)
{
	int rc = gw_channel_write(s->out, records->data, records->len, err);

	s->bytes += records->len;
	gw_buffer_free(records);
	return rc;
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

static int take_device_state(void *opaque, const struct gw_toolstack *ts, struct gw_error *err)
{
	struct stream_save *s = opaque;

	if (s->domain->type != GW_GUEST_X86_HVM)
		return 0;
	free(s->model);
	s->model = NULL;
	s->model_len = 0;
	if (ts->device_model_state(ts->owner, &s->model, &s->model_len, err) < 0)
		return gw_fail_in(err, "the device model of domain %u", s->domain->domid);
	return 0;
}

static int append_kept(const struct stream_save *s, struct gw_buffer *records, struct gw_error *err)
{
	if (!s->emulator)
		return 0;
	return gw_buffer_append(records, s->emulator->records.data, s->emulator->records.len, err);
}

static int append_model(const struct stream_save *s, struct gw_buffer *records,
			struct gw_error *err)
{
	const struct gw_emulator_data emulator = {
		.emulator_id = GW_EMULATOR_UPSTREAM,
		.data = s->model,
		.len = s->model_len,
	};

	if (s->model_len == 0)
		return 0;
	return gw_emulator_data_append(records, GW_STREAM_EMULATOR_CONTEXT, &emulator, err);
}

static int write_checkpoint(void *opaque, bool last, struct gw_error *err)
{
	struct stream_save *s = opaque;
	struct gw_buffer records = {0};
	uint32_t end = last ? GW_STREAM_END : GW_STREAM_CHECKPOINT_END;

	if (append_kept(s, &records, err) < 0 || append_model(s, &records, err) < 0 ||
	    gw_record_append(&records, end, NULL, 0, err) < 0) {
		gw_buffer_free(&records);
		return -1;
	}
	return write_records(s, &records, err);
}

int gw_save_stream(const struct gw_save_args *args, struct gw_report *report, struct gw_error *err)
{
	struct stream_save s = {
		.domain = args->domain, .out = args->out, .emulator = args->emulator};
	const struct gw_save_layer layer = {
		.opaque = &s,
		.outer = args->layer,
		.take_device_state = take_device_state,
		.checkpoint = write_checkpoint,
	};
	const struct gw_cancel *before = args->out->cancel;
	struct gw_save_args image = *args;
	int rc;

	if (report)
		*report = (struct gw_report){0};
	image.layer = &layer;
	image.cancel = args->cancel ? args->cancel : gw_operation_cancel_token(args->op);
	if (image.cancel)
		gw_channel_set_cancel(args->out, image.cancel);
	rc = write_head(&s, err);
	if (rc == 0)
		rc = gw_save_image(&image, report, err);
	gw_channel_set_cancel(args->out, before);
	if (report)
		report->bytes += s.bytes;
	free(s.model);
	return rc;
}
