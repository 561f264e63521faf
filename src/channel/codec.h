/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The compressions that decompress.c knows, each over the library of its own format. A codec knows
 * no channel: bytes go in, bytes come out.
 */
#ifndef GW_CHANNEL_CODEC_H
#define GW_CHANNEL_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

/*
 * The most memory that the head of a stream can make a codec ask for (its window or dictionary). xz
 * -9 needs 65 MiB, zstd --long=27 needs 128 MiB, zstd --ultra --long=29 just this.
 */
#define GW_CODEC_WINDOW_LOG 29
#define GW_CODEC_MEMORY	    (1u << GW_CODEC_WINDOW_LOG)

struct gw_codec_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

enum gw_codec_step {
	GW_CODEC_MORE, /* what could be done was done; more input or more room is wanted */
	GW_CODEC_END, /* the end of a member; all of its bytes are out, and their checksum was right
		       */
	GW_CODEC_BAD, /* the input breaks the format */
	GW_CODEC_BIG, /* it needs more than GW_CODEC_MEMORY */
	GW_CODEC_MEMORY_OUT,
};

struct gw_codec {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_len;
	/* A decoder at the beginning of a member, or NULL with err. */
	void *(*open)(struct gw_error *err);
	/* Decodes from io->in to io->out and moves both on; on failure *why says what the library
	 * said. */
	enum gw_codec_step (*step)(void *decoder, struct gw_codec_io *io, const char **why);
	/* Made ready for the next member, after GW_CODEC_END. False if memory ran out. */
	bool (*again)(void *decoder);
	void (*close)(void *decoder);
};

extern const struct gw_codec gw_codec_gzip, gw_codec_xz, gw_codec_zstd;

#endif
