/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Channels that read from memory, write to it, or discard what is written.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "lib/bytes.h"
#include "channel/kind.h"

struct bytes {
	struct gw_channel ch;
	const uint8_t *from, *end; /* the bytes left to read */
	struct gw_buffer *to;	   /* NULL: discard what is written */
};

static struct bytes *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct bytes, ch);
}

static ssize_t read_bytes(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	struct bytes *b = of(ch);
	size_t moved = 0;

	for (int i = 0; i < n && b->from < b->end; i++) {
		size_t part = GW_MIN(iov[i].iov_len, (size_t)(b->end - b->from));

		memcpy(iov[i].iov_base, b->from, part);
		b->from += part;
		moved += part;
	}
	return (ssize_t)moved;
}

static int64_t skip_bytes(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	struct bytes *b = of(ch);
	size_t part = GW_MIN(len, (uint64_t)(b->end - b->from));

	b->from += part;
	return (int64_t)part;
}

/* Copies the bytes, so that a sanitizer finds unreadable memory. */
static void look_at(const uint8_t *data, size_t len)
{
	static uint8_t seen[65536];

	for (size_t at = 0; at < len; at += sizeof(seen))
		memcpy(seen, data + at, GW_MIN(sizeof(seen), len - at));
}

/* Doubles the buffer, so that its bytes are copied less often. */
static int append(struct gw_buffer *to, const void *data, size_t len, struct gw_error *err)
{
	if (to->cap - to->len < len && !gw_buffer_reserve(to, GW_MAX(len, to->len), err))
		return -1;
	return gw_buffer_append(to, data, len, err);
}

#ifdef __SANITIZE_THREAD__
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
#else
#define AnnotateIgnoreReadsBegin(file, line) ((void)0)
#define AnnotateIgnoreReadsEnd(file, line)   ((void)0)
#endif

/*
 * A live save reads pages while the guest writes them, and the result is checked later.
 * ThreadSanitizer would report each word of that.
 */
static ssize_t write_bytes(struct gw_channel *ch, const struct iovec *iov, int n,
			   struct gw_error *err)
{
	struct bytes *b = of(ch);
	size_t moved = 0;
	int rc = 0;

	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	for (int i = 0; i < n && rc == 0; i++) {
		if (!b->to)
			look_at(iov[i].iov_base, iov[i].iov_len);
		else
			rc = append(b->to, iov[i].iov_base, iov[i].iov_len, err);
		moved += iov[i].iov_len;
	}
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
	return rc < 0 ? -1 : (ssize_t)moved;
}

static ssize_t no_read(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "reading %s, which is only written", ch->name);
}

static ssize_t no_write(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "writing %s, which is only read", ch->name);
}

static int64_t no_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "reading %s, which is only written", ch->name);
}

static int nothing(struct gw_channel *ch, struct gw_error *err)
{
	return 0;
}

static void close_bytes(struct gw_channel *ch)
{
}

static const struct gw_channel_ops source_ops = {
	.read = read_bytes,
	.write = no_write,
	.skip = skip_bytes,
	.drain = gw_channel_drain_nothing,
	.finish = nothing,
	.close = close_bytes,
};

static const struct gw_channel_ops sink_ops = {
	.read = no_read,
	.write = write_bytes,
	.skip = no_skip,
	.drain = gw_channel_drain_nothing,
	.finish = nothing,
	.close = close_bytes,
};

static struct bytes *new_bytes(const struct gw_channel_ops *ops, const char *name)
{
	struct bytes *b = calloc(1, sizeof(*b));
	struct gw_error err = GW_ERROR_INIT;

	assert_non_null(b);
	assert_ok(gw_channel_init(&b->ch, ops, name, &err), &err);
	return b;
}

struct gw_channel *bytes_source(const char *name, const void *data, size_t len)
{
	struct bytes *b = new_bytes(&source_ops, name);

	b->from = data;
	b->end = b->from + len;
	return &b->ch;
}

struct gw_channel *bytes_sink(const char *name, struct gw_buffer *to)
{
	struct bytes *b = new_bytes(&sink_ops, name);

	b->to = to;
	return &b->ch;
}
