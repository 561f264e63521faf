/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests text made visible, the lines of a log, and the limit on them.
 */
#include "lib/gwtest.h"

#include <fcntl.h>
#include <unistd.h>

#include <jansson.h>

#include "base/limit.h"
#include "base/line.h"
#include "base/visible.h"

static const struct {
	const char *text, *shown;
} texts[] = {
	{"", ""},
	{"plain ~ text", "plain ~ text"},
	{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa6",
	 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa6"},
	{"a\nb\r\t\x1b[2J\x7f", "a\\x0ab\\x0d\\x09\\x1b[2J\\x7f"},
	/* C1: as one byte, and in UTF-8; the neighbours are shown. */
	{"\x9b", "\\x9b"},
	{"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\x80\\x9b\\x9f\xc2\xa0"},
	/* Directions, separators, the byte order mark; and what is beside them. */
	{"\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90",
	 "\xe2\x80\x8d\\u200e\\u200f\xe2\x80\x90"},
	{"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf",
	 "\xe2\x80\xa7\\u2028\\u2029\\u202a\\u202e\xe2\x80\xaf"},
	{"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
	 "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa"},
	{"\xd8\x9c\xef\xbb\xbf", "\\u061c\\ufeff"},
	/* No UTF-8: too short, too long, a surrogate, beyond Unicode. */
	{"\xe2\x80", "\\xe2\\x80"},
	{"\xe2\x80x", "\\xe2\\x80x"},
	{"\xc0\x8a\xc1\xbf\xe0\x80\x8a", "\\xc0\\x8a\\xc1\\xbf\\xe0\\x80\\x8a"},
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	{"\xf4\x90\x80\x80\xf5\xff", "\\xf4\\x90\\x80\\x80\\xf5\\xff"},
	{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},
};

static void made_visible(void **state)
{
	struct gw_buffer buf = {0};
	char shown[100];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_string_equal(gw_visible(shown, sizeof(shown), texts[i].text),
				    texts[i].shown);
		gw_buffer_reset(&buf);
		assert_int_equal(
			gw_visible_append(&buf, texts[i].text, strlen(texts[i].text), NULL), 0);
		assert_int_equal(gw_buffer_append(&buf, "", 1, NULL), 0);
		assert_string_equal((char *)buf.data, texts[i].shown);
	}
	/* With a NUL in it, and cut between two characters. */
	gw_buffer_reset(&buf);
	assert_int_equal(gw_visible_append(&buf, "a\0b", 4, NULL), 0);
	assert_memory_equal(buf.data, "a\\x00b\\x00", 10);
	gw_buffer_free(&buf);
	assert_string_equal(gw_visible(shown, 6, "a\x1b\x1b"), "a\\x1b");
	assert_string_equal(gw_visible(shown, 5, "a\x1b\x1b"), "a");
	assert_string_equal(gw_visible(shown, 3, "a\xe2\x82\xac"), "a");
}

/* JSON stays the same value. */
static void json(void **state)
{
	static const char text[] = "\x01\x7f\xc2\x9b\xe2\x80\xae\xc3\xbc\xf0\x9f\x90\xa6\\\"";
	json_t *value = json_pack("[s, i]", text, 7), *again;
	char *plain = json_dumps(value, JSON_INDENT(2)), *visible = gw_visible_json(plain);

	assert_non_null(strstr(visible, "\\u007f\\u009b\\u202e\xc3\xbc\xf0\x9f\x90\xa6"));
	assert_non_null(strchr(visible, '\n'));
	again = json_loads(visible, 0, NULL);
	assert_true(json_equal(value, again));
	free(plain);
	free(visible);
	json_decref(value);
	json_decref(again);
}

static size_t written(struct gw_line *line, char *text, size_t size)
{
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe2(fds, O_DIRECT), 0);
	gw_line_write(line, fds[1]);
	close(fds[1]);
	/* Each write is a packet of its own. */
	n = read(fds[0], text, size - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(read(fds[0], text + n, 1), 0);
	close(fds[0]);
	return (size_t)n;
}

static void lines(void **state)
{
	struct gw_line line = {0};
	char text[2 * PIPE_BUF], *much = calloc(1, 3 * PIPE_BUF);
	size_t n;

	gw_line_add(&line, "%s %d: ", "the", 7);
	gw_line_add_foreign(&line, "a\nb");
	gw_line_add(&line, ".");
	written(&line, text, sizeof(text));
	assert_string_equal(text, "the 7: a\\x0ab.\n");
	/* One that is too long is cut, at a whole character, and nothing comes after that. */
	memset(much, '\x1b', 3 * PIPE_BUF - 1);
	line = (struct gw_line){0};
	gw_line_add_foreign(&line, much);
	gw_line_add_foreign(&line, much);
	gw_line_add(&line, "%s", much);
	n = written(&line, text, sizeof(text));
	assert_true(n <= PIPE_BUF && n > PIPE_BUF - 12);
	assert_string_equal(text + n - 8, "\\x1b...\n");
	free(much);
}

static void limit(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_limit *l = gw_limit_new(&err);
	uint64_t now = UINT64_C(1000000000000), step = 1000000000 / GW_LIMIT_A_SECOND;

	assert_non_null(l);
	for (int i = 0; i < GW_LIMIT_BURST; i++)
		assert_true(gw_limit_take(l, now));
	assert_int_equal(gw_limit_left_out(l), 0);
	assert_false(gw_limit_take(l, now));
	assert_false(gw_limit_take(l, now + step - 1));
	assert_int_equal(gw_limit_left_out(l), 2);
	assert_int_equal(gw_limit_left_out(l), 0);
	assert_true(gw_limit_take(l, now + step));
	assert_false(gw_limit_take(l, now + step));
	/* However long it is quiet, not more than a burst. */
	now += UINT64_C(1000000000000);
	for (int i = 0; i < GW_LIMIT_BURST; i++)
		assert_true(gw_limit_take(l, now));
	assert_false(gw_limit_take(l, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_visible),
		cmocka_unit_test(json),
		cmocka_unit_test(lines),
		cmocka_unit_test(limit),
	};

	return cmocka_run_group_tests_name("visible", tests, NULL, NULL);
}
