/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The records of version 3 that a legacy image converts to, passed to the image rules and to the
 * sink during the walk. Records that need a later checkpoint wait: the tail of a round in memory,
 * the page entries of later rounds in an unlinked file.
 */
#include "examine/walk_legacy.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

/* The header of a batch in the file; its entries follow. */
struct held {
	struct gw_legacy_place place;
	uint32_t type, nr_entries;
	bool bad; /* the legacy rules have said so */
};

/* A vCPU's place: its records are found again by its id. */
struct vcpu_place {
	uint32_t id;
	struct gw_legacy_place place;
};

static struct gw_legacy_place here(const struct gw_walk_legacy *l)
{
	return (struct gw_legacy_place){.number = l->r->item, .offset = l->r->item_offset};
}

/*
 * What the image's rules say of a record that it becomes. What the legacy rules have said in their
 * words is not said again, and what is only said of an image that was converted is not true yet.
 */
static void on_mapped_finding(void *opaque, const struct gw_finding *finding)
{
	struct gw_finding told = *finding;
	struct gw_walk_legacy *l = opaque;

	if (l->item_is_bad || finding->level == GW_LEVEL_NOTE)
		return;
	snprintf(told.text, sizeof(told.text), "as version 3: %.380s", finding->text);
	gw_walk_finding(l->w, &told);
}

int gw_walk_legacy_map_begin(struct gw_walk_legacy *l, struct gw_error *err)
{
	l->mapped = (struct gw_findings){
		.report = on_mapped_finding, .opaque = l, .xen = l->w->findings.xen};
	l->image_rules = gw_image_rules_new(&l->mapped, l->reading.offset, GW_IMAGE_ANY, 0);
	if (!l->image_rules)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the rules of an image");
	gw_image_rules_config(l->image_rules, &l->w->config);
	return 0;
}

/* Of a device model that nobody has named. */
static const uint8_t no_ids[8];

static void give(struct gw_walk_legacy *l, enum gw_layer layer, const struct gw_record *rec,
		 const struct gw_image_reader *pages, const uint8_t *body_head)
{
	const struct gw_examine_record record = {
		.layer = layer,
		.offset = l->reading.offset + rec->offset,
		.rec = rec,
		.pages = pages,
		.body_head = body_head,
		.counts = gw_checkpoints_record(&l->checkpoints, layer, rec->type),
		.checkpoints = &l->checkpoints,
	};

	gw_walk_record(l->w, &record);
}

static void give_image_record(struct gw_walk_legacy *l, uint32_t type, const uint8_t *data,
			      uint32_t length, const struct gw_legacy_place *place)
{
	const struct gw_record rec = {
		.type = type,
		.length = length,
		.data = data,
		.offset = place->offset,
		.number = place->number,
	};

	give(l, GW_LAYER_LIBXC, &rec, NULL, NULL);
	gw_image_rules_record(l->image_rules, &rec, NULL);
}

static void give_pages(struct gw_walk_legacy *l, const uint64_t *entries, size_t n,
		       const struct gw_legacy_place *place)
{
	struct gw_image_reader pages = {
		.entries = entries,
		.nr_entries = n,
		.claimed_count = (uint32_t)n,
		.well_formed = true,
	};

	for (size_t i = 0; i < n; i++)
		pages.nr_pages += gw_page_has_data(gw_page_entry_type(entries[i]));
	pages.data_len = pages.nr_pages * (uint64_t)GW_PAGE_SIZE;
	pages.rec = (struct gw_record){
		.type = GW_REC_PAGE_DATA,
		.length = (uint32_t)(8 + 8 * n + pages.data_len),
		.offset = place->offset,
		.number = place->number,
	};
	l->w->sum->page_entries += n;
	l->w->sum->pages += pages.nr_pages;
	give(l, GW_LAYER_LIBXC, &pages.rec, &pages, NULL);
	gw_image_rules_pages(l->image_rules, &pages, NULL);
}

