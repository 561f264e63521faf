/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guest of guest.h: what it does in a step, and the thread that takes the steps.
 */
#include "hypervisor/memory/guest.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "base/util.h"
#include "hypervisor/memory/domain.h"

#define FOREIGN_MAX 8u		    /* foreign mappings at a time */
#define TURN	    16u		    /* steps taken while the lock is held */
#define FOREIGN_MFN UINT64_C(0x380) /* one of Xen's frames stands for another domain's page */

struct foreign {
	uint64_t pfn; /* the table */
	unsigned slot;
};

struct gw_memory_guest {
	struct gw_memory_domain *m;
	struct gw_memory_guest_options options;
	pthread_t thread;
	bool stop;
	uint64_t random;
	_Atomic uint64_t steps;
	/* Pages it may write as it likes; the first of them more often than the others. */
	uint64_t *data;
	size_t nr_data;
	/* L1 tables, and which of them it made itself. */
	uint64_t *tables;
	size_t nr_tables, nr_own;
	struct foreign foreign[FOREIGN_MAX];
	unsigned nr_foreign;
};

/* xorshift64*, as published. */
static uint64_t draw(struct gw_memory_guest *g, uint64_t below)
{
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return (g->random * UINT64_C(0x2545f4914f6cdd1d) >> 16) % below;
}

static uint8_t *page_of(struct gw_memory_guest *g, uint64_t pfn)
{
	return gw_memory_frame(g->m, gw_memory_pfn_to_gfn(g->m, pfn));
}

/* Most writes hit few pages, as in any guest. */
static size_t pick_data(struct gw_memory_guest *g)
{
	size_t hot = GW_MIN(g->nr_data, (size_t)16);

	return draw(g, draw(g, 4) ? hot : g->nr_data);
}

/*
 * A store of the guest, in one piece as a CPU makes it. A live save reads beside it: that is what a
 * live save is for, and a page that changed meanwhile is sent again. So ThreadSanitizer does not
 * see it.
 */
__attribute__((noinline, no_sanitize("thread"))) static void store(void *page, unsigned slot,
								   uint64_t value)
{
	__atomic_store_n((uint64_t *)page + slot, htole64(value), __ATOMIC_RELAXED);
}

/* Each word tells the page, when it was written and where it stands: any mixture shows. */
static void rewrite(struct gw_memory_guest *g, uint64_t pfn)
{
	uint8_t *page = page_of(g, pfn);

	for (unsigned i = 0; i < GW_PAGE_SIZE / 8; i++)
		store(page, i, pfn << 32 | (g->steps & 0x7f) << 25 | (g->steps & 0xffff) << 9 | i);
	gw_memory_log(g->m, pfn);
}

static uint64_t random_pte(struct gw_memory_guest *g)
{
	if (draw(g, 4) == 0)
		return UINT64_C(0xdead0000) | draw(g, 512) << 1;
	uint64_t mfn = gw_memory_pfn_to_gfn(g->m, g->data[draw(g, g->nr_data)]);

	return mfn << GW_PAGE_SHIFT | (draw(g, 2) ? 0x67 : 0x25) | draw(g, 2) << 63;
}

/* Of a page that is no table, or for a frame that is not the guest's: without the rules. */
static void write_pte(struct gw_memory_guest *g, uint64_t pfn, unsigned slot, uint64_t pte)
{
	store(page_of(g, pfn), slot, pte);
	gw_memory_log(g->m, pfn);
}

/* Of a table in use. */
static void set_pte(struct gw_memory_guest *g, uint64_t pfn, unsigned slot, uint64_t pte)
{
	struct gw_pv_tables *t = &g->m->pv.tables;
	uint64_t mfn = gw_memory_pfn_to_gfn(g->m, pfn);

	if (gw_pv_entry_begin(t, mfn, slot, pte, NULL) == 0) {
		gw_pv_entry_end(t, mfn, slot);
		write_pte(g, pfn, slot, pte);
	}
}

