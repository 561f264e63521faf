/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by the tests of the channels: seeded random numbers, a pattern that shows every lost,
 * doubled or shifted byte, and a transfer between two channels in random lists.
 */
#ifndef GW_TESTS_CHANNEL_TOOLS_H
#define GW_TESTS_CHANNEL_TOOLS_H

#include "lib/gwtest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <godwit/channel.h>

#include "base/clock.h"
#include "base/util.h"
#include "lib/random.h"

static inline uint8_t pattern(uint64_t pos)
{
	return (uint8_t)((pos * 2654435761u) >> 23);
}

/* The pattern's first part, computed once: few tests need more. */
static uint8_t pattern_begin[4u << 20];

__attribute__((constructor)) static void make_pattern(void)
{
	for (size_t i = 0; i < sizeof(pattern_begin); i++)
		pattern_begin[i] = pattern(i);
}

static inline void fill(uint8_t *buf, size_t len, uint64_t pos)
{
	if (pos + len <= sizeof(pattern_begin))
		memcpy(buf, pattern_begin + pos, len);
	else
		for (size_t i = 0; i < len; i++)
			buf[i] = pattern(pos + i);
}

static inline void check(const uint8_t *buf, size_t len, uint64_t pos)
{
	if (pos + len <= sizeof(pattern_begin) && memcmp(buf, pattern_begin + pos, len) == 0)
		return;
	for (size_t i = 0; i < len; i++)
		if (buf[i] != pattern(pos + i))
			fail_msg("byte %" PRIu64 " is wrong", pos + i);
}

/* One half of a transfer of total bytes of the pattern. */
struct half {
	struct gw_channel *ch;
	uint64_t total;
	uint64_t random;
	size_t largest; /* largest size of a place in a list */
	bool finish;
	bool failed; /* set instead of an assertion, which a thread must not make */
	struct gw_error err;
};

/* Fills a list with random places in buf, some of them empty. Returns their number; *len is their
 * bytes. */
static inline int random_list(struct half *h, uint8_t *buf, uint64_t left, struct iovec *iov,
			      int max, size_t *len)
{
	int n = 1 + (int)(random_next(&h->random) % (uint64_t)max);

	*len = 0;
	for (int i = 0; i < n; i++) {
		size_t part = random_next(&h->random) % 8
				      ? random_next(&h->random) % (h->largest + 1)
				      : 0;

		part = GW_MIN(part, left - *len);
		iov[i] = (struct iovec){.iov_base = buf + *len, .iov_len = part};
		*len += part;
	}
	return n;
}

#define LIST_MAX 40

static inline void *write_half(void *opaque)
{
	struct half *h = opaque;
	uint8_t *buf = malloc(LIST_MAX * h->largest);
	uint64_t pos = 0;

	while (pos < h->total && !h->failed) {
		struct iovec iov[LIST_MAX];
		size_t len;
		int n = random_list(h, buf, h->total - pos, iov, LIST_MAX, &len);

		fill(buf, len, pos);
		h->failed = gw_channel_writev(h->ch, iov, n, &h->err) != 0;
		pos += len;
	}
	if (!h->failed && h->finish)
		h->failed = gw_channel_finish(h->ch, &h->err) != 0;
	free(buf);
	return NULL;
}

/* Reads, skips and gives back bytes until total bytes have been seen. */
static inline void read_half(struct half *h)
{
	uint8_t *buf = malloc(LIST_MAX * h->largest);
	uint64_t pos = 0;

	while (pos < h->total) {
		struct iovec iov[LIST_MAX];
		uint64_t left = h->total - pos;
		size_t len;
		int n;

		switch (random_next(&h->random) % 8) {
		case 0:
			len = GW_MIN(random_next(&h->random) % (h->largest + 1), left);
			assert_ok(gw_channel_skip(h->ch, len, &h->err), &h->err);
			break;
		case 1:
			len = GW_MIN(1 + random_next(&h->random) % 60, left);
			assert_int_equal(gw_channel_read(h->ch, buf, len, &h->err), 1);
			check(buf, len, pos);
			gw_channel_unread(h->ch, buf, len);
			len = 0;
			break;
		default:
			n = random_list(h, buf, left, iov, LIST_MAX, &len);
			memset(buf, 0xee, len);
			assert_ok(gw_channel_readv(h->ch, iov, n, &h->err), &h->err);
			check(buf, len, pos);
		}
		pos += len;
		assert_int_equal(h->ch->read_pos, pos);
	}
	free(buf);
}

/* Runs both halves, the writing one in a thread; with finish, the end is checked too. */
static inline void transfer(struct gw_channel *from, struct gw_channel *to, uint64_t total,
			    size_t largest, bool finish)
{
	struct half w = {to, total, random_seed(), largest, finish, false, GW_ERROR_INIT};
	struct half r = {from, total, random_seed() + 1, largest, finish, false, GW_ERROR_INIT};
	pthread_t thread;
	uint8_t byte;

	assert_int_equal(pthread_create(&thread, NULL, write_half, &w), 0);
	read_half(&r);
	pthread_join(thread, NULL);
	if (w.failed)
		fail_msg("writing: %s", w.err.text);
	if (!finish)
		return;
	assert_int_equal(gw_channel_read(from, &byte, 1, &r.err), 0);
	assert_int_equal(gw_channel_skip(from, 1, &r.err), 0);
	assert_int_equal(gw_channel_read_some(from, &byte, 1, &r.err), 0);
}

/* Makes a folder for this test; remove_folder() removes it with its contents. */
static inline char *make_folder(void)
{
	char *path = strdup("/tmp/godwit-test-XXXXXX");

	assert_non_null(mkdtemp(path));
	return path;
}

static inline void remove_folder(char *path)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
	free(path);
}

#endif
