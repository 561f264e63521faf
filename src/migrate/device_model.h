/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a device model in a libxl stream: that of the last complete round counts.
 */
#ifndef GW_MIGRATE_DEVICE_MODEL_H
#define GW_MIGRATE_DEVICE_MODEL_H

#include "base/buffer.h"
#include "format/libxl/stream.h"
#include "read/input.h"

/* The emulator records of a stream's last complete round, each whole, in their order. */
struct gw_emulator_records {
	struct gw_buffer records;
	bool has_context; /* EMULATOR_CONTEXT is among them */
};

struct gw_device_model {
	struct gw_buffer *complete; /* owned by the caller; NULL: the state is dropped */
	struct gw_buffer pending;   /* state that came after the last complete round */
	bool has_pending;
	struct gw_emulator_records *kept;   /* owned by the caller; NULL: they are dropped */
	struct gw_emulator_records waiting; /* those after the last complete round */
	uint64_t waiting_keys; /* bytes of EMULATOR_XENSTORE_DATA among them; a few MiB at most */
};

/* Takes an EMULATOR_XENSTORE_DATA that came with its body; other records are none of its. 0 or -1.
 */
int gw_device_model_record(struct gw_device_model *m, const struct gw_record *rec,
			   struct gw_error *err);

/* Reads the body that a stream's reader has announced. Memory grows with the bytes that arrive. */
enum gw_read_result gw_device_model_read(struct gw_device_model *m,
					 const struct gw_stream_reader *reader, struct gw_input *in,
					 struct gw_error *err);
/* The round is complete: the state that came in it counts. */
void gw_device_model_complete(struct gw_device_model *m);
void gw_device_model_free(struct gw_device_model *m);

#endif
