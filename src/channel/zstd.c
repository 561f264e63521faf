/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Zstandard (RFC 8878) through libzstd, which checks a frame's checksum if it has one.
 */
#include "channel/codec.h"

#include <zstd.h>
#include <zstd_errors.h>

static void *zstd_open(struct gw_error *err)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();

	if (zstd &&
	    !ZSTD_isError(ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, GW_CODEC_WINDOW_LOG)))
		return zstd;
	ZSTD_freeDCtx(zstd);
	gw_fail(err, GW_NO_MEMORY, "a zstd decoder");
	return NULL;
}

static enum gw_codec_step zstd_step(void *decoder, struct gw_codec_io *io, const char **why)
{
	ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
	ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
	size_t rc = ZSTD_decompressStream(decoder, &out, &in);

	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	if (rc == 0)
		return GW_CODEC_END;
	if (!ZSTD_isError(rc))
		return GW_CODEC_MORE;
	switch (ZSTD_getErrorCode(rc)) {
	case ZSTD_error_memory_allocation:
		return GW_CODEC_MEMORY_OUT;
	case ZSTD_error_frameParameter_windowTooLarge:
		return GW_CODEC_BIG;
	default:
		*why = ZSTD_getErrorName(rc);
		return GW_CODEC_BAD;
	}
}

static bool zstd_again(void *decoder)
{
	return !ZSTD_isError(ZSTD_DCtx_reset(decoder, ZSTD_reset_session_only));
}

static void zstd_close(void *decoder)
{
	ZSTD_freeDCtx(decoder);
}

/* A skippable frame (RFC 8878, 3.1.2), which has no contents. pzstd writes one before each frame.
 */
static bool zstd_begins(const uint8_t *head, size_t len)
{
	static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18};

	for (size_t i = 0; i < len && i < sizeof(skippable); i++)
		if ((i == 0 ? head[i] & 0xf0 : head[i]) != skippable[i])
			return false;
	return true;
}

const struct gw_codec gw_codec_zstd = {
	.name = "zstd",
	.magic = {0x28, 0xb5, 0x2f, 0xfd}, /* RFC 8878, 3.1.1: 0xFD2FB528, little-endian */
	.magic_len = 4,
	.begins = zstd_begins,
	.open = zstd_open,
	.step = zstd_step,
	.again = zstd_again,
	.close = zstd_close,
};
