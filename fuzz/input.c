/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Numbers from the input, and channels over its bytes.
 */
#include "input.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "channel/kind.h"

const uint8_t *input_bytes(struct input *in, size_t *len)
{
	const uint8_t *from = in->data;

	*len = GW_MIN(*len, in->len);
	in->data += *len;
	in->len -= *len;
	return from;
}

static void take(struct input *in, uint8_t *to, size_t len)
{
	const uint8_t *from = input_bytes(in, &len);

	if (len)
		memcpy(to, from, len);
}

uint8_t input_u8(struct input *in)
{
	uint8_t raw = 0;

	take(in, &raw, 1);
	return raw;
}

uint16_t input_u16(struct input *in)
{
	uint8_t raw[2] = {0};

	take(in, raw, sizeof(raw));
	return gw_get_le16(raw);
}

uint32_t input_u32(struct input *in)
{
	uint8_t raw[4] = {0};

	take(in, raw, sizeof(raw));
	return gw_get_le32(raw);
}

uint64_t input_u64(struct input *in)
{
	uint8_t raw[8] = {0};

	take(in, raw, sizeof(raw));
	return gw_get_le64(raw);
}

struct peer {
	struct gw_channel ch;
	struct input left;
	unsigned quiet;
	uint64_t room; /* bytes that may be written */
};

static struct peer *peer_of(const struct gw_channel *ch)
{
	return gw_container_of(ch, struct peer, ch);
}

static ssize_t peer_read(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	struct peer *p = peer_of(ch);
	size_t done = 0;

	for (int i = 0; i < n && p->left.len; i++) {
		size_t len = iov[i].iov_len;
		const uint8_t *from = input_bytes(&p->left, &len);

		if (len)
			memcpy(iov[i].iov_base, from, len);
		done += len;
	}
	return (ssize_t)done;
}

/* Bytes that were read go here, so that no compiler leaves the reads out. */
static volatile uint8_t seen;

/* Reads every byte that is written, so that a sanitizer sees those that do not exist. */
static ssize_t peer_write(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	struct peer *p = peer_of(ch);
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		const uint8_t *bytes = iov[i].iov_base;
		uint8_t sum = 0;

		for (size_t k = 0; k < iov[i].iov_len; k++)
			sum ^= bytes[k];
		seen ^= sum;
		done += iov[i].iov_len;
	}
	if (done > p->room)
		return gw_fail(err, GW_SYSTEM, "the output is full");
	p->room -= done;
	return (ssize_t)done;
}

static bool peer_has_buffered(const struct gw_channel *ch)
{
	struct peer *p = peer_of(ch);

	if (!p->quiet)
		return true;
	p->quiet--;
	return false;
}

static int peer_finish(struct gw_channel *ch, struct gw_error *err)
{
	return 0;
}

static void peer_close(struct gw_channel *ch)
{
}

static const struct gw_channel_ops peer_ops = {
	.read = peer_read,
	.write = peer_write,
	.skip = gw_channel_skip_by_reading,
	.drain = gw_channel_drain_nothing,
	.finish = peer_finish,
	.close = peer_close,
	.has_buffered = peer_has_buffered,
};

struct gw_channel *peer_channel(const uint8_t *data, size_t len, unsigned quiet)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p || gw_channel_init(&p->ch, &peer_ops, "the input", NULL) < 0)
		exit(1);
	p->left = (struct input){data, len};
	p->quiet = quiet;
	p->room = UINT64_MAX;
	return &p->ch;
}

struct gw_channel *sink_channel(uint64_t limit)
{
	struct gw_channel *ch = peer_channel(NULL, 0, 0);

	peer_of(ch)->room = limit;
	return ch;
}
