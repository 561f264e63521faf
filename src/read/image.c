/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The loop over the records of a libxc image.
 */
#include "read/internal.h"

int gw_read_image_begin(struct gw_reading *r, struct gw_error *err)
{
	r->has_image = true;
	r->image_offset = gw_input_offset(r->in);
	gw_image_reader_init(&r->image);
	if (r->is_judged)
		return 0;
	r->image_rules = gw_image_rules_new(r->findings, r->image_offset, r->kind, 0);
	if (!r->image_rules)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the rules of an image");
	gw_image_rules_config(r->image_rules, &r->config);
	return 0;
}

/* The input ended where the image's reader stands. */
static enum gw_read_result cut(struct gw_reading *r, struct gw_error *err)
{
	bool between = gw_image_reader_at_boundary(&r->image);
	int rc = 0;

	if (gw_read_is_lost(r, err))
		return GW_READ_FAILED;
	if (r->image_rules)
		rc = gw_image_rules_end(r->image_rules, between && !r->in->cut_inside,
					between || !r->has_image_header ? NULL : &r->image.rec,
					gw_input_offset(r->in) - r->image_offset,
					gw_read_rules_err(r, err));
	return gw_read_judged(r, rc) == GW_READ_OK ? GW_READ_ENDED : GW_READ_FAILED;
}

/* The reader cannot go on: failure says why, unless the header's rules have said so already. */
static enum gw_read_result broken(struct gw_reading *r, const struct gw_error *failure,
				  struct gw_error *err)
{
	bool has_record = r->has_image_header && failure->code == GW_INVALID;
	bool is_known =
		failure->code == GW_UNSUPPORTED || (failure->code != GW_INVALID && !r->all_errors);

	if (r->image_rules && !is_known)
		gw_image_rules_framing(r->image_rules, has_record ? r->image.rec.offset : 0,
				       has_record ? &r->image.rec : NULL, failure->text,
				       gw_read_rules_err(r, err));
	if (r->all_errors)
		return GW_READ_ENDED;
	gw_fail(err, failure->code, "%s", failure->text);
	return GW_READ_FAILED;
}

static enum gw_read_result next_event(struct gw_reading *r, enum gw_image_event *event,
				      struct gw_error *err)
{
	do {
		struct gw_error failure = GW_ERROR_INIT;
		enum gw_read_result rc;
		size_t len;
		void *to;

		if (gw_image_reader_want(&r->image, &to, &len, err) < 0)
			return GW_READ_FAILED;
		rc = gw_input_read(r->in, to, len, err);
		if (rc != GW_READ_OK)
			return rc == GW_READ_ENDED ? cut(r, err) : rc;
		if (gw_image_reader_got(&r->image, event, &failure) < 0)
			return broken(r, &failure, err);
	} while (*event == GW_IMAGE_MORE);
	return GW_READ_OK;
}

static enum gw_read_result on_header(struct gw_reading *r, struct gw_error *err)
{
	enum gw_read_result rc = GW_READ_OK;

	r->has_image_header = true;
	gw_read_arrived(r, GW_READ_IMAGE_HEADER, GW_COUNTS_LATER);
	if (r->image_rules)
		rc = gw_read_judged(r, gw_image_rules_header(r->image_rules, &r->image.header,
							     gw_read_rules_err(r, err)));
	if (rc == GW_READ_OK && r->listener->image_header)
		rc = r->listener->image_header(r->owner, err);
	return rc;
}

static enum gw_read_result on_record(struct gw_reading *r, struct gw_error *err)
{
	const struct gw_record *rec = &r->image.rec;
	enum gw_counts counts = gw_checkpoints_record(&r->checkpoints, GW_LAYER_LIBXC, rec->type);
	enum gw_read_result rc = GW_READ_OK;

