/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Converts a legacy image item by item. Each item becomes a record at once, at the end of its
 * round, or after the image.
 */
#include "convert/legacy.h"

#include <poll.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

#define EMULATOR_IDS 8u
#define LATE_MS	     2000 /* from then on a user asks what the command waits for */

static int take_header(struct gw_conv_legacy *l, struct gw_error *err)
{
	struct gw_buffer header = {0};
	int rc = gw_legacy_map_header(l->r, &header, err);

	l->c->done->legacy = l->r->header.kind;
	if (rc == 0)
		rc = gw_conv_legacy_judge_begin(l, &header, err);
	if (rc == 0)
		rc = gw_conv_begin(l->c, true, err);
	l->result = l->c->out->write_pos;
	if (rc == 0)
		rc = gw_conv_put(l->c, header.data, header.len, err);
	gw_buffer_free(&header);
	return rc;
}

static int take_verify(struct gw_conv_legacy *l, struct gw_error *err)
{
	l->c->verifying = true;
	/* In a round that waits it would be in the way of those pages that count. */
	if (l->c->later)
		return 0;
	if (gw_conv_legacy_judge(l, GW_REC_VERIFY, err) < 0)
		return -1;
	return gw_conv_empty_record(l->c, GW_REC_VERIFY, err);
}

/* A PV guest has no device model. libxl 4.5 always sends this record, without entries. */
static void report_toolstack(struct gw_conv_legacy *l)
{
	struct gw_buffer body = {0};
	uint32_t entries = 0;
	int rc = gw_legacy_map_xenstore(l->r->data, l->r->len, l->r->header.kind.width, &body,
					&entries, NULL);

	if ((rc < 0 || entries) && !l->c->reported_xenstore) {
		l->c->reported_xenstore = true;
		gw_conv_dropped(l->c,
				"TOOLSTACK of %u bytes is dropped: a PV guest has no device model",
				l->r->len);
	}
	gw_buffer_free(&body);
}

static int take_chunk(struct gw_conv_legacy *l, struct gw_error *err)
{
	if (gw_legacy_map_event(&l->map, l->r, GW_LEGACY_CHUNK, err) < 0)
		return -1;
	switch (l->r->id) {
	case GW_LEG_VERIFY:
		return take_verify(l, err);
	case GW_LEG_TSC_INFO:
		l->has_tsc = true;
		return 0;
	case GW_LEG_TMEM:
	case GW_LEG_TMEM_EXTRA:
		if (!l->reported_tmem)
			gw_conv_dropped(
				l->c,
				"%s is dropped: current Xen has no transcendent memory, and this one holds none of the guest's data",
				gw_legacy_id_name(l->r->id));
		l->reported_tmem = true;
		return 0;
	case GW_LEG_TOOLSTACK:
		if (l->r->header.kind.guest == GW_GUEST_X86_PV)
			report_toolstack(l);
		return 0;
	default:
		return 0;
	}
}

/* What the toolstack record becomes, of the round that is complete. */
static int map_xenstore(struct gw_conv_legacy *l, struct gw_error *err)
{
	const struct gw_buffer *toolstack = &l->map.toolstack;
	uint32_t entries;

	gw_buffer_reset(&l->xenstore);
	if (!toolstack->len)
		return 0;
	if (gw_buffer_append(&l->xenstore, NULL, EMULATOR_IDS, err) < 0 ||
	    gw_legacy_map_xenstore(toolstack->data, toolstack->len, l->r->header.kind.width,
				   &l->xenstore, &entries, err) < 0)
		return -1;
	if (!entries)
		gw_buffer_reset(&l->xenstore);
	return 0;
}

/* The round is whole: its pages go out, the rest waits for whether another comes. */
static int complete_round(struct gw_conv_legacy *l, struct gw_error *err)
{
	if (l->c->later && gw_conv_put_waiting(l->c, err) < 0)
		return -1;
	gw_buffer_reset(&l->tail);
	if (gw_legacy_map_tail(&l->map, &l->r->header, &l->tail, err) < 0 ||
	    gw_conv_legacy_judge_records(l, &l->tail, 0, err) < 0 ||
	    gw_conv_legacy_judge(l, GW_REC_CHECKPOINT, err) < 0)
		return -1;
	return map_xenstore(l, err);
}

/* Writes the records after the pages, up to the device model state. */
static int put_tail(struct gw_conv_legacy *l, struct gw_error *err)
{
	const struct gw_record xenstore = {
		.type = GW_STREAM_EMULATOR_XENSTORE_DATA,
		.length = (uint32_t)l->xenstore.len,
		.data = l->xenstore.data,
	};

	if (gw_conv_put(l->c, l->tail.data, l->tail.len, err) < 0 ||
	    gw_conv_empty_record(l->c, GW_REC_END, err) < 0)
		return -1;
	if (!l->xenstore.len)
		return 0;
	if (gw_conv_has_stream(l->c))
		return gw_conv_record(l->c, &xenstore, err);
	gw_conv_dropped(
		l->c,
		"TOOLSTACK of %zu bytes is dropped: a bare image cannot contain the device model's xenstore keys",
		l->map.toolstack.len);
	return 0;
}

