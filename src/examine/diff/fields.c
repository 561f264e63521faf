/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two structures field by field, by the names that the tables of format/ give. Names only explain:
 * whether there is a difference, the bytes say.
 */
#include "examine/diff/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Larger ones are compared as bytes: no state of one vCPU has so many. */
#define FIELDS_MAX ((size_t)64 << 10)
/* Longer values are shown from where they differ. */
#define VALUE_MAX 16u

struct collected {
	struct gw_buffer fields; /* of struct gw_field */
	struct gw_error *err;
};

static void collect(void *opaque, const struct gw_field *field)
{
	struct collected *c = opaque;

	gw_buffer_append(&c->fields, field, sizeof(*field), c->err);
}

static const struct gw_field *field_at(const struct collected *c, ssize_t i)
{
	return i < 0 ? NULL : (const struct gw_field *)(const void *)c->fields.data + i;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct gw_field *)x)->name, ((const struct gw_field *)y)->name);
}

static bool same(const struct gw_field *a, const struct gw_field *b)
{
	if (!a || !b)
		return false;
	if (a->kind != GW_FIELD_BYTES)
		return a->value == b->value;
	return a->width == b->width && memcmp(a->bytes, b->bytes, a->width) == 0;
}

static const char *bit_name(const void *opaque, unsigned bit)
{
	for (const struct gw_field_bit *b = opaque; b->name; b++)
		if (b->bit == bit)
			return b->name;
	return NULL;
}

static void report_field(struct gw_diff *d, const struct gw_difference *what,
			 const struct gw_field *a, const struct gw_field *b)
{
	struct gw_difference x = *what;
	char text_a[2 * VALUE_MAX + 1], text_b[2 * VALUE_MAX + 1];

	x.field = ((const struct gw_field *)gw_diff_either(a, b))->name;
	if (a && b && a->names) {
		gw_diff_bits(d, &x, a->value, b->value, bit_name, a->names);
		return;
	}
	if (a && b && a->kind == GW_FIELD_BYTES && GW_MAX(a->width, b->width) > VALUE_MAX) {
		gw_diff_buffers(d, &x, a->bytes, a->width, b->bytes, b->width);
		return;
	}
	gw_diff_texts(d, &x, a ? gw_field_text(a, text_a, sizeof(text_a)) : NULL,
		      b ? gw_field_text(b, text_b, sizeof(text_b)) : NULL);
}

/* Bytes that a reported field covers are not reported again. */
static void cover(uint8_t *covered, const struct gw_diff_blob *blob, const struct gw_field *field)
{
	if (field && field->bytes)
		memset(covered + (field->bytes - blob->data), 1, field->width);
}

/* The bytes that differ and that no name covers. */
static void tell_rest(struct gw_diff *d, const struct gw_difference *what,
		      const struct gw_diff_blob *a, const struct gw_diff_blob *b,
		      const uint8_t *covered)
{
	struct gw_diff_bytes bytes = {0};
	size_t len = GW_MAX(a->len, b->len);

	for (size_t i = 0; i < len; i++)
		if (!covered[i])
			gw_diff_bytes_add(&bytes, i, i < a->len ? a->data + i : NULL, i < a->len,
					  i < b->len ? b->data + i : NULL, i < b->len);
	gw_diff_bytes_report(d, what, &bytes);
}

static int compare(struct gw_diff *d, const struct gw_difference *what,
		   const struct gw_diff_blob *a, const struct gw_diff_blob *b,
		   const struct collected *ca, const struct collected *cb, bool is_list,
		   struct gw_error *err)
{
	GW_FREE_ON_EXIT uint8_t *covered = calloc(1, GW_MAX(a->len, b->len) + 1);
	GW_FREE_ON_EXIT struct gw_diff_pair *pairs = NULL;
	uint64_t before = d->found->differences;
	ssize_t n = gw_diff_match(ca->fields.data, ca->fields.len / sizeof(struct gw_field),
				  cb->fields.data, cb->fields.len / sizeof(struct gw_field),
				  sizeof(struct gw_field), by_name, &pairs, err);

	if (n < 0 || !covered)
		return gw_fail(err, GW_NO_MEMORY, "no memory to compare fields");
	for (ssize_t i = 0; i < n; i++) {
		const struct gw_field *fa = field_at(ca, pairs[i].a),
				      *fb = field_at(cb, pairs[i].b);

		if (same(fa, fb))
			continue;
		report_field(d, what, fa, fb);
		cover(covered, a, fa);
		cover(covered, b, fb);
	}
	if (!is_list || d->found->differences == before)
		tell_rest(d, what, a, b, covered);
	return 0;
}

int gw_diff_fields(struct gw_diff *d, const struct gw_difference *what,
		   const struct gw_diff_blob *a, const struct gw_diff_blob *b, gw_diff_walk_fn walk,
		   bool is_list, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	struct collected ca = {.err = &failure}, cb = {.err = &failure};
	int rc = 0;

	if (a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0))
		return 0;
	if (a->len > FIELDS_MAX || b->len > FIELDS_MAX) {
		gw_diff_buffers(d, what, a->data, a->len, b->data, b->len);
		return 0;
	}
	walk(a, collect, &ca);
	walk(b, collect, &cb);
	if (failure.code)
		rc = gw_fail(err, failure.code, "%s", failure.text);
	else
		rc = compare(d, what, a, b, &ca, &cb, is_list, err);
	gw_buffer_free(&ca.fields);
	gw_buffer_free(&cb.fields);
	return rc;
}
