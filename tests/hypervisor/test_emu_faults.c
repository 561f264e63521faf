/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that the heartbeat guests notice what a bad migration would do to them: each fault is put
 * into the memory of a paused guest, and the guest has to name it.
 */
#include "emu_bench.h"

#include "../../guests/layout.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/emu/emu.h"

#define PAGES 40

struct bench {
	struct guest *g;
	const struct hb_header *h;
	size_t seen; /* position in the console */
};

static uint8_t *page(struct bench *b, uint32_t n)
{
	return guest_page(b->g, b->h->first_pfn + n);
}

/* A page that is checked before it is rewritten: half the pages ahead of the writer. */
static uint32_t quiet_page(const struct bench *b)
{
	return (b->h->position + b->h->pages / 2) % b->h->pages;
}

static struct bench start(const char *width, const char *more)
{
	char cmdline[128];

	struct bench b = {0};

	/* The check is 40 times as fast as the writer, so it gets to the page first. */
	snprintf(cmdline, sizeof(cmdline), "seed=3 pages=40 rate=1 check=40 period=5 %s", more);
	b.g = guest_boot("", width, cmdline, 1024);
	guest_unpause(b.g);
	b.seen = guest_wait(b.g, 0, "beat 1 ");
	b.h = guest_page(b.g, HB_HEADER_PFN);
	return b;
}

static void finish(struct bench *b, const char *expected)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain_info info;

	guest_unpause(b->g);
	guest_wait(b->g, b->seen, expected);
	do
		assert_ok(gw_domain_info(b->g->d, &info, &err), &err);
	while (info.shutdown == GW_SHUTDOWN_NONE);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_CRASH);
	/* The guest stopped itself; the built-in machine did not fail. */
	assert_string_equal(gw_control_crash_text(b->g->d->control), "");
	guest_free(b->g);
}

static void names_a_lost_page(const char *width, const char *more)
{
	struct bench b = start(width, more);
	char expected[80];
	uint32_t p;

	guest_pause(b.g);
	p = quiet_page(&b);
	memset(page(&b, p), 0, GW_PAGE_SIZE);
	snprintf(expected, sizeof(expected), "CORRUPT page %u lost", p);
	finish(&b, expected);
}

static void names_a_stale_page(const char *width, const char *more)
{
	static uint8_t old[PAGES][GW_PAGE_SIZE];
	struct bench b = start(width, more);
	uint32_t p, generation;
	char expected[80];

	guest_pause(b.g);
	for (uint32_t i = 0; i < PAGES; i++)
		memcpy(old[i], page(&b, i), GW_PAGE_SIZE);
	generation = b.h->generation;
	do {
		guest_unpause(b.g);
		b.seen = guest_wait(b.g, b.seen, " ok\n");
		guest_pause(b.g);
	} while (b.h->generation < generation + 2);
	p = quiet_page(&b);
	memcpy(page(&b, p), old[p], GW_PAGE_SIZE);
	snprintf(expected, sizeof(expected), "CORRUPT page %u stale", p);
	finish(&b, expected);
}

static void names_swapped_pages(const char *width, const char *more)
{
	static uint8_t keep[GW_PAGE_SIZE];
	struct bench b = start(width, more);
	uint32_t p, q;

	guest_pause(b.g);
	p = quiet_page(&b);
	q = p ? p - 1 : p + 1;
	memcpy(keep, page(&b, p), GW_PAGE_SIZE);
	memcpy(page(&b, p), page(&b, q), GW_PAGE_SIZE);
	memcpy(page(&b, q), keep, GW_PAGE_SIZE);
	finish(&b, "swapped: it holds page ");
}

static void names_a_stale_header(const char *width, const char *more)
{
	static uint8_t old[GW_PAGE_SIZE];
	struct bench b = start(width, more);
	uint32_t beats;

	guest_pause(b.g);
	memcpy(old, b.h, GW_PAGE_SIZE);
	beats = b.h->beats;
	do {
		guest_unpause(b.g);
		b.seen = guest_wait(b.g, b.seen, " ok\n");
		guest_pause(b.g);
	} while (b.h->beats < beats + 2);
	memcpy((void *)b.h, old, GW_PAGE_SIZE);
	finish(&b, "CORRUPT ");
}

static void faults(const char *width, const char *more)
{
	names_a_lost_page(width, more);
	names_a_stale_page(width, more);
	names_swapped_pages(width, more);
	names_a_stale_header(width, more);
}

static void faults_32(void **state)
{
	faults("32", "");
	faults("32", "light=1");
}

static void faults_64(void **state)
{
	faults("64", "");
	faults("64", "light=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_32),
		cmocka_unit_test(faults_64),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_faults", tests, NULL, NULL);
}
