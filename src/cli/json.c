/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes JSON piece by piece.
 */
#include "cli/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/visible.h"

static json_t *repaired(const char *text, size_t len)
{
	struct gw_buffer buf = {0};
	json_t *value;

	for (size_t i = 0; i < len;) {
		uint32_t code;
		size_t n = gw_utf8_decode(text + i, len - i, &code);

		if (gw_buffer_append(&buf, n ? text + i : "\xef\xbf\xbd", n ? n : 3, NULL) < 0)
			break;
		i += n ? n : 1;
	}
	value = json_stringn((const char *)buf.data, buf.len);
	gw_buffer_free(&buf);
	return value;
}

json_t *gw_json_text(const char *text, size_t len)
{
	json_t *value = json_stringn(text, len);

	return value ? value : repaired(text, len);
}

json_t *gw_json_hex(uint64_t value)
{
	return json_sprintf("0x%" PRIx64, value);
}

static void next(struct gw_json_writer *w)
{
	printf("%s\n%*s", w->any ? "," : "", w->depth, "");
	w->any = true;
}

char *gw_json_dumps(const json_t *value, size_t flags)
{
	char *text = value ? json_dumps(value, flags) : NULL;
	char *visible = text ? gw_visible_json(text) : NULL;

	free(text);
	return visible;
}

void gw_json_print(const json_t *value, size_t flags, FILE *to)
{
	char *text = gw_json_dumps(value, flags);

	/* In one call: standard error has no buffer, and other processes may write to it. */
	fprintf(to, "%s\n", text ? text : "null");
	free(text);
}

static void dump(json_t *value)
{
	char *text = gw_json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	/* Without memory the value is missing, and that is an error. */
	fputs(text ? text : "null", stdout);
	free(text);
	json_decref(value);
}

void gw_json_begin(struct gw_json_writer *w)
{
	*w = (struct gw_json_writer){.depth = 1};
	fputc('{', stdout);
}

void gw_json_member(struct gw_json_writer *w, const char *key, json_t *value)
{
	next(w);
	printf("\"%s\":", key);
	dump(value);
}

void gw_json_list(struct gw_json_writer *w, const char *key)
{
	next(w);
	printf("\"%s\":[", key);
	w->any = false;
	w->depth++;
}

void gw_json_element(struct gw_json_writer *w, json_t *value)
{
	next(w);
	dump(value);
}

void gw_json_list_end(struct gw_json_writer *w)
{
	fputc(']', stdout);
	w->any = true;
	w->depth--;
}

void gw_json_end(struct gw_json_writer *w)
{
	fputs("\n}\n", stdout);
}
