/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compares the device model's state, by QEMU's sections where it has any, and its xenstore keys.
 */
#include "examine/diff/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/qemu/sections.h"

#define STEP ((size_t)64 << 10)

/* Bytes of the state of one side. */
struct range {
	const struct gw_diff_side *side;
	uint64_t offset, len; /* at: from the state's first byte */
};

/* What both are compared with, and learned of on the way. */
struct states {
	struct gw_diff *d;
	uint8_t *a, *b; /* STEP each */
	struct gw_qemu_sections qemu_a, qemu_b;
};

/* Returns the length of the piece at that offset in the range, or -1. */
static ssize_t piece(const struct range *r, uint64_t done, uint8_t *to, struct gw_error *err)
{
	size_t n = done < r->len ? (size_t)GW_MIN(r->len - done, (uint64_t)STEP) : 0;

	if (gw_byte_store_read(&r->side->store, r->side->emulator_place + r->offset + done, to, n,
			       err) < 0)
		return -1;
	return (ssize_t)n;
}

/* look: the ranges are all of the states, whose sections are looked for. */
static int compare_ranges(struct states *s, const struct range *a, const struct range *b,
			  bool with_sections, struct gw_diff_bytes *bytes, struct gw_error *err)
{
	for (uint64_t done = 0; done < GW_MAX(a->len, b->len); done += STEP) {
		ssize_t n_a = piece(a, done, s->a, err), n_b = piece(b, done, s->b, err);

		if (n_a < 0 || n_b < 0)
			return -1;
		gw_diff_bytes_add(bytes, done, s->a, (size_t)n_a, s->b, (size_t)n_b);
		if (with_sections &&
		    (gw_qemu_sections_add(&s->qemu_a, s->a, (size_t)n_a, err) < 0 ||
		     gw_qemu_sections_add(&s->qemu_b, s->b, (size_t)n_b, err) < 0))
			return -1;
	}
	return 0;
}

static int by_section(const void *x, const void *y)
{
	const struct gw_qemu_section *a = x, *b = y;
	int order = strcmp(a->name, b->name);

	return order ? order : (a->instance > b->instance) - (a->instance < b->instance);
}

/* It is known where each section begins and ends. */
static bool is_divided(const struct gw_qemu_sections *q)
{
	for (size_t i = 0; i < q->nr; i++)
		if (!q->list[i].placed || !q->list[i].size)
			return false;
	return q->is_qemu && q->nr && !q->left_out;
}

static int compare_section(struct states *s, const struct gw_qemu_section *a,
			   const struct gw_qemu_section *b, struct gw_error *err)
{
	const struct gw_qemu_section *one = gw_diff_either(a, b);
	struct gw_diff_bytes bytes = {0};
	char field[GW_QEMU_NAME_MAX + 20], text[40];
	const struct gw_difference x = {
		.part = GW_DIFF_EMULATOR,
		.entry = "section",
		.field = field,
	};

	snprintf(field, sizeof(field), one->instance ? "%s %" PRIu32 : "%s", one->name,
		 one->instance);
	if (!a || !b) {
		snprintf(text, sizeof(text), "%" PRIu64 " bytes", one->size);
		gw_diff_texts(s->d, &x, a ? text : NULL, b ? text : NULL);
		return 0;
	}
	if (compare_ranges(s, &(struct range){&s->d->a, a->offset, a->size},
			   &(struct range){&s->d->b, b->offset, b->size}, false, &bytes, err) < 0)
		return -1;
	gw_diff_bytes_report(s->d, &x, &bytes);
	return 0;
}

