/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compares the state that only PV guests have: width, P2M, shared info, and the four records of
 * each vCPU.
 */
#include "examine/diff/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "format/x86/hvm_fields.h"
#include "format/x86/pv_fields.h"

/* The number of frames that are reported one by one; the others are only counted. */
#define FRAMES_TOLD 8u

static void compare_info(struct gw_diff *d)
{
	const struct gw_summary *a = &d->a.summary, *b = &d->b.summary;
	const struct gw_difference x = {.part = GW_DIFF_PV};

	if (!a->has_pv_info || !b->has_pv_info) {
		gw_diff_texts(d, &x, a->has_pv_info ? "" : NULL, b->has_pv_info ? "" : NULL);
		return;
	}
	gw_diff_numbers(d, &x, "width", a->pv_info.guest_width, b->pv_info.guest_width);
	gw_diff_numbers(d, &x, "levels", a->pv_info.pt_levels, b->pv_info.pt_levels);
}

/* One frame of the list; NULL after its end. */
static const char *frame_text(const struct gw_buffer *frames, size_t i, char *buf, size_t size)
{
	const uint64_t *list = (const void *)frames->data;

	if (i >= frames->len / sizeof(*list))
		return NULL;
	snprintf(buf, size, "0x%" PRIx64, list[i]);
	return buf;
}

static void compare_frames(struct gw_diff *d, const struct gw_buffer *a, const struct gw_buffer *b)
{
	size_t n = GW_MAX(a->len, b->len) / sizeof(uint64_t);
	struct gw_difference x = {.part = GW_DIFF_P2M};
	char text_a[24], text_b[24], field[40];
	uint64_t differing = 0;

	x.field = field;
	for (size_t i = 0; i < n; i++) {
		const char *in_a = frame_text(a, i, text_a, sizeof(text_a));
		const char *in_b = frame_text(b, i, text_b, sizeof(text_b));

		if (in_a && in_b && strcmp(in_a, in_b) == 0)
			continue;
		snprintf(field, sizeof(field), "frames[%zu]", i);
		if (differing++ < FRAMES_TOLD)
			gw_diff_texts(d, &x, in_a, in_b);
	}
	if (differing > FRAMES_TOLD) {
		x.field = NULL;
		gw_diff_buffers(d, &x, a->data, a->len, b->data, b->len);
	}
}

static void compare_p2m(struct gw_diff *d)
{
	const struct gw_summary *a = &d->a.summary, *b = &d->b.summary;
	const struct gw_difference x = {.part = GW_DIFF_P2M, .field = "last_pfn"};
	char text_a[24], text_b[24];

	snprintf(text_a, sizeof(text_a), "0x%" PRIx32, a->p2m_end);
	snprintf(text_b, sizeof(text_b), "0x%" PRIx32, b->p2m_end);
	gw_diff_texts(d, &x, a->has_p2m ? text_a : NULL, b->has_p2m ? text_b : NULL);
	compare_frames(d, &a->p2m_frames, &b->p2m_frames);
}

static void walk_shared_info(const struct gw_diff_blob *blob, gw_field_fn fn, void *opaque)
{
	gw_shared_info_fields(blob->width, blob->data, blob->len, fn, opaque);
}

static void walk_basic(const struct gw_diff_blob *blob, gw_field_fn fn, void *opaque)
{
	gw_pv_basic_fields(blob->width, blob->data, blob->len, fn, opaque);
}

static void walk_extended(const struct gw_diff_blob *blob, gw_field_fn fn, void *opaque)
{
	gw_pv_extended_fields(blob->data, blob->len, fn, opaque);
}

static void walk_xsave(const struct gw_diff_blob *blob, gw_field_fn fn, void *opaque)
{
	gw_xsave_fields(blob->data, blob->len, fn, opaque);
}

static void walk_msrs(const struct gw_diff_blob *blob, gw_field_fn fn, void *opaque)
{
	gw_msr_fields(blob->data, blob->len, fn, opaque);
}

static struct gw_diff_blob blob_of(const struct gw_summary *s, const struct gw_buffer *buffer)
{
	return (struct gw_diff_blob){buffer->data, buffer->len, s->pv_info.guest_width};
}

static int compare_shared_info(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_diff_blob a = blob_of(&d->a.summary, &d->a.summary.shared_info),
				  b = blob_of(&d->b.summary, &d->b.summary.shared_info);
	const struct gw_difference x = {.part = GW_DIFF_SHARED_INFO};

	if (!a.len || !b.len) {
		gw_diff_texts(d, &x, a.len ? "" : NULL, b.len ? "" : NULL);
		return 0;
	}
	return gw_diff_fields(d, &x, &a, &b, walk_shared_info, false, err);
}

static int compare_vcpu(struct gw_diff *d, const struct gw_vcpu_summary *a,
			const struct gw_vcpu_summary *b, struct gw_error *err)
{
	static const struct {
		const char *name;
		gw_diff_walk_fn walk;
	} kinds[GW_VCPU_NR_BLOBS] = {
		[GW_VCPU_BASIC] = {"BASIC", walk_basic},
		[GW_VCPU_EXTENDED] = {"EXTENDED", walk_extended},
		[GW_VCPU_XSAVE] = {"XSAVE", walk_xsave},
		[GW_VCPU_MSRS] = {"MSRS", walk_msrs},
	};

	for (unsigned kind = 0; kind < GW_VCPU_NR_BLOBS; kind++) {
		const struct gw_diff_blob ba = blob_of(&d->a.summary, &a->blobs[kind]),
					  bb = blob_of(&d->b.summary, &b->blobs[kind]);
		const struct gw_difference x = {
			.part = GW_DIFF_VCPU,
			.number = a->id,
			.entry = kinds[kind].name,
		};
		char text[40];

		snprintf(text, sizeof(text), "%zu bytes", GW_MAX(ba.len, bb.len));
		if (!ba.len || !bb.len)
			gw_diff_texts(d, &x, ba.len ? text : NULL, bb.len ? text : NULL);
		else if (gw_diff_fields(d, &x, &ba, &bb, kinds[kind].walk, kind == GW_VCPU_MSRS,
					err) < 0)
			return -1;
	}
	return 0;
}

/* One that only empty records named has no state. */
static const struct gw_vcpu_summary *vcpu_of(const struct gw_summary *s, uint32_t id)
{
	const struct gw_vcpu_summary *v =
		s->vcpu_places[id] ? &s->vcpus[s->vcpu_places[id] - 1] : NULL;

	for (unsigned kind = 0; v && kind < GW_VCPU_NR_BLOBS; kind++)
		if (v->blobs[kind].len)
			return v;
	return NULL;
}

int gw_diff_pv(struct gw_diff *d, struct gw_error *err)
{
	compare_info(d);
	compare_p2m(d);
	if (compare_shared_info(d, err) < 0)
		return -1;
	for (uint32_t id = 0; id < GW_SUMMARY_VCPUS_MAX; id++) {
		const struct gw_vcpu_summary *a = vcpu_of(&d->a.summary, id);
		const struct gw_vcpu_summary *b = vcpu_of(&d->b.summary, id);
		const struct gw_difference x = {.part = GW_DIFF_VCPU, .number = id};

		if (!a || !b)
			gw_diff_texts(d, &x, a ? "" : NULL, b ? "" : NULL);
		else if (compare_vcpu(d, a, b, err) < 0)
			return -1;
	}
	return 0;
}
