/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walks over JSON text that is known to be valid. It builds no tree: only the start and end of
 * values matter.
 */
#include "vmm/json_splice.h"

#include <string.h>

struct walk {
	const char *text;
	size_t len, pos;
};

static bool at_end(const struct walk *w)
{
	return w->pos >= w->len;
}

static void skip_space(struct walk *w)
{
	while (!at_end(w) && strchr(" \t\r\n", w->text[w->pos]) && w->text[w->pos])
		w->pos++;
}

static void skip_string(struct walk *w)
{
	for (w->pos++; !at_end(w) && w->text[w->pos] != '"'; w->pos++)
		if (w->text[w->pos] == '\\')
			w->pos++;
	w->pos++;
}

/* A value of any kind: nesting is only counted, so that a deep text costs no stack. */
static void skip_value(struct walk *w)
{
	size_t depth = 0;

	do {
		skip_space(w);
		if (at_end(w))
			return;
		switch (w->text[w->pos]) {
		case '{':
		case '[':
			depth++;
			w->pos++;
			break;
		case '}':
		case ']':
			depth--;
			w->pos++;
			break;
		case '"':
			skip_string(w);
			break;
		case ',':
		case ':':
			w->pos++;
			break;
		default:
			while (!at_end(w) && !strchr(",:]}{[\" \t\r\n", w->text[w->pos]))
				w->pos++;
		}
	} while (depth);
}

/* w is at an object: moves it to the value of key. */
static bool enter_member(struct walk *w, const char *key)
{
	size_t key_len = strlen(key);

	skip_space(w);
	if (at_end(w) || w->text[w->pos] != '{')
		return false;
	w->pos++;
	for (;;) {
		skip_space(w);
		if (at_end(w) || w->text[w->pos] != '"')
			return false;

		size_t start = w->pos + 1;
		skip_string(w);
		bool found =
			w->pos - 1 - start == key_len && memcmp(w->text + start, key, key_len) == 0;

		skip_space(w);
		w->pos++; /* the colon */
		skip_space(w);
		if (found)
			return !at_end(w);
		skip_value(w);
		skip_space(w);
		if (at_end(w) || w->text[w->pos] != ',')
			return false;
		w->pos++;
	}
}

bool gw_json_find_path(const char *text, size_t len, const char *const *keys, size_t n,
		       size_t *start, size_t *end)
{
	struct walk w = {.text = text, .len = len};

	for (size_t i = 0; i < n; i++)
		if (!enter_member(&w, keys[i]))
			return false;
	*start = w.pos;
	skip_value(&w);
	*end = w.pos < len ? w.pos : len;
	return true;
}

bool gw_json_find(const char *text, size_t len, const char *outer, const char *inner, size_t *start,
		  size_t *end)
{
	const char *const keys[] = {outer, inner};

	return gw_json_find_path(text, len, keys, 2, start, end);
}
