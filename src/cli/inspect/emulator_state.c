/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The device model's state in an image of Xen, read as the stream of QEMU that it is.
 */
#include "cli/inspect/savevm.h"

#include <stdio.h>

#include "channel/memory.h"
#include "read/savevm.h"

static void on_section(void *opaque, const struct gw_savevm_section *section)
{
	gw_inspect_savevm_section(opaque, section);
}

/* Reads state as a stream of QEMU, whose first byte is at this offset of the input. */
static int read_state(const struct gw_savevm_listener *listener, const struct gw_buffer *state,
		      uint64_t offset, struct gw_savevm_stream *stream, struct gw_error *err)
{
	struct gw_input in = {.ch = gw_channel_memory("the device model's state", err)};
	int rc = in.ch ? gw_channel_write(in.ch, state->data, state->len, err) : -1;

	in.origin = offset;
	if (rc == 0)
		rc = gw_savevm_read(&in, listener, stream, err);
	gw_channel_close(in.ch);
	return rc < 0 ? -1 : 0;
}

int gw_inspect_emulator_list(struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_savevm_listener listener = {
		.opaque = inspect,
		.section = on_section,
		.like = inspect->like,
	};
	struct gw_savevm_stream stream = {0};
	const struct gw_buffer *state;
	uint64_t offset;
	int rc = 0;

	state = gw_summary_emulator(&inspect->summary, &offset);
	inspect->savevm_parts = 0;
	if (state->len)
		rc = read_state(&listener, state, offset, &stream, err);
	gw_savevm_stream_free(&stream);
	return rc;
}

int gw_inspect_emulator_read(struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_savevm_listener listener = {.like = inspect->like};
	const struct gw_summary *s = &inspect->summary;

	/* In a legacy image it lies in a record of another shape. */
	if (!inspect->like || !s->emulator_state.len || inspect->examination.has_legacy)
		return 0;
	return read_state(&listener, &s->emulator_state, s->emulator_offset, &inspect->savevm, err);
}