	gw_read_arrived(r, GW_READ_IMAGE_RECORD, counts);
	if (r->image_rules)
		rc = gw_read_judged(
			r, gw_image_rules_record(r->image_rules, rec, gw_read_rules_err(r, err)));
	if (rc == GW_READ_OK && r->listener->image_record)
		rc = r->listener->image_record(r->owner, err);
	if (rc == GW_READ_OK && counts == GW_COUNTS_CHECKPOINT && r->listener->round_complete)
		rc = r->listener->round_complete(r->owner, err);
	return rc;
}

static enum gw_read_result judge_pages(struct gw_reading *r, struct gw_error *err)
{
	enum gw_read_result rc = GW_READ_OK;

	if (r->image_rules)
		rc = gw_read_judged(r, gw_image_rules_pages(r->image_rules, &r->image,
							    gw_read_rules_err(r, err)));
	if (rc == GW_READ_OK && !r->image.well_formed && !r->all_errors) {
		gw_fail(err, GW_INVALID, "image record %llu (PAGE_DATA): malformed",
			(unsigned long long)r->image.rec.number);
		rc = GW_READ_FAILED;
	}
	return rc;
}

static enum gw_read_result on_pages(struct gw_reading *r, struct gw_error *err)
{
	enum gw_read_result rc;

	gw_read_arrived(r, GW_READ_IMAGE_PAGES, GW_COUNTS_LATER);
	rc = judge_pages(r, err);
	if (rc != GW_READ_OK)
		return rc;
	if (r->listener->image_pages && r->image.well_formed)
		rc = r->listener->image_pages(r->owner, err);
	else
		rc = gw_input_skip(r->in, r->image.data_len, err);
	if (rc == GW_READ_OK)
		gw_image_reader_pages_done(&r->image);
	return rc == GW_READ_ENDED ? cut(r, err) : rc;
}

static enum gw_read_result on_event(struct gw_reading *r, enum gw_image_event event,
				    struct gw_error *err)
{
	switch (event) {
	case GW_IMAGE_HEADER:
		return on_header(r, err);
	case GW_IMAGE_RECORD:
		return on_record(r, err);
	case GW_IMAGE_PAGES:
		return on_pages(r, err);
	default:
		return GW_READ_OK;
	}
}

enum gw_read_result gw_read_image_part(struct gw_reading *r, bool *at_checkpoint,
				       struct gw_error *err)
{
	*at_checkpoint = false;
	for (;;) {
		enum gw_image_event event;
		enum gw_read_result rc = next_event(r, &event, err);

		if (rc == GW_READ_OK)
			rc = on_event(r, event, err);
		if (rc != GW_READ_OK)
			return rc;
		if (event != GW_IMAGE_RECORD)
			continue;
		*at_checkpoint = r->image.rec.type == GW_REC_CHECKPOINT;
		if (*at_checkpoint || r->image.rec.type == GW_REC_END)
			return GW_READ_OK;
	}
}

enum gw_read_result gw_read_image(struct gw_reading *r, struct gw_error *err)
{
	bool at_checkpoint = true;
	enum gw_read_result rc = GW_READ_OK;

	if (gw_read_image_begin(r, err) < 0)
		return GW_READ_FAILED;
	while (rc == GW_READ_OK && at_checkpoint)
		rc = gw_read_image_part(r, &at_checkpoint, err);
	return rc;
}

const struct gw_image_facts *gw_reading_facts(const struct gw_reading *r)
{
	return r->image_rules ? gw_image_rules_facts(r->image_rules) : NULL;
}

enum gw_guest_type gw_reading_guest(const struct gw_reading *r)
{
	return r->has_image_header ? (enum gw_guest_type)r->image.header.type : GW_GUEST_NONE;
}

void gw_reading_free(struct gw_reading *r)
{
	gw_image_rules_free(r->image_rules);
	gw_stream_rules_free(r->stream_rules);
	gw_image_reader_free(&r->image);
	gw_stream_reader_free(&r->stream);
	r->image_rules = NULL;
	r->stream_rules = NULL;
}
