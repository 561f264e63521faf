/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A state of QEMU for tests: its header, one section with any data, and the mark at its end.
 */
#ifndef TESTS_LIB_QEMU_STATE_H
#define TESTS_LIB_QEMU_STATE_H

#include "base/buffer.h"

/* Bytes of a state without the section's data: those before it, and the mark after it. */
#define QEMU_STATE_HEAD 27u
#define QEMU_STATE_SIZE (QEMU_STATE_HEAD + 1u)

/* Writes the bytes before the data, and the mark after len bytes of it, to a state of
 * QEMU_STATE_SIZE + len bytes. */
void qemu_state_frame(uint8_t *state, size_t len);
/* Appends a whole state with this data. */
void qemu_state_put(struct gw_buffer *buf, const void *data, size_t len);

#endif
