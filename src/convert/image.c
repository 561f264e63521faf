/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records of an image of version 2 or 3, each to its place in one of version 3. The first round
 * goes straight through; what stands behind its pages waits until it is known whether another
 * round follows.
 */
#include "convert/image.h"

#include "base/bytes.h"
#include "base/util.h"
#include "convert/tail.h"

int gw_conv_image_init(struct gw_conv_image *i, struct gw_conv *c, struct gw_error *err)
{
	*i = (struct gw_conv_image){.c = c, .base = c->in->read_pos};
	i->rules = gw_image_rules_new(&c->findings, i->base, GW_IMAGE_ANY, 0);
	if (!i->rules)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the rules of an image");
	gw_image_reader_init(&i->r);
	return 0;
}

void gw_conv_image_free(struct gw_conv_image *i)
{
	if (i->rules)
		gw_image_reader_free(&i->r);
	gw_image_rules_free(i->rules);
	gw_buffer_free(&i->now);
	gw_buffer_free(&i->complete);
	gw_buffer_free(&i->frames);
}

/* The input has to be what the caller said it is. */
static int check_source(struct gw_conv *c, const struct gw_image_header *h, struct gw_error *err)
{
	enum gw_convert_source is = h->version == 2 ? GW_CONVERT_V2 : GW_CONVERT_V3;

	c->done->from = is;
	if (c->args->from == GW_CONVERT_ANY || c->args->from == is)
		return 0;
	return gw_fail(err, GW_INVALID, "it is an image of version %u, expected %s", h->version,
		       c->args->from == GW_CONVERT_LEGACY ? "a legacy one"
		       : c->args->from == GW_CONVERT_V2	  ? "version 2"
							  : "version 3");
}

static int take_header(struct gw_conv_image *i, struct gw_error *err)
{
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];
	struct gw_image_header header = i->r.header;

	if (gw_image_rules_header(i->rules, &header, err) < 0 ||
	    check_source(i->c, &header, err) < 0)
		return -1;
	header.version = 3;
	gw_image_header_encode(&header, raw);
	i->has_header = true;
	if (gw_conv_begin(i->c, false, err) < 0)
		return -1;
	return gw_conv_put(i->c, raw, sizeof(raw), err);
}

/* Static data is over: version 2 does not say so itself. */
static int end_static(struct gw_conv_image *i, struct gw_error *err)
{
	if (i->static_end)
		return 0;
	i->static_end = true;
	return gw_conv_empty_record(i->c, GW_REC_STATIC_DATA_END, err);
}

/* What waits, in front of what does not: in the order in which it came. */
static int flush(struct gw_conv_image *i, struct gw_error *err)
{
	int rc = end_static(i, err);

	if (rc == 0)
		rc = gw_conv_put(i->c, i->now.data, i->now.len, err);
	gw_buffer_reset(&i->now);
	return rc;
}

static int put_in_order(struct gw_conv_image *i, const struct gw_record *rec, struct gw_error *err)
{
	return flush(i, err) < 0 ? -1 : gw_conv_record(i->c, rec, err);
}

/* Records that 4.6 to 4.8 wrote although they had nothing to say. */
static bool is_empty_form(const struct gw_record *rec)
{
	switch (rec->type) {
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
		return rec->length <= 8;
	case GW_REC_HVM_PARAMS:
		return rec->length >= 4 && gw_get_le32(rec->data) == 0;
	default:
		return false;
	}
}

static int take_verify(struct gw_conv_image *i, const struct gw_record *rec, struct gw_error *err)
{
	i->c->verifying = true;
	/* In a round that waits it would be in the way of those pages that count. */
	return i->c->later ? 0 : put_in_order(i, rec, err);
}

/* Of a type that is no part of this version: the rules have said that it may be passed over. */
static int take_unknown(struct gw_conv_image *i, const struct gw_record *rec, struct gw_error *err)
{
	if (i->now.len || i->c->later)
		return gw_tail_add(&i->now, rec, err);
	return gw_conv_record(i->c, rec, err);
}

/* All but the two that end a round. */
static int take_record(struct gw_conv_image *i, struct gw_error *err)
{
	const struct gw_record *rec = &i->r.rec;

	if (is_empty_form(rec))
		return 0;
	switch (rec->type) {
	case GW_REC_STATIC_DATA_END:
		i->static_end = true;
		return gw_conv_record(i->c, rec, err);
	case GW_REC_X86_PV_INFO:
	case GW_REC_X86_CPUID_POLICY:
	case GW_REC_X86_MSR_POLICY:
		return gw_conv_record(i->c, rec, err);
	case GW_REC_X86_PV_P2M_FRAMES:
		return i->c->later ? gw_tail_add(&i->frames, rec, err) : put_in_order(i, rec, err);
	case GW_REC_VERIFY:
		return take_verify(i, rec, err);
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
	case GW_REC_SHARED_INFO:
	case GW_REC_X86_TSC_INFO:
	case GW_REC_HVM_CONTEXT:
	case GW_REC_HVM_PARAMS:
	case GW_REC_GODWIT_XENABI:
		return gw_tail_add(&i->now, rec, err);
	default:
		return take_unknown(i, rec, err);
	}
}

/* 1, 0, -1 as gw_conv_bring(). */
static int take_pages(struct gw_conv_image *i, struct gw_error *err)
{
	struct gw_image_reader *r = &i->r;
	struct gw_conv *c = i->c;
	int rc;

	if (gw_image_rules_pages(i->rules, r, err) < 0)
		return -1;
	if (c->later) {
		rc = c->verifying ? gw_conv_bring(c, NULL, r->data_len, err)
				  : gw_conv_wait_pages(c, r->entries, r->nr_entries, err);
	} else {
		if (flush(i, err) < 0 || gw_conv_page_head(c, r->entries, r->nr_entries,
							   r->nr_pages, r->reserved, err) < 0)
			return -1;
		rc = gw_conv_move(c, r->data_len, err);
	}
	if (rc == 1)
		gw_image_reader_pages_done(r);
	gw_conv_progress(c);
	return rc;
}

