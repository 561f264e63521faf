/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory of a machine. The memfd is sparse: a window of 4 GiB with 4 MiB in it uses 4
 * MiB. So a gfn's address is a multiplication, and neighbouring gfns have neighbouring addresses.
 */
#include "hypervisor/machine/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/buffer.h"
#include "base/util.h"

/* A PVH guest has special pages below 4 GiB, however little memory it has. */
#define GFNS_BELOW_4G UINT64_C(0x100000)
/* 16 TiB of guest memory; more would not fit into the address space of this process. */
#define PAGES_MAX UINT64_C(0x100000000)

int gw_machine_memory_init(struct gw_machine_memory *m, uint64_t max_pages, uint64_t max_pfns,
			   struct gw_error *err)
{
	GW_CLOSE_ON_EXIT int fd = -1;

	if (!max_pages || max_pages > PAGES_MAX)
		return gw_fail(err, GW_USAGE, "a domain has 1 to %llu pages, not %llu",
			       (unsigned long long)PAGES_MAX, (unsigned long long)max_pages);
	if (max_pfns > GFNS_BELOW_4G + PAGES_MAX)
		return gw_fail(err, GW_USAGE, "a domain has at most %llu pfns, not %llu",
			       (unsigned long long)(GFNS_BELOW_4G + PAGES_MAX),
			       (unsigned long long)max_pfns);
	*m = (struct gw_machine_memory){
		.max = max_pages,
		.window = max_pfns ? max_pfns : GFNS_BELOW_4G + max_pages,
	};
	pthread_mutex_init(&m->lock, NULL);
	m->present = gw_bitmap_new(m->window);
	if (!m->present)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the bitmap of a domain's pages");
	fd = memfd_create("godwit-guest", MFD_CLOEXEC);
	if (fd < 0)
		return gw_fail_errno(err, "creating a domain's memory");
	if (ftruncate(fd, (off_t)(m->window * GW_PAGE_SIZE)) < 0)
		return gw_fail_errno(err, "setting the size of a domain's memory to %llu pages",
				     (unsigned long long)m->window);
	void *base = mmap(NULL, m->window * GW_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return gw_fail_errno(err, "mapping a domain's memory, a window of %llu pages",
				     (unsigned long long)m->window);
	m->base = base;
	/* A core dump of this process must not contain the guest's memory. */
	madvise(base, m->window * GW_PAGE_SIZE, MADV_DONTDUMP);
	return 0;
}

void gw_machine_memory_free(struct gw_machine_memory *m)
{
	if (m->base)
		munmap(m->base, m->window * GW_PAGE_SIZE);
	free(m->present);
	while (m->writers) {
		struct gw_machine_writer *w = m->writers;

		m->writers = w->next;
		free(w);
	}
	pthread_mutex_destroy(&m->lock);
}

static void set_present(struct gw_machine_memory *m, uint64_t gfn)
{
	__atomic_fetch_or(&m->present[gfn / 64], UINT64_C(1) << (gfn % 64), __ATOMIC_RELAXED);
	__atomic_fetch_add(&m->nr, 1, __ATOMIC_RELAXED);
}

static void clear_present(struct gw_machine_memory *m, uint64_t gfn)
{
	__atomic_fetch_and(&m->present[gfn / 64], ~(UINT64_C(1) << (gfn % 64)), __ATOMIC_RELAXED);
	__atomic_fetch_sub(&m->nr, 1, __ATOMIC_RELAXED);
}

static int check_add(const struct gw_machine_memory *m, size_t i, uint64_t gfn, size_t n,
		     struct gw_error *err)
{
	if (gfn >= m->window)
		return gw_fail(err, GW_INVALID,
			       "pfn 0x%llx is beyond the last pfn of this domain, 0x%llx",
			       (unsigned long long)gfn, (unsigned long long)m->window - 1);
	if (gw_machine_memory_has(m, gfn))
		return gw_fail(err, GW_INVALID, "pfn 0x%llx already has a page",
			       (unsigned long long)gfn);
	if (m->nr >= m->max)
		return gw_fail(err, GW_INVALID,
			       "page %zu of %zu to be added exceeds the domain's %llu pages", i + 1,
			       n, (unsigned long long)m->max);
	return 0;
}

int gw_machine_memory_add(struct gw_machine_memory *m, size_t n, const uint64_t *gfns,
			  struct gw_error *err)
{
	for (size_t i = 0; i < n; i++) {
		/* A gfn that is named twice has its bit set already; an error clears the new
		 * bits. */
		if (check_add(m, i, gfns[i], n, err) < 0) {
			while (i-- > 0)
				clear_present(m, gfns[i]);
			return -1;
		}
		set_present(m, gfns[i]);
	}
	for (size_t i = 0; i < n; i++)
		m->top = GW_MAX(m->top, gfns[i] + 1);
	return 0;
}

int gw_machine_memory_remove(struct gw_machine_memory *m, uint64_t gfn, struct gw_error *err)
{
	if (!gw_machine_memory_has(m, gfn))
		return 0;
	/* Frees the page in the memfd: a page that is added there again reads as zero. */
	if (madvise(gw_machine_memory_page(m, gfn), GW_PAGE_SIZE, MADV_REMOVE) < 0)
		return gw_fail_errno(err, "removing the page of pfn 0x%llx",
				     (unsigned long long)gfn);
	clear_present(m, gfn);
	return 0;
}

int gw_machine_memory_open(struct gw_machine_memory *m, size_t n, const uint64_t *gfns,
			   bool writable, void **pages, uint8_t *results,
			   struct gw_machine_writer **writer, struct gw_error *err)
{
	*writer = NULL;
	for (size_t i = 0; i < n; i++) {
		bool has = gw_machine_memory_has(m, gfns[i]);

		results[i] = has ? GW_MAP_OK : GW_MAP_GONE;
		pages[i] = has ? gw_machine_memory_page(m, gfns[i]) : NULL;
	}
	if (!writable)
		return 0;
	struct gw_machine_writer *w = malloc(sizeof(*w) + n * sizeof(w->gfns[0]));
	if (!w)
		return gw_fail(err, GW_NO_MEMORY, "no memory to map %zu pages", n);
	w->n = 0;
	for (size_t i = 0; i < n; i++)
		if (results[i] == GW_MAP_OK)
			w->gfns[w->n++] = gfns[i];
	pthread_mutex_lock(&m->lock);
	w->next = m->writers;
	m->writers = w;
	pthread_mutex_unlock(&m->lock);
	*writer = w;
	return 0;
}

void gw_machine_memory_close(struct gw_machine_memory *m, struct gw_machine_writer *writer)
{
	pthread_mutex_lock(&m->lock);
	for (struct gw_machine_writer **p = &m->writers; *p; p = &(*p)->next)
		if (*p == writer) {
			*p = writer->next;
			free(writer);
			break;
		}
	pthread_mutex_unlock(&m->lock);
}

uint64_t gw_machine_memory_run(const struct gw_machine_memory *m, uint64_t from, uint64_t *first)
{
	*first = gw_bitmap_next_set(m->present, m->top, from);
	return gw_bitmap_next_clear(m->present, m->top, *first) - *first;
}

/* Holes shorter than this are not worth an entry. */
#define SHORT_HOLE 1024

int gw_machine_memory_ranges(const struct gw_machine_memory *m, struct gw_pfn_range **ranges,
			     size_t *n, struct gw_error *err)
{
	struct gw_buffer list = {0};
	struct gw_pfn_range range = {0};
	uint64_t first, count;

	for (uint64_t from = 0; (count = gw_machine_memory_run(m, from, &first)) > 0;
	     from = first + count) {
		if (range.count && first - (range.first + range.count) >= SHORT_HOLE) {
			if (gw_buffer_append(&list, &range, sizeof(range), err) < 0)
				goto failed;
			range.count = 0;
		}
		if (!range.count)
			range.first = first;
		range.count = first + count - range.first;
	}
	if (range.count && gw_buffer_append(&list, &range, sizeof(range), err) < 0)
		goto failed;
	*ranges = (struct gw_pfn_range *)list.data;
	*n = list.len / sizeof(range);
	return 0;
failed:
	gw_buffer_free(&list);
	return -1;
}
