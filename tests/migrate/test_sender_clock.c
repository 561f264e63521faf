/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the time that a sender has: which bytes gain it more, and that a read does not wait beyond
 * it. Deadlines are set into the past, so that nothing here waits.
 */
#include "lib/gwtest.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "migrate/sender_clock.h"

struct line {
	struct gw_channel *ch;
	int peer;
};

static int open_line(void **state)
{
	static struct line line;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	line = (struct line){.ch = gw_channel_from_fd(fds[0], true, "line", NULL), .peer = fds[1]};
	*state = &line;
	return line.ch ? 0 : -1;
}

static int close_line(void **state)
{
	struct line *line = *state;

	gw_channel_close(line->ch);
	close(line->peer);
	return 0;
}

static uint64_t left(const struct gw_sender_clock *c)
{
	uint64_t now = gw_clock_ms();

	return c->deadline.at_ms > now ? c->deadline.at_ms - now : 0;
}

/* About that much: the test itself takes time. */
static void assert_left(const struct gw_sender_clock *c, uint64_t ms, const char *what)
{
	assert_in_range(left(c), ms - GW_MIN(ms, (uint64_t)60000) / 2, ms);
	assert_int_equal(c->deadline.ms, ms);
	assert_string_equal(c->deadline.what, what);
	assert_ptr_equal(c->ch->deadline, &c->deadline);
}

static void each_part_has_its_time(void **state)
{
	struct line *line = *state;
	struct gw_sender_times times = {0};
	struct gw_sender_clock c;

	gw_sender_clock_start(&c, line->ch, &times);
	assert_left(&c, 10000, "its HELLO");
	gw_sender_clock_config(&c);
	assert_left(&c, 60000, "its CONFIG with the static data");
	gw_sender_clock_data(&c);
	assert_left(&c, 300000, "enough of the domain");
	gw_sender_clock_suspend(&c);
	assert_left(&c, 3660000, "the state of the suspended guest");
	/* It runs again with the first byte that comes. */
	gw_sender_clock_came(&c, 1);
	assert_left(&c, 300000, "enough of the domain");
	gw_sender_clock_handover(&c, "its YOURS");
	assert_left(&c, 60000, "its YOURS");
	gw_sender_clock_stop(&c);
	assert_null(line->ch->deadline);
}

static void time_before_the_call_counts(void **state)
{
	struct line *line = *state;
	struct gw_sender_times times = {.from_ms = gw_clock_ms() - 9999, .hello_ms = 10000};
	struct gw_sender_clock c;

	gw_sender_clock_start(&c, line->ch, &times);
	assert_true(left(&c) <= 1);
	gw_sender_clock_stop(&c);
}

/* Less than a piece gains nothing, whatever it comes in; outside of the data nothing counts. */
static void only_enough_bytes_gain_time(void **state)
{
	struct line *line = *state;
	struct gw_sender_times times = {.data_bytes = 100};
	struct gw_sender_clock c;

	gw_sender_clock_start(&c, line->ch, &times);
	c.deadline.at_ms = 1;
	gw_sender_clock_came(&c, 1000);
	assert_int_equal(c.deadline.at_ms, 1);
	gw_sender_clock_data(&c);
	c.deadline.at_ms = 1;
	for (int i = 0; i < 99; i++)
		gw_sender_clock_came(&c, 1);
	assert_int_equal(c.deadline.at_ms, 1);
	gw_sender_clock_came(&c, 1);
	assert_left(&c, 300000, "enough of the domain");
	c.deadline.at_ms = 1;
	gw_sender_clock_came(&c, 99);
	assert_int_equal(c.deadline.at_ms, 1);
	gw_sender_clock_handover(&c, "its YOURS");
	c.deadline.at_ms = 1;
	gw_sender_clock_came(&c, 1000);
	assert_int_equal(c.deadline.at_ms, 1);
	gw_sender_clock_stop(&c);
}

/* What has come is read; nothing is waited for. */
static void a_read_ends_at_the_deadline(void **state)
{
	struct line *line = *state;
	struct gw_sender_times times = {.hello_ms = 5000, .from_ms = gw_clock_ms() - 5001};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_sender_clock c;
	char byte;

	gw_channel_set_silence(line->ch, 100000);
	gw_sender_clock_start(&c, line->ch, &times);
	assert_int_equal(write(line->peer, "ab", 2), 2);
	assert_int_equal(gw_channel_read(line->ch, &byte, 1, &err), 1);
	assert_int_equal(gw_channel_read(line->ch, &byte, 1, &err), 1);
	assert_int_equal(gw_channel_read(line->ch, &byte, 1, &err), -1);
	assert_int_equal(err.code, GW_PEER);
	assert_non_null(strstr(err.text, "the other side has not sent its HELLO in 5000 ms"));
	gw_error_clear(&err);
	/* The limit on silence is the shorter one here. */
	c.deadline.at_ms = gw_clock_ms() + 100000;
	gw_channel_set_silence(line->ch, 1);
	assert_int_equal(gw_channel_read(line->ch, &byte, 1, &err), -1);
	assert_non_null(strstr(err.text, "has been silent for 1 ms"));
	gw_sender_clock_stop(&c);
}

/* A least rate renews itself from the position of the channel. */
static void a_rate_renews_itself(void **state)
{
	struct line *line = *state;
	struct gw_deadline d = {.at_ms = 1, .ms = 100000, .what = "enough", .bytes = 10};
	struct gw_error err = GW_ERROR_INIT;
	char bytes[10];

	gw_channel_set_deadline(line->ch, &d);
	assert_int_equal(write(line->peer, "123456789", 9), 9);
	assert_int_equal(gw_channel_read(line->ch, bytes, 9, &err), 1);
	assert_int_equal(gw_channel_read(line->ch, bytes, 1, &err), -1);
	assert_non_null(strstr(err.text, "has not sent enough in 100000 ms"));
	gw_error_clear(&err);
	assert_int_equal(write(line->peer, "0", 1), 1);
	assert_int_equal(gw_channel_read(line->ch, bytes, 1, &err), 1);
	/* The next wait looks at it: ten bytes have come. */
	gw_channel_set_silence(line->ch, 1);
	assert_int_equal(gw_channel_read(line->ch, bytes, 1, &err), -1);
	assert_non_null(strstr(err.text, "silent"));
	assert_true(d.at_ms > gw_clock_ms() + 1000);
	assert_int_equal(d.from_pos, 10);
	gw_channel_set_deadline(line->ch, NULL);
}

#define ON_LINE(test) cmocka_unit_test_setup_teardown(test, open_line, close_line)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_LINE(each_part_has_its_time),      ON_LINE(time_before_the_call_counts),
		ON_LINE(only_enough_bytes_gain_time), ON_LINE(a_read_ends_at_the_deadline),
		ON_LINE(a_rate_renews_itself),
	};

	return cmocka_run_group_tests_name("sender_clock", tests, NULL, NULL);
}
