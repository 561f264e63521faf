/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads S-expressions (sxp.h) like sxp.py of Xen 4.4, with the same atoms and escapes. One
 * difference: after a backslash that begins no escape xend drops the next byte; here both bytes
 * stay.
 */
#include "format/xend/sxp.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/util.h"

/* Lists deeper than this are not indented further, so the output stays proportional to the text. */
#define INDENT	     4u
#define INDENTED_MAX 8u

void gw_sxp_init(struct gw_sxp *sxp, const char *text, size_t len)
{
	*sxp = (struct gw_sxp){.text = text, .len = len};
}

static bool is_space(char c)
{
	return c && strchr(" \t\n\v\f\r", c);
}

/* True for characters that end an atom, even if they begin one. */
static bool is_separator(char c)
{
	return c && strchr("{}()<>[];", c);
}

static void skip_space_and_comments(struct gw_sxp *s)
{
	bool comment = false;

	for (; s->pos < s->len; s->pos++) {
		char c = s->text[s->pos];

		if (comment)
			comment = c != '\n';
		else if (c == '#')
			comment = true;
		else if (!is_space(c))
			return;
	}
}

static int read_quoted(struct gw_sxp *s, struct gw_error *err)
{
	char quote = s->text[s->pos++];

	while (s->pos < s->len && s->text[s->pos] != quote)
		s->pos += s->text[s->pos] == '\\' ? 2 : 1;
	if (s->pos >= s->len)
		return gw_fail(err, GW_INVALID, "the quoted text at byte %zu is not terminated",
			       s->start);
	s->pos++;
	return 0;
}

static int read_atom(struct gw_sxp *s, struct gw_error *err)
{
	unsigned char first = (unsigned char)s->text[s->pos];

	if (first == '"' || first == '\'')
		return read_quoted(s, err);
	if (first <= ' ' || first > '~')
		return gw_fail(err, GW_INVALID, "no atom begins with byte 0x%02x (at byte %zu)",
			       first, s->start);
	do
		s->pos++;
	while (s->pos < s->len && !is_separator(s->text[s->pos]) && !is_space(s->text[s->pos]) &&
	       s->text[s->pos] != '#');
	return 0;
}

int gw_sxp_next(struct gw_sxp *s, enum gw_sxp_token *token, struct gw_error *err)
{
	int rc = 0;

	skip_space_and_comments(s);
	s->start = s->until = s->pos;
	if (s->pos == s->len) {
		*token = GW_SXP_END;
		return s->depth ? gw_fail(err, GW_INVALID,
					  "the text ends inside a list at depth %u", s->depth)
				: 0;
	}
	switch (s->text[s->pos]) {
	case '(':
		if (s->depth == GW_SXP_DEPTH_MAX)
			return gw_fail(err, GW_INVALID,
				       "lists are nested more than %u deep at byte %zu",
				       GW_SXP_DEPTH_MAX, s->pos);
		*token = GW_SXP_OPEN;
		s->depth++;
		s->pos++;
		break;
	case ')':
		if (s->depth == 0)
			return gw_fail(err, GW_INVALID,
				       "byte %zu closes a list, but no list is open", s->pos);
		*token = GW_SXP_CLOSE;
		s->depth--;
		s->pos++;
		break;
	default:
		*token = GW_SXP_ATOM;
		rc = read_atom(s, err);
	}
	s->until = s->pos;
	return rc;
}

static int digit_of(char c, unsigned base)
{
	static const char digits[] = "0123456789abcdef";
	const char *pos = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;

	return pos && (unsigned)(pos - digits) < base ? (int)(pos - digits) : -1;
}

/* Reads a number with a limit of most digits at *pos, and moves *pos after it. -1: there is no
 * number. */
static int number(const char *text, size_t *pos, size_t end, unsigned base, size_t most)
{
	size_t stop = GW_MIN(end, *pos + most);
	int value = -1;

	for (; *pos < stop && digit_of(text[*pos], base) >= 0; (*pos)++)
		value = (value < 0 ? 0 : value * (int)base) + digit_of(text[*pos], base);
	return value;
}

/* Returns the byte of the escape at *pos; any other backslash stands for itself. */
static char escaped(const char *text, size_t *pos, size_t end)
{
	static const char letters[] = "abtnvfr\\'\"", bytes[] = "\a\b\t\n\v\f\r\\'\"";
	size_t from = *pos + 1;
	const char *letter = from < end && text[from] ? strchr(letters, text[from]) : NULL;
	int value = -1;

	if (letter) {
		*pos = from + 1;
		return bytes[letter - letters];
	}
	if (from < end && text[from] == 'x') {
		from++;
		value = number(text, &from, end, 16, 2);
	} else {
		value = number(text, &from, end, 8, 3);
	}
	if (value < 0) {
		(*pos)++;
		return '\\';
	}
	*pos = from;
	return (char)(uint8_t)value;
}

size_t gw_sxp_atom(const struct gw_sxp *s, char *to, size_t size)
{
	const char *text = s->text;
	size_t pos = s->start, end = s->until, n = 0;
	bool quoted = pos < end && (text[pos] == '"' || text[pos] == '\'');

	if (quoted) {
		pos++;
		end--;
	}
	while (pos < end) {
		char c = quoted && text[pos] == '\\' ? escaped(text, &pos, end) : text[pos++];

		if (n < size - 1)
			to[n] = c;
		n++;
	}
	to[GW_MIN(n, size - 1)] = '\0';
	return n;
}

static int new_line(struct gw_buffer *out, unsigned depth, struct gw_error *err)
{
	return gw_buffer_printf(out, err, "\n%*s", (int)(INDENT * GW_MIN(depth, INDENTED_MAX)), "");
}

int gw_sxp_lay_out(const char *text, size_t len, struct gw_buffer *out, struct gw_error *err)
{
	enum gw_sxp_token token, last = GW_SXP_END;
	struct gw_sxp s;

	for (gw_sxp_init(&s, text, len);; last = token) {
		int rc = gw_sxp_next(&s, &token, err);

		if (rc < 0)
			return -1;
		if (token == GW_SXP_END)
			return last == GW_SXP_END ? 0 : gw_buffer_append(out, "\n", 1, err);
		/* A list begins a new line, and so does the token after a list. */
		if (last != GW_SXP_END && token == GW_SXP_OPEN)
			rc = new_line(out, s.depth - 1, err);
		else if (last == GW_SXP_CLOSE && token == GW_SXP_ATOM)
			rc = new_line(out, s.depth, err);
		else if (last == GW_SXP_ATOM && token == GW_SXP_ATOM)
			rc = gw_buffer_append(out, " ", 1, err);
		if (rc < 0 || gw_buffer_append(out, text + s.start, s.until - s.start, err) < 0)
			return -1;
	}
}
