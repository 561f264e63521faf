/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The device model's state, which is bytes here, and its keys in xenstore.
 */
#include "examine/diff_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define STEP ((size_t)64 << 10)

/* State of both, piece by piece. */
static int compare_state(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_difference x = {.part = GW_DIFF_EMULATOR, .field = "state"};
	uint64_t len_a = d->a.emulator_len, len_b = d->b.emulator_len;
	GW_FREE_ON_EXIT uint8_t *a = malloc(STEP), *b = malloc(STEP);
	struct gw_diff_bytes bytes = {0};

	if (!a || !b)
		return gw_fail_errno(err, "memory for device model state");
	for (uint64_t at = 0; at < GW_MAX(len_a, len_b); at += STEP) {
		size_t n_a = at < len_a ? (size_t)GW_MIN(len_a - at, (uint64_t)STEP) : 0;
		size_t n_b = at < len_b ? (size_t)GW_MIN(len_b - at, (uint64_t)STEP) : 0;

		if (gw_kept_read(&d->a.kept, d->a.emulator_at + at, a, n_a, err) < 0 ||
		    gw_kept_read(&d->b.kept, d->b.emulator_at + at, b, n_b, err) < 0)
			return -1;
		gw_diff_bytes_add(&bytes, at, a, n_a, b, n_b);
	}
	gw_diff_bytes_tell(d, &x, &bytes);
	return 0;
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
