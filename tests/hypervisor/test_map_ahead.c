/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests mapping ahead: one thread maps batches, another unmaps them, a third asks for types,
 * fetches the dirty pages and copies them, as a save does, with and without a running guest. No
 * write is lost and no mapping stays open.
 */
#include "emu_bench.h"

#include <sched.h>
#include <stdatomic.h>

#include "../../guests/layout.h"
#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/guest.h"
#include "lib/random.h"

#define PAGES	1024
#define BATCH	64
#define BATCHES 2000
#define AHEAD	8

struct batch {
	struct gw_mapping mapping;
	uint64_t gfns[BATCH];
	void *pages[BATCH];
	bool writable;
};

struct race {
	struct gw_domain *d;
	uint64_t gfns[PAGES]; /* gfns of pages that are never removed */
	bool writes;	      /* no guest runs: the second thread writes instead of it */
	uint64_t nr_pfns;
	uint64_t *fetched;
	uint8_t *pages[PAGES];	    /* as the mappings show them, for good */
	uint8_t copy[PAGES][BATCH]; /* the first bytes of each page when it was last fetched */
	/* Batches mapped and not yet unmapped. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct batch *ring[AHEAD];
	unsigned put, taken;
	atomic_bool over;
};

/* A guest may write the byte meanwhile, as it does beside a save: that is no race to report. */
__attribute__((noinline, no_sanitize("thread"))) static uint8_t look_at(const void *page,
									unsigned k)
{
	return ((const volatile uint8_t *)page)[k];
}

static void push(struct race *r, struct batch *b)
{
	pthread_mutex_lock(&r->lock);
	while (r->put - r->taken == AHEAD)
		pthread_cond_wait(&r->changed, &r->lock);
	r->ring[r->put++ % AHEAD] = b;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static struct batch *take(struct race *r)
{
	pthread_mutex_lock(&r->lock);
	while (r->put == r->taken)
		pthread_cond_wait(&r->changed, &r->lock);
	struct batch *b = r->ring[r->taken % AHEAD];

	r->taken++;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return b;
}

static void *map_ahead(void *opaque)
{
	struct race *r = opaque;
	uint64_t state = 99;

	for (int i = 0; i < BATCHES; i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct batch *b = calloc(1, sizeof(*b));

		b->writable = i % 3 == 0;
		state = state * UINT64_C(6364136223846793005) + 1;
		for (unsigned k = 0; k < BATCH; k++)
			b->gfns[k] = r->gfns[((state >> 33) + k) % PAGES];
		if (gw_domain_map(r->d, BATCH, b->gfns, b->writable, b->pages, &b->mapping, &err) <
		    0)
			fail_msg("%s", err.text);
		push(r, b);
	}
	push(r, NULL);
	return NULL;
}

static void *unmap_behind(void *opaque)
{
	struct race *r = opaque;
	volatile uint8_t sum = 0;
	struct batch *b;

	while ((b = take(r))) {
		for (unsigned k = 0; k < BATCH; k++) {
			uint8_t *byte = (uint8_t *)b->pages[k] + k;

			sum = (uint8_t)(sum + look_at(b->pages[k], k));
			/* In one piece: the third thread copies meanwhile. */
			if (r->writes && b->writable)
				__atomic_fetch_add(byte, 1, __ATOMIC_RELAXED);
		}
		gw_domain_unmap(r->d, &b->mapping);
		free(b);
	}
	atomic_store(&r->over, true);
	return NULL;
}

/* Fetches the dirty pages, and copies them. Returns their number. */
static uint64_t fetch(struct race *r)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t dirty;

	memset(r->fetched, 0, GW_BITMAP_WORDS(r->nr_pfns) * sizeof(*r->fetched));
	assert_ok(gw_domain_logdirty_fetch_and_clear(r->d, r->fetched, r->nr_pfns, &dirty, &err),
		  &err);
	for (unsigned i = 0; i < PAGES; i++)
		for (unsigned k = 0; gw_bitmap_test(r->fetched, r->gfns[i]) && k < BATCH; k++)
			r->copy[i][k] = look_at(r->pages[i], k);
	return dirty;
}

static void *look(void *opaque)
{
	struct race *r = opaque;
	uint8_t types[PAGES];

	while (!atomic_load(&r->over)) {
		struct gw_error err = GW_ERROR_INIT;
		uint64_t dirty;

		assert_ok(gw_domain_page_types(r->d, PAGES, r->gfns, types, &err), &err);
		for (unsigned i = 0; i < PAGES; i++)
			assert_int_equal(types[i], GW_PAGE_NOTAB);
		assert_ok(gw_domain_logdirty_peek(r->d, &dirty, &err), &err);
		fetch(r);
	}
	return NULL;
}

/* A mapping that is not closed before the end: what the copies are held against. Whatever is
 * written from the first copy on is logged. */
static void open_pages(struct race *r, struct gw_mapping *mapping)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_domain_map(r->d, PAGES, r->gfns, false, (void **)r->pages, mapping, &err),
		  &err);
	for (unsigned i = 0; i < PAGES; i++)
		for (unsigned k = 0; k < BATCH; k++)
			r->copy[i][k] = look_at(r->pages[i], k);
}

