/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk through a legacy image: the listener of its reading. Page contents are skipped, those
 * that are compressed only looked through.
 */
#include "examine/walk_legacy.h"

#include "base/util.h"
#include "examine/describe.h"

#define BYTES_AT_ONCE	65536u
#define AT_ONCE_OF_REST (UINT64_C(1) << 30)

/* How many bytes the item at hand has, those that the caller is yet to take included. */
static uint64_t item_length(const struct gw_walk_legacy *l, enum gw_legacy_event event)
{
	const struct gw_legacy_reader *r = l->r;
	uint64_t length = r->offset - r->item_offset;

	if (event == GW_LEGACY_PAGES || event == GW_LEGACY_COMPRESSED ||
	    event == GW_LEGACY_DEVICE_MODEL)
		length += r->data_len;
	if (event == GW_LEGACY_UNMAPPED)
		length = 4 + r->unmapped * r->header.kind.width;
	return length;
}

static void tell(struct gw_walk_legacy *l, const struct gw_examine_item *item)
{
	l->told = item->number + 1;
	l->w->sum->legacy_items++;
	if (l->w->sink->item)
		l->w->sink->item(l->w->sink->opaque, item);
}

/* A list of pfns without memory that has none causes no event. */
static void tell_skipped(struct gw_walk_legacy *l)
{
	const struct gw_examine_item item = {
		.number = l->told,
		.offset = l->reading.offset + l->r->item_offset - 4,
		.length = 4,
		.id = GW_LEG_TAIL_UNMAPPED,
		.name = gw_legacy_id_name(GW_LEG_TAIL_UNMAPPED),
		.text = "0 pfns",
	};

	if (l->r->item == l->told + 1 && l->r->header.kind.guest == GW_GUEST_X86_PV)
		tell(l, &item);
}

static void tell_item(struct gw_walk_legacy *l, enum gw_legacy_event event)
{
	const char *name = gw_legacy_id_name(l->r->id);
	char text[512];
	const struct gw_examine_item item = {
		.number = l->r->item,
		.offset = l->reading.offset + l->r->item_offset,
		.length = item_length(l, event),
		.id = l->r->id,
		.name = name ? name : "unknown",
		.text = gw_describe_item(l->r, event, text, sizeof(text)),
	};

	/* A part that comes in pieces is reported with its first piece. */
	if (event == GW_LEGACY_HEADER || event == GW_LEGACY_CHECKPOINT || l->r->item < l->told)
		return;
	tell_skipped(l);
	tell(l, &item);
}

static void broken_pages(struct gw_walk_legacy *l, const char *text)
{
	gw_legacy_rules_framing(l->reading.rules, l->r, text, NULL);
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
		broken_pages(l,
			     "the data gives more pages than the round has entries with contents");
}

static enum gw_read_result pass_compressed(struct gw_walk_legacy *l, struct gw_error *err)
{
	GW_FREE_ON_EXIT uint8_t *piece = malloc(BYTES_AT_ONCE);
	uint64_t left = l->r->data_len;

	if (!piece) {
		gw_fail_errno(err, "memory for compressed pages");
		return GW_READ_FAILED;
	}
	while (left) {
		size_t n = (size_t)GW_MIN(left, (uint64_t)BYTES_AT_ONCE);
		enum gw_read_result rc = gw_input_read(&l->w->in, piece, n, err);

		if (rc != GW_READ_OK)
			return rc;
		look_through(l, piece, n);
		left -= n;
	}
	return GW_READ_OK;
}

/* All compressed pages of the round should be there. */
static void check_pages_made(struct gw_walk_legacy *l)
{
	if (l->r->compressed && l->r->rounds && !l->item_is_bad && !l->pages_lost &&
	    (l->pages_made != l->pages_due || l->delta.state))
		broken_pages(l, "the body ends before every page of the round is complete");
	l->pages_made = l->pages_due = 0;
	l->pages_lost = false;
	l->delta = (struct gw_legacy_delta){0};
}

/* The device model's state, or as much of it as there is: its record is made when the round is
 * whole. */
static enum gw_read_result keep_model(struct gw_walk_legacy *l, uint64_t len, struct gw_error *err)
{
	if (gw_spool_begin(&l->model_state, err) < 0)
		return GW_READ_FAILED;
	while (len) {
		size_t n = (size_t)GW_MIN(len, (uint64_t)BYTES_AT_ONCE);
		void *room = gw_spool_room(&l->model_state, n, err);
		uint64_t from = gw_input_offset(&l->w->in);
		enum gw_read_result rc =
			room ? gw_input_read(&l->w->in, room, n, err) : GW_READ_FAILED;
		size_t got = (size_t)(gw_input_offset(&l->w->in) - from);

		if (rc == GW_READ_FAILED || gw_spool_filled(&l->model_state, got, err) < 0)
			return GW_READ_FAILED;
		if (rc == GW_READ_ENDED)
			return rc;
		len -= n;
	}
	return GW_READ_OK;
}

/* One of more than the bound is no state, as the rules say. */
static enum gw_read_result pass_model(struct gw_walk_legacy *l, struct gw_error *err)
{
	if (!l->w->sink->body || l->r->data_len > GW_EMULATOR_MAX)
		return gw_input_skip(&l->w->in, l->r->data_len, err);
	return keep_model(l, l->r->data_len, err);
}

/* A device model's record without a length is the rest of the input. */
static enum gw_read_result pass_rest(struct gw_walk_legacy *l, struct gw_error *err)
{
	uint64_t from = gw_input_offset(&l->w->in);
	enum gw_read_result rc =
		l->w->sink->body ? keep_model(l, GW_EMULATOR_MAX, err) : GW_READ_OK;

