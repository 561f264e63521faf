/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pages of a legacy image. Those of the first round go straight through; those of later ones wait,
 * compressed ones after they were made whole.
 */
#include "convert/legacy.h"

#include <string.h>

#include "base/util.h"

#define BYTES_AT_ONCE 65536u
/* Pages that may be announced before their contents: a hundred times what libxc's buffer holds. */
#define DUE_MAX ((size_t)1 << 20)

/* Contents that are moved on, and kept too. */
static enum gw_read_result move_and_keep(struct gw_conv_legacy *l, const uint64_t *entries,
					 size_t n, struct gw_error *err)
{
	for (size_t i = 0; i < n;) {
		size_t run = gw_conv_run(entries + i, n - i, n);
		enum gw_read_result rc = GW_READ_OK;

		if (run)
			rc = gw_conv_legacy_base_keep(l, gw_page_entry_pfn(entries[i]), run, err);
		if (rc != GW_READ_OK)
			return rc;
		i += GW_MAX(run, (size_t)1);
	}
	return GW_READ_OK;
}

static enum gw_read_result pass_pages(struct gw_conv_legacy *l, const uint64_t *entries, size_t n,
				      size_t nr_pages, struct gw_error *err)
{
	if (n && gw_conv_page_head(l->c, entries, n, nr_pages, 0, err) < 0)
		return GW_READ_FAILED;
	/* What is only compared says nothing new. */
	return l->base_state == BASE_KEPT && !l->c->verifying
		       ? move_and_keep(l, entries, n, err)
		       : gw_conv_move(l->c, l->r->data_len, err);
}

/* Entries of a compressed round: those with contents are due, the others are done with. */
static enum gw_read_result announce(struct gw_conv_legacy *l, const uint64_t *entries, size_t n,
				    struct gw_error *err)
{
	/* What is through makes room. */
	if (l->due_at) {
		l->due.len -= l->due_at;
		memmove(l->due.data, l->due.data + l->due_at, l->due.len);
		l->due_at = 0;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned type = gw_page_entry_type(entries[i]);

		if (!gw_page_has_data(type)) {
			if (!l->c->verifying &&
			    gw_page_store_mark(&l->c->pages, gw_page_entry_pfn(entries[i]), type,
					       err) < 0)
				return GW_READ_FAILED;
		} else if (gw_buffer_append(&l->due, &entries[i], sizeof(entries[i]), err) < 0) {
			return GW_READ_FAILED;
		}
	}
	if (l->due.len / sizeof(*entries) <= DUE_MAX)
		return GW_READ_OK;
	gw_fail(err, GW_UNSUPPORTED,
		"a compressed round announces more than %zu pages before their contents", DUE_MAX);
	return GW_READ_FAILED;
}

enum gw_read_result gw_conv_legacy_pages(struct gw_conv_legacy *l, struct gw_error *err)
{
	uint64_t entries[GW_LEGACY_BATCH_MAX];
	size_t nr_pages, n = gw_legacy_map_pages(l->r, entries, &nr_pages);
	enum gw_read_result rc;

	gw_conv_legacy_base_decide(l);
	if (n && gw_conv_legacy_judge_pages(l, entries, n, nr_pages, err) < 0)
		return GW_READ_FAILED;
	if (!l->c->later)
		rc = pass_pages(l, entries, n, nr_pages, err);
	else if (l->r->compressed)
		rc = announce(l, entries, n, err);
	else if (l->c->verifying)
		rc = gw_input_skip(&l->c->in, l->r->data_len, err);
	else
		rc = gw_conv_wait_pages(l->c, entries, n, err);
	gw_conv_progress(l->c, GW_STAGE_CONVERTING);
	return rc;
}

int gw_conv_legacy_unmapped(struct gw_conv_legacy *l, struct gw_error *err)
{
	uint64_t entries[GW_LEGACY_BATCH_MAX];
	size_t n = gw_legacy_map_unmapped(l->r, entries);

	if (!n)
		return 0;
	if (gw_conv_legacy_judge_pages(l, entries, n, 0, err) < 0)
		return -1;
	if (!l->c->later)
		return gw_conv_page_head(l->c, entries, n, 0, 0, err);
	return gw_conv_wait_pages(l->c, entries, n, err) == GW_READ_FAILED ? -1 : 0;
}

/* The page at hand is whole. */
static int store_page(struct gw_conv_legacy *l, uint64_t entry, struct gw_error *err)
{
	uint64_t pfn = gw_page_entry_pfn(entry);

	l->in_page = false;
	l->due_at += sizeof(entry);
	if (l->c->verifying)
		return 0;
	if (gw_page_store_write(&l->c->pages, pfn, 1, l->page, err) < 0)
		return -1;
	return gw_page_store_mark(&l->c->pages, pfn, gw_page_entry_type(entry), err);
}

static int bad_contents(struct gw_conv_legacy *l, const char *text, struct gw_error *err)
{
	return gw_legacy_rules_framing(l->reading.rules, l->r, text, err);
}

/* Some bytes of one page, from compressed ones: how many; -1. */
static long make_page(struct gw_conv_legacy *l, const uint8_t *in, size_t len, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	bool complete;
	uint64_t entry;
	long used;

	if (l->due_at == l->due.len)
		return bad_contents(l, "there are more pages than the round announced", err);
	memcpy(&entry, l->due.data + l->due_at, sizeof(entry));
	if (!l->in_page && gw_legacy_delta_kind(&l->delta, in, len) != GW_DELTA_FULL &&
	    gw_page_store_read(&l->c->pages, gw_page_entry_pfn(entry), 1, l->page, err) < 0)
		return -1;
	l->in_page = true;
	used = gw_legacy_delta_apply(&l->delta, in, len, l->page, &complete, &failure);
	if (used < 0)
		return bad_contents(l, failure.text, err);
	return complete && store_page(l, entry, err) < 0 ? -1 : used;
}

enum gw_read_result gw_conv_legacy_compressed(struct gw_conv_legacy *l, struct gw_error *err)
{
	uint8_t bytes[BYTES_AT_ONCE];

	if (l->base_state != BASE_READY && gw_conv_legacy_base_need(l, err) < 0)
		return GW_READ_FAILED;
	for (uint64_t left = l->r->data_len; left;) {
		size_t n = (size_t)GW_MIN(left, (uint64_t)sizeof(bytes));
		enum gw_read_result rc = gw_input_read(&l->c->in, bytes, n, err);

		if (rc != GW_READ_OK)
			return rc;
		for (size_t consumed = 0; consumed < n;) {
			long used = make_page(l, bytes + consumed, n - consumed, err);

			if (used < 0)
				return GW_READ_FAILED;
			consumed += (size_t)used;
		}
		left -= n;
	}
	gw_conv_progress(l->c, GW_STAGE_CONVERTING);
	return GW_READ_OK;
}

int gw_conv_legacy_body_end(struct gw_conv_legacy *l, struct gw_error *err)
{
	if (l->due_at == l->due.len && !l->in_page)
		return 0;
	return bad_contents(l, "the body ends before all announced pages", err);
}
