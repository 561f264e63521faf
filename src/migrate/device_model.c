/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the bodies of EMULATOR_CONTEXT records.
 */
#include "migrate/device_model.h"

#include "base/util.h"

#define STEP UINT64_C(65536)

static int check(const struct gw_stream_reader *reader, struct gw_error *err)
{
	const struct gw_record *rec = &reader->rec;

	if (rec->type != GW_STREAM_EMULATOR_CONTEXT)
		return gw_fail(err, GW_INVALID, "libxl stream record %llu (%s): too long",
			       (unsigned long long)rec->number, gw_stream_record_name(rec->type));
	if (rec->length > GW_EMULATOR_MAX)
		return gw_fail(
			err, GW_INVALID,
			"libxl stream record %llu (EMULATOR_CONTEXT): %llu bytes of device model state, at most %u expected",
			(unsigned long long)rec->number, (unsigned long long)reader->body_left,
			GW_EMULATOR_MAX);
	return 0;
}

enum gw_read_result gw_device_model_read(struct gw_device_model *m,
					 const struct gw_stream_reader *reader, struct gw_input *in,
					 struct gw_error *err)
{
	uint64_t left = reader->body_left;

	if (check(reader, err) < 0)
		return GW_READ_FAILED;
	gw_buffer_reset(&m->pending);
	while (left > 0) {
		size_t step = GW_MIN(left, STEP);
		void *to = gw_buffer_reserve(&m->pending, step, err);
		enum gw_read_result rc = to ? gw_input_read(in, to, step, err) : GW_READ_FAILED;

		if (rc != GW_READ_OK)
			return rc;
		m->pending.len += step;
		left -= step;
	}
	m->pending.len -= GW_MIN((size_t)gw_record_padding(reader->rec.length), m->pending.len);
	m->has_pending = true;
	return GW_READ_OK;
}

void gw_device_model_complete(struct gw_device_model *m)
{
	if (m->has_pending && m->complete) {
		struct gw_buffer old = *m->complete;

		*m->complete = m->pending;
		m->pending = old;
	}
	gw_buffer_reset(&m->pending);
	m->has_pending = false;
}

void gw_device_model_free(struct gw_device_model *m)
{
	gw_buffer_free(&m->pending);
}
