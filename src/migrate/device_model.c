/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the bodies of EMULATOR_CONTEXT records.
 */
#include "migrate/device_model.h"

#include "base/bytes.h"
#include "base/util.h"

#define STEP	 UINT64_C(65536)
#define KEYS_MAX (UINT64_C(4) << 20)

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

int gw_device_model_record(struct gw_device_model *m, const struct gw_record *rec,
			   struct gw_error *err)
{
	if (!m->kept || rec->type != GW_STREAM_EMULATOR_XENSTORE_DATA || !rec->data)
		return 0;
	/* The records of a round wait in memory, and there is one for each device model. */
	m->waiting_keys += rec->length;
	if (m->waiting_keys > KEYS_MAX)
		return gw_fail(
			err, GW_INVALID,
			"libxl stream record %llu (EMULATOR_XENSTORE_DATA) at offset 0x%llx: %llu bytes of the device model's keys in a round, at most %llu expected",
			(unsigned long long)rec->number, (unsigned long long)rec->offset,
			(unsigned long long)m->waiting_keys, (unsigned long long)KEYS_MAX);
	return gw_record_append(&m->waiting.records, rec->type, rec->data, rec->length, err);
}

/* The record whose state was read, as it came. */
static int keep_context(struct gw_device_model *m, const struct gw_stream_reader *reader,
			struct gw_error *err)
{
	const struct gw_emulator_data emulator = {
		.emulator_id = gw_get_le32(reader->body_head),
		.index = gw_get_le32(reader->body_head + 4),
		.data = m->pending.data,
		.len = m->pending.len,
	};

	if (!m->kept)
		return 0;
	m->waiting.has_context = true;
	return gw_emulator_data_append(&m->waiting.records, GW_STREAM_EMULATOR_CONTEXT, &emulator,
				       err);
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
	return keep_context(m, reader, err) < 0 ? GW_READ_FAILED : GW_READ_OK;
}

void gw_device_model_complete(struct gw_device_model *m)
{
	if (m->has_pending && m->complete) {
		struct gw_buffer old = *m->complete;

		*m->complete = m->pending;
		m->pending = old;
	}
	if (m->kept && m->waiting.records.len) {
		struct gw_emulator_records old = *m->kept;

		*m->kept = m->waiting;
		m->waiting = old;
	}
	gw_buffer_reset(&m->waiting.records);
	m->waiting.has_context = false;
	m->waiting_keys = 0;
	gw_buffer_reset(&m->pending);
	m->has_pending = false;
}

void gw_device_model_free(struct gw_device_model *m)
{
	gw_buffer_free(&m->pending);
	gw_buffer_free(&m->waiting.records);
}