/* A record of the libxl stream that would be around the image. */
static void give_stream_record(struct gw_walk_legacy *l, uint32_t type, const uint8_t *data,
			       uint32_t length, const struct gw_legacy_place *place)
{
	const struct gw_record rec = {
		.type = type,
		.length = length,
		.data = data,
		.offset = place->offset,
		.number = place->number,
	};

	give(l, GW_LAYER_LIBXL, &rec, NULL, NULL);
}

/* All records of a buffer: place_of() says where each is from. */
static void give_records(struct gw_walk_legacy *l, const struct gw_buffer *buf, size_t at,
			 struct gw_legacy_place (*place_of)(const struct gw_walk_legacy *l,
							    uint32_t type, const uint8_t *body))
{
	while (at < buf->len) {
		struct gw_legacy_place place;
		uint32_t type, length;

		gw_record_header_decode(buf->data + at, &type, &length);
		at += GW_RECORD_HEADER_SIZE;
		place = place_of(l, type, buf->data + at);
		give_image_record(l, type, buf->data + at, length, &place);
		at += length + gw_record_padding(length);
	}
}

static struct gw_legacy_place place_of_header(const struct gw_walk_legacy *l, uint32_t type,
					      const uint8_t *body)
{
	return here(l);
}

static struct gw_legacy_place place_of_vcpu(const struct gw_walk_legacy *l, uint32_t id)
{
	for (size_t at = 0; at < l->vcpus.len; at += sizeof(struct vcpu_place)) {
		struct vcpu_place vcpu;

		memcpy(&vcpu, l->vcpus.data + at, sizeof(vcpu));
		if (vcpu.id == id)
			return vcpu.place;
	}
	return here(l);
}

static struct gw_legacy_place place_in_tail(const struct gw_walk_legacy *l, uint32_t type,
					    const uint8_t *body)
{
	switch (type) {
	case GW_REC_X86_TSC_INFO:
		return l->tsc;
	case GW_REC_HVM_PARAMS:
		return l->params;
	case GW_REC_HVM_CONTEXT:
		return l->context;
	case GW_REC_SHARED_INFO:
		return l->shared_info;
	default:
		return place_of_vcpu(l, gw_get_le32(body));
	}
}

static int map_header(struct gw_walk_legacy *l, struct gw_error *err)
{
	struct gw_walk *w = l->w;
	struct gw_buffer out = {0};
	int rc = gw_legacy_map_header(l->r, &out, err);

	if (rc == 0)
		rc = gw_image_header_decode(out.data, &w->sum->image, err);
	if (rc == 0) {
		w->sum->has_image = w->sum->has_legacy = true;
		w->sum->legacy = l->r->header;
		if (w->sink->image)
			w->sink->image(w->sink->opaque, l->reading.offset, &w->sum->image);
		gw_image_rules_header(l->image_rules, &w->sum->image, NULL);
		give_records(l, &out, GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE,
			     place_of_header);
	}
	gw_buffer_free(&out);
	return rc;
}

/* Entries or, with none, a record without a body: at once in the first round, else held back. */
static int put(struct gw_walk_legacy *l, uint32_t type, const uint64_t *entries, size_t n,
	       struct gw_error *err)
{
	const struct held held = {
		.place = here(l),
		.type = type,
		.nr_entries = (uint32_t)n,
		.bad = l->item_is_bad,
	};

	if (l->holds) {
		if (gw_spool_put(&l->held, &held, sizeof(held), err) < 0)
			return -1;
		return n ? gw_spool_put(&l->held, entries, n * sizeof(*entries), err) : 0;
	}
	if (type == GW_REC_PAGE_DATA)
		give_pages(l, entries, n, &held.place);
	else
		give_image_record(l, type, NULL, 0, &held.place);
	return 0;
}

