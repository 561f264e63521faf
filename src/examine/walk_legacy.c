/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk through a legacy image: its reader says what bytes it wants, its rules judge what came.
 * Page contents are passed over, those that are compressed only looked through.
 */
#include "examine/walk_legacy.h"

#include "base/util.h"
#include "examine/describe.h"

#define BYTES_AT_ONCE	65536u
#define AT_ONCE_OF_REST (UINT64_C(1) << 30)

/* How many bytes the item at hand has, those that the caller is yet to take included. */
static uint64_t item_length(const struct gw_walk_legacy *l, enum gw_legacy_event event)
{
	const struct gw_legacy_reader *r = &l->r;
	uint64_t length = r->offset - r->item_offset;

	if (event == GW_LEGACY_PAGES || event == GW_LEGACY_COMPRESSED ||
	    event == GW_LEGACY_DEVICE_MODEL)
		length += r->data_len;
	if (event == GW_LEGACY_UNMAPPED)
		length = 4 + r->unmapped * r->header.kind.width;
	return length;
}

static void tell(struct gw_walk_legacy *l, const struct gw_examined_item *item)
{
	l->told = item->number + 1;
	l->w->sum->legacy_items++;
	if (l->w->sink->item)
		l->w->sink->item(l->w->sink->opaque, item);
}

/* A list of pfns without memory that has none causes no event. */
static void tell_skipped(struct gw_walk_legacy *l)
{
	const struct gw_examined_item item = {
		.number = l->told,
		.offset = l->base + l->r.item_offset - 4,
		.length = 4,
		.id = GW_LEG_TAIL_UNMAPPED,
		.name = gw_legacy_id_name(GW_LEG_TAIL_UNMAPPED),
		.text = "0 pfns",
	};

	if (l->r.item == l->told + 1 && l->r.header.kind.guest == GW_GUEST_X86_PV)
		tell(l, &item);
}

static void tell_item(struct gw_walk_legacy *l, enum gw_legacy_event event)
{
	const char *name = gw_legacy_id_name(l->r.id);
	char text[512];
	const struct gw_examined_item item = {
		.number = l->r.item,
		.offset = l->base + l->r.item_offset,
		.length = item_length(l, event),
		.id = l->r.id,
		.name = name ? name : "unknown",
		.text = gw_describe_item(&l->r, event, text, sizeof(text)),
	};

	/* One that comes in pieces is told with the first. */
	if (event == GW_LEGACY_HEADER || event == GW_LEGACY_CHECKPOINT || l->r.item < l->told)
		return;
	tell_skipped(l);
	tell(l, &item);
}

/* What is said of the item counts against what it becomes: once is enough. */
static void judge(struct gw_walk_legacy *l, enum gw_legacy_event event)
{
	uint64_t errors = l->w->sum->errors;

	gw_legacy_rules_event(l->rules, &l->r, event, NULL);
	l->item_is_bad = l->w->sum->errors != errors;
}

static void broken_pages(struct gw_walk_legacy *l, const char *text)
{
	gw_legacy_rules_framing(l->rules, &l->r, text, NULL);
	l->pages_lost = true;
}

/* Looks through a piece of compressed pages. */
static void look_through(struct gw_walk_legacy *l, const uint8_t *piece, size_t len)
{
	size_t at = 0;

	while (at < len && !l->pages_lost) {
		struct gw_error failure = GW_ERROR_INIT;
		bool complete = false;
		long used = gw_legacy_delta_apply(&l->delta, piece + at, len - at, l->page,
						  &complete, &failure);

		if (used < 0) {
			broken_pages(l, failure.text);
			return;
		}
		at += (size_t)used;
		l->pages_made += complete;
	}
	if (l->pages_made > l->pages_due)
		broken_pages(l, "it makes more pages than the round has entries with contents");
}

/* 1; 0 if the input ends inside; -1. */
static int pass_compressed(struct gw_walk_legacy *l, struct gw_error *err)
{
	GW_FREE_ON_EXIT uint8_t *piece = malloc(BYTES_AT_ONCE);
	uint64_t left = l->r.data_len;

	if (!piece)
		return gw_fail_errno(err, "memory for compressed pages");
	while (left) {
		size_t n = (size_t)GW_MIN(left, (uint64_t)BYTES_AT_ONCE);
		int rc = gw_input_read(&l->w->in, piece, n, err);

		if (rc <= 0)
			return rc;
		look_through(l, piece, n);
		left -= n;
	}
	return 1;
}

