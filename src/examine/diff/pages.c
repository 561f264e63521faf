/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory of two images, block by block of pfns. Contents are read where they are kept, and only
 * of pfns that both have.
 */
#include "examine/diff/internal.h"

#include <stdlib.h>
#include <string.h>

#include <godwit/guest.h>

#include "base/clock.h"
#include "base/estimate.h"
#include "base/util.h"

#define BLOCK_BYTES ((size_t)GW_MAP_BLOCK_PFNS * GW_PAGE_SIZE)

struct half {
	const struct gw_diff_side *side;
	struct gw_map_block block;
	uint8_t *pages; /* BLOCK_BYTES */
};

struct comparison {
	struct gw_diff *d;
	struct half a, b;
	struct gw_page_difference run; /* at hand */
	bool has_run;
	struct gw_estimate estimate;
	uint64_t done; /* pfns that were looked at */
	struct gw_error *err;
};

/* How many of the pfns from i on are wanted, have contents and have them in a row. */
static unsigned run_of(const struct gw_map_block *b, uint64_t wanted, unsigned i)
{
	unsigned n = 1;

	while (i + n < GW_MAP_BLOCK_PFNS && (wanted & b->data) >> (i + n) & 1 &&
	       b->places[i + n] == b->places[i] + (uint64_t)n * GW_PAGE_SIZE)
		n++;
	return n;
}

/* Brings the contents of the wanted pfns. */
static int load(struct half *h, uint64_t wanted, struct gw_error *err)
{
	const struct gw_map_block *b = &h->block;
	unsigned n;

	for (unsigned i = 0; i < GW_MAP_BLOCK_PFNS; i += n) {
		uint8_t *to = h->pages + (size_t)i * GW_PAGE_SIZE;

		n = 1;
		if (!(wanted >> i & 1))
			continue;
		if (!(b->data >> i & 1)) {
			memset(to, 0, GW_PAGE_SIZE);
			continue;
		}
		n = run_of(b, wanted, i);
		if (gw_byte_store_read(&h->side->store, b->places[i], to, (size_t)n * GW_PAGE_SIZE,
				       err) < 0)
			return -1;
	}
	return 0;
}

/* Whether two pages next to each other differ in the same way. */
static bool continues(const struct gw_page_difference *run, const struct gw_page_difference *next)
{
	return run->last + 1 == next->first && run->only_a == next->only_a &&
	       run->only_b == next->only_b && run->contents == next->contents &&
	       run->type == next->type && run->type_a == next->type_a &&
	       run->type_b == next->type_b;
}

static void end_run(struct comparison *c)
{
	if (c->has_run)
		c->d->sink->pages(c->d->sink->opaque, &c->run);
	c->has_run = false;
}

static void report_page(struct comparison *c, const struct gw_page_difference *page)
{
	struct gw_comparison *found = c->d->found;

	found->pages++;
	found->only_a += page->only_a;
	found->only_b += page->only_b;
	found->contents += page->contents;
	found->types += page->type;
	if (c->has_run && continues(&c->run, page) &&
	    !(page->contents && c->d->sink->page_details)) {
		c->run.last = page->last;
		return;
	}
	end_run(c);
	c->run = *page;
	c->has_run = true;
}

/* A page that came without contents is an ordinary one. */
static unsigned type_of(const struct gw_map_block *b, unsigned i)
{
	return b->types[i] == GW_PAGE_XALLOC ? GW_PAGE_NOTAB : b->types[i];
}

static void detail(struct gw_page_difference *page, const uint8_t *a, const uint8_t *b)
{
	for (uint32_t i = GW_PAGE_SIZE; i-- > 0;) {
		if (a[i] == b[i])
			continue;
		page->offset = i;
		page->differing++;
	}
}

