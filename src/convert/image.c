/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Converts the records of an image of version 2 or 3 to version 3. The first round is written
 * directly; the records after its pages wait until it is known whether another round follows.
 */
#include "convert/image.h"

#include "base/bytes.h"
#include "base/util.h"
#include "convert/state_records.h"

/* The input has to be what the caller said it is. */
static int check_source(struct gw_conv *c, const struct gw_image_header *h, struct gw_error *err)
{
	enum gw_convert_source is = h->version == 2 ? GW_CONVERT_V2 : GW_CONVERT_V3;

	c->done->from = is;
	if (c->args->from == GW_CONVERT_ANY || c->args->from == is)
		return 0;
	return gw_fail(err, GW_INVALID, "the image has version %u, expected %s", h->version,
		       c->args->from == GW_CONVERT_LEGACY ? "a legacy one"
		       : c->args->from == GW_CONVERT_V2	  ? "version 2"
							  : "version 3");
}

int gw_conv_image_header(struct gw_conv_image *i, struct gw_error *err)
{
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];
	struct gw_image_header header = i->reading.image.header;

	if (check_source(i->c, &header, err) < 0)
		return -1;
	header.version = 3;
	gw_image_header_encode(&header, raw);
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

/* A type that this version does not have; the rules allow to skip it. */
static int take_unknown(struct gw_conv_image *i, const struct gw_record *rec, struct gw_error *err)
{
	if (i->now.len || i->c->later)
		return gw_state_records_add(&i->now, rec, err);
	return gw_conv_record(i->c, rec, err);
}

static int take_end(struct gw_conv_image *i, struct gw_error *err)
{
	if (i->c->later)
		return 0;
	return flush(i, err) < 0 ? -1 : gw_conv_empty_record(i->c, GW_REC_END, err);
}

int gw_conv_image_record(struct gw_conv_image *i, struct gw_error *err)
{
	const struct gw_record *rec = &i->reading.image.rec;

	if (is_empty_form(rec))
		return 0;
	switch (rec->type) {
	case GW_REC_END:
		return take_end(i, err);
	case GW_REC_STATIC_DATA_END:
		i->static_end = true;
		return gw_conv_record(i->c, rec, err);
	case GW_REC_X86_PV_INFO:
	case GW_REC_X86_CPUID_POLICY:
	case GW_REC_X86_MSR_POLICY:
		return gw_conv_record(i->c, rec, err);
	case GW_REC_X86_PV_P2M_FRAMES:
		return i->c->later ? gw_state_records_add(&i->frames, rec, err)
				   : put_in_order(i, rec, err);
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
	case GW_REC_GODWIT_KVM:
		return gw_state_records_add(&i->now, rec, err);
	default:
		return take_unknown(i, rec, err);
	}
}

enum gw_read_result gw_conv_image_pages(struct gw_conv_image *i, struct gw_error *err)
{
	const struct gw_image_reader *r = &i->reading.image;
	struct gw_conv *c = i->c;
	enum gw_read_result rc;

	if (c->later) {
		rc = c->verifying ? gw_input_skip(&c->in, r->data_len, err)
				  : gw_conv_wait_pages(c, r->entries, r->nr_entries, err);
	} else {
		if (flush(i, err) < 0 || gw_conv_page_head(c, r->entries, r->nr_entries,
							   r->nr_pages, r->reserved, err) < 0)
			return GW_READ_FAILED;
		rc = gw_conv_move(c, r->data_len, err);
	}
	gw_conv_progress(c, GW_STAGE_CONVERTING);
	return rc;
}

int gw_conv_image_round(struct gw_conv_image *i, struct gw_error *err)
{
	struct gw_buffer newer = i->now;

	if (i->c->later &&
	    (end_static(i, err) < 0 || gw_conv_put(i->c, i->frames.data, i->frames.len, err) < 0 ||
	     gw_conv_put_waiting(i->c, err) < 0))
		return -1;
	gw_buffer_reset(&i->frames);
	if (gw_state_records_merge(&newer, &i->complete, err) < 0) {
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
