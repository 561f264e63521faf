/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory on its way into a file: pages at their places, holes where nothing came, and rounds of
 * checkpoints held back until they are whole.
 */
#include "examine/export/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <godwit/guest.h>

#include "channel/offset_io.h"

#define RUN_MAX (UINT64_C(256) << 10)

/* An entry of a spooled round; its contents follow, if its type has any. */
struct spooled {
	uint64_t pfn, type;
};

static const uint8_t zeros[GW_PAGE_SIZE];

static int flush(struct gw_export_memory *m, struct gw_error *err)
{
	int rc = gw_pwrite_all(m->fd, m->start + m->run_pfn * GW_PAGE_SIZE, m->run.data, m->run.len,
			       GW_EXPORT_OUTPUT, err);

	gw_buffer_reset(&m->run);
	return rc;
}

/* Puts a page with its neighbours: they are written together. */
static int place(struct gw_export_memory *m, uint64_t pfn, const uint8_t *contents,
		 struct gw_error *err)
{
	if (m->run.len &&
	    (m->run.len >= RUN_MAX || m->run_pfn + m->run.len / GW_PAGE_SIZE != pfn) &&
	    flush(m, err) < 0)
		return -1;
	if (!m->run.len)
		m->run_pfn = pfn;
	return gw_buffer_append(&m->run, contents, GW_PAGE_SIZE, err);
}

static int apply(struct gw_export_memory *m, uint64_t pfn, unsigned type, const uint8_t *contents,
		 struct gw_error *err)
{
	bool fresh = gw_memory_map_type(&m->map, pfn) < 0;

	if (gw_memory_map_add(&m->map, pfn, type, err) < 0)
		return -1;
	/* What is a hole already stays one. What was there must not show through. */
	if (!contents || memcmp(contents, zeros, sizeof(zeros)) == 0)
		return fresh ? 0 : place(m, pfn, zeros, err);
	return place(m, pfn, contents, err);
}

int gw_export_memory_add(struct gw_export_memory *m, uint64_t pfn, unsigned type,
			 const uint8_t *contents, struct gw_error *err)
{
	struct spooled head = {.pfn = pfn, .type = type};

	if (!m->in_round)
		return apply(m, pfn, type, contents, err);
	if (gw_spool_put(&m->round, &head, sizeof(head), err) < 0)
		return -1;
	return contents ? gw_spool_put(&m->round, contents, GW_PAGE_SIZE, err) : 0;
}

int gw_export_memory_get(const struct gw_export_memory *m, uint64_t pfn, uint8_t *page,
			 struct gw_error *err)
{
	uint64_t at = m->start + pfn * GW_PAGE_SIZE;
	ssize_t n;

	if (m->run.len && pfn >= m->run_pfn && pfn - m->run_pfn < m->run.len / GW_PAGE_SIZE) {
		memcpy(page, m->run.data + (pfn - m->run_pfn) * GW_PAGE_SIZE, GW_PAGE_SIZE);
		return 0;
	}
	/* The file may end before a page that is zero. */
	memset(page, 0, GW_PAGE_SIZE);
	do
		n = pread(m->fd, page, GW_PAGE_SIZE, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? gw_fail_errno(err, "reading back %s", GW_EXPORT_OUTPUT) : 0;
}

static int apply_round(struct gw_export_memory *m, struct gw_channel *from, struct gw_error *err)
{
	uint8_t page[GW_PAGE_SIZE];
	struct spooled head;
	int rc;

	while ((rc = gw_channel_read(from, &head, sizeof(head), err)) == 1) {
		bool data = gw_page_has_data((unsigned)head.type);

		if (data && gw_channel_read(from, page, sizeof(page), err) != 1)
			return gw_fail(err, GW_SYSTEM, "a spooled checkpoint round lost bytes");
		if (apply(m, head.pfn, (unsigned)head.type, data ? page : NULL, err) < 0)
			return -1;
	}
	return rc;
}

int gw_export_memory_checkpoint(struct gw_export_memory *m, struct gw_error *err)
{
	if (m->in_round) {
		struct gw_channel *from = gw_spool_read(&m->round, err);
		int rc = from ? apply_round(m, from, err) : -1;

		gw_channel_close(from);
		if (rc < 0)
			return -1;
	}
	m->in_round = true;
	return gw_spool_begin(&m->round, err);
}

static bool find_end(void *opaque, const struct gw_map_run *run)
{
	uint64_t *pfns = opaque;

	if (gw_page_is_populated(run->type))
		*pfns = run->last + 1;
	return true;
}

int gw_export_memory_finish(struct gw_export_memory *m, uint64_t *end, struct gw_error *err)
{
	uint64_t pfns = 0;

	if (m->map.left_out)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the pfns of this image are too scattered: %llu entries do not fit into the memory map",
			(unsigned long long)m->map.left_out);
	if (flush(m, err) < 0 || gw_memory_map_runs(&m->map, find_end, &pfns, err) < 0)
		return -1;
	*end = m->start + pfns * GW_PAGE_SIZE;
	/* The file may be longer, because of pages that were populated only temporarily. */
	if (ftruncate(m->fd, (off_t)*end) < 0)
		return gw_fail_errno(err, "setting the output's size to %llu bytes",
				     (unsigned long long)*end);
	return 0;
}

void gw_export_memory_free(struct gw_export_memory *m)
{
	gw_memory_map_free(&m->map);
	gw_buffer_free(&m->run);
	gw_spool_close(&m->round);
}
