/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compressed rounds (Remus) tell a page as what differs from its contents on the receiving side, so
 * those have to be at hand: all that the first round brought. Where the input or the output can be
 * read again they are read again when that is known to be needed. From pipe to pipe they have to be
 * kept before that is known, unless the image shows from its beginning that it was not saved live:
 * then it has no such rounds.
 */
#include "convert/legacy.h"

#include "base/util.h"
#include "channel/offset_io.h"
#include "channel/reread.h"

static bool can_be_read_again(const struct gw_channel *in)
{
	return in->seekable && in->fd >= 0;
}

void gw_conv_legacy_base_decide(struct gw_conv_legacy *l)
{
	if (l->base_state != BASE_UNDECIDED)
		return;
	if (can_be_read_again(l->c->in))
		l->base_state = BASE_IN_INPUT;
	else if ((l->back = gw_channel_reread(l->c->out)))
		l->base_state = BASE_IN_OUTPUT;
	else if (l->has_tsc)
		l->base_state = BASE_LOST;
	else
		l->base_state = BASE_KEPT;
}

void gw_conv_legacy_base_free(struct gw_conv_legacy *l)
{
	gw_tee_close(&l->tee);
	gw_channel_close(GW_STEAL(l->back));
}

/* A full disk is none of our business as long as nobody asks for these pages. */
static void give_up(struct gw_conv_legacy *l, const struct gw_error *why)
{
	l->base_failure = *why;
	l->base_state = BASE_LOST;
	gw_tee_close(&l->tee);
	gw_slots_free(&l->c->slots);
}

int gw_conv_legacy_base_keep(struct gw_conv_legacy *l, uint64_t pfn, size_t n, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	uint64_t offset;
	size_t some;
	int rc = 1;

	for (; n && rc == 1 && l->base_state == BASE_KEPT; n -= some) {
		some = gw_slots_place(&l->c->slots, pfn, n, &offset, &why);
		if (some == SIZE_MAX) {
			give_up(l, &why);
			break;
		}
		l->tee.fd = l->c->slots.fd;
		rc = gw_conv_tee(l->c, some * GW_PAGE_SIZE, &l->tee, offset, err);
		if (l->tee.why.code)
			give_up(l, &l->tee.why);
		pfn += some;
	}
	return rc == 1 ? gw_conv_move(l->c, n * GW_PAGE_SIZE, err) : rc;
}

void gw_conv_legacy_base_round(struct gw_conv_legacy *l)
{
	gw_tee_close(&l->tee);
	if (l->r.rounds == 1 && !l->r.compressed)
		gw_slots_free(&l->c->slots);
}

/* The contents of a batch, from where they are in the input or the output. */
static int read_batch(struct gw_conv_legacy *l, const struct gw_channel *from, uint64_t at,
		      const uint64_t *entries, size_t n, struct gw_error *err)
{
	uint8_t pages[GW_CONV_PAGES * GW_PAGE_SIZE];

	for (size_t i = 0; i < n;) {
		uint64_t pfn = gw_page_entry_pfn(entries[i]);
		size_t run = gw_conv_run(entries + i, n - i, GW_CONV_PAGES);

		if (run && (gw_channel_pread(from, at, pages, run * GW_PAGE_SIZE, err) < 0 ||
			    gw_slots_write(&l->c->slots, pfn, run, pages, err) < 0))
			return -1;
		at += run * GW_PAGE_SIZE;
		i += GW_MAX(run, (size_t)1);
	}
	return 0;
}

/* The first round again, up to the end of its body: it was read once, so nothing is wrong in it. */
static int read_input_again(struct gw_conv_legacy *l, struct gw_error *err)
{
	enum gw_legacy_event event = GW_LEGACY_MORE;
	struct gw_legacy_reader r;
	uint64_t at = l->base;
	int rc = 0;

	gw_legacy_reader_init(&r, &l->r.header.kind);
	while (rc == 0 && event != GW_LEGACY_BODY_END) {
		size_t len;
		void *to;

		rc = gw_legacy_reader_want(&r, &to, &len, err);
		if (rc == 0 && len)
			rc = gw_channel_pread(l->c->in, at, to, len, err);
		at += len;
		if (rc == 0)
			rc = gw_legacy_reader_got(&r, &event, err);
		if (rc < 0 || event != GW_LEGACY_PAGES)
			continue;
		if (!r.verify_mode)
			rc = read_batch(l, l->c->in, at, r.entries, r.nr_entries, err);
		at += r.data_len;
		gw_legacy_reader_data_done(&r);
	}
	gw_legacy_reader_free(&r);
	return rc;
}

/* The same from what it became: the header and then pages alone, up to the VERIFY of those that
 * were sent to be compared, or to where the output ends by now. */
static int read_output_again(struct gw_conv_legacy *l, struct gw_error *err)
{
	enum gw_image_event event = GW_IMAGE_MORE;
	uint64_t at = l->result;
	struct gw_image_reader r;
	int rc = 0;

	gw_image_reader_init(&r);
	while (rc == 0 && !(event == GW_IMAGE_RECORD && r.rec.type == GW_REC_VERIFY) &&
	       !(gw_image_reader_at_boundary(&r) && at == l->c->out->write_pos)) {
		size_t len;
		void *to;

		rc = gw_image_reader_want(&r, &to, &len, err);
		if (rc == 0 && len)
			rc = gw_channel_pread(l->back, at, to, len, err);
		at += len;
		if (rc == 0)
			rc = gw_image_reader_got(&r, &event, err);
		if (rc < 0 || event != GW_IMAGE_PAGES)
			continue;
		rc = read_batch(l, l->back, at, r.entries, r.nr_entries, err);
		at += r.data_len;
		gw_image_reader_pages_done(&r);
	}
	gw_image_reader_free(&r);
	return rc;
}

int gw_conv_legacy_base_need(struct gw_conv_legacy *l, struct gw_error *err)
{
	int rc = 0;

	if (l->base_state == BASE_IN_INPUT)
		rc = read_input_again(l, err);
	else if (l->base_state == BASE_IN_OUTPUT)
		rc = read_output_again(l, err);
	if (rc < 0)
		return gw_fail_in(err, "reading the first round again");
	if (l->base_state == BASE_LOST && l->base_failure.code)
		return gw_fail(
			err, l->base_failure.code,
			"a round tells its pages as differences from those of the first, which could not be kept: %s",
			l->base_failure.text);
	if (l->base_state == BASE_LOST)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"a round tells its pages as differences from those of the first, which were not kept since that did not begin as a live one does: convert it from a file");
	l->base_state = BASE_READY;
	return 0;
}