static int put_model_head(struct gw_conv_legacy *l, uint64_t len, struct gw_error *err)
{
	uint8_t head[GW_RECORD_HEADER_SIZE + EMULATOR_IDS] = {0};

	/* The ids: a device model that nobody has named, the first. */
	gw_record_header_encode(head, GW_STREAM_EMULATOR_CONTEXT, (uint32_t)len + EMULATOR_IDS);
	return gw_conv_put(l->c, head, sizeof(head), err);
}

static int put_model_padding(struct gw_conv_legacy *l, uint64_t len, struct gw_error *err)
{
	static const uint8_t zeros[8];

	return gw_conv_put(l->c, zeros, gw_record_padding((uint32_t)len), err);
}

/* The image says that nothing follows: what is complete up to here can be written, and the state
 * after it. */
static enum gw_read_result pass_model(struct gw_conv_legacy *l, struct gw_error *err)
{
	enum gw_read_result rc;

	if (complete_round(l, err) < 0 || put_tail(l, err) < 0 ||
	    put_model_head(l, l->r->data_len, err) < 0)
		return GW_READ_FAILED;
	rc = gw_conv_move(l->c, l->r->data_len, err);
	if (rc != GW_READ_OK)
		return rc;
	if (put_model_padding(l, l->r->data_len, err) < 0)
		return GW_READ_FAILED;
	l->model_put = true;
	return GW_READ_OK;
}

/*
 * The device model's record has no length: it ends with the input. Its sender may wait for an
 * answer instead of closing the connection, so that nothing more would ever come.
 */
static void say_that_it_waits(struct gw_conv_legacy *l)
{
	const struct gw_channel *ch = l->c->in.ch;

	if (l->said_that_it_waits || ch->fd < 0 || gw_channel_has_input(ch) ||
	    gw_cancel_wait(ch->cancel, ch->fd, POLLIN, LATE_MS, NULL) != 0)
		return;
	l->said_that_it_waits = true;
	gw_logf(&l->c->log, GW_LOG_WARNING,
		"the device model's record has no length: waiting for the end of %s", ch->name);
}

/* To the end of the input. */
static enum gw_read_result spool_rest(struct gw_conv_legacy *l, struct gw_error *err)
{
	struct gw_spool *spool = &l->c->deferred.current;
	ssize_t n;

	do {
		void *room = gw_spool_room(spool, 65536, err);

		say_that_it_waits(l);
		n = room ? gw_channel_read_some(l->c->in.ch, room, 65536, err) : -1;
		if (n < 0 || gw_spool_filled(spool, (size_t)n, err) < 0)
			return GW_READ_FAILED;
		if (spool->bytes > GW_EMULATOR_MAX) {
			gw_fail(err, GW_INVALID, "the device model's state has more than %u bytes",
				GW_EMULATOR_MAX);
			return GW_READ_FAILED;
		}
	} while (n);
	return GW_READ_OK;
}

static enum gw_read_result drop_rest(struct gw_conv_legacy *l, struct gw_error *err)
{
	uint8_t scratch[4096];
	ssize_t n;

	do {
		say_that_it_waits(l);
		n = gw_channel_read_some(l->c->in.ch, scratch, sizeof(scratch), err);
	} while (n > 0);
	return n < 0 ? GW_READ_FAILED : GW_READ_OK;
}

/* Skips it. */
static enum gw_read_result drop_model(struct gw_conv_legacy *l, struct gw_error *err)
{
	uint64_t before = gw_input_offset(&l->c->in);
	bool to_the_end = l->r->data_len == UINT64_MAX;
	enum gw_read_result rc;

	rc = to_the_end ? drop_rest(l, err) : gw_input_skip(&l->c->in, l->r->data_len, err);
	if (rc == GW_READ_OK && !l->c->reported_model) {
		l->c->reported_model = true;
		gw_conv_dropped(
			l->c,
			"the device model state of %llu bytes is dropped: a bare image cannot contain it",
			(unsigned long long)(gw_input_offset(&l->c->in) - before));
	}
	return rc;
}

static enum gw_read_result take_model(struct gw_conv_legacy *l, struct gw_error *err)
{
	if (!gw_conv_has_stream(l->c))
		return drop_model(l, err);
	if (l->r->last_checkpoint && !l->c->later && l->r->data_len != UINT64_MAX)
		return pass_model(l, err);
	if (gw_spool_begin(&l->c->deferred.current, err) < 0)
		return GW_READ_FAILED;
	if (l->r->data_len == UINT64_MAX)
		return spool_rest(l, err);
	return gw_conv_spool(l->c, &l->c->deferred.current, l->r->data_len, err);
}

/* With the device model skipped, the next bytes are unknown. */
static bool is_last_round(const struct gw_conv_legacy *l)
{
	return l->r->bare && l->r->header.kind.guest == GW_GUEST_X86_HVM;
}

