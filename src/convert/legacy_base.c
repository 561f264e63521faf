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
#include "channel/reread.h"
#include "read/reading.h"

static bool can_be_read_again(const struct gw_channel *in)
{
	return in->seekable && in->fd >= 0;
}

void gw_conv_legacy_base_decide(struct gw_conv_legacy *l)
{
	if (l->base_state != BASE_UNDECIDED)
		return;
	if (can_be_read_again(l->c->in.ch))
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

/* A full disk is an error only when these pages are needed. */
static void give_up(struct gw_conv_legacy *l, const struct gw_error *why)
{
	l->base_failure = *why;
	l->base_state = BASE_LOST;
	gw_tee_close(&l->tee);
	gw_page_store_free(&l->c->pages);
}

enum gw_read_result gw_conv_legacy_base_keep(struct gw_conv_legacy *l, uint64_t pfn, size_t n,
					     struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	uint64_t offset;
	size_t some;
	enum gw_read_result rc = GW_READ_OK;

	for (; n && rc == GW_READ_OK && l->base_state == BASE_KEPT; n -= some) {
		some = gw_page_store_place(&l->c->pages, pfn, n, &offset, &why);
		if (some == SIZE_MAX) {
			give_up(l, &why);
			break;
		}
		l->tee.fd = l->c->pages.fd;
		rc = gw_conv_tee(l->c, some * GW_PAGE_SIZE, &l->tee, offset, err);
		if (l->tee.why.code)
			give_up(l, &l->tee.why);
		pfn += some;
	}
	return rc == GW_READ_OK ? gw_conv_move(l->c, n * GW_PAGE_SIZE, err) : rc;
}

void gw_conv_legacy_base_round(struct gw_conv_legacy *l)
{
	gw_tee_close(&l->tee);
	if (l->r->rounds == 1 && !l->r->compressed)
		gw_page_store_free(&l->c->pages);
}

/* The first round is read again. */
struct again {
	struct gw_conv_legacy *l;
	struct gw_input in;
	struct gw_legacy_reading legacy;
	struct gw_reading image;
};

/* The contents of a batch, which come next. */
static enum gw_read_result read_batch(struct again *a, const uint64_t *entries, size_t n,
				      struct gw_error *err)
{
	uint8_t pages[GW_CONV_PAGES * GW_PAGE_SIZE];

	for (size_t i = 0; i < n;) {
		uint64_t pfn = gw_page_entry_pfn(entries[i]);
		size_t run = gw_conv_run(entries + i, n - i, GW_CONV_PAGES);
		enum gw_read_result rc = gw_input_read(&a->in, pages, run * GW_PAGE_SIZE, err);

		if (rc != GW_READ_OK)
			return rc;
		if (run && gw_page_store_write(&a->l->c->pages, pfn, run, pages, err) < 0)
			return GW_READ_FAILED;
		i += GW_MAX(run, (size_t)1);
	}
	return GW_READ_OK;
}

static enum gw_read_result on_item(void *owner, enum gw_legacy_event event, struct gw_error *err)
{
	struct again *a = owner;
	const struct gw_legacy_reader *r = &a->legacy.reader;

	if (event == GW_LEGACY_BODY_END)
		return GW_READ_ENDED;
	if (event != GW_LEGACY_PAGES)
		return GW_READ_OK;
	if (r->verify_mode)
		return gw_input_skip(&a->in, r->data_len, err);
	return read_batch(a, r->entries, r->nr_entries, err);
}

/* The first round again, up to the end of its body. */
static enum gw_read_result read_input_again(struct again *a, struct gw_error *err)
{
	static const struct gw_legacy_listener listener = {.event = on_item};
	enum gw_read_result rc;

	a->legacy = (struct gw_legacy_reading){
		.in = &a->in, .listener = &listener, .owner = a, .is_judged = true};
	if (gw_legacy_reading_begin(&a->legacy, &a->l->r->header.kind, err) < 0)
		return GW_READ_FAILED;
	rc = gw_read_legacy(&a->legacy, err);
	gw_legacy_reading_free(&a->legacy);
	return rc;
}

static enum gw_read_result on_record(void *owner, struct gw_error *err)
{
	struct again *a = owner;

	return a->image.image.rec.type == GW_REC_VERIFY ? GW_READ_ENDED : GW_READ_OK;
}

static enum gw_read_result on_pages(void *owner, struct gw_error *err)
{
	struct again *a = owner;

	return read_batch(a, a->image.image.entries, a->image.image.nr_entries, err);
}

/* The same from what it became: the header and then pages alone, up to the VERIFY of those that
 * were sent to be compared, or to where the output ends by now. */
static enum gw_read_result read_output_again(struct again *a, struct gw_error *err)
{
	static const struct gw_read_listener listener = {
		.image_record = on_record,
		.image_pages = on_pages,
	};
	enum gw_read_result rc;

	a->image = (struct gw_reading){
		.in = &a->in, .listener = &listener, .owner = a, .is_judged = true};
	rc = gw_read_image(&a->image, err);
	gw_reading_free(&a->image);
	return rc;
}

/* It was read once, so nothing is wrong in it. 0 or -1. */
static int read_again(struct gw_conv_legacy *l, struct gw_error *err)
{
	bool of_input = l->base_state == BASE_IN_INPUT;
	struct again a = {.l = l};
	enum gw_read_result rc;

	a.in.ch = of_input ? gw_channel_part(l->c->in.ch, l->reading.offset,
					     gw_input_offset(&l->c->in), err)
			   : gw_channel_part(l->back, l->result, l->c->out->write_pos, err);
	if (!a.in.ch)
		return -1;
	rc = of_input ? read_input_again(&a, err) : read_output_again(&a, err);
	gw_channel_close(a.in.ch);
	return rc == GW_READ_FAILED ? -1 : 0;
}

int gw_conv_legacy_base_need(struct gw_conv_legacy *l, struct gw_error *err)
{
	bool is_again = l->base_state == BASE_IN_INPUT || l->base_state == BASE_IN_OUTPUT;

	if (is_again && read_again(l, err) < 0)
		return gw_fail_in(err, "reading the first round again");
	if (l->base_state == BASE_LOST && l->base_failure.code)
		return gw_fail(
			err, l->base_failure.code,
			"a round encodes pages as differences from the first round, which could not be kept: %s",
			l->base_failure.text);
	if (l->base_state == BASE_LOST)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"a round encodes pages as differences from the first round, which was not kept because it does not look like a live save: convert from a file");
	l->base_state = BASE_READY;
	return 0;
}