/* All compressed pages of the round should be there. */
static void check_pages_made(struct gw_walk_legacy *l)
{
	if (l->r.compressed && l->r.rounds && !l->item_is_bad && !l->pages_lost &&
	    (l->pages_made != l->pages_due || l->delta.state))
		broken_pages(l, "the body ends before each page of the round is complete");
	l->pages_made = l->pages_due = 0;
	l->pages_lost = false;
	l->delta = (struct gw_legacy_delta){0};
}

/* The device model's state, or as much of it as there is: its record is made when the round is
 * whole. 1; 0 if the input ends inside; -1. */
static int keep_model(struct gw_walk_legacy *l, uint64_t len, struct gw_error *err)
{
	if (gw_spool_begin(&l->model_state, err) < 0)
		return -1;
	while (len) {
		size_t n = (size_t)GW_MIN(len, (uint64_t)BYTES_AT_ONCE);
		void *room = gw_spool_room(&l->model_state, n, err);
		uint64_t from = gw_input_offset(&l->w->in);
		int rc = room ? gw_input_read(&l->w->in, room, n, err) : -1;

		if (rc < 0 || gw_spool_filled(&l->model_state,
					      (size_t)(gw_input_offset(&l->w->in) - from), err) < 0)
			return -1;
		if (rc == 0)
			return 0;
		len -= n;
	}
	return 1;
}

/* One of more than the bound is no state, as the rules say. */
static int pass_model(struct gw_walk_legacy *l, struct gw_error *err)
{
	if (!l->w->sink->body || l->r.data_len > GW_EMULATOR_MAX)
		return gw_input_skip(&l->w->in, l->r.data_len, err);
	return keep_model(l, l->r.data_len, err);
}

/* A device model's record without a length is the rest of the input. 1; -1. */
static int pass_rest(struct gw_walk_legacy *l, struct gw_error *err)
{
	uint64_t from = gw_input_offset(&l->w->in);
	int rc = l->w->sink->body ? keep_model(l, GW_EMULATOR_MAX, err) : 1;

	while (rc > 0)
		rc = gw_input_skip(&l->w->in, AT_ONCE_OF_REST, err);
	l->r.data_len = gw_input_offset(&l->w->in) - from;
	return rc < 0 ? -1 : !l->w->in.is_damaged;
}

/* What follows the event and does not pass through the reader. 1; 0 if the input ends inside; -1.
 */
static int pass_data(struct gw_walk_legacy *l, enum gw_legacy_event event, struct gw_error *err)
{
	int rc;

	switch (event) {
	case GW_LEGACY_PAGES:
		l->pages_due += l->r.data_len ? 0 : l->r.nr_pages;
		rc = gw_input_skip(&l->w->in, l->r.data_len, err);
		break;
	case GW_LEGACY_COMPRESSED:
		rc = pass_compressed(l, err);
		break;
	case GW_LEGACY_DEVICE_MODEL:
		rc = l->rest_passed ? 1 : pass_model(l, err);
		if (rc == 1)
			gw_walk_legacy_map_model(l, l->r.data_len);
		break;
	default:
		return 1;
	}
	if (rc == 1)
		gw_legacy_reader_data_done(&l->r);
	gw_walk_progress(l->w);
	return rc;
}

/* The input ended where the reader stands, or the image is over. */
static enum gw_walk_outcome ended(struct gw_walk_legacy *l, bool between)
{
	bool whole = between && gw_legacy_reader_at_boundary(&l->r);

	gw_legacy_rules_end(l->rules, &l->r, whole, gw_input_offset(&l->w->in) - l->base, NULL);
	gw_walk_legacy_map_end(l);
	return whole ? GW_WALK_OVER : GW_WALK_LOST;
}

