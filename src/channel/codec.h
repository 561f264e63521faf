/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Codecs: the compression formats that decompress.c reads, each with the library of its format. A
 * codec knows no channel.
 */
#ifndef GW_CHANNEL_CODEC_H
#define GW_CHANNEL_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

/*
 * The limit on the memory that a stream may ask for (its window or dictionary). xz -9 needs 65 MiB,
 * zstd --long=27 needs 128 MiB, zstd --ultra --long=29 needs exactly this.
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
	GW_CODEC_MORE,	     /* more input or more room is needed */
	GW_CODEC_END,	     /* end of a member: all bytes are out, and the checksum is right */
	GW_CODEC_BAD,	     /* the input is damaged */
	GW_CODEC_BIG,	     /* it needs more memory than GW_CODEC_MEMORY */
	GW_CODEC_MEMORY_OUT, /* no memory */
};

struct gw_codec {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_len;
	/* Zeros may follow a member, as many as are a multiple of this; 0: none may. */
	uint8_t padding;
	/* Can a member begin with these bytes, at most magic_len, although they are not the magic?
	 * NULL: it cannot. */
	bool (*begins)(const uint8_t *head, size_t len);
	/* Creates a decoder at the start of a member, or returns NULL with err. */
	void *(*open)(struct gw_error *err);
	/* Decodes from io->in to io->out and advances both. On failure *why is the library's
	 * message. */
	enum gw_codec_step (*step)(void *decoder, struct gw_codec_io *io, const char **why);
	/* Resets the decoder for the next member, after GW_CODEC_END. False: no memory. */
	bool (*again)(void *decoder);
	/* Frees the decoder. */
	void (*close)(void *decoder);
};

extern const struct gw_codec gw_codec_gzip, gw_codec_xz, gw_codec_zstd;

#endif
