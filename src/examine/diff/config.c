/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The configs of two headers: member by member if both are JSON, else line by line, each list of an
 * S-expression of xend's on a line of its own. What a member means is not known here.
 */
#include "examine/diff/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/util.h"
#include "format/xend/sxp.h"

struct configs {
	struct gw_diff *d;
	struct gw_buffer path; /* of the member at hand, ended by a NUL */
	struct gw_error *err;
};

static int compare_values(struct configs *c, const json_t *a, const json_t *b);

static int report_pair(struct configs *c, const json_t *a, const json_t *b)
{
	GW_FREE_ON_EXIT char *text_a = a ? json_dumps(a, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	GW_FREE_ON_EXIT char *text_b = b ? json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	const struct gw_difference x = {
		.part = GW_DIFF_CONFIG,
		.field = c->path.len > 1 ? (const char *)c->path.data : NULL,
	};

	if ((a && !text_a) || (b && !text_b))
		return gw_fail(c->err, GW_NO_MEMORY, "no memory to compare the configs");
	gw_diff_texts(c->d, &x, text_a, text_b);
	return 0;
}

/* Descends to one member or element; its name is appended to the path meanwhile. */
static int compare_below(struct configs *c, const char *name, const json_t *a, const json_t *b)
{
	size_t len = c->path.len - 1;
	int rc;

	c->path.len = len;
	if (gw_buffer_printf(&c->path, c->err, "%s%s", len && name[0] != '[' ? "." : "", name) <
		    0 ||
	    gw_buffer_append(&c->path, NULL, 1, c->err) < 0)
		return -1;
	rc = compare_values(c, a, b);
	c->path.len = len;
	return gw_buffer_append(&c->path, NULL, 1, c->err) < 0 ? -1 : rc;
}

static int compare_objects(struct configs *c, const json_t *a, const json_t *b)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)a, name, value) {
		if (compare_below(c, name, value, json_object_get(b, name)) < 0)
			return -1;
	}
	json_object_foreach ((json_t *)(uintptr_t)b, name, value) {
		if (!json_object_get(a, name) && compare_below(c, name, NULL, value) < 0)
			return -1;
	}
	return 0;
}

static int compare_arrays(struct configs *c, const json_t *a, const json_t *b)
{
	size_t n = GW_MAX(json_array_size(a), json_array_size(b));
	char name[24];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "[%zu]", i);
		if (compare_below(c, name, json_array_get(a, i), json_array_get(b, i)) < 0)
			return -1;
	}
	return 0;
}

static int compare_values(struct configs *c, const json_t *a, const json_t *b)
{
	if (json_is_object(a) && json_is_object(b))
		return compare_objects(c, a, b);
	if (json_is_array(a) && json_is_array(b))
		return compare_arrays(c, a, b);
	return a && b && json_equal(a, b) ? 0 : report_pair(c, a, b);
}

/* Which of two members of one name counts is not agreed upon: then the text is compared. */
static json_t *parse(const struct gw_summary *s)
{
	return s->config_is_json ? json_loadb((const char *)s->config.data, s->config.len,
					      JSON_REJECT_DUPLICATES, NULL)
				 : NULL;
}

/* The line that begins here, cut from the text, which moves on; NULL at its end. */
static char *line(const char **text, const char *end)
{
	const char *from = *text, *stop;

	if (from == end)
		return NULL;
	stop = memchr(from, '\n', (size_t)(end - from));
	*text = stop ? stop + 1 : end;
	return strndup(from, (size_t)((stop ? stop : end) - from));
}

static void compare_lines(struct gw_diff *d, const struct gw_buffer *ca, const struct gw_buffer *cb)
{
	const char *a = (const char *)ca->data, *end_a = a + ca->len;
	const char *b = (const char *)cb->data, *end_b = b + cb->len;
	char field[32];
	struct gw_difference x = {.part = GW_DIFF_CONFIG, .field = field};
	uint64_t before = d->found->differences;

	if (ca->len == cb->len && memcmp(a, b, ca->len) == 0)
		return;
	for (uint64_t n = 1; a < end_a || b < end_b; n++) {
		GW_FREE_ON_EXIT char *line_a = line(&a, end_a), *line_b = line(&b, end_b);

		snprintf(field, sizeof(field), "line %" PRIu64, n);
		gw_diff_texts(d, &x, line_a, line_b);
	}
	/* All lines are alike, but for how the last ends. */
	x.field = NULL;
	if (d->found->differences == before)
		gw_diff_buffers(d, &x, ca->data, ca->len, cb->data, cb->len);
}

/* The config in lines: as it is, or laid out in *room. */
static const struct gw_buffer *lines_of(const struct gw_summary *s, struct gw_buffer *room)
{
	const char *text = (const char *)s->config.data;

	return s->config_is_xend && gw_sxp_lay_out(text, s->config.len, room, NULL) == 0
		       ? room
		       : &s->config;
}

static void compare_texts(struct gw_diff *d)
{
	struct gw_buffer room_a = {0}, room_b = {0};

	compare_lines(d, lines_of(&d->a.summary, &room_a), lines_of(&d->b.summary, &room_b));
	gw_buffer_free(&room_a);
	gw_buffer_free(&room_b);
}

static int compare_json(struct gw_diff *d, const json_t *a, const json_t *b, struct gw_error *err)
{
	struct configs c = {.d = d, .err = err};
	int rc = gw_buffer_append(&c.path, NULL, 1, err);

	if (rc == 0)
		rc = compare_values(&c, a, b);
	gw_buffer_free(&c.path);
	return rc;
}

int gw_diff_config(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_summary *a = &d->a.summary, *b = &d->b.summary;
	const struct gw_difference x = {.part = GW_DIFF_CONFIG};
	json_t *json_a, *json_b;
	int rc = 0;

	if (!a->has_config || !b->has_config) {
		gw_diff_texts(d, &x, a->has_config ? "" : NULL, b->has_config ? "" : NULL);
		return 0;
	}
	json_a = parse(a);
	json_b = parse(b);
	if (json_a && json_b)
		rc = compare_json(d, json_a, json_b, err);
	else
		compare_texts(d);
	json_decref(json_a);
	json_decref(json_b);
	return rc;
}
