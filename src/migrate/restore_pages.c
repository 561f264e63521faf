/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pages of an image into a domain: read straight into guest memory, through a bounce
 * buffer only where a page has to be localised or compared.
 */
#include "migrate/restore_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "hypervisor/domain.h"

#define MISMATCHES_TOLD 16

static int make_batch(struct gw_restore *r, struct gw_error *err)
{
	if (!r->batch)
		r->batch = calloc(1, sizeof(*r->batch));
	if (!r->batch)
		return gw_fail(err, GW_NO_MEMORY, "memory for a batch of pages");
	return 0;
}

void gw_restore_pages_free(struct gw_restore *r)
{
	if (r->batch && r->batch->bounce)
		munmap(r->batch->bounce, (size_t)GW_BATCH_MAX * GW_PAGE_SIZE);
	free(r->batch);
	r->batch = NULL;
}

static void *bounce_page(struct gw_page_batch *b, size_t i, struct gw_error *err)
{
	if (!b->bounce) {
		void *p = mmap(NULL, (size_t)GW_BATCH_MAX * GW_PAGE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			gw_fail_errno(err, "memory for pages to be localised");
			return NULL;
		}
		b->bounce = p;
	}
	return b->bounce + i * GW_PAGE_SIZE;
}

/* Notes types, gives pages to those pfns that need one, and finds out which carry data. */
static int take_entries(struct gw_restore *r, const struct gw_image_reader *reader, size_t first,
			size_t n, struct gw_error *err)
{
	const struct gw_restore_guest_ops *ops = r->guest.ops;
	struct gw_page_batch *b = r->batch;
	uint64_t populated[GW_BATCH_MAX];
	size_t nr_populated = 0;

	b->nr = 0;
	r->guest.rule = "domain-size";
	for (size_t i = first; i < first + n; i++) {
		uint64_t pfn = gw_page_entry_pfn(reader->entries[i]);
		unsigned type = gw_page_entry_type(reader->entries[i]);

		if (pfn >= r->guest.max_pfns || !ops->pfn_is_valid(&r->guest, pfn))
			return gw_fail(err, GW_INVALID,
				       "pfn 0x%llx is beyond domain %u, which has 0x%llx pfns",
				       (unsigned long long)pfn, r->guest.domain->domid,
				       (unsigned long long)r->guest.max_pfns);
		if (gw_page_is_populated(type))
			populated[nr_populated++] = pfn;
		if (gw_page_has_data(type)) {
			b->pfns[b->nr] = pfn;
			b->types[b->nr++] = (uint8_t)type;
		}
	}
	if (gw_restore_populate(&r->guest, nr_populated, populated, err) < 0)
		return -1;
	r->guest.rule = NULL;
	for (size_t i = first; i < first + n; i++)
		ops->set_page_type(&r->guest, gw_page_entry_pfn(reader->entries[i]),
				   gw_page_entry_type(reader->entries[i]));
	for (size_t i = 0; i < b->nr; i++)
		b->gfns[i] = ops->pfn_to_gfn(&r->guest, b->pfns[i]);
	return 0;
}

/* Where each page's bytes go; neighbours are merged. Returns the number of places, or -1. */
static int lay_out(struct gw_restore *r, struct gw_error *err)
{
	const struct gw_restore_guest_ops *ops = r->guest.ops;
	struct gw_page_batch *b = r->batch;
	int n = 0;

	for (size_t i = 0; i < b->nr; i++) {
		void *to = b->pages[i];

		b->bounced[i] = NULL;
		if (r->verifying || ops->needs_localise(b->types[i])) {
			to = b->bounced[i] = bounce_page(b, i, err);
			if (!to)
				return -1;
		}
		if (n > 0 && (char *)b->iov[n - 1].iov_base + b->iov[n - 1].iov_len == (char *)to)
			b->iov[n - 1].iov_len += GW_PAGE_SIZE;
		else
			b->iov[n++] = (struct iovec){.iov_base = to, .iov_len = GW_PAGE_SIZE};
	}
	return n;
}

