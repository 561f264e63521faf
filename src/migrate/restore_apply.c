/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes the contents of a batch to guest memory: directly, or through a copy if a page has to be
 * localised, compared, or left out.
 */
#include "migrate/restore_apply.h"

#include <string.h>

#include "base/util.h"
#include "hypervisor/domain.h"

#define MISMATCHES_LOGGED 16

static enum gw_read_result read_input(void *owner, struct iovec *iov, int n, struct gw_error *err)
{
	return gw_input_readv(owner, iov, n, err);
}

struct gw_page_source gw_page_source_of(struct gw_input *in)
{
	return (struct gw_page_source){.readv = read_input, .owner = in};
}

static bool is_left_out(const struct gw_batch *b, size_t i)
{
	return b->pfns[i] == GW_INVALID_PFN;
}

/* True if the page's contents go through the batch's own copy. */
static bool is_copied(const struct gw_restore_memory *m, const struct gw_batch *b, size_t i)
{
	return m->verifying || is_left_out(b, i) || m->guest->ops->needs_localise(b->types[i]);
}

/* Gives pages to the entries that need one, and sets the types of all. */
static int populate(struct gw_restore_guest *g, const struct gw_batch *b, struct gw_error *err)
{
	uint64_t populated[GW_BATCH_MAX];
	uint8_t types[GW_BATCH_MAX];
	size_t n = 0;

	for (size_t i = 0; i < b->nr; i++) {
		if (is_left_out(b, i) || !gw_page_is_populated(b->types[i]))
			continue;
		types[n] = b->types[i];
		populated[n++] = b->pfns[i];
	}
	g->rule = "domain-size";
	if (gw_restore_populate(g, n, populated, types, err) < 0)
		return -1;
	g->rule = NULL;
	for (size_t i = 0; g->ops->set_page_type && i < b->nr; i++)
		if (!is_left_out(b, i))
			g->ops->set_page_type(g, b->pfns[i], b->types[i]);
	return 0;
}

/* Maps the pages that get contents: b->data, in the order of the entries. */
static int map(struct gw_restore_memory *m, struct gw_batch *b, struct gw_error *err)
{
	struct gw_restore_guest *g = m->guest;
	struct gw_domain *d = g->domain;
	size_t n = 0;

	for (size_t i = 0; i < b->nr; i++)
		if (!is_left_out(b, i) && gw_page_has_data(b->types[i]))
			b->data_gfns[n++] = g->ops->pfn_to_gfn(g, b->pfns[i]);
	if (n == 0)
		return 0;
	if (gw_domain_map(d, n, b->data_gfns, !m->verifying, b->data, &b->mapping, err) < 0)
		return -1;
	b->mapped = true;
	return 0;
}

/* Fills b->iov with the address of each page's contents; adjacent pages are merged. */
static int lay_out(const struct gw_restore_memory *m, struct gw_batch *b, struct gw_error *err)
{
	size_t mapped = 0, copy = 0;

	b->nr_iov = 0;
	for (size_t i = 0; i < b->nr; i++) {
		struct iovec *last = b->nr_iov ? &b->iov[b->nr_iov - 1] : NULL;
		char *to;

		if (!gw_page_has_data(b->types[i]))
			continue;
		to = is_copied(m, b, i) ? gw_batch_bounce(b, copy++, err) : b->data[mapped];
		if (!to)
			return -1;
		mapped += !is_left_out(b, i);
		if (last && (char *)last->iov_base + last->iov_len == to)
			last->iov_len += GW_PAGE_SIZE;
		else
			b->iov[b->nr_iov++] =
				(struct iovec){.iov_base = to, .iov_len = GW_PAGE_SIZE};
	}
	return 0;
}

/* VERIFY: the page was sent before and must be unchanged. */
static void compare(struct gw_restore_memory *m, const struct gw_batch *b, size_t i,
		    const uint8_t *sent, const uint8_t *here)
{
	size_t differs = 0;

	if (memcmp(sent, here, GW_PAGE_SIZE) == 0)
		return;
	while (sent[differs] == here[differs])
		differs++;
	if (m->mismatches++ < MISMATCHES_LOGGED && m->log)
		gw_logf(m->log, GW_LOG_WARNING,
			"verify: pfn 0x%llx (type 0x%x) differs from byte 0x%zx on: sent %02x, here %02x",
			(unsigned long long)b->pfns[i], b->types[i], differs, sent[differs],
			here[differs]);
}

/* Moves the copy of an entry's page to its address in the guest. */
static int place(struct gw_restore_memory *m, struct gw_batch *b, size_t i, uint8_t *copy,
		 void *page, struct gw_error *err)
{
	struct gw_restore_guest *g = m->guest;

	if (g->ops->needs_localise(b->types[i]) &&
	    g->ops->localise(g, b->pfns[i], b->types[i], copy, err) < 0) {
		gw_fail_in(err, "pfn 0x%llx", (unsigned long long)b->pfns[i]);
		return gw_restore_survives(g, err) ? 0 : -1;
	}
	if (m->verifying)
		compare(m, b, i, copy, page);
	else
		memcpy(page, copy, GW_PAGE_SIZE);
	return 0;
}

static int place_copies(struct gw_restore_memory *m, struct gw_batch *b, struct gw_error *err)
{
	size_t mapped = 0, copy = 0;

	for (size_t i = 0; i < b->nr; i++) {
		uint8_t *sent;

		if (!gw_page_has_data(b->types[i]))
			continue;
		sent = is_copied(m, b, i) ? gw_batch_bounce(b, copy++, err) : NULL;
		if (is_left_out(b, i))
			continue;
		if (sent && place(m, b, i, sent, b->data[mapped], err) < 0)
			return -1;
		mapped++;
	}
	m->pages += mapped;
	return 0;
}

static enum gw_read_result fill(struct gw_restore_memory *m, struct gw_batch *b,
				const struct gw_page_source *source, struct gw_error *err)
{
	enum gw_read_result rc;

	if (lay_out(m, b, err) < 0)
		return GW_READ_FAILED;
	rc = source->readv(source->owner, b->iov, b->nr_iov, err);
	if (rc == GW_READ_OK && place_copies(m, b, err) < 0)
		rc = GW_READ_FAILED;
	return rc;
}

enum gw_read_result gw_restore_apply(struct gw_restore_memory *m, struct gw_batch *b,
				     const struct gw_page_source *source, struct gw_error *err)
{
	enum gw_read_result rc;

	if (populate(m->guest, b, err) < 0)
		return GW_READ_FAILED;
	if (b->nr_pages == 0)
		return GW_READ_OK;
	if (map(m, b, err) < 0)
		return GW_READ_FAILED;
	rc = fill(m, b, source, err);
	gw_batch_release(b, m->guest->domain);
	return rc;
}
