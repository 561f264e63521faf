/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the filter between a guest's output and a terminal, with the bytes in one piece, in two cut
 * anywhere, and one by one.
 */
#include "lib/gwtest.h"

#include "base/terminal.h"

static const struct {
	const char *in, *out;
} cases[] = {
	{"", ""},
	{"text\r\n\tmore\b~ gr\xc3\xbcn \xf0\x9f\x90\xa6\n",
	 "text\r\n\tmore\b~ gr\xc3\xbcn \xf0\x9f\x90\xa6\n"},
	/* Colours pass, and end with the line or the output. */
	{"\033[1;31mred\nplain\n", "\033[1;31mred\033[0m\nplain\n"},
	{"\033[mx", "\033[mx\033[0m"},
	{"\033[38;5;12mx\033[0m\n", "\033[38;5;12mx\033[0m\033[0m\n"},
	/* Everything else is shown: clearing, answers, titles, strings, modes, BEL, NUL is apart.
	 */
	{"\033[2J\033[c\033[6n\033[?25l", "\\x1b[2J\\x1b[c\\x1b[6n\\x1b[?25l"},
	{"\033]0;title\007", "\\x1b]0;title\\x07"},
	{"\033P+q\033\\\033c\033(0", "\\x1bP+q\\x1b\\\\x1bc\\x1b(0"},
	{"\033\033[1m", "\\x1b\033[1m\033[0m"},
	{"\033[1\033[2m", "\\x1b[1\033[2m\033[0m"},
	{"\033[1\nm", "\\x1b[1\nm"},
	{"\033[>4;1m\033[1$m\033[1:2m", "\\x1b[>4;1m\\x1b[1$m\\x1b[1:2m"},
	{"\013\014\016\017\177", "\\x0b\\x0c\\x0e\\x0f\\x7f"},
	/* A sequence that is longer than any of colours. */
	{"\033[1111111111111111111111111111111111111111m",
	 "\\x1b[1111111111111111111111111111111111111111m"},
	/* C1, directions, no UTF-8; incomplete at the end. */
	{"\x9b"
	 "2J\xc2\x9b"
	 "2J",
	 "\\x9b2J\\x9b2J"},
	{"\xe2\x80\xae.\xef\xbb\xbf", "\\u202e.\\ufeff"},
	{"\xe2\x80x\xe2\n\xff\xc0\x80", "\\xe2\\x80x\\xe2\n\\xff\\xc0\\x80"},
	{"\xe2\x80\033[1m", "\\xe2\\x80\033[1m\033[0m"},
	{"\xe2\x82", "\\xe2\\x82"},
	{"\033", "\\x1b"},
	{"\033[3", "\\x1b[3"},
};

/* The bytes, cut at the first and the second number. */
static void filters(const char *in, size_t len, size_t first, size_t second, const char *wanted)
{
	const size_t cuts[] = {0, first, second, len};
	struct gw_terminal t = {0};
	struct gw_buffer out = {0};

	for (int i = 0; i < 3; i++)
		assert_int_equal(
			gw_terminal_filter(&t, in + cuts[i], cuts[i + 1] - cuts[i], &out, NULL), 0);
	assert_int_equal(gw_terminal_end(&t, &out, NULL), 0);
	assert_int_equal(gw_buffer_append(&out, "", 1, NULL), 0);
	assert_string_equal((char *)out.data, wanted);
	gw_buffer_free(&out);
}

static void filtered(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = strlen(cases[i].in);

		for (size_t first = 0; first <= len; first++)
			for (size_t second = first; second <= len; second++)
				filters(cases[i].in, len, first, second, cases[i].out);
	}
	filters("a\0b", 3, 1, 2, "a\\x00b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filtered),
	};

	return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