/* VERIFY: the page was sent before and must be what it was. */
static void compare(struct gw_restore *r, size_t i)
{
	const struct gw_toolstack *ts = r->args->toolstack;
	struct gw_page_batch *b = r->batch;
	const uint8_t *sent = b->bounced[i], *here = b->pages[i];
	size_t at = 0;

	if (memcmp(sent, here, GW_PAGE_SIZE) == 0)
		return;
	while (sent[at] == here[at])
		at++;
	if (r->mismatches++ < MISMATCHES_TOLD && ts)
		gw_logf(&ts->log, GW_LOG_WARNING,
			"verify: pfn 0x%llx (type 0x%x) differs from byte 0x%zx on: sent %02x, here %02x",
			(unsigned long long)b->pfns[i], b->types[i], at, sent[at], here[at]);
}

static int settle_bounced(struct gw_restore *r, struct gw_error *err)
{
	const struct gw_restore_guest_ops *ops = r->guest.ops;
	struct gw_page_batch *b = r->batch;

	for (size_t i = 0; i < b->nr; i++) {
		if (!b->bounced[i])
			continue;
		if (ops->needs_localise(b->types[i]) &&
		    ops->localise(&r->guest, b->pfns[i], b->types[i], b->bounced[i], err) < 0)
			return gw_fail_in(err, "pfn 0x%llx", (unsigned long long)b->pfns[i]);
		if (r->verifying)
			compare(r, i);
		else
			memcpy(b->pages[i], b->bounced[i], GW_PAGE_SIZE);
	}
	return 0;
}

static enum gw_pull fill(struct gw_restore *r, struct gw_channel *from, struct gw_error *err)
{
	int n = lay_out(r, err);
	enum gw_pull rc;

	if (n < 0)
		return GW_PULL_FAILED;
	rc = gw_restore_readv(r, from, r->batch->iov, n, err);
	if (rc == GW_PULL_OK && settle_bounced(r, err) < 0)
		rc = GW_PULL_FAILED;
	return rc;
}

static enum gw_pull restore_chunk(struct gw_restore *r, struct gw_channel *from,
				  const struct gw_image_reader *reader, size_t first, size_t n,
				  struct gw_error *err)
{
	struct gw_domain *d = r->guest.domain;
	struct gw_page_batch *b = r->batch;
	struct gw_mapping mapping;
	enum gw_pull rc;

	if (take_entries(r, reader, first, n, err) < 0)
		return GW_PULL_FAILED;
	if (b->nr == 0)
		return GW_PULL_OK;
	if (gw_domain_map(d, b->nr, b->gfns, !r->verifying, b->pages, &mapping, err) < 0)
		return GW_PULL_FAILED;
	rc = fill(r, from, err);
	gw_domain_unmap(d, &mapping);
	r->pages += b->nr;
	r->progress.pages_done += b->nr;
	return rc;
}

enum gw_pull gw_restore_pages(struct gw_restore *r, struct gw_channel *from,
			      const struct gw_image_reader *reader, struct gw_error *err)
{
	if (make_batch(r, err) < 0)
		return GW_PULL_FAILED;
	for (size_t first = 0; first < reader->nr_entries; first += GW_BATCH_MAX) {
		size_t n = GW_MIN(reader->nr_entries - first, (size_t)GW_BATCH_MAX);
		enum gw_pull rc = restore_chunk(r, from, reader, first, n, err);

		if (rc != GW_PULL_OK) {
			gw_restore_refused(r, reader, err);
			if (rc == GW_PULL_FAILED)
				gw_fail_in(err,
					   "image record %" PRIu64
					   " (PAGE_DATA) at offset 0x%" PRIx64,
					   reader->rec.number, r->args->base + reader->rec.offset);
			return rc;
		}
	}
	return GW_PULL_OK;
}
