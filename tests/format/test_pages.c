/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests random PAGE_DATA records: counts of the reader and findings of the rules are compared with
 * a simple check of one entry after the other. Runs of entries and their edges are where the two
 * could differ.
 */
#include "lib/gwtest.h"

#include "base/clock.h"
#include "base/util.h"
#include "format/rules/rules.h"
#include "lib/random.h"
#include "lib/feed.h"

#define ENTRIES_MAX 600u
#define MAX_PFNS    UINT64_C(0x5000)
#define P2M_LAST    1023u

struct guest {
	enum gw_guest_type type;
	unsigned width;
	uint64_t end; /* one past the highest pfn */
};

static const struct guest guests[] = {
	{GW_GUEST_X86_HVM, 0, MAX_PFNS},
	{GW_GUEST_X86_PV, 8, P2M_LAST + 1},
	{GW_GUEST_X86_PV, 4, P2M_LAST + 1},
};

static uint64_t random_pfn(uint64_t end)
{
	const uint64_t edges[] = {0, end - 1, end, GW_PAGE_ENTRY_PFN_MASK};
	uint64_t pfn = random64() % 4 ? random64() % end : edges[random64() % GW_ARRAY_SIZE(edges)];

	return (pfn - random64() % 8 * (random64() % 2)) & GW_PAGE_ENTRY_PFN_MASK;
}

/* Mostly valid entries, in runs of any length; some records have a fault somewhere. */
static size_t random_entries(const struct guest *g, uint64_t *entries)
{
	size_t n = 0, wanted = 1 + random64() % (random64() % 4 ? 20 : ENTRIES_MAX);
	bool wild = random64() % 4 == 0;

	while (n < wanted) {
		unsigned type = wild		 ? random64() % 16
				: random64() % 8 ? GW_PAGE_NOTAB
						 : GW_PAGE_XTAB;
		uint64_t entry =
			gw_page_entry(wild ? random_pfn(g->end) : random64() % g->end, type);
		size_t run = 1 + random64() % 40;

		if (wild && random64() % 8 == 0)
			entry |= UINT64_C(1) << (52 + random64() % 8);
		if (wild && random64() % 16 == 0)
			entry |= GW_PAGE_ENTRY_RESERVED;
		while (run-- && n < wanted)
			entries[n++] = entry++;
	}
	return n;
}

/* "rule:entry " for each kind of fault, at its first entry. */
struct faults {
	char text[400];
};

static void add(struct faults *f, const char *rule, size_t entry)
{
	size_t len = strlen(f->text);

	snprintf(f->text + len, sizeof(f->text) - len, "%s:%zu ", rule, entry);
}

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	size_t entry;

	if (sscanf(finding->text, "entry %zu ", &entry) == 1)
		add(opaque, finding->rule->id, entry);
}

enum fault { TYPE, PFN, LEVEL, TABLES, RESERVED, NR_FAULTS };

static bool has_fault(const struct guest *g, enum fault fault, uint64_t entry)
{
	unsigned type = (unsigned)(entry >> 60), level = type & 7;
	bool table = level >= 1 && level <= 4;

	switch (fault) {
	case TYPE:
		return type >= 5 && type <= 8;
	case PFN:
		/* Of an HVM guest libxc checks no pfn; the reserved types, BROKEN and XTAB get no
		 * page. */
		return (entry & 0xfffffffffffff) >= g->end &&
		       !(g->type == GW_GUEST_X86_HVM &&
			 ((type >= 5 && type <= 8) || type == 0xd || type == 0xf));
	case LEVEL:
		return g->width == 4 && table && level == 4;
	case TABLES:
		return g->type == GW_GUEST_X86_HVM && table;
	default:
		return entry >> 52 & 0xff;
	}
}

static void expect(const struct guest *g, const uint64_t *entries, size_t n, struct faults *f)
{
	static const char *const rules[] = {"page-data-type", "page-data-pfn", "page-data-level",
					    "page-data-tables", "page-data-reserved"};

	for (int fault = 0; fault < NR_FAULTS; fault++) {
		for (size_t i = 0; i < n; i++) {
			if (has_fault(g, fault, entries[i])) {
				add(f, rules[fault], i);
				break;
			}
		}
	}
}