static int compare_sections(struct states *s, struct gw_error *err)
{
	const struct gw_qemu_sections *a = &s->qemu_a, *b = &s->qemu_b;
	GW_FREE_ON_EXIT struct gw_diff_pair *pairs = NULL;
	ssize_t n = gw_diff_match(a->list, a->nr, b->list, b->nr, sizeof(*a->list), by_section,
				  &pairs, err);

	for (ssize_t i = 0; i < n; i++)
		if (compare_section(s, pairs[i].a < 0 ? NULL : &a->list[pairs[i].a],
				    pairs[i].b < 0 ? NULL : &b->list[pairs[i].b], err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

/* The bytes decide; QEMU's sections only give the place. Bytes before or after the sections are
 * reported only if nothing else differs. */
static int compare_all(struct states *s, struct gw_error *err)
{
	const struct gw_difference x = {.part = GW_DIFF_EMULATOR, .field = "state"};
	const struct range a = {&s->d->a, 0, s->d->a.emulator_len},
			   b = {&s->d->b, 0, s->d->b.emulator_len};
	uint64_t before = s->d->found->differences;
	struct gw_diff_bytes bytes = {0};

	gw_qemu_sections_begin(&s->qemu_a, a.len);
	gw_qemu_sections_begin(&s->qemu_b, b.len);
	if (compare_ranges(s, &a, &b, true, &bytes, err) < 0 ||
	    gw_qemu_sections_end(&s->qemu_a, err) < 0 || gw_qemu_sections_end(&s->qemu_b, err) < 0)
		return -1;
	if (bytes.differing && is_divided(&s->qemu_a) && is_divided(&s->qemu_b) &&
	    compare_sections(s, err) < 0)
		return -1;
	if (s->d->found->differences == before)
		gw_diff_bytes_report(s->d, &x, &bytes);
	return 0;
}

static int compare_state(struct gw_diff *d, struct gw_error *err)
{
	/* What looks for sections is too large for the stack. */
	GW_FREE_ON_EXIT struct states *s = calloc(1, sizeof(*s));
	GW_FREE_ON_EXIT uint8_t *room = malloc(2 * STEP);
	int rc;

	if (!s || !room)
		return gw_fail_errno(err, "memory for device model state");
	s->d = d;
	s->a = room;
	s->b = room + STEP;
	rc = compare_all(s, err);
	gw_qemu_sections_free(&s->qemu_a);
	gw_qemu_sections_free(&s->qemu_b);
	return rc;
}

static const char *emulator_text(const struct gw_diff_side *side, char *buf, size_t size)
{
	const char *name = gw_emulator_name(side->summary.emulator_id);

	if (!side->summary.has_emulator)
		return NULL;
	snprintf(buf, size, "%s, %" PRIu64 " bytes", name ? name : "of an unknown kind",
		 side->emulator_len);
	return buf;
}

static int compare_emulator(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_summary *a = &d->a.summary, *b = &d->b.summary;
	const struct gw_difference x = {.part = GW_DIFF_EMULATOR};
	char text_a[80], text_b[80];

	if (!a->has_emulator || !b->has_emulator) {
		gw_diff_texts(d, &x, emulator_text(&d->a, text_a, sizeof(text_a)),
			      emulator_text(&d->b, text_b, sizeof(text_b)));
		return 0;
	}
	gw_diff_numbers(d, &x, "id", a->emulator_id, b->emulator_id);
	return compare_state(d, err);
}

/* Xenstore */

struct key {
	const char *key, *value;
};

static int by_key(const void *x, const void *y)
{
	return strcmp(((const struct key *)x)->key, ((const struct key *)y)->key);
}

static int list_keys(const struct gw_buffer *data, struct gw_buffer *keys, struct gw_error *err)
{
	const struct gw_emulator_data emu = {.data = data->data, .len = data->len};
	struct key key;
	size_t pos = 0;

	while (data->len && gw_xenstore_pair(&emu, &pos, &key.key, &key.value, NULL) > 0)
		if (gw_buffer_append(keys, &key, sizeof(key), err) < 0)
			return -1;
	return 0;
}

static int compare_keys(struct gw_diff *d, const struct gw_buffer *a, const struct gw_buffer *b,
			struct gw_error *err)
{
	const struct key *ka = (const void *)a->data, *kb = (const void *)b->data;
	struct gw_diff_pair *pairs;
	ssize_t n = gw_diff_match(ka, a->len / sizeof(*ka), kb, b->len / sizeof(*kb), sizeof(*ka),
				  by_key, &pairs, err);

	for (ssize_t i = 0; i < n; i++) {
		const struct key *in_a = pairs[i].a < 0 ? NULL : &ka[pairs[i].a];
		const struct key *in_b = pairs[i].b < 0 ? NULL : &kb[pairs[i].b];
		const struct gw_difference x = {
			.part = GW_DIFF_XENSTORE,
			.field = in_a ? in_a->key : in_b->key,
		};

		gw_diff_texts(d, &x, in_a ? in_a->value : NULL, in_b ? in_b->value : NULL);
	}
	free(pairs);
	return n < 0 ? -1 : 0;
}

/* No data is no key. */
static int compare_xenstore(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_summary *a = &d->a.summary, *b = &d->b.summary;
	struct gw_buffer keys_a = {0}, keys_b = {0};
	int rc = -1;

	if (list_keys(&a->xenstore, &keys_a, err) == 0 &&
	    list_keys(&b->xenstore, &keys_b, err) == 0)
		rc = compare_keys(d, &keys_a, &keys_b, err);
	gw_buffer_free(&keys_a);
	gw_buffer_free(&keys_b);
	return rc;
}

int gw_diff_device_model(struct gw_diff *d, struct gw_error *err)
{
	return compare_emulator(d, err) < 0 ? -1 : compare_xenstore(d, err);
}
