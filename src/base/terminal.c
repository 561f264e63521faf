/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filters bytes on their way to a terminal, one at a time: a sequence may arrive in pieces.
 */
#include "base/terminal.h"

#include <string.h>

#include "base/visible.h"

#define ESC   0x1b
#define PLAIN "\033[0m"

struct filter {
	struct gw_terminal *t;
	struct gw_buffer *out;
	struct gw_error *err;
	int rc;
};

static void put(struct filter *f, const void *bytes, size_t len)
{
	if (gw_buffer_append(f->out, bytes, len, f->err) < 0)
		f->rc = -1;
}

static void show(struct filter *f, const void *bytes, size_t len)
{
	if (gw_visible_append(f->out, bytes, len, f->err) < 0)
		f->rc = -1;
}

static void end_colours(struct filter *f)
{
	if (f->t->coloured)
		put(f, PLAIN, strlen(PLAIN));
	f->t->coloured = false;
}

static void hold(struct filter *f, uint8_t c)
{
	f->t->hold[f->t->held++] = c;
}

/* Shows what is held: it is no sequence that may pass, and no character. */
static void let_go(struct filter *f)
{
	size_t n = f->t->held;

	f->t->held = 0;
	/* Byte by byte: the bytes of an incomplete character. */
	for (size_t i = 0; i < n; i++)
		show(f, f->t->hold + i, 1);
}

/* The bytes of the UTF-8 character that begins with c; 0: none does. */
static size_t length_of(uint8_t c)
{
	return c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

static void begin(struct filter *f, uint8_t c)
{
	if (c == ESC || length_of(c)) {
		hold(f, c);
		return;
	}
	if (c == '\n')
		end_colours(f);
	if ((c >= ' ' && c < 0x7f) || c == '\n' || c == '\r' || c == '\t' || c == '\b')
		put(f, &c, 1);
	else
		show(f, &c, 1);
}

/* Within an escape sequence. */
static void go_on_escape(struct filter *f, uint8_t c)
{
	struct gw_terminal *t = f->t;
	bool inside = t->held > 1;

	if ((!inside && c == '[') ||
	    (inside && ((c >= '0' && c <= '9') || c == ';') && t->held < sizeof(t->hold) - 1)) {
		hold(f, c);
	} else if (inside && c == 'm') {
		hold(f, c);
		put(f, t->hold, t->held);
		t->held = 0;
		t->coloured = true;
	} else {
		let_go(f);
		begin(f, c);
	}
}

static void go_on_character(struct filter *f, uint8_t c)
{
	struct gw_terminal *t = f->t;
	uint8_t whole[4];

	if ((c & 0xc0) != 0x80) {
		let_go(f);
		begin(f, c);
		return;
	}
	hold(f, c);
	if (t->held < length_of(t->hold[0]))
		return;
	memcpy(whole, t->hold, t->held);
	show(f, whole, t->held);
	t->held = 0;
}

int gw_terminal_filter(struct gw_terminal *t, const void *bytes, size_t len, struct gw_buffer *out,
		       struct gw_error *err)
{
	struct filter f = {t, out, err, 0};
	const uint8_t *s = bytes;

	for (size_t i = 0; i < len; i++) {
		if (t->held == 0)
			begin(&f, s[i]);
		else if (t->hold[0] == ESC)
			go_on_escape(&f, s[i]);
		else
			go_on_character(&f, s[i]);
	}
	return f.rc;
}

int gw_terminal_end(struct gw_terminal *t, struct gw_buffer *out, struct gw_error *err)
{
	struct filter f = {t, out, err, 0};

	let_go(&f);
	end_colours(&f);
	return f.rc;
}
