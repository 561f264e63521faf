/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes a state of QEMU.
 */
#include "lib/qemu_state.h"

#include <string.h>

#include "lib/gwtest.h"

void qemu_state_frame(uint8_t *state, size_t len)
{
	/* Version 3, a complete section with id 0, "tests", instance 0, version 1. */
	static const uint8_t head[QEMU_STATE_HEAD] =
		"QEVM\0\0\0\3\4\0\0\0\0\5tests\0\0\0\0\0\0\0\1";

	memcpy(state, head, sizeof(head));
	state[sizeof(head) + len] = 0;
}

void qemu_state_put(struct gw_buffer *buf, const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *state = calloc(1, QEMU_STATE_SIZE + len);

	assert_non_null(state);
	qemu_state_frame(state, len);
	if (len)
		memcpy(state + QEMU_STATE_HEAD, data, len);
	assert_ok(gw_buffer_append(buf, state, QEMU_STATE_SIZE + len, &err), &err);
	free(state);
}
