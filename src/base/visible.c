/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Escapes characters that a terminal would not simply show.
 */
#include "base/visible.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

size_t gw_utf8_decode(const void *text, size_t len, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *s = text;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	*code = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	/* Longer than needed, a surrogate, or beyond Unicode. */
	if (*code < least[n] || (*code >= 0xd800 && *code <= 0xdfff) || *code > 0x10ffff)
		return 0;
	return n;
}

bool gw_is_hidden(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0x00, 0x1f},	  {0x7f, 0x9f},	    {0x061c, 0x061c}, {0x200e, 0x200f},
		{0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(hidden); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return true;
	return false;
}

size_t gw_visible_next(const void *text, size_t len, char shown[GW_VISIBLE_MAX])
{
	uint32_t code = *(const uint8_t *)text;
	size_t n = gw_utf8_decode(text, len, &code);

	if (n == 0) {
		snprintf(shown, GW_VISIBLE_MAX, "\\x%02x", *(const uint8_t *)text);
		return 1;
	}
	if (gw_is_hidden(code)) {
		snprintf(shown, GW_VISIBLE_MAX, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
	} else {
		memcpy(shown, text, n);
		shown[n] = '\0';
	}
	return n;
}

char *gw_visible(char *to, size_t size, const char *text)
{
	size_t left = strlen(text), used = 0;
	char shown[GW_VISIBLE_MAX];

	while (left > 0) {
		size_t n = gw_visible_next(text, left, shown);
		size_t len = strlen(shown);

		if (used + len >= size)
			break;
		memcpy(to + used, shown, len);
		used += len;
		text += n;
		left -= n;
	}
	to[used] = '\0';
	return to;
}

int gw_visible_append(struct gw_buffer *buf, const void *text, size_t len, struct gw_error *err)
{
	const uint8_t *s = text;
	char shown[GW_VISIBLE_MAX];

	while (len > 0) {
		size_t n = gw_visible_next(s, len, shown);

		if (gw_buffer_append(buf, shown, strlen(shown), err) < 0)
			return -1;
		s += n;
		len -= n;
	}
	return 0;
}

char *gw_visible_json(const char *json)
{
	size_t left = strlen(json);
	/* At most \uNNNN for the one byte of U+007F. */
	char *out = malloc(6 * left + 1), *to = out;

	while (out && left > 0) {
		uint32_t code = 0;
		size_t n = gw_utf8_decode(json, left, &code);

		if (n > 0 && code > 0x7e && gw_is_hidden(code)) {
			to += sprintf(to, "\\u%04x", code);
		} else {
			n = n ? n : 1;
			memcpy(to, json, n);
			to += n;
		}
		json += n;
		left -= n;
	}
	if (out)
		*to = '\0';
	return out;
}
