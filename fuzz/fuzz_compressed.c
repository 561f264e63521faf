/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes through the detection of compression and the decompression of gzip,
 * xz and zstd. Of a bomb the first bytes are read.
 */
#include <stdlib.h>

#include "bound.h"
#include "channel/kind.h"
#include "input.h"

#define READ_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t part[16384];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *in, *ch;
	ssize_t n = 1;

	bound_begin();
	in = peer_channel(data, size, 0);
	ch = gw_channel_decompress(in, &err);
	if (!ch) {
		if (!err.text[0])
			abort();
		gw_channel_close(in);
		return 0;
	}
	for (size_t left = READ_MAX; n > 0 && left >= sizeof(part); left -= (size_t)n)
		n = gw_channel_read_some(ch, part, sizeof(part), &err);
	if (n == 0 && gw_channel_check_compressed(ch, &err) < 0 && !err.text[0])
		abort();
	if (n < 0 && !err.text[0])
		abort();
	gw_channel_close(ch);
	bound_check("compressed input", 2u << 20);
	return 0;
}
