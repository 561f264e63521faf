/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel that decompresses another one. The first bytes of the input say the format; gzip.c,
 * xz.c and zstd.c decode it.
 */
#include <godwit/channel.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "channel/codec.h"
#include "channel/kind.h"

/* Size of a read from the channel below. */
#define INPUT_SIZE (128u << 10)

struct decompressor {
	struct gw_channel ch;
	const struct gw_codec *codec;
	void *decoder;
	bool member_ended; /* the last member is complete, and no other has begun */
	bool ended;
	bool filled;	      /* the last step filled its room: the decoder may hold more */
	size_t consumed, len; /* bytes of input: those that the decoder took, and all */
	uint8_t input[INPUT_SIZE];
};

static struct decompressor *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct decompressor, ch);
}

/* Returns the decoder's position in the compressed bytes. */
static uint64_t used(const struct decompressor *u)
{
	return u->ch.below->read_pos - (u->len - u->consumed);
}

/* Reads until wanted bytes of input are there. Returns 1, 0 if the channel below ended, or -1. */
static int fill_input(struct decompressor *u, size_t wanted, struct gw_error *err)
{
	while (u->len - u->consumed < wanted) {
		memmove(u->input, u->input + u->consumed, u->len - u->consumed);
		u->len -= u->consumed;
		u->consumed = 0;

		ssize_t got = gw_channel_read_some(u->ch.below, u->input + u->len,
						   sizeof(u->input) - u->len, err);

		if (got <= 0)
			return (int)got;
		u->len += (size_t)got;
	}
	return 1;
}

static int fail_step(const struct decompressor *u, enum gw_codec_step step, const char *why,
		     struct gw_error *err)
{
	if (step == GW_CODEC_BIG)
		return gw_fail(err, GW_UNSUPPORTED,
			       "%s: decompressing its %s data takes more than %u MiB of memory",
			       u->ch.name, u->codec->name, GW_CODEC_MEMORY >> 20);
	if (step == GW_CODEC_MEMORY_OUT)
		return gw_fail(err, GW_NO_MEMORY, "%s: no memory to decompress its %s data",
			       u->ch.name, u->codec->name);
	return gw_fail(err, GW_INVALID,
		       "%s: its %s data is damaged near compressed byte %" PRIu64 ": %s",
		       u->ch.name, u->codec->name, used(u), why);
}

static int cut_off(const struct decompressor *u, struct gw_error *err)
{
	return gw_fail(err, GW_TRUNCATED,
		       "%s is cut off: it ends at compressed byte %" PRIu64 ", inside its %s data",
		       u->ch.name, u->ch.below->read_pos, u->codec->name);
}

/* Can a member of this format begin with these bytes? */
static bool begins(const struct gw_codec *codec, const uint8_t *head, size_t len)
{
	size_t n = GW_MIN(len, (size_t)codec->magic_len);

	return memcmp(head, codec->magic, n) == 0 || (codec->begins && codec->begins(head, n));
}

/* Reads the zeros after a member. Returns 1 if another byte follows, 0 at the end, or -1. */
static int skip_padding(struct decompressor *u, struct gw_error *err)
{
	unsigned unit = u->codec->padding;
	uint64_t zeros = 0;
	int more;

	while ((more = fill_input(u, 1, err)) > 0 && unit && u->input[u->consumed] == 0) {
		u->consumed++;
		zeros++;
	}
	if (more >= 0 && unit && zeros % unit)
		return gw_fail(err, GW_INVALID,
			       "%s: %" PRIu64 " zeros follow a member of its %s data, before "
			       "compressed byte %" PRIu64 ", expected a multiple of %u",
			       u->ch.name, zeros, u->codec->name, used(u), unit);
	return more;
}

/*
 * Reads what follows a member: the end, zeros as padding, or another member (concatenated files,
 * and the output of parallel compressors). Returns 0 or -1.
 */
static int next_member(struct decompressor *u, struct gw_error *err)
{
	const struct gw_codec *codec = u->codec;
	int more = skip_padding(u, err);

	if (more < 0)
		return -1;
	if (!more) {
		u->ended = true;
		return 0;
	}
	more = fill_input(u, codec->magic_len, err);
	if (more < 0)
		return -1;

	size_t len = GW_MIN(u->len - u->consumed, (size_t)codec->magic_len);

	if (!begins(codec, u->input + u->consumed, len))
		return gw_fail(err, GW_INVALID,
			       "%s: after the end of its %s data, at compressed byte %" PRIu64
			       ", other data follows",
			       u->ch.name, codec->name, used(u));
	if (!more)
		return cut_off(u, err);
	if (!codec->again(u->decoder))
		return fail_step(u, GW_CODEC_MEMORY_OUT, NULL, err);
	u->member_ended = false;
	return 0;
}

