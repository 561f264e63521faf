/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two HVM_CONTEXTs, entry by entry. One that cannot be walked is compared as bytes.
 */
#include "examine/diff/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/x86/hvm_context.h"
#include "format/x86/hvm_fields.h"

static int by_entry(const void *x, const void *y)
{
	const struct gw_hvm_entry *a = x, *b = y;

	if (a->typecode != b->typecode)
		return a->typecode < b->typecode ? -1 : 1;
	return (a->instance > b->instance) - (a->instance < b->instance);
}

/* The entries of a context: true if it can be walked, and has no more than are matched. */
static bool list_entries(const struct gw_buffer *context, struct gw_buffer *entries,
			 struct gw_error *err)
{
	struct gw_hvm_entry entry;
	struct gw_hvm_walk walk;
	int rc = 0;

	gw_hvm_walk_init(&walk, context->data, context->len);
	while ((rc = gw_hvm_walk_next(&walk, &entry, NULL)) > 0) {
		if (entries->len / sizeof(entry) == GW_DIFF_LIST_MAX)
			return false;
		if (entry.typecode != GW_HVM_END &&
		    gw_buffer_append(entries, &entry, sizeof(entry), err) < 0)
			return false;
	}
	return rc == 0;
}

static void walk_entry(const struct gw_diff_blob *blob, gw_field_fn fn, void *opaque)
{
	const struct gw_hvm_entry entry = {
		.typecode = (uint16_t)blob->width,
		.length = (uint32_t)blob->len,
		.data = blob->data,
	};

	gw_hvm_fields(&entry, fn, opaque);
}

static int compare_entry(struct gw_diff *d, const struct gw_hvm_entry *a,
			 const struct gw_hvm_entry *b, struct gw_error *err)
{
	const struct gw_hvm_entry *one = gw_diff_either(a, b);
	const char *name = gw_hvm_code_name(one->typecode);
	bool per_vcpu = gw_hvm_code_is_per_vcpu(one->typecode);
	char number[20], text[40];
	const struct gw_difference x = {
		.part = per_vcpu ? GW_DIFF_VCPU : GW_DIFF_PLATFORM,
		.number = one->instance,
		.entry = name ? name : number,
	};

	snprintf(number, sizeof(number), "code %u", one->typecode);
	if (!a || !b) {
		snprintf(text, sizeof(text), "%u bytes", one->length);
		gw_diff_texts(d, &x, a ? text : NULL, b ? text : NULL);
		return 0;
	}
	return gw_diff_fields(d, &x, &(struct gw_diff_blob){a->data, a->length, a->typecode},
			      &(struct gw_diff_blob){b->data, b->length, b->typecode}, walk_entry,
			      one->typecode == GW_HVM_CPU_MSR, err);
}

static int compare_entries(struct gw_diff *d, const struct gw_buffer *a, const struct gw_buffer *b,
			   struct gw_error *err)
{
	const struct gw_hvm_entry *ea = (const void *)a->data, *eb = (const void *)b->data;
	struct gw_diff_pair *pairs;
	ssize_t n = gw_diff_match(ea, a->len / sizeof(*ea), eb, b->len / sizeof(*eb), sizeof(*ea),
				  by_entry, &pairs, err);
	int rc = n < 0 ? -1 : 0;

	for (ssize_t i = 0; i < n && rc == 0; i++)
		rc = compare_entry(d, pairs[i].a < 0 ? NULL : &ea[pairs[i].a],
				   pairs[i].b < 0 ? NULL : &eb[pairs[i].b], err);
	free(pairs);
	return rc;
}

int gw_diff_hvm(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_buffer *a = &d->a.summary.hvm_context, *b = &d->b.summary.hvm_context;
	const struct gw_difference whole = {.part = GW_DIFF_PLATFORM};
	struct gw_error failure = GW_ERROR_INIT;
	struct gw_buffer ea = {0}, eb = {0};
	int rc = 0;

	if (!a->len || !b->len) {
		gw_diff_texts(d, &whole, a->len ? "" : NULL, b->len ? "" : NULL);
		return 0;
	}
	if (list_entries(a, &ea, &failure) && list_entries(b, &eb, &failure))
		rc = compare_entries(d, &ea, &eb, err);
	else if (failure.code)
		rc = gw_fail(err, failure.code, "%s", failure.text);
	else
		gw_diff_buffers(d, &whole, a->data, a->len, b->data, b->len);
	gw_buffer_free(&ea);
	gw_buffer_free(&eb);
	return rc;
}