static int give_held_from(struct gw_walk_legacy *l, struct gw_channel *from, struct gw_error *err)
{
	uint64_t entries[GW_LEGACY_BATCH_MAX];
	struct held held;
	int rc;

	while ((rc = gw_channel_read(from, &held, sizeof(held), err)) == 1) {
		if (held.nr_entries > GW_ARRAY_SIZE(entries) ||
		    (held.nr_entries &&
		     gw_channel_read(from, entries, held.nr_entries * sizeof(entries[0]), err) !=
			     1))
			return gw_fail(err, GW_SYSTEM, "a spooled checkpoint round lost bytes");
		l->item_is_bad = held.bad;
		if (held.type == GW_REC_PAGE_DATA)
			give_pages(l, entries, held.nr_entries, &held.place);
		else
			give_image_record(l, held.type, NULL, 0, &held.place);
	}
	l->item_is_bad = false;
	return rc;
}

static int give_held(struct gw_walk_legacy *l, struct gw_error *err)
{
	struct gw_channel *from;
	int rc;

	if (!l->holds)
		return 0;
	from = gw_spool_read(&l->held, err);
	rc = from ? give_held_from(l, from, err) : -1;
	gw_channel_close(from);
	return rc;
}

static int map_pages(struct gw_walk_legacy *l, struct gw_error *err)
{
	uint64_t entries[GW_LEGACY_BATCH_MAX];
	size_t nr_pages, n = gw_legacy_map_pages(l->r, entries, &nr_pages);

	return n ? put(l, GW_REC_PAGE_DATA, entries, n, err) : 0;
}

static int map_unmapped(struct gw_walk_legacy *l, struct gw_error *err)
{
	uint64_t entries[GW_LEGACY_BATCH_MAX];
	size_t n = gw_legacy_map_unmapped(l->r, entries);

	return n ? put(l, GW_REC_PAGE_DATA, entries, n, err) : 0;
}

/* Where what map_event() keeps is from. */
static int note_place(struct gw_walk_legacy *l, enum gw_legacy_event event, struct gw_error *err)
{
	const struct vcpu_place vcpu = {.id = l->r->vcpu.id, .place = here(l)};

	switch (event) {
	case GW_LEGACY_CHUNK:
		if (l->r->id == GW_LEG_TSC_INFO)
			l->tsc = here(l);
		else if (l->r->id == GW_LEG_TOOLSTACK)
			l->toolstack = here(l);
		return 0;
	case GW_LEGACY_MAGIC_PFNS:
		l->params = here(l);
		return 0;
	case GW_LEGACY_HVM_CONTEXT:
		l->context = here(l);
		return 0;
	case GW_LEGACY_VCPU:
		return gw_buffer_append(&l->vcpus, &vcpu, sizeof(vcpu), err);
	case GW_LEGACY_SHARED_INFO:
		l->shared_info = here(l);
		return 0;
	default:
		return 0;
	}
}

void gw_walk_legacy_map_model(struct gw_walk_legacy *l, uint64_t bytes)
{
	l->has_model = true;
	l->model_bytes = bytes;
	l->model_kind = l->r->model;
	l->model = here(l);
}

static int give_xenstore(struct gw_walk_legacy *l, struct gw_error *err)
{
	const struct gw_buffer *toolstack = &l->map.toolstack;
	struct gw_buffer body = {0};
	uint32_t entries;
	int rc;

	if (!toolstack->len)
		return 0;
	rc = gw_buffer_append(&body, NULL, 8, err);
	/* What is wrong with it the rules have said. */
	if (rc == 0 &&
	    gw_legacy_map_xenstore(toolstack->data, toolstack->len, l->r->header.kind.width, &body,
				   &entries, NULL) == 0 &&
	    entries)
		give_stream_record(l, GW_STREAM_EMULATOR_XENSTORE_DATA, body.data,
				   (uint32_t)body.len, &l->toolstack);
	gw_buffer_free(&body);
	return rc;
}

/* To the sink, in pieces. */
static int give_state(struct gw_walk_legacy *l, const struct gw_examine_record *record,
		      struct gw_error *err)
{
	struct gw_channel *state = gw_spool_read(&l->model_state, err);
	int rc = state ? 0 : -1;
	uint8_t piece[4096];
	ssize_t n = 1;