/* True if a foreign frame is mapped there; slot GW_PV_PTES: anywhere in the table. */
static bool is_foreign(const struct gw_memory_guest *g, uint64_t pfn, unsigned slot)
{
	for (unsigned i = 0; i < g->nr_foreign; i++)
		if (g->foreign[i].pfn == pfn && (slot == GW_PV_PTES || g->foreign[i].slot == slot))
			return true;
	return false;
}

static void change_pte(struct gw_memory_guest *g)
{
	uint64_t pfn = g->tables[draw(g, g->nr_tables)];
	unsigned slot = (unsigned)draw(g, GW_PV_PTES);

	if (!is_foreign(g, pfn, slot))
		set_pte(g, pfn, slot, random_pte(g));
}

/* No table of the guest maps this frame writable any more. */
static void write_protect(struct gw_memory_guest *g, uint64_t mfn)
{
	for (size_t i = 0; i < g->nr_tables; i++)
		for (unsigned slot = 0; slot < GW_PV_PTES; slot++) {
			uint64_t pte = gw_get_le64(gw_pv_pte_at(page_of(g, g->tables[i]), slot));

			if ((pte & GW_PV_PTE_PRESENT) && gw_pv_pte_frame(pte) == mfn)
				set_pte(g, g->tables[i], slot, pte & ~GW_PV_PTE_RW);
		}
}

/* A page of data becomes an L1 table, pinned as a kernel does with those it prepares. */
static void make_table(struct gw_memory_guest *g)
{
	size_t i = draw(g, g->nr_data);
	uint64_t pfn = g->data[i], mfn = gw_memory_pfn_to_gfn(g->m, pfn);

	if (g->nr_data < 8 || g->nr_own >= 8)
		return;
	g->data[i] = g->data[--g->nr_data];
	for (unsigned slot = 0; slot < GW_PV_PTES; slot++)
		write_pte(g, pfn, slot, random_pte(g));
	write_protect(g, mfn);
	if (gw_memory_get_table(g->m, mfn, 1, NULL) < 0) {
		g->data[g->nr_data++] = pfn;
		return;
	}
	gw_memory_set_state(g->m, mfn, gw_memory_state(g->m, mfn) | GW_PAGE_PINNED);
	g->tables[g->nr_tables++] = pfn;
	g->nr_own++;
}

/* The last table it made becomes a page of data again. */
static void unmake_table(struct gw_memory_guest *g)
{
	if (g->nr_own == 0 || is_foreign(g, g->tables[g->nr_tables - 1], GW_PV_PTES))
		return;
	uint64_t pfn = g->tables[--g->nr_tables], mfn = gw_memory_pfn_to_gfn(g->m, pfn);

	g->nr_own--;
	gw_memory_set_state(g->m, mfn, gw_memory_state(g->m, mfn) & ~(unsigned)GW_PAGE_PINNED);
	gw_memory_put_table(g->m, mfn);
	g->data[g->nr_data++] = pfn;
	rewrite(g, pfn);
}

static void unmap_foreign(struct gw_memory_guest *g, unsigned leave)
{
	while (g->nr_foreign > leave) {
		struct foreign *f = &g->foreign[--g->nr_foreign];

		write_pte(g, f->pfn, f->slot, 0);
	}
}

static void map_foreign(struct gw_memory_guest *g)
{
	if (g->nr_foreign == FOREIGN_MAX) {
		unmap_foreign(g, 1);
		return;
	}
	uint64_t pfn = g->tables[draw(g, g->nr_tables)];
	unsigned slot = (unsigned)draw(g, GW_PV_PTES);

	if (is_foreign(g, pfn, slot))
		return;
	g->foreign[g->nr_foreign++] = (struct foreign){.pfn = pfn, .slot = slot};
	set_pte(g, pfn, slot, 0);
	write_pte(g, pfn, slot, FOREIGN_MFN << GW_PAGE_SHIFT | 0x67);
}

static void step(struct gw_memory_guest *g)
{
	uint64_t kind = g->nr_tables && g->options.tables ? draw(g, 16) : 15;

	g->steps++;
	if (kind < 4)
		change_pte(g);
	else if (kind == 4)
		make_table(g);
	else if (kind == 5)
		unmake_table(g);
	else if (kind == 6 && g->options.foreign)
		map_foreign(g);
	else if (g->nr_data)
		rewrite(g, g->data[pick_data(g)]);
}