static size_t count_pages(const uint64_t *entries, size_t n)
{
	size_t pages = 0;

	for (size_t i = 0; i < n; i++)
		pages += entries[i] >> 60 < 5 || (entries[i] >> 60 > 8 && entries[i] >> 60 < 13);
	return pages;
}

static void append_begin(struct gw_buffer *buf, const struct guest *g)
{
	const struct gw_image_header header = {
		.version = 3, .type = g->type, .page_shift = GW_PAGE_SHIFT, .xen_major = 4};
	const struct gw_p2m_frames frames = {0, P2M_LAST, g->width == 8 ? 2 : 1};
	const uint8_t info[8] = {(uint8_t)g->width, g->width == 8 ? 4 : 3};
	const uint64_t pfns[] = {1, 2};
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];

	gw_image_header_encode(&header, raw);
	assert_ok(gw_buffer_append(buf, raw, sizeof(raw), &err), &err);
	if (g->width)
		assert_ok(gw_record_append(buf, GW_REC_X86_PV_INFO, info, 8, &err), &err);
	assert_ok(gw_record_append(buf, GW_REC_STATIC_DATA_END, NULL, 0, &err), &err);
	if (g->width)
		assert_ok(gw_p2m_frames_append(buf, &frames, pfns, &err), &err);
}

static void one_record(const struct guest *g)
{
	static uint8_t head[16 + 8 * ENTRIES_MAX];
	uint64_t entries[ENTRIES_MAX];
	size_t n = random_entries(g, entries), pages = count_pages(entries, n);
	struct faults expected = {""}, found = {""};
	struct gw_findings out = {.report = on_finding, .opaque = &found};
	struct gw_image_rules *rules = gw_image_rules_new(&out, 0, GW_IMAGE_ANY, MAX_PFNS);
	struct gw_image_reader r;
	struct gw_buffer buf = {0};
	struct gw_error err = GW_ERROR_INIT;
	enum gw_image_event event;
	struct feed from;

	append_begin(&buf, g);
	assert_ok(gw_buffer_append(&buf, head, gw_page_data_head_encode(head, n, entries, pages),
				   &err),
		  &err);
	expect(g, entries, n, &expected);
	from = (struct feed){buf.data, buf.len, 0};
	gw_image_reader_init(&r);
	do {
		/* The image ends before the pages. */
		assert_int_equal(feed_image(&from, &r, &event, &err), FED_EVENT);
		if (event == GW_IMAGE_HEADER)
			assert_ok(gw_image_rules_header(rules, &r.header, &err), &err);
		if (event == GW_IMAGE_RECORD)
			assert_ok(gw_image_rules_record(rules, &r.rec, &err), &err);
	} while (event != GW_IMAGE_PAGES);
	assert_int_equal(from.pos, buf.len);
	assert_int_equal(r.nr_pages, pages);
	assert_true(r.well_formed);
	assert_int_equal(r.data_len, pages * GW_PAGE_SIZE);
	gw_image_rules_pages(rules, &r, &err);
	assert_string_equal(found.text, expected.text);
	gw_image_reader_free(&r);
	gw_image_rules_free(rules);
	gw_buffer_free(&buf);
}

static void random_records(void **unused)
{

	for (unsigned i = 0; i < 20000; i++)
		one_record(&guests[i % GW_ARRAY_SIZE(guests)]);
}

/* A run that ends with the greatest pfn: counting further would carry into the reserved bits and
 * the type. */
static void runs(void **unused)
{
	const uint64_t last = GW_PAGE_ENTRY_PFN_MASK | GW_PAGE_ENTRY_RESERVED;
	const uint64_t entries[] = {last - 1, last,	      last + 1, last + 2, 5, 6,
				    7,	      8 | 1ull << 60, 5,	6,	  7};
	const size_t expected[] = {2, 1, 2, 1, 3, 2, 1, 1, 3, 2, 1};

	for (size_t i = 0; i < GW_ARRAY_SIZE(entries); i++)
		assert_int_equal(gw_page_entry_run(entries + i, GW_ARRAY_SIZE(entries) - i),
				 expected[i]);
	assert_int_equal(gw_page_entry_run(entries + 4, 2), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_records),
		cmocka_unit_test(runs),
	};

	return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