/* A page that was fetched while it is mapped is dirty once more when the mapping ends. */
static void write_after_fetch(struct race *r)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_mapping mapping;
	void *page;

	assert_ok(gw_domain_map(r->d, 1, &r->gfns[7], true, &page, &mapping, &err), &err);
	fetch(r);
	((uint8_t *)page)[9]++;
	gw_domain_unmap(r->d, &mapping);
	fetch(r);
	assert_true(gw_bitmap_test(r->fetched, r->gfns[7]));
	assert_int_equal(r->copy[7][9], r->pages[7][9]);
}

static void run_threads(struct race *r)
{
	pthread_t threads[3];

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	assert_int_equal(pthread_create(&threads[0], NULL, map_ahead, r), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, unmap_behind, r), 0);
	assert_int_equal(pthread_create(&threads[2], NULL, look, r), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* After the last write, a mapping left open would be reported dirty again and again. */
static void check(struct race *r)
{
	fetch(r);
	for (unsigned i = 0; i < PAGES; i++)
		if (memcmp(r->copy[i], r->pages[i], BATCH) != 0)
			fail_msg("a write to pfn 0x%llx was lost", (unsigned long long)r->gfns[i]);
	assert_int_equal(fetch(r), 0);
}

/* stop_guest is called after the threads are done; NULL: no guest runs. */
static void run(struct race *r, void (*stop_guest)(void *opaque), void *opaque)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_mapping mapping;

	assert_ok(gw_domain_nr_pfns(r->d, &r->nr_pfns, &err), &err);
	r->fetched = gw_bitmap_new(r->nr_pfns);
	assert_ok(gw_domain_logdirty_start(r->d, &err), &err);
	open_pages(r, &mapping);
	if (r->writes)
		write_after_fetch(r);
	run_threads(r);
	/* What is dirty from here on was written by the guest, and by no mapping. */
	fetch(r);
	if (stop_guest)
		stop_guest(opaque);
	check(r);
	gw_domain_logdirty_stop(r->d);
	gw_domain_unmap(r->d, &mapping);
	free(r->fetched);
}

static void stop_memory_guest(void *opaque)
{
	struct gw_memory_guest *guest = opaque;
	uint64_t before = gw_memory_guest_steps(guest);

	/* It has seldom the lock while the threads run. */
	while (gw_memory_guest_steps(guest) < before + 100)
		sched_yield();
	gw_memory_guest_stop(guest);
}

static void test_memory(void **state)
{
	const bool guest_runs = *state != NULL;
	const struct gw_domain_config config = {
		.name = "ahead", .type = GW_GUEST_X86_HVM, .max_pages = PAGES, .vcpus = 1};
	const struct gw_memory_guest_options options = {.seed = 5};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct race r = {.writes = !guest_runs};
	struct gw_memory_guest *guest = NULL;

	assert_non_null(host);
	r.d = gw_host_create(host, &config, &err);
	assert_non_null(r.d);
	for (unsigned i = 0; i < PAGES; i++)
		r.gfns[i] = i;
	assert_ok(gw_domain_populate(r.d, PAGES, r.gfns, r.gfns, &err), &err);
	if (guest_runs) {
		guest = gw_memory_guest_start(r.d, &options, &err);
		assert_non_null(guest);
		assert_ok(gw_control_unpause(r.d->control, &err), &err);
	}
	run(&r, guest_runs ? stop_memory_guest : NULL, guest);
	gw_control_destroy(r.d->control);
	gw_host_close(host);
}

static void stop_emu_guest(void *opaque)
{
	struct guest *g = opaque;

	guest_wait(g, guest_console_len(g), "beat ");
	guest_pause(g);
}

static void emu(const char *query, bool guest_runs)
{
	struct guest *g = guest_boot(query, "32", "pages=8 period=10", PAGES + 0x200);
	struct race r = {.d = g->d, .writes = !guest_runs};

	for (unsigned i = 0; i < PAGES; i++)
		r.gfns[i] = 0x200 + i;
	/* The guest counts there, so that it is written all the time. */
	r.gfns[0] = HB_HEADER_PFN;
	if (guest_runs) {
		guest_unpause(g);
		guest_wait(g, 0, "beat 1 ");
	}
	run(&r, guest_runs ? stop_emu_guest : NULL, g);
	guest_free(g);
}

static void test_emu(void **state)
{
	emu("", *state != NULL);
}

static void test_emu_hook(void **state)
{
	emu("logdirty=hook", *state != NULL);
}

#define BESIDE(test)                                                                               \
	{#test, test, NULL, NULL, NULL},                                                           \
	{                                                                                          \
#test " beside a guest", test, NULL, NULL, (void *)(uintptr_t) "guest"             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BESIDE(test_memory),
		BESIDE(test_emu),
		BESIDE(test_emu_hook),
	};

	bench_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