/* Asked to suspend, a kernel gives up what it has mapped of others. */
static void get_ready(void *opaque)
{
	struct gw_memory_guest *g = opaque;

	if (g->options.keep_foreign && g->nr_foreign == 0 && g->nr_tables)
		map_foreign(g);
	unmap_foreign(g, g->options.keep_foreign ? 1 : 0);
}

static void wait_for_next(struct gw_memory_guest *g)
{
	struct timespec ms = {.tv_nsec = 1000000};

	if (g->options.steps_per_ms && g->steps % g->options.steps_per_ms == 0)
		nanosleep(&ms, NULL);
	while (atomic_load(&g->m->wanted) > 0)
		sched_yield();
}

static void *run(void *opaque)
{
	struct gw_memory_guest *g = opaque;
	struct gw_memory_domain *m = g->m;

	pthread_mutex_lock(&m->lock);
	while (!g->stop) {
		if (m->paused || m->shutdown != GW_SHUTDOWN_NONE) {
			pthread_cond_wait(&m->changed, &m->lock);
			continue;
		}
		unsigned turn = g->options.steps_per_ms ? 1 : TURN;

		for (unsigned i = 0; i < turn; i++)
			step(g);
		pthread_mutex_unlock(&m->lock);
		wait_for_next(g);
		pthread_mutex_lock(&m->lock);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

/* Finds what it may write and which tables there are. */
static int explore(struct gw_memory_guest *g, struct gw_error *err)
{
	struct gw_memory_domain *m = g->m;
	size_t n = m->frames.populated + 1;

	g->data = calloc(n, sizeof(*g->data));
	g->tables = calloc(n, sizeof(*g->tables));
	if (!g->data || !g->tables)
		return gw_fail_errno(err, "a guest of %zu pages", n);
	for (uint64_t pfn = 0; pfn < m->top; pfn++) {
		uint64_t gfn = gw_memory_pfn_to_gfn(m, pfn);
		unsigned type =
			gfn == GW_INVALID_PFN ? GW_PAGE_XTAB : gw_memory_state(m, gfn) & 0xf;

		if (gw_page_table_level(type) == 1)
			g->tables[g->nr_tables++] = pfn;
		else if (type == GW_PAGE_NOTAB &&
			 !(gw_memory_is_pv(m) && gw_memory_kernel_needs(m, pfn)))
			g->data[g->nr_data++] = pfn;
	}
	return 0;
}

static void free_guest(struct gw_memory_guest *g)
{
	free(g->data);
	free(g->tables);
	free(g);
}

struct gw_memory_guest *gw_memory_guest_start(struct gw_domain *d,
					      const struct gw_memory_guest_options *options,
					      struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	struct gw_memory_guest *g = calloc(1, sizeof(*g));

	if (!g) {
		gw_fail_errno(err, "a guest");
		return NULL;
	}
	g->m = m;
	g->options = *options;
	g->random = options->seed * 2 + 1;
	gw_memory_lock(m);
	int r = explore(g, err);

	if (r == 0 && m->on_suspend)
		r = gw_fail(err, GW_BUSY, "domain %u has a guest already", d->domid);
	if (r == 0 && pthread_create(&g->thread, NULL, run, g) != 0)
		r = gw_fail(err, GW_SYSTEM, "starting a guest's thread");
	if (r == 0) {
		m->on_suspend = get_ready;
		m->on_suspend_opaque = g;
	}
	gw_memory_unlock(m);
	if (r == 0)
		return g;
	free_guest(g);
	return NULL;
}

uint64_t gw_memory_guest_steps(struct gw_memory_guest *g)
{
	return g->steps;
}

void gw_memory_guest_stop(struct gw_memory_guest *g)
{
	if (!g)
		return;
	gw_memory_lock(g->m);
	g->stop = true;
	g->m->on_suspend = NULL;
	pthread_cond_broadcast(&g->m->changed);
	gw_memory_unlock(g->m);
	pthread_join(g->thread, NULL);
	free_guest(g);
}
