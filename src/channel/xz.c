/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xz (The .xz File Format, tukaani.org/xz/xz-file-format.txt) through liblzma, which checks the
 * index and each block's checksum.
 */
#include "channel/codec.h"

#include <stdlib.h>
#include <lzma.h>

static bool xz_again(void *decoder)
{
	return lzma_stream_decoder(decoder, GW_CODEC_MEMORY, 0) == LZMA_OK;
}

static void *xz_open(struct gw_error *err)
{
	lzma_stream *xz = calloc(1, sizeof(*xz));

	if (xz) {
		*xz = (lzma_stream)LZMA_STREAM_INIT;
		if (xz_again(xz))
			return xz;
	}
	free(xz);
	gw_fail(err, GW_NO_MEMORY, "an xz decoder");
	return NULL;
}

static enum gw_codec_step xz_step(void *decoder, struct gw_codec_io *io, const char **why)
{
	lzma_stream *xz = decoder;

	xz->next_in = io->in;
	xz->avail_in = io->in_len;
	xz->next_out = io->out;
	xz->avail_out = io->out_len;

	lzma_ret rc = lzma_code(xz, LZMA_RUN);

	io->in = xz->next_in;
	io->in_len = xz->avail_in;
	io->out = xz->next_out;
	io->out_len = xz->avail_out;
	switch (rc) {
	case LZMA_OK:
	case LZMA_BUF_ERROR: /* no progress without more input or room */
		return GW_CODEC_MORE;
	case LZMA_STREAM_END:
		return GW_CODEC_END;
	case LZMA_MEM_ERROR:
		return GW_CODEC_MEMORY_OUT;
	case LZMA_MEMLIMIT_ERROR:
		return GW_CODEC_BIG;
	case LZMA_OPTIONS_ERROR:
		*why = "it uses a filter or an option that liblzma does not know";
		return GW_CODEC_BAD;
	case LZMA_FORMAT_ERROR:
		*why = "not an xz stream";
		return GW_CODEC_BAD;
	default:
		*why = "the data, or a checksum over it, is wrong";
		return GW_CODEC_BAD;
	}
}

static void xz_close(void *decoder)
{
	lzma_end(decoder);
	free(decoder);
}

const struct gw_codec gw_codec_xz = {
	.name = "xz",
	.magic = {0xfd, '7', 'z', 'X', 'Z', 0x00}, /* 2.1.1.1, Header Magic Bytes */
	.magic_len = 6,
	.padding = 4, /* 2.2, Stream Padding */
	.open = xz_open,
	.step = xz_step,
	.again = xz_again,
	.close = xz_close,
};
