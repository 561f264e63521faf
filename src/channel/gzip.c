/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gzip (RFC 1952) through zlib, which checks the CRC-32 and the length of every member.
 */
#include "channel/codec.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/util.h"

static void *gzip_open(struct gw_error *err)
{
	z_stream *z = calloc(1, sizeof(*z));

	/* 15: the largest window there is; 16: a gzip header and trailer, nothing else. */
	if (z && inflateInit2(z, 15 + 16) == Z_OK)
		return z;
	free(z);
	gw_fail(err, GW_NO_MEMORY, "a gzip decoder");
	return NULL;
}

static enum gw_codec_step gzip_step(void *decoder, struct gw_codec_io *io, const char **why)
{
	z_stream *z = decoder;
	uInt in = (uInt)GW_MIN(io->in_len, (size_t)UINT_MAX);
	uInt out = (uInt)GW_MIN(io->out_len, (size_t)UINT_MAX);

	z->next_in = (Bytef *)(uintptr_t)io->in;
	z->avail_in = in;
	z->next_out = io->out;
	z->avail_out = out;

	int rc = inflate(z, Z_NO_FLUSH);

	io->in += in - z->avail_in;
	io->in_len -= in - z->avail_in;
	io->out += out - z->avail_out;
	io->out_len -= out - z->avail_out;
	switch (rc) {
	case Z_OK:
	case Z_BUF_ERROR: /* no progress without more input or room */
		return GW_CODEC_MORE;
	case Z_STREAM_END:
		return GW_CODEC_END;
	case Z_MEM_ERROR:
		return GW_CODEC_MEMORY_OUT;
	default:
		*why = z->msg ? z->msg : "not a gzip stream";
		return GW_CODEC_BAD;
	}
}

static bool gzip_again(void *decoder)
{
	return inflateReset(decoder) == Z_OK;
}

static void gzip_close(void *decoder)
{
	inflateEnd(decoder);
	free(decoder);
}

const struct gw_codec gw_codec_gzip = {
	.name = "gzip",
	.magic = {0x1f, 0x8b, 0x08}, /* RFC 1952, 2.3.1: ID1, ID2, CM = deflate */
	.magic_len = 3,
	.padding = 1, /* blocks of tapes; gzip(1) accepts them at the end */
	.open = gzip_open,
	.step = gzip_step,
	.again = gzip_again,
	.close = gzip_close,
};
