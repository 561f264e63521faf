/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel over memory.
 */
#include "channel/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/util.h"
#include "channel/kind.h"

struct memory {
	struct gw_channel ch;
	struct gw_buffer bytes;
	size_t consumed; /* of bytes: read already */
};

static struct memory *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct memory, ch);
}

static ssize_t memory_read(struct gw_channel *ch, const struct iovec *iov, int n,
			   struct gw_error *err)
{
	struct memory *m = of(ch);
	size_t moved = 0;

	for (int i = 0; i < n && m->consumed < m->bytes.len; i++) {
		size_t part = GW_MIN(iov[i].iov_len, m->bytes.len - m->consumed);

		memcpy(iov[i].iov_base, m->bytes.data + m->consumed, part);
		m->consumed += part;
		moved += part;
	}
	return (ssize_t)moved;
}

/* Removes the bytes that were read once they are the larger part, which limits the memory. */
static void drop_consumed(struct memory *m)
{
	if (m->consumed < m->bytes.len - m->consumed)
		return;
	if (m->consumed < m->bytes.len)
		memmove(m->bytes.data, m->bytes.data + m->consumed, m->bytes.len - m->consumed);
	m->bytes.len -= m->consumed;
	m->consumed = 0;
}

static ssize_t memory_write(struct gw_channel *ch, const struct iovec *iov, int n,
			    struct gw_error *err)
{
	struct memory *m = of(ch);
	size_t moved = 0;

	drop_consumed(m);
	for (int i = 0; i < n; i++) {
		if (!iov[i].iov_len)
			continue;
		if (gw_buffer_append(&m->bytes, iov[i].iov_base, iov[i].iov_len, err))
			return -1;
		moved += iov[i].iov_len;
	}
	return (ssize_t)moved;
}

static int64_t memory_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	struct memory *m = of(ch);
	size_t part = GW_MIN(len, (uint64_t)(m->bytes.len - m->consumed));

	m->consumed += part;
	return (int64_t)part;
}

static int memory_finish(struct gw_channel *ch, struct gw_error *err)
{
	return 0;
}

static void memory_close(struct gw_channel *ch)
{
	gw_buffer_free(&of(ch)->bytes);
}

static bool memory_has_buffered(const struct gw_channel *ch)
{
	const struct memory *m = gw_container_of(ch, struct memory, ch);

	return m->consumed < m->bytes.len;
}

static const struct gw_channel_ops memory_ops = {
	.read = memory_read,
	.write = memory_write,
	.skip = memory_skip,
	.drain = gw_channel_drain_nothing,
	.finish = memory_finish,
	.close = memory_close,
	.has_buffered = memory_has_buffered,
};

struct gw_channel *gw_channel_memory(const char *name, struct gw_error *err)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m) {
		gw_fail_errno(err, "a channel for %s", name);
		return NULL;
	}
	if (gw_channel_init(&m->ch, &memory_ops, name, err)) {
		free(m);
		return NULL;
	}
	return &m->ch;
}

const void *gw_channel_memory_data(const struct gw_channel *ch, size_t *len)
{
	const struct memory *m = gw_container_of(ch, struct memory, ch);

	*len = m->bytes.len - m->consumed;
	return *len ? m->bytes.data + m->consumed : NULL;
}