/* Runs one step of the decoder into room. Returns the number of bytes that came out, or -1. */
static ssize_t decode(struct decompressor *u, const struct iovec *room, struct gw_error *err)
{
	struct gw_codec_io io = {
		.in = u->input + u->consumed,
		.in_len = u->len - u->consumed,
		.out = room->iov_base,
		.out_len = room->iov_len,
	};
	size_t before = io.in_len;
	const char *why = "";
	enum gw_codec_step step = u->codec->step(u->decoder, &io, &why);
	size_t out = room->iov_len - io.out_len;

	u->consumed += before - io.in_len;
	u->filled = step == GW_CODEC_MORE && !io.out_len;
	if (step == GW_CODEC_END)
		u->member_ended = true;
	else if (step != GW_CODEC_MORE)
		return fail_step(u, step, why, err);
	else if (!out && before && io.in_len == before)
		return fail_step(u, GW_CODEC_BAD, "the decoder makes no progress", err);
	return (ssize_t)out;
}

/* Runs the decoder before it reads from below: the decoder may hold output. */
static ssize_t decompressor_read(struct gw_channel *ch, const struct iovec *iov, int n,
				 struct gw_error *err)
{
	struct decompressor *u = of(ch);

	while (n > 1 && !iov->iov_len) {
		iov++;
		n--;
	}
	while (!u->ended) {
		if (gw_channel_check(ch, GW_READING, err))
			return -1;
		if (u->member_ended) {
			if (next_member(u, err))
				return -1;
			continue;
		}

		ssize_t out = decode(u, iov, err);

		if (out)
			return out;
		if (u->member_ended)
			continue;

		int more = fill_input(u, 1, err);

		if (more < 0)
			return -1;
		if (!more)
			return cut_off(u, err);
	}
	return 0;
}

static ssize_t decompressor_write(struct gw_channel *ch, const struct iovec *iov, int n,
				  struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "%s is being decompressed and cannot be written", ch->name);
}

static int decompressor_finish(struct gw_channel *ch, struct gw_error *err)
{
	return gw_channel_finish(ch->below, err);
}

static void decompressor_close(struct gw_channel *ch)
{
	struct decompressor *u = of(ch);

	if (u->decoder)
		u->codec->close(u->decoder);
	gw_channel_close(u->ch.below);
}

/* Counts compressed bytes too, although the decoder may need more for its next byte of output. */
static bool decompressor_has_buffered(const struct gw_channel *ch)
{
	const struct decompressor *u = gw_container_of(ch, struct decompressor, ch);

	return u->consumed < u->len || u->filled || u->ended;
}

static const struct gw_channel_ops decompressor_ops = {
	.read = decompressor_read,
	.write = decompressor_write,
	.skip = gw_channel_skip_by_reading,
	.drain = gw_channel_drain_nothing,
	.finish = decompressor_finish,
	.close = decompressor_close,
	.has_buffered = decompressor_has_buffered,
};

static const struct gw_codec *const codecs[] = {&gw_codec_zstd, &gw_codec_xz, &gw_codec_gzip};

/* Returns the codec whose magic begins with these bytes. *whole: they are all of the magic. */
static const struct gw_codec *match(const uint8_t *head, size_t len, bool *whole)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(codecs); i++)
		if (begins(codecs[i], head, len)) {
			*whole = len >= codecs[i]->magic_len;
			return codecs[i];
		}
	return NULL;
}

/*
 * Detects the format of ch from its first bytes and gives them back. Reads a byte at a time and
 * only while a magic is possible, because the sender may send fewer bytes than a magic has. Returns
 * 0 with *codec (NULL: not compressed), or -1.
 */
static int detect(struct gw_channel *ch, const struct gw_codec **codec, struct gw_error *err)
{
	uint8_t head[sizeof(codecs[0]->magic)];
	size_t len = 0;
	bool whole = false;
	int got;

	do {
		got = gw_channel_read(ch, head + len, 1, err);
		if (got < 0)
			return -1;
		len += (size_t)got;
		*codec = match(head, len, &whole);
	} while (got && *codec && !whole);
	gw_channel_unread(ch, head, len);
	if (!whole)
		*codec = NULL;
	return 0;
}

static struct decompressor *new_unpacker(const char *name, const struct gw_codec *codec,
					 struct gw_error *err)
{
	struct decompressor *u = calloc(1, sizeof(*u));

	if (!u) {
		gw_fail_errno(err, "a decoder for %s", name);
		return NULL;
	}
	u->codec = codec;
	u->decoder = codec->open(err);
	if (!u->decoder || gw_channel_init(&u->ch, &decompressor_ops, name, err)) {
		if (u->decoder)
			codec->close(u->decoder);
		free(u);
		return NULL;
	}
	return u;
}

struct gw_channel *gw_channel_decompress(struct gw_channel *ch, struct gw_error *err)
{
	const struct gw_codec *codec;
	struct decompressor *u;

	if (detect(ch, &codec, err)) {
		gw_channel_close(ch);
		return NULL;
	}
	if (!codec)
		return ch;
	u = new_unpacker(ch->name, codec, err);
	if (!u) {
		gw_channel_close(ch);
		return NULL;
	}
	u->ch.below = ch;
	u->ch.cancel = ch->cancel;
	u->ch.silence_ms = ch->silence_ms;
	return &u->ch;
}

int gw_channel_check_compressed(struct gw_channel *ch, struct gw_error *err)
{
	uint8_t rest[4096];
	ssize_t n = 1;

	if (ch->ops != &decompressor_ops)
		return 0;
	while (n > 0)
		n = gw_channel_read_some(ch, rest, sizeof(rest), err);
	return n < 0 ? -1 : 0;
}