	while (rc == GW_READ_OK)
		rc = gw_input_skip(&l->w->in, AT_ONCE_OF_REST, err);
	l->reading.reader.data_len = gw_input_offset(&l->w->in) - from;
	if (rc == GW_READ_FAILED)
		return rc;
	return l->w->in.is_damaged ? GW_READ_ENDED : GW_READ_OK;
}

/* What comes after the event and does not pass through the reader. */
static enum gw_read_result pass_data(struct gw_walk_legacy *l, enum gw_legacy_event event,
				     struct gw_error *err)
{
	enum gw_read_result rc;

	switch (event) {
	case GW_LEGACY_PAGES:
		l->pages_due += l->r->data_len ? 0 : l->r->nr_pages;
		rc = gw_input_skip(&l->w->in, l->r->data_len, err);
		break;
	case GW_LEGACY_COMPRESSED:
		rc = pass_compressed(l, err);
		break;
	case GW_LEGACY_DEVICE_MODEL:
		rc = l->rest_passed ? GW_READ_OK : pass_model(l, err);
		if (rc == GW_READ_OK)
			gw_walk_legacy_map_model(l, l->r->data_len);
		break;
	default:
		return GW_READ_OK;
	}
	gw_walk_progress(l->w, GW_STAGE_READING);
	return rc;
}

/* The first event after a whole round. */
static int begin_round(struct gw_walk_legacy *l, struct gw_error *err)
{
	l->between_rounds = false;
	return gw_walk_legacy_map_round(l, err);
}

static enum gw_read_result on_arrived(void *owner, enum gw_legacy_event event, struct gw_error *err)
{
	struct gw_walk_legacy *l = owner;
	enum gw_read_result rc = GW_READ_OK;

	if (l->between_rounds && begin_round(l, err) < 0)
		return GW_READ_FAILED;
	l->rest_passed = event == GW_LEGACY_DEVICE_MODEL && l->r->data_len == UINT64_MAX;
	if (l->rest_passed)
		rc = pass_rest(l, err);
	if (rc != GW_READ_OK)
		return rc;
	tell_item(l, event);
	l->errors_before = l->w->sum->errors;
	return GW_READ_OK;
}

static enum gw_read_result on_event(void *owner, enum gw_legacy_event event, struct gw_error *err)
{
	struct gw_walk_legacy *l = owner;
	struct gw_error failure = GW_ERROR_INIT;

	/* What is said of the item counts against what it becomes: once is enough. */
	l->item_is_bad = l->w->sum->errors != l->errors_before;
	if (event == GW_LEGACY_BODY_END)
		check_pages_made(l);
	/* What it cannot become the rules have said. */
	if (gw_walk_legacy_map(l, event, &failure) < 0 && !l->item_is_bad) {
		gw_fail(err, failure.code, "%s", failure.text);
		return GW_READ_FAILED;
	}
	l->between_rounds = event == GW_LEGACY_CHECKPOINT;
	return pass_data(l, event, err);
}

static const struct gw_legacy_listener listener = {.arrived = on_arrived, .event = on_event};

/* As the stream of version 3 that it becomes is judged: libxl gives a guest of type hvm a device
 * model, which needs its state. */
static void check_model(struct gw_walk_legacy *l)
{
	const struct gw_config_facts *config = &l->w->config;

	if (config->known && config->type == GW_GUEST_X86_HVM && !config->pvh && !config->stubdom &&
	    l->r->header.kind.guest == GW_GUEST_X86_HVM && l->r->rounds &&
	    !l->w->sum->has_legacy_model)
		gw_rules_report(&l->w->findings, "stream-emulator-needed",
				gw_input_offset(&l->w->in), NULL,
				"no device model state, and the config's type is hvm");
}

static enum gw_walk_outcome walk_items(struct gw_walk_legacy *l, struct gw_error *err)
{
	enum gw_read_result rc = gw_read_legacy(&l->reading, err);

	if (rc == GW_READ_FAILED)
		return GW_WALK_FAILED;
	if (!l->reading.is_broken) {
		gw_walk_legacy_map_end(l);
		check_model(l);
	}
	return rc == GW_READ_OK ? GW_WALK_OVER : GW_WALK_LOST;
}

static void sum_up(struct gw_walk_legacy *l, bool whole)
{
	struct gw_examination *sum = l->w->sum;

	if (l->image_rules)
		sum->facts = *gw_image_rules_facts(l->image_rules);
	gw_image_rules_free(l->image_rules);
	sum->rounds = l->r->rounds;
	sum->legacy_compressed = l->r->compressed;
	sum->legacy_last_checkpoint = l->r->last_checkpoint;
	sum->facts.ended |= whole && l->r->last_checkpoint;
}

enum gw_walk_outcome gw_walk_legacy(struct gw_walk *w, struct gw_error *err)
{
	struct gw_walk_legacy l = {
		.w = w,
		.reading = {.in = &w->in,
			    .listener = &listener,
			    .owner = &l,
			    .findings = &w->findings,
			    .all_errors = true},
		.r = &l.reading.reader,
	};
	enum gw_walk_outcome outcome = GW_WALK_FAILED;

	if (w->sink->page) {
		gw_fail(err, GW_UNSUPPORTED,
			"a legacy image of Xen 4.5 or older must be converted before its contents can be read: use \"godwit convert\"");
		return GW_WALK_FAILED;
	}
	if (gw_legacy_reading_begin(&l.reading, NULL, err) == 0 &&
	    gw_walk_legacy_map_begin(&l, err) == 0)
		outcome = walk_items(&l, err);
	sum_up(&l, outcome == GW_WALK_OVER);
	gw_walk_legacy_map_free(&l);
	gw_legacy_reading_free(&l.reading);
	return outcome;
}
