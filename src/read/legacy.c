/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The loop over the items of a legacy image.
 */
#include "read/legacy.h"

static struct gw_error *rules_err(const struct gw_legacy_reading *r, struct gw_error *err)
{
	return r->all_errors ? NULL : err;
}

static enum gw_read_result judged(const struct gw_legacy_reading *r, int rc)
{
	return rc < 0 && !r->all_errors ? GW_READ_FAILED : GW_READ_OK;
}

/* The image is over, or the input has ended. between: not inside an item. */
static enum gw_read_result ended(struct gw_legacy_reading *r, bool between, struct gw_error *err)
{
	bool whole = between && gw_legacy_reader_at_boundary(&r->reader);
	int rc = 0;

	if (r->rules)
		rc = gw_legacy_rules_end(r->rules, &r->reader, whole,
					 gw_input_offset(r->in) - r->offset, rules_err(r, err));
	if (judged(r, rc) == GW_READ_FAILED)
		return GW_READ_FAILED;
	return whole ? GW_READ_OK : GW_READ_ENDED;
}

static enum gw_read_result broken(struct gw_legacy_reading *r, const struct gw_error *failure,
				  struct gw_error *err)
{
	r->is_broken = true;
	if (r->rules && (r->all_errors || failure->code == GW_INVALID))
		gw_legacy_rules_framing(r->rules, &r->reader, failure->text, rules_err(r, err));
	if (r->all_errors)
		return GW_READ_ENDED;
	gw_fail(err, failure->code, "%s", failure->text);
	return GW_READ_FAILED;
}

/* The input ended where a device model's record may be missing: the image then ends without one. */
static enum gw_read_result without_model(struct gw_legacy_reading *r, struct gw_error *err)
{
	return judged(r, r->rules
				 ? gw_legacy_rules_no_model(r->rules, &r->reader, rules_err(r, err))
				 : 0);
}

static bool has_data(enum gw_legacy_event event)
{
	return event == GW_LEGACY_PAGES || event == GW_LEGACY_COMPRESSED ||
	       event == GW_LEGACY_DEVICE_MODEL;
}

static enum gw_read_result on_event(struct gw_legacy_reading *r, enum gw_legacy_event event,
				    struct gw_error *err)
{
	enum gw_read_result rc = GW_READ_OK;

	if (r->listener->arrived)
		rc = r->listener->arrived(r->owner, event, err);
	if (rc == GW_READ_OK && r->rules)
		rc = judged(r,
			    gw_legacy_rules_event(r->rules, &r->reader, event, rules_err(r, err)));
	if (rc == GW_READ_OK)
		rc = r->listener->event(r->owner, event, err);
	if (!has_data(event))
		return rc;
	if (rc == GW_READ_OK)
		gw_legacy_reader_data_done(&r->reader);
	return rc == GW_READ_ENDED ? ended(r, false, err) : rc;
}

/* Reads one piece of the input. *over: the image is over. */
static enum gw_read_result step(struct gw_legacy_reading *r, bool *over, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	enum gw_legacy_event event;
	enum gw_read_result rc;
	size_t len;
	void *to;

	if (gw_legacy_reader_want(&r->reader, &to, &len, err) < 0)
		return GW_READ_FAILED;
	rc = gw_input_read(r->in, to, len, err);
	if (rc == GW_READ_ENDED && !r->in->cut_inside && gw_legacy_reader_without_model(&r->reader))
		return without_model(r, err);
	if (rc != GW_READ_OK) {
		*over = true;
		return rc == GW_READ_ENDED ? ended(r, !r->in->cut_inside, err) : rc;
	}
	if (gw_legacy_reader_got(&r->reader, &event, &failure) < 0)
		return broken(r, &failure, err);
	if (event == GW_LEGACY_MORE)
		return GW_READ_OK;
	*over = event == GW_LEGACY_DONE;
	return *over ? ended(r, true, err) : on_event(r, event, err);
}

int gw_legacy_reading_begin(struct gw_legacy_reading *r, const struct gw_legacy_kind *kind,
			    struct gw_error *err)
{
	r->offset = gw_input_offset(r->in);
	gw_legacy_reader_init(&r->reader, kind);
	if (r->is_judged)
		return 0;
	r->rules = gw_legacy_rules_new(r->findings, r->offset);
	if (!r->rules)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the rules of a legacy image");
	return 0;
}

enum gw_read_result gw_read_legacy(struct gw_legacy_reading *r, struct gw_error *err)
{
	enum gw_read_result rc = GW_READ_OK;
	bool over = false;

	while (rc == GW_READ_OK && !over)
		rc = step(r, &over, err);
	return rc;
}

void gw_legacy_reading_free(struct gw_legacy_reading *r)
{
	gw_legacy_reader_free(&r->reader);
	gw_legacy_rules_free(r->rules);
	r->rules = NULL;
}
