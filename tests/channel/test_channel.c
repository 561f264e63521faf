/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the part that all channels share: exact reads, the three results of a read, bytes given
 * back, long lists. Uses the memory channel, and tests it as well.
 */
#include "tools.h"

#include "channel/kind.h"
#include "channel/memory.h"
#include "lib/random.h"

static struct gw_channel *memory_with(const char *text)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_memory("bytes", &err);

	assert_non_null(ch);
	assert_ok(gw_channel_write(ch, text, strlen(text), &err), &err);
	return ch;
}

static void three_answers(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = memory_with("abcdef");
	char buf[8] = "";

	assert_int_equal(gw_channel_read(ch, buf, 0, &err), 1);
	assert_int_equal(gw_channel_read(ch, buf, 4, &err), 1);
	assert_string_equal(buf, "abcd");
	assert_int_equal(ch->read_pos, 4);
	assert_fails(gw_channel_read(ch, buf, 4, &err), &err, GW_TRUNCATED, "bytes ends at byte 6");
	assert_int_equal(gw_channel_read(ch, buf, 1, &err), 0);
	assert_int_equal(gw_channel_read(ch, buf, 0, &err), 1);
	assert_int_equal(gw_channel_skip(ch, 0, &err), 1);
	assert_int_equal(gw_channel_skip(ch, 1, &err), 0);
	assert_int_equal(err.code, GW_OK);
	gw_channel_close(ch);
}

static void skip_counts(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = memory_with("abcdef");
	char byte;

	assert_int_equal(gw_channel_skip(ch, 4, &err), 1);
	assert_int_equal(gw_channel_read(ch, &byte, 1, &err), 1);
	assert_int_equal(byte, 'e');
	assert_fails(gw_channel_skip(ch, 2, &err), &err, GW_TRUNCATED, "2 bytes");
	gw_channel_close(ch);
}

static void given_back(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = memory_with("abcdefgh");
	char buf[16] = "";
	struct iovec iov[3] = {{buf, 1}, {buf + 1, 0}, {buf + 1, 6}};

	assert_int_equal(gw_channel_read(ch, buf, 5, &err), 1);
	gw_channel_unread(ch, buf + 3, 2);
	gw_channel_unread(ch, buf + 1, 2);
	assert_int_equal(ch->read_pos, 1);
	assert_int_equal(gw_channel_read_some(ch, buf, sizeof(buf), &err), 4);
	assert_memory_equal(buf, "bcde", 4);
	gw_channel_unread(ch, "bcde", 4);
	assert_int_equal(gw_channel_skip(ch, 1, &err), 1);
	assert_int_equal(gw_channel_readv(ch, iov, 3, &err), -1);
	assert_int_equal(err.code, GW_TRUNCATED);
	assert_memory_equal(buf, "cdefgh", 6);
	assert_int_equal(ch->read_pos, 8);
	gw_channel_close(ch);
}

static void sixty_four_bytes_fit(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_memory("bytes", &err);
	uint8_t buf[100];

	fill(buf, sizeof(buf), 0);
	assert_ok(gw_channel_write(ch, buf, sizeof(buf), &err), &err);
	assert_int_equal(gw_channel_read(ch, buf, 70, &err), 1);
	gw_channel_unread(ch, buf + 6, 64);
	assert_int_equal(gw_channel_read(ch, buf, 94, &err), 1);
	check(buf, 94, 6);
	gw_channel_close(ch);
}

/* More places than IOV_MAX, more bytes than one call may have, and empty places between them. */
static void long_lists(void **state)
{
	enum { PLACES = 5000, LARGE = 3 << 20 };
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_memory("bytes", &err);
	size_t total = PLACES / 2 * 3 + LARGE;
	uint8_t *out = malloc(total), *in = calloc(1, total);
	struct iovec *iov = calloc(PLACES + 1, sizeof(*iov));

	fill(out, total, 0);
	for (int pass = 0; pass < 2; pass++) {
		uint8_t *at = pass ? in : out;

		for (int i = 0; i < PLACES; i++, at += iov[i - 1].iov_len)
			iov[i] = (struct iovec){at, i % 2 ? 3 : 0};
		iov[PLACES] = (struct iovec){at, LARGE};
		if (pass)
			assert_int_equal(gw_channel_readv(ch, iov, PLACES + 1, &err), 1);
		else
			assert_ok(gw_channel_writev(ch, iov, PLACES + 1, &err), &err);
	}
	assert_int_equal(ch->write_pos, total);
	assert_int_equal(ch->read_pos, total);
	check(in, total, 0);
	gw_channel_close(ch);
	free(iov);
	free(in);
	free(out);
}

