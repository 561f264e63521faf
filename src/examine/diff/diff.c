/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A comparison from end to end: both images are read (side.c), then held against each other
 * part by part.
 */
#include "examine/diff/internal.h"

#include <stdlib.h>

#include "base/util.h"

static void compare_guest(struct gw_diff *d)
{
	const struct gw_difference x = {.part = GW_DIFF_GUEST, .field = "type"};

	gw_diff_texts(d, &x, gw_guest_type_title(d->a.examination.image.type),
		      gw_guest_type_title(d->b.examination.image.type));
}

static void compare_tsc(struct gw_diff *d)
{
	const struct gw_summary *a = &d->a.summary, *b = &d->b.summary;
	const struct gw_difference x = {.part = GW_DIFF_TSC};

	if (!a->has_tsc || !b->has_tsc) {
		gw_diff_texts(d, &x, a->has_tsc ? "" : NULL, b->has_tsc ? "" : NULL);
		return;
	}
	gw_diff_numbers(d, &x, "mode", a->tsc.mode, b->tsc.mode);
	gw_diff_numbers(d, &x, "khz", a->tsc.khz, b->tsc.khz);
	gw_diff_numbers(d, &x, "nsec", a->tsc.nsec, b->tsc.nsec);
	gw_diff_numbers(d, &x, "incarnation", a->tsc.incarnation, b->tsc.incarnation);
}

/* A record of godwit's own. */
static void compare_own(struct gw_diff *d, enum gw_diff_part part, const struct gw_buffer *a,
			const struct gw_buffer *b)
{
	const struct gw_difference x = {.part = part};

	if (!a->len || !b->len)
		gw_diff_texts(d, &x, a->len ? "" : NULL, b->len ? "" : NULL);
	else
		gw_diff_buffers(d, &x, a->data, a->len, b->data, b->len);
}

static int compare(struct gw_diff *d, struct gw_error *err)
{
	const bool qemu_a = d->a.examination.has_savevm, qemu_b = d->b.examination.has_savevm;

	if (qemu_a != qemu_b)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"%s is a stream of QEMU and the other is not: they cannot be compared",
			qemu_a ? d->a.in->name : d->b.in->name);
	if (qemu_a)
		return gw_diff_savevm(d, err);
	compare_guest(d);
	if (gw_diff_config(d, err) < 0 || gw_diff_policy(d, err) < 0)
		return -1;
	compare_tsc(d);
	if (gw_diff_params(d, err) < 0 || gw_diff_pv(d, err) < 0 || gw_diff_hvm(d, err) < 0)
		return -1;
	compare_own(d, GW_DIFF_XENABI, &d->a.summary.xenabi, &d->b.summary.xenabi);
	compare_own(d, GW_DIFF_KVM, &d->a.summary.kvm, &d->b.summary.kvm);
	if (gw_diff_device_model(d, err) < 0)
		return -1;
	return gw_diff_pages(d, err);
}

static int read_both(struct gw_diff *d, struct gw_error *err)
{
	if (gw_diff_side_read(&d->a, err) < 0 || gw_diff_side_read(&d->b, err) < 0)
		return -1;
	d->found->a = d->a.examination;
	d->found->b = d->b.examination;
	d->found->checkpoints_a = d->a.checkpoints.complete;
	d->found->checkpoints_b = d->b.checkpoints.complete;
	if (d->sink->images)
		d->sink->images(d->sink->opaque, d->found);
	return 0;
}

int gw_diff(const struct gw_diff_input *a, const struct gw_diff_input *b,
	    const struct gw_diff_sink *sink, const struct gw_observer *observer,
	    struct gw_comparison *found, struct gw_error *err)
{
	/* A summary is too large for the stack. */
	GW_FREE_ON_EXIT struct gw_diff *d = calloc(1, sizeof(*d));
	int rc;

	*found = (struct gw_comparison){0};
	if (!d)
		return gw_fail_errno(err, "memory for a comparison");
	d->a.like = a->like;
	d->b.like = b->like;
	d->a.in = a->in;
	d->b.in = b->in;
	if (a->xend)
		gw_summary_xend(&d->a.summary, 0, a->xend);
	if (b->xend)
		gw_summary_xend(&d->b.summary, 0, b->xend);
	d->a.observer = d->b.observer = d->observer = observer;
	d->sink = sink;
	d->found = found;
	rc = read_both(d, err) < 0 ? -1 : compare(d, err);
	gw_diff_side_free(&d->a);
	gw_diff_side_free(&d->b);
	return rc;
}