/* The first event behind a whole round. */
static int begin_round(struct gw_walk_legacy *l, struct gw_error *err)
{
	l->between_rounds = false;
	return gw_walk_legacy_map_round(l, err);
}

static enum gw_walk_outcome on_event(struct gw_walk_legacy *l, enum gw_legacy_event event,
				     struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	int rc = 1;

	if (l->between_rounds && begin_round(l, err) < 0)
		return GW_WALK_FAILED;
	l->rest_passed = event == GW_LEGACY_DEVICE_MODEL && l->r.data_len == UINT64_MAX;
	if (l->rest_passed)
		rc = pass_rest(l, err);
	if (rc == 1) {
		tell_item(l, event);
		judge(l, event);
		if (event == GW_LEGACY_BODY_END)
			check_pages_made(l);
		/* What it cannot become the rules have said. */
		if (gw_walk_legacy_map(l, event, &failure) < 0 && !l->item_is_bad) {
			gw_fail(err, failure.code, "%s", failure.text);
			return GW_WALK_FAILED;
		}
		l->between_rounds = event == GW_LEGACY_CHECKPOINT;
		rc = pass_data(l, event, err);
	}
	if (rc <= 0)
		return rc < 0 ? GW_WALK_FAILED : ended(l, false);
	return GW_WALK_OVER;
}

static enum gw_walk_outcome walk_items(struct gw_walk_legacy *l, struct gw_error *err)
{
	for (;;) {
		struct gw_error failure = GW_ERROR_INIT;
		enum gw_legacy_event event;
		enum gw_walk_outcome outcome;
		size_t len;
		void *to;
		int rc;

		if (gw_legacy_reader_want(&l->r, &to, &len, err) < 0)
			return GW_WALK_FAILED;
		rc = gw_input_read(&l->w->in, to, len, err);
		if (rc == 0 && !l->w->in.cut_inside && gw_legacy_reader_without_model(&l->r)) {
			gw_legacy_rules_no_model(l->rules, &l->r, NULL);
			continue;
		}
		if (rc <= 0)
			return rc < 0 ? GW_WALK_FAILED : ended(l, !l->w->in.cut_inside);
		if (gw_legacy_reader_got(&l->r, &event, &failure) < 0) {
			gw_legacy_rules_framing(l->rules, &l->r, failure.text, NULL);
			return GW_WALK_LOST;
		}
		if (event == GW_LEGACY_DONE)
			return ended(l, true);
		outcome = event == GW_LEGACY_MORE ? GW_WALK_OVER : on_event(l, event, err);
		if (outcome != GW_WALK_OVER)
			return outcome;
	}
}

static void sum_up(struct gw_walk_legacy *l, bool whole)
{
	struct gw_examined *sum = l->w->sum;

	if (l->image_rules)
		sum->facts = *gw_image_rules_facts(l->image_rules);
	gw_image_rules_free(l->image_rules);
	sum->rounds = l->r.rounds;
	sum->legacy_compressed = l->r.compressed;
	sum->legacy_last_checkpoint = l->r.last_checkpoint;
	sum->facts.ended |= whole && l->r.last_checkpoint;
}

enum gw_walk_outcome gw_walk_legacy(struct gw_walk *w, struct gw_error *err)
{
	struct gw_walk_legacy l = {.w = w};
	enum gw_walk_outcome outcome = GW_WALK_FAILED;

	if (w->sink->page) {
		gw_fail(err, GW_UNSUPPORTED,
			"a legacy image of Xen 4.5 or before has to be converted before its contents can be read: \"godwit convert\" does that");
		return GW_WALK_FAILED;
	}
	gw_legacy_reader_init(&l.r, NULL);
	l.rules = gw_legacy_rules_new(&w->findings, gw_input_offset(&w->in));
	if (!l.rules)
		gw_fail(err, GW_NO_MEMORY, "no memory for the rules of a legacy image");
	else if (gw_walk_legacy_map_begin(&l, err) == 0)
		outcome = walk_items(&l, err);
	sum_up(&l, outcome == GW_WALK_OVER);
	gw_walk_legacy_map_free(&l);
	gw_legacy_rules_free(l.rules);
	gw_legacy_reader_free(&l.r);
	return outcome;
}
