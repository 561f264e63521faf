/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What fuzz targets share: a reader of the input's bytes, and channels over them.
 */
#ifndef GW_FUZZ_INPUT_H
#define GW_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/channel.h>

/* libFuzzer's entry point of the target that is linked in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t len;
};

/* The next number, little-endian; missing bytes are 0. */
uint8_t input_u8(struct input *in);
uint16_t input_u16(struct input *in);
uint32_t input_u32(struct input *in);
uint64_t input_u64(struct input *in);
/* The next len bytes, or as many as are left: *len says how many. */
const uint8_t *input_bytes(struct input *in, size_t *len);

/*
 * A peer that sends these bytes and then closes. It reads everything. quiet: how many times the
 * question whether input has come is answered with no. Stops the program without memory.
 */
struct gw_channel *peer_channel(const uint8_t *data, size_t len, unsigned quiet);

/* An output that keeps nothing and fails after limit bytes. */
struct gw_channel *sink_channel(uint64_t limit);

#endif