	while (rc == 0 && n > 0) {
		n = gw_channel_read_some(state, piece, sizeof(piece), err);
		if (n < 0)
			rc = -1;
		else if (n > 0)
			rc = l->w->sink->body(l->w->sink->opaque, record, piece, (size_t)n, err);
	}
	gw_channel_close(state);
	return rc;
}

/* Passes the record of the device model's state, and the state if the sink requests it. */
static int give_model(struct gw_walk_legacy *l, struct gw_error *err)
{
	const struct gw_record rec = {
		.type = GW_STREAM_EMULATOR_CONTEXT,
		.length = (uint32_t)GW_MIN(8 + l->model_bytes, (uint64_t)UINT32_MAX),
		.offset = l->model.offset,
		.number = l->model.number,
	};
	const struct gw_examine_record record = {
		.layer = GW_LAYER_LIBXL,
		.offset = l->reading.offset + rec.offset,
		.rec = &rec,
		.body_head = no_ids,
	};

	give(l, GW_LAYER_LIBXL, &rec, NULL, no_ids);
	return l->w->sink->body ? give_state(l, &record, err) : 0;
}

static int map_checkpoint(struct gw_walk_legacy *l, struct gw_error *err)
{
	struct gw_buffer tail = {0};
	int rc = give_held(l, err);

	if (rc == 0)
		rc = gw_legacy_map_tail(&l->map, &l->r->header, &tail, err);
	if (rc == 0)
		give_records(l, &tail, 0, place_in_tail);
	gw_buffer_free(&tail);
	l->owes_end = true;
	if (rc < 0)
		return -1;
	rc = give_xenstore(l, err);
	l->w->sum->has_legacy_model = l->has_model;
	l->w->sum->legacy_model = l->model_kind;
	if (rc == 0 && l->has_model)
		rc = give_model(l, err);
	return rc;
}

int gw_walk_legacy_map(struct gw_walk_legacy *l, enum gw_legacy_event event, struct gw_error *err)
{
	switch (event) {
	case GW_LEGACY_HEADER:
		return map_header(l, err);
	case GW_LEGACY_PAGES:
		return map_pages(l, err);
	case GW_LEGACY_UNMAPPED:
		return map_unmapped(l, err);
	case GW_LEGACY_CHECKPOINT:
		return map_checkpoint(l, err);
	default:
		break;
	}
	if (event == GW_LEGACY_CHUNK && l->r->id == GW_LEG_VERIFY &&
	    put(l, GW_REC_VERIFY, NULL, 0, err) < 0)
		return -1;
	if (note_place(l, event, err) < 0)
		return -1;
	return gw_legacy_map_event(&l->map, l->r, event, err);
}

static void end_round(struct gw_walk_legacy *l, uint32_t type)
{
	const struct gw_legacy_place place = {.number = l->r->item, .offset = l->r->offset};

	if (l->owes_end)
		give_image_record(l, type, NULL, 0, &place);
	l->owes_end = false;
}

int gw_walk_legacy_map_round(struct gw_walk_legacy *l, struct gw_error *err)
{
	end_round(l, GW_REC_CHECKPOINT);
	gw_legacy_map_round(&l->map);
	gw_buffer_reset(&l->vcpus);
	l->has_model = false;
	l->holds = true;
	return gw_spool_begin(&l->held, err);
}

void gw_walk_legacy_map_end(struct gw_walk_legacy *l)
{
	end_round(l, l->r->rounds > 1 ? GW_REC_CHECKPOINT : GW_REC_END);
}

void gw_walk_legacy_map_free(struct gw_walk_legacy *l)
{
	gw_legacy_map_free(&l->map);
	gw_buffer_free(&l->vcpus);
	gw_spool_close(&l->held);
	gw_spool_close(&l->model_state);
}