static void compare_page(struct comparison *c, uint64_t pfn, unsigned i, bool loaded)
{
	const struct gw_map_block *a = &c->a.block, *b = &c->b.block;
	const uint8_t *in_a = c->a.pages + (size_t)i * GW_PAGE_SIZE;
	const uint8_t *in_b = c->b.pages + (size_t)i * GW_PAGE_SIZE;
	struct gw_page_difference page = {.first = pfn, .last = pfn};

	page.only_a = !(b->there >> i & 1);
	page.only_b = !(a->there >> i & 1);
	if (!page.only_a && !page.only_b) {
		page.contents = loaded && memcmp(in_a, in_b, GW_PAGE_SIZE) != 0;
		page.type = type_of(a, i) != type_of(b, i);
	}
	if (page.type) {
		page.type_a = type_of(a, i);
		page.type_b = type_of(b, i);
	}
	if (page.contents && c->d->sink->page_details)
		detail(&page, in_a, in_b);
	if (page.only_a || page.only_b || page.contents || page.type)
		report_page(c, &page);
}

static void progress(struct comparison *c, enum gw_stage stage)
{
	const struct gw_observer *observer = c->d->observer;
	uint64_t pages = GW_MAX(c->d->a.pages.pfns, c->d->b.pages.pfns);
	struct gw_progress p = {
		.stage = stage,
		.pages_done = c->done,
		.pages_total = GW_MAX(pages, c->done),
		.bytes = c->done * GW_PAGE_SIZE,
		.bytes_total = pages * GW_PAGE_SIZE,
	};

	if (!observer->progress)
		return;
	gw_estimate(&c->estimate, &p, gw_clock_ns());
	observer->progress(observer->owner, &p);
}

static int compare_block(struct comparison *c, uint64_t pfn)
{
	struct gw_map_block *a = &c->a.block, *b = &c->b.block;
	bool in_a = gw_memory_map_block(&c->a.side->pages, pfn, a);
	bool in_b = gw_memory_map_block(&c->b.side->pages, pfn, b);
	uint64_t any = a->there | b->there, both = a->there & b->there & (a->data | b->data);

	if (!in_a && !in_b)
		return 0;
	if (both && (load(&c->a, both, c->err) < 0 || load(&c->b, both, c->err) < 0))
		return -1;
	/* Nearly all blocks are alike in one look. */
	c->done += (uint64_t)__builtin_popcountll(any);
	if (both == UINT64_MAX && memcmp(a->types, b->types, sizeof(a->types)) == 0 &&
	    memcmp(c->a.pages, c->b.pages, BLOCK_BYTES) == 0)
		return 0;
	for (unsigned i = 0; i < GW_MAP_BLOCK_PFNS; i++)
		if (any >> i & 1)
			compare_page(c, pfn + i, i, both >> i & 1);
	return 0;
}

static int compare_chunk(struct comparison *c, uint64_t number)
{
	for (unsigned i = 0; i < GW_MAP_CHUNK_PFNS; i += GW_MAP_BLOCK_PFNS)
		if (compare_block(c, number * GW_MAP_CHUNK_PFNS + i) < 0)
			return -1;
	progress(c, GW_STAGE_COMPARING);
	return 0;
}

/* Every chunk that either has, lowest first. */
static int compare_chunks(struct comparison *c)
{
	size_t nr_a = 0, nr_b = 0, i = 0, k = 0;
	GW_FREE_ON_EXIT uint64_t *a = gw_memory_map_chunks(&c->a.side->pages, &nr_a, c->err);
	GW_FREE_ON_EXIT uint64_t *b =
		a ? gw_memory_map_chunks(&c->b.side->pages, &nr_b, c->err) : NULL;

	if (!a || !b)
		return -1;
	while (i < nr_a || k < nr_b) {
		uint64_t number = i == nr_a ? b[k] : k == nr_b ? a[i] : GW_MIN(a[i], b[k]);

		if (compare_chunk(c, number) < 0)
			return -1;
		i += i < nr_a && a[i] == number;
		k += k < nr_b && b[k] == number;
	}
	end_run(c);
	progress(c, GW_STAGE_DONE);
	return 0;
}

int gw_diff_pages(struct gw_diff *d, struct gw_error *err)
{
	GW_FREE_ON_EXIT uint8_t *room = malloc(2 * BLOCK_BYTES);
	struct comparison c = {
		.d = d,
		.a = {.side = &d->a, .pages = room},
		.b = {.side = &d->b, .pages = room + BLOCK_BYTES},
		.err = err,
	};

	if (!room)
		return gw_fail_errno(err, "memory for the pages of two images");
	d->found->pages_a = d->a.pages.pfns;
	d->found->pages_b = d->b.pages.pfns;
	return compare_chunks(&c);
}
