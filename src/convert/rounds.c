/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Later rounds: their pages and records wait here until their checkpoint is complete.
 */
#include "convert/conversion.h"

#include <godwit/guest.h>

#include "base/util.h"

size_t gw_conv_run(const uint64_t *entries, size_t n, size_t most)
{
	size_t run = 0;

	while (run < n && run < most && gw_page_has_data(gw_page_entry_type(entries[run])) &&
	       gw_page_entry_pfn(entries[run]) == gw_page_entry_pfn(entries[0]) + run)
		run++;
	return run;
}

enum gw_read_result gw_conv_wait_pages(struct gw_conv *c, const uint64_t *entries, size_t n,
				       struct gw_error *err)
{
	uint8_t pages[GW_CONV_PAGES * GW_PAGE_SIZE];

	for (size_t i = 0; i < n;) {
		size_t run = gw_conv_run(entries + i, n - i, GW_CONV_PAGES);
		enum gw_read_result rc = gw_input_read(&c->in, pages, run * GW_PAGE_SIZE, err);

		if (rc != GW_READ_OK)
			return rc;
		if (run && gw_page_store_write(&c->pages, gw_page_entry_pfn(entries[i]), run, pages,
					       err) < 0)
			return GW_READ_FAILED;
		for (size_t end = i + GW_MAX(run, (size_t)1); i < end; i++)
			if (gw_page_store_mark(&c->pages, gw_page_entry_pfn(entries[i]),
					       gw_page_entry_type(entries[i]), err) < 0)
				return GW_READ_FAILED;
	}
	return GW_READ_OK;
}

/*
 * The contents go through memory: the next round takes their place in the file, and a pipe would
 * show that to a slow reader.
 */
static int put_contents(struct gw_conv *c, const uint64_t *entries, size_t n, struct gw_error *err)
{
	uint8_t pages[GW_CONV_PAGES * GW_PAGE_SIZE];

	for (size_t i = 0; i < n;) {
		size_t run = gw_conv_run(entries + i, n - i, GW_CONV_PAGES);

		if (run && (gw_page_store_read(&c->pages, gw_page_entry_pfn(entries[i]), run, pages,
					       err) < 0 ||
			    gw_conv_put(c, pages, run * GW_PAGE_SIZE, err) < 0))
			return -1;
		i += GW_MAX(run, (size_t)1);
	}
	return 0;
}

int gw_conv_put_waiting(struct gw_conv *c, struct gw_error *err)
{
	uint64_t entries[GW_PAGE_STORE_CHUNK];

	for (size_t chunk = 0; chunk < c->pages.nr_chunks; chunk++) {
		size_t n = gw_page_store_take(&c->pages, chunk, entries), pages = 0;

		for (size_t i = 0; i < n; i++)
			pages += gw_page_has_data(gw_page_entry_type(entries[i]));
		if (n && (gw_conv_page_head(c, entries, n, pages, 0, err) < 0 ||
			  put_contents(c, entries, n, err) < 0))
			return -1;
		gw_conv_progress(c, GW_STAGE_CONVERTING);
	}
	return 0;
}

int gw_conv_deferred_complete(struct gw_conv *c, struct gw_error *err)
{
	struct gw_spool now = c->deferred.current;

	/* Nothing came: what the last round brought stays. */
	if (!now.open || !now.bytes)
		return 0;
	c->deferred.current = c->deferred.complete;
	c->deferred.complete = now;
	return gw_spool_begin(&c->deferred.current, err);
}
