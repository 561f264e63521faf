/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the console's ring: readers at their own pace, and the bytes that a slow one loses.
 */
#include "lib/gwtest.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/console_copy.h"

static uint8_t byte_at(uint64_t pos)
{
	return (uint8_t)(pos * 131 + (pos >> 8));
}

static void put_more(struct gw_console *c, size_t len)
{
	uint8_t *bytes = malloc(len ? len : 1);
	uint64_t pos = gw_console_newest(c);

	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_at(pos + i);
	gw_console_put(c, bytes, len);
	free(bytes);
}

static bool is_ready(struct gw_console *c)
{
	struct pollfd p = {.fd = gw_console_fd(c), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void test_ring(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_console *c = gw_console_new(&err);
	uint64_t follower = 0, slow = 0;
	uint8_t buf[5000];

	assert_non_null(c);
	assert_false(is_ready(c));
	for (unsigned i = 0; i < 300; i++) {
		size_t n;

		put_more(c, i * 7 % 1500);
		while ((n = gw_console_peek(c, &follower, buf, sizeof(buf)))) {
			for (size_t j = 0; j < n; j++)
				assert_int_equal(buf[j], byte_at(follower + j));
			follower += n;
		}
		assert_int_equal(follower, gw_console_newest(c));
	}
	assert_true(is_ready(c));
	gw_console_quiet(c);
	assert_false(is_ready(c));

	/* The slow reader gets exactly the last 64 KiB. */
	assert_int_equal(gw_console_newest(c) - gw_console_oldest(c), GW_CONSOLE_SIZE);
	assert_int_equal(gw_console_peek(c, &slow, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(slow, gw_console_oldest(c));
	for (size_t j = 0; j < sizeof(buf); j++)
		assert_int_equal(buf[j], byte_at(slow + j));

	/* More at once than the ring holds. */
	put_more(c, 3 * GW_CONSOLE_SIZE + 17);
	slow = 0;
	assert_int_equal(gw_console_peek(c, &slow, buf, 100), 100);
	assert_int_equal(slow, gw_console_newest(c) - GW_CONSOLE_SIZE);
	for (size_t j = 0; j < 100; j++)
		assert_int_equal(buf[j], byte_at(slow + j));
	gw_console_free(c);
}

/* What a copy to fd writes of the text; the other end is read. */
static void copied(int fd, int other, bool raw, const char *text, const char *wanted)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_console *c = gw_console_new(&err);
	struct gw_console_copy copy;
	char seen[200];
	ssize_t n;

	assert_non_null(c);
	gw_console_copy_begin(&copy, fd, raw);
	assert_false(gw_console_copy_pending(&copy, c));
	gw_console_put(c, text, strlen(text));
	while (gw_console_copy_pending(&copy, c))
		gw_console_copy_step(&copy, c);
	gw_console_copy_end(&copy);
	/* A terminal gives it in pieces. */
	for (size_t got = 0; got < strlen(wanted); got += (size_t)n) {
		n = read(other, seen + got, sizeof(seen) - 1 - got);
		assert_true(n > 0);
		seen[got + (size_t)n] = '\0';
	}
	assert_string_equal(seen, wanted);
	gw_console_free(c);
}

static void test_copy(void **state)
{
	static const char text[] = "\033[2J\033[1mx";
	struct termios modes;
	int fds[2], master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	assert_int_equal(pipe(fds), 0);
	copied(fds[1], fds[0], false, text, text);
	close(fds[0]);
	/* A reader that is gone ends the copy. */
	signal(SIGPIPE, SIG_IGN);
	struct gw_console *c = gw_console_new(NULL);
	struct gw_console_copy copy;

	gw_console_copy_begin(&copy, fds[1], false);
	gw_console_put(c, "x", 1);
	gw_console_copy_step(&copy, c);
	assert_false(gw_console_copy_pending(&copy, c));
	gw_console_copy_end(&copy);
	gw_console_free(c);
	close(fds[1]);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
		print_message("no pseudo-terminals here\n");
		skip();
	}
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	assert_int_equal(tcgetattr(slave, &modes), 0);
	cfmakeraw(&modes);
	assert_int_equal(tcsetattr(slave, TCSANOW, &modes), 0);
	copied(slave, master, false, text, "\\x1b[2J\033[1mx\033[0m");
	copied(slave, master, true, text, text);
	close(slave);
	close(master);
}

static size_t readable(struct gw_console *c, uint64_t *pos)
{
	static uint8_t buf[2 * GW_CONSOLE_SIZE];

	return gw_console_peek(c, pos, buf, sizeof(buf));
}

static void test_hold(void **state)
{
	static uint8_t bytes[GW_CONSOLE_SIZE];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_console *c = gw_console_new(&err);
	uint64_t pos = 0, mark;

	assert_non_null(c);
	gw_console_put(c, bytes, 10);
	assert_int_equal(gw_console_hold(c), 10);
	gw_console_put(c, bytes, 20);
	assert_int_equal(readable(c, &pos), 10);
	assert_int_equal(gw_console_newest(c), 10);
	mark = gw_console_hold(c);
	assert_int_equal(mark, 30);
	gw_console_put(c, bytes, 40);
	gw_console_quiet(c);
	gw_console_release(c, mark);
	assert_true(is_ready(c));
	assert_int_equal(readable(c, &pos), 30);
	/* A mark of before takes nothing back, and one of later gives nothing that is not there. */
	gw_console_release(c, 10);
	assert_int_equal(readable(c, &pos), 30);
	gw_console_release(c, 1000);
	assert_int_equal(readable(c, &pos), 70);
	gw_console_put(c, bytes, 5);
	assert_int_equal(readable(c, &pos), 70);
	gw_console_unhold(c);
	assert_int_equal(readable(c, &pos), 75);
	gw_console_free(c);
}

/* More is held back than the ring keeps: the oldest bytes are lost, and none of the others shows.
 */
static void test_hold_too_much(void **state)
{
	static uint8_t bytes[GW_CONSOLE_SIZE];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_console *c = gw_console_new(&err);
	uint64_t pos = 50, late = 0;

	assert_non_null(c);
	gw_console_put(c, bytes, 100);
	gw_console_hold(c);
	gw_console_put(c, bytes, GW_CONSOLE_SIZE);
	gw_console_put(c, bytes, 1000);
	assert_int_equal(readable(c, &pos), 0);
	assert_int_equal(gw_console_newest(c), 100);
	assert_true(gw_console_oldest(c) <= 100);
	gw_console_release(c, 100 + GW_CONSOLE_SIZE);
	assert_int_equal(readable(c, &late), GW_CONSOLE_SIZE - 1000);
	assert_int_equal(late, 1100);
	gw_console_unhold(c);
	assert_int_equal(readable(c, &late), GW_CONSOLE_SIZE);
	gw_console_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_hold_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