/* The input ends where the reader stands: behind a checkpoint that is what a sender's death looks
 * like. */
static enum gw_conv_image_pause cut(struct gw_conv_image *i, struct gw_error *err)
{
	bool between = gw_image_reader_at_boundary(&i->r);

	if (gw_image_rules_end(i->rules, between && !i->c->read_some,
			       between || !i->has_header ? NULL : &i->r.rec,
			       i->c->in->read_pos - i->base, err) < 0)
		return GW_CONV_IMAGE_FAILED;
	return GW_CONV_IMAGE_CUT;
}

static enum gw_conv_image_pause lost(struct gw_conv_image *i, const struct gw_error *failure,
				     struct gw_error *err)
{
	bool has_record = i->has_header && failure->code == GW_INVALID;

	if (failure->code != GW_INVALID)
		gw_fail(err, failure->code, "%s", failure->text);
	else
		gw_image_rules_framing(i->rules, has_record ? i->r.rec.offset : 0,
				       has_record ? &i->r.rec : NULL, failure->text, err);
	return GW_CONV_IMAGE_FAILED;
}

/* One event. True: go on; false: *pause says why not. */
static bool take(struct gw_conv_image *i, enum gw_image_event event,
		 enum gw_conv_image_pause *pause, struct gw_error *err)
{
	int rc = 1;

	*pause = GW_CONV_IMAGE_FAILED;
	switch (event) {
	case GW_IMAGE_HEADER:
		return take_header(i, err) == 0;
	case GW_IMAGE_PAGES:
		rc = take_pages(i, err);
		if (rc == 0)
			*pause = cut(i, err);
		return rc == 1;
	case GW_IMAGE_RECORD:
		if (gw_image_rules_record(i->rules, &i->r.rec, err) < 0)
			return false;
		if (i->r.rec.type == GW_REC_CHECKPOINT)
			*pause = GW_CONV_IMAGE_CHECKPOINT;
		else if (i->r.rec.type != GW_REC_END)
			return take_record(i, err) == 0;
		return i->r.rec.type == GW_REC_END;
	case GW_IMAGE_DONE:
		*pause = GW_CONV_IMAGE_ENDED;
		return false;
	default:
		return true;
	}
}

enum gw_conv_image_pause gw_conv_image_go(struct gw_conv_image *i, struct gw_error *err)
{
	enum gw_conv_image_pause pause;
	enum gw_image_event event;

	do {
		struct gw_error failure = GW_ERROR_INIT;
		size_t len;
		void *to;
		int rc;

		if (gw_image_reader_want(&i->r, &to, &len, err) < 0)
			return GW_CONV_IMAGE_FAILED;
		rc = gw_conv_bring(i->c, to, len, err);
		if (rc <= 0)
			return rc < 0 ? GW_CONV_IMAGE_FAILED : cut(i, err);
		if (gw_image_reader_got(&i->r, &event, &failure) < 0)
			return lost(i, &failure, err);
	} while (take(i, event, &pause, err));
	if (pause == GW_CONV_IMAGE_ENDED && !i->c->later &&
	    (flush(i, err) < 0 || gw_conv_empty_record(i->c, GW_REC_END, err) < 0))
		return GW_CONV_IMAGE_FAILED;
	return pause;
}

int gw_conv_image_checkpoint(struct gw_conv_image *i, struct gw_error *err)
{
	struct gw_buffer newer = i->now;

	if (i->c->later &&
	    (end_static(i, err) < 0 || gw_conv_put(i->c, i->frames.data, i->frames.len, err) < 0 ||
	     gw_conv_put_waiting(i->c, err) < 0))
		return -1;
	gw_buffer_reset(&i->frames);
	if (gw_tail_keep(&newer, &i->complete, err) < 0) {
		i->now = newer;
		return -1;
	}
	i->now = i->complete;
	gw_buffer_reset(&i->now);
	i->complete = newer;
	i->c->later = true;
	i->c->done->checkpoints++;
	return 0;
}

int gw_conv_image_finish(struct gw_conv_image *i, struct gw_error *err)
{
	if (end_static(i, err) < 0 || gw_conv_put(i->c, i->complete.data, i->complete.len, err) < 0)
		return -1;
	return gw_conv_empty_record(i->c, GW_REC_END, err);
}

int gw_conv_image(struct gw_conv *c, struct gw_error *err)
{
	enum gw_conv_image_pause pause = GW_CONV_IMAGE_FAILED;
	struct gw_conv_image i;
	int rc = gw_conv_image_init(&i, c, err);

	while (rc == 0) {
		pause = gw_conv_image_go(&i, err);
		if (pause != GW_CONV_IMAGE_CHECKPOINT)
			break;
		rc = gw_conv_image_checkpoint(&i, err);
	}
	if (pause == GW_CONV_IMAGE_FAILED)
		rc = -1;
	if (rc == 0 && c->later)
		rc = gw_conv_image_finish(&i, err);
	if (rc == 0 && gw_conv_has_stream(c)) {
		if (i.r.header.type == GW_GUEST_X86_HVM)
			gw_logf(&c->log, GW_LOG_WARNING,
				"a bare image has no state of a device model: only a PVH guest can be restored from the result");
		rc = gw_conv_empty_record(c, GW_STREAM_END, err);
	}
	gw_conv_image_free(&i);
	return rc;
}
