/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checkpoints on the receiving side. The first round is applied as it comes; each later one is
 * spooled and applied only when it is whole, so that losing the sender in the middle leaves the
 * last complete state.
 */
#include "migrate/restore_internal.h"

#include "base/util.h"

#define COPY_STEP	 (256u << 10)
#define ROUND_BYTES_MORE (UINT64_C(256) << 20) /* in a round beside its pages */

/* Each spooled round begins with the image's headers, so that a fresh reader can read it. */
static int begin_round(struct gw_restore *r, struct gw_error *err)
{
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];

	gw_image_header_encode(&r->reader.header, raw);
	r->spool.limit = 2 * r->guest.max_pfns * (GW_PAGE_SIZE + 8) + ROUND_BYTES_MORE;
	if (gw_spool_begin(&r->spool, err) < 0)
		return -1;
	return gw_spool_put(&r->spool, raw, sizeof(raw), err);
}

static int spool_record(struct gw_restore *r, struct gw_error *err)
{
	const struct gw_record *rec = &r->reader.rec;
	uint8_t raw[GW_RECORD_HEADER_SIZE];
	static const uint8_t zeros[8];

	gw_record_header_encode(raw, rec->type, rec->length);
	if (gw_spool_put(&r->spool, raw, sizeof(raw), err) < 0 ||
	    gw_spool_put(&r->spool, rec->data, rec->length, err) < 0)
		return -1;
	return gw_spool_put(&r->spool, zeros, gw_record_padding(rec->length), err);
}

static int spool_page_head(struct gw_restore *r, struct gw_error *err)
{
	const struct gw_image_reader *reader = &r->reader;
	size_t size = GW_RECORD_HEADER_SIZE + 8 + 8 * reader->nr_entries;
	uint8_t *raw = gw_spool_room(&r->spool, size, err);

	if (!raw)
		return -1;
	gw_page_data_head_encode(raw, reader->nr_entries, reader->entries, reader->nr_pages);
	return gw_spool_filled(&r->spool, size, err);
}

static enum gw_pull spool_pages(struct gw_restore *r, struct gw_error *err)
{
	uint64_t left = r->reader.data_len;

	if (spool_page_head(r, err) < 0)
		return GW_PULL_FAILED;
	while (left > 0) {
		size_t step = GW_MIN(left, (uint64_t)COPY_STEP);
		void *to = gw_spool_room(&r->spool, step, err);
		struct iovec iov = {.iov_base = to, .iov_len = step};
		enum gw_pull rc;

		if (!to)
			return GW_PULL_FAILED;
		rc = gw_restore_readv(r, r->args->in, &iov, 1, err);
		if (rc != GW_PULL_OK)
			return rc;
		if (gw_spool_filled(&r->spool, step, err) < 0)
			return GW_PULL_FAILED;
		left -= step;
	}
	gw_image_reader_pages_done(&r->reader);
	return GW_PULL_OK;
}

enum gw_pull gw_restore_spool(struct gw_restore *r, enum gw_image_event event, struct gw_error *err)
{
	if (event == GW_IMAGE_PAGES)
		return spool_pages(r, err);
	if (event == GW_IMAGE_RECORD && spool_record(r, err) < 0)
		return GW_PULL_FAILED;
	return GW_PULL_OK;
}

/* Applies the spooled round. Whatever fails here leaves a mixture, so nothing is a mere loss. */
static int apply_round(struct gw_restore *r, struct gw_error *err)
{
	struct gw_channel *from = gw_spool_read(&r->spool, err);
	struct gw_image_reader reader;
	enum gw_image_event event;
	enum gw_pull rc;

	if (!from)
		return -1;
	gw_image_reader_init(&reader);
	while ((rc = gw_restore_pull(r, from, &reader, &event, err)) == GW_PULL_OK) {
		if (event == GW_IMAGE_HEADER)
			continue;
		rc = gw_restore_apply(r, from, &reader, event, err);
		if (rc != GW_PULL_OK)
			break;
	}
	if (rc == GW_PULL_LOST && gw_image_reader_at_boundary(&reader) &&
	    reader.offset == r->spool.bytes)
		rc = GW_PULL_OK;
	else if (rc == GW_PULL_LOST)
		gw_fail(err, GW_SYSTEM, "the spooled round lost bytes behind %llu of %llu",
			(unsigned long long)reader.offset, (unsigned long long)r->spool.bytes);
	gw_image_reader_free(&reader);
	gw_channel_close(from);
	return rc == GW_PULL_OK ? 0
				: gw_fail_in(err, "applying the round of checkpoint %llu",
					     (unsigned long long)r->args->checkpoints);
}

/* Does the checkpoint count? Both the layer around the image and the domain's owner have a say. */
static enum gw_pull ask(struct gw_restore *r, struct gw_error *err)
{
	const struct gw_toolstack *ts = r->args->toolstack;
	int verdict;

	if (r->layer) {
		enum gw_pull rc = r->layer->checkpoint(r->layer->opaque, r->reader.offset,
						       r->reader.header.type, &r->lost, err);

		if (rc != GW_PULL_OK)
			return rc;
	}
	if (!ts || !ts->checkpoint)
		return GW_PULL_OK;
	verdict = ts->checkpoint(ts->opaque, err);
	if (verdict == GW_CHECKPOINT_GO_ON)
		return GW_PULL_OK;
	if (verdict == GW_CHECKPOINT_FAILOVER)
		return GW_PULL_LOST;
	gw_fail(err, GW_PEER, "the toolstack did not take checkpoint %llu over",
		(unsigned long long)r->args->checkpoints);
	return GW_PULL_FAILED;
}

enum gw_pull gw_restore_checkpoint(struct gw_restore *r, struct gw_error *err)
{
	enum gw_pull rc = ask(r, err);

	if (rc != GW_PULL_OK)
		return rc;
	if (r->spooling && apply_round(r, err) < 0)
		return GW_PULL_FAILED;
	r->args->checkpoints++;
	r->spooling = true;
	r->progress.round++;
	return begin_round(r, err) < 0 ? GW_PULL_FAILED : GW_PULL_OK;
}