static enum gw_read_result take_checkpoint(struct gw_conv_legacy *l, struct gw_error *err)
{
	if (l->model_put)
		return GW_READ_ENDED;
	if (complete_round(l, err) < 0 || gw_conv_deferred_complete(l->c, err) < 0)
		return GW_READ_FAILED;
	if (l->r->rounds > 1)
		l->c->done->checkpoints = l->r->rounds;
	if (is_last_round(l))
		return GW_READ_ENDED;
	gw_legacy_map_round(&l->map);
	gw_conv_legacy_base_round(l);
	l->c->later = true;
	return GW_READ_OK;
}

/* Events whose bytes have all come. */
static int take(struct gw_conv_legacy *l, enum gw_legacy_event event, struct gw_error *err)
{
	switch (event) {
	case GW_LEGACY_HEADER:
		return take_header(l, err);
	case GW_LEGACY_CHUNK:
		return take_chunk(l, err);
	case GW_LEGACY_BODY_END:
		return gw_conv_legacy_body_end(l, err);
	case GW_LEGACY_UNMAPPED:
		return gw_conv_legacy_unmapped(l, err);
	default:
		return gw_legacy_map_event(&l->map, l->r, event, err);
	}
}

static enum gw_read_result on_event(void *owner, enum gw_legacy_event event, struct gw_error *err)
{
	struct gw_conv_legacy *l = owner;

	switch (event) {
	case GW_LEGACY_PAGES:
		return gw_conv_legacy_pages(l, err);
	case GW_LEGACY_COMPRESSED:
		return gw_conv_legacy_compressed(l, err);
	case GW_LEGACY_DEVICE_MODEL:
		return take_model(l, err);
	case GW_LEGACY_CHECKPOINT:
		return take_checkpoint(l, err);
	default:
		return take(l, event, err) < 0 ? GW_READ_FAILED : GW_READ_OK;
	}
}

static const struct gw_legacy_listener listener = {.event = on_event};

/* The last complete round: what of it waits. */
static int finish(struct gw_conv_legacy *l, struct gw_error *err)
{
	struct gw_spool *model = &l->c->deferred.complete;

	if (!l->model_put && put_tail(l, err) < 0)
		return -1;
	if (!gw_conv_has_stream(l->c))
		return 0;
	if (!l->model_put && model->open && model->bytes &&
	    (put_model_head(l, model->bytes, err) < 0 || gw_conv_put_spool(l->c, model, err) < 0 ||
	     put_model_padding(l, model->bytes, err) < 0))
		return -1;
	return gw_conv_empty_record(l->c, GW_STREAM_END, err);
}

/* What the caller only believes gives way to the content. */
static int choose_kind(struct gw_conv *c, struct gw_legacy_kind *kind, struct gw_error *err)
{
	struct gw_legacy_kind tries[] = {c->args->legacy, c->args->legacy, {0}};
	struct gw_error why[GW_ARRAY_SIZE(tries)] = {GW_ERROR_INIT};
	uint8_t first[GW_LEGACY_DETECT];
	ssize_t n;

	*kind = c->args->legacy;
	if (!c->args->legacy_is_guess)
		return 0;
	n = gw_input_peek(&c->in, first, sizeof(first), err);
	if (n < 0)
		return -1;
	tries[1].width = 0;
	for (size_t i = 0; i < GW_ARRAY_SIZE(tries); i++) {
		*kind = tries[i];
		if (gw_legacy_detect(first, (size_t)n, &tries[i], &why[i]) < 0)
			continue;
		if (i)
			gw_logf(&c->log, GW_LOG_WARNING,
				"the given word size or guest type is wrong, using the detected one: %s",
				why[0].text);
		return 0;
	}
	/* The reader says what is wrong with it. */
	*kind = (struct gw_legacy_kind){0};
	return 0;
}

static int convert(struct gw_conv_legacy *l, const struct gw_legacy_kind *kind,
		   struct gw_error *err)
{
	if (gw_legacy_reading_begin(&l->reading, kind, err) < 0)
		return -1;
	l->reading.reader.bare = l->c->args->bare;
	if (gw_read_legacy(&l->reading, err) == GW_READ_FAILED)
		return -1;
	return finish(l, err);
}

int gw_conv_legacy(struct gw_conv *c, struct gw_error *err)
{
	struct gw_conv_legacy l = {
		.c = c,
		.reading = {.in = &c->in,
			    .listener = &listener,
			    .owner = &l,
			    .findings = &c->findings},
		.r = &l.reading.reader,
	};
	struct gw_legacy_kind kind;
	int rc;

	c->done->from = GW_CONVERT_LEGACY;
	if (choose_kind(c, &kind, err) < 0)
		return -1;
	rc = convert(&l, &kind, err);
	gw_conv_legacy_base_free(&l);
	gw_legacy_reading_free(&l.reading);
	gw_image_rules_free(l.mapped);
	gw_legacy_map_free(&l.map);
	gw_buffer_free(&l.tail);
	gw_buffer_free(&l.xenstore);
	gw_buffer_free(&l.due);
	return rc;
}