/* A kind of channel that only records how much each call asks for. */
static size_t most_asked;

static ssize_t ask(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	size_t asked = 0;

	for (int i = 0; i < n; i++)
		asked += iov[i].iov_len;
	most_asked = GW_MAX(most_asked, asked);
	return (ssize_t)GW_MIN(asked, (size_t)900000);
}

/* A single call is limited, so that the token is checked often. */
static void bounded_calls(void **state)
{
	static const struct gw_channel_ops ops = {.read = ask, .write = ask};
	struct gw_channel ch = {.ops = &ops, .name = (char[]){"it"}, .fd = -1};
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *large = calloc(1, 10 << 20);
	struct iovec iov[2] = {{large, 100}, {large + 100, (10 << 20) - 100}};

	assert_ok(gw_channel_writev(&ch, iov, 2, &err), &err);
	assert_int_equal(ch.write_pos, 10 << 20);
	assert_int_equal(gw_channel_read(&ch, large, 10 << 20, &err), 1);
	assert_int_equal(ch.read_pos, 10 << 20);
	assert_int_equal(most_asked, GW_CHANNEL_AT_ONCE);
	free(large);
}

static void nothing_after_the_end(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = memory_with("a");
	size_t len;

	assert_ok(gw_channel_drain(ch, &err), &err);
	assert_ok(gw_channel_finish(ch, &err), &err);
	assert_ok(gw_channel_finish(ch, &err), &err);
	assert_fails(gw_channel_write(ch, "b", 1, &err), &err, GW_USAGE, "finished");
	assert_memory_equal(gw_channel_memory_data(ch, &len), "a", 1);
	assert_int_equal(len, 1);
	gw_channel_close(ch);
	gw_channel_close(NULL);
}

static void cancelled_before(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = memory_with("abc");
	struct gw_cancel *cancel = gw_cancel_new(&err);
	char byte;

	gw_channel_set_cancel(ch, cancel);
	assert_int_equal(gw_channel_read(ch, &byte, 1, &err), 1);
	gw_cancel_set(cancel);
	assert_fails(gw_channel_read(ch, &byte, 1, &err), &err, GW_CANCELLED,
		     "reading bytes at byte 1");
	assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_CANCELLED,
		     "writing bytes at byte 3");
	assert_fails(gw_channel_skip(ch, 1, &err), &err, GW_CANCELLED, "cancelled");
	gw_channel_close(ch);
	gw_cancel_free(cancel);
}

/* Reads and writes alternate, so the memory channel can drop what was read before it grows. */
static void memory_stays_small(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_memory("bytes", &err);
	uint64_t random = random_seed(), in = 0, out = 0;
	uint8_t buf[1000];
	size_t len;

	while (in < 300000) {
		len = random_next(&random) % sizeof(buf);
		fill(buf, len, in);
		assert_ok(gw_channel_write(ch, buf, len, &err), &err);
		in += len;
		len = random_next(&random) % (GW_MIN(in - out, sizeof(buf)) + 1);
		assert_int_equal(gw_channel_read(ch, buf, len, &err), 1);
		check(buf, len, out);
		out += len;
	}
	const uint8_t *data = gw_channel_memory_data(ch, &len);
	assert_int_equal(len, in - out);
	check(data, len, out);
	gw_channel_close(ch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_answers),
		cmocka_unit_test(skip_counts),
		cmocka_unit_test(given_back),
		cmocka_unit_test(sixty_four_bytes_fit),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(bounded_calls),
		cmocka_unit_test(nothing_after_the_end),
		cmocka_unit_test(cancelled_before),
		cmocka_unit_test(memory_stays_small),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
