/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a device model in a libxl stream: that of the last complete round counts.
 */
#ifndef GW_MIGRATE_DEVICE_MODEL_H
#define GW_MIGRATE_DEVICE_MODEL_H

#include "base/buffer.h"
#include "format/libxl/stream.h"
#include "read/input.h"

struct gw_device_model {
	struct gw_buffer *complete; /* owned by the caller; NULL: the state is dropped */
	struct gw_buffer pending;   /* state that came after the last complete round */
	bool has_pending;
};

/* Reads the body that a stream's reader has announced. Memory grows with the bytes that arrive. */
enum gw_read_result gw_device_model_read(struct gw_device_model *m,
					 const struct gw_stream_reader *reader, struct gw_input *in,
					 struct gw_error *err);
/* The round is complete: the state that came in it counts. */
void gw_device_model_complete(struct gw_device_model *m);
void gw_device_model_free(struct gw_device_model *m);

#endif
