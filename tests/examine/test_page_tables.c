/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the walk of page tables against the rule by which the tables of the recorded guests were
 * made (tests/data/README.md). The rule is implemented here once more with plain arrays, and
 * checked against the manifest's hashes. Then tests invalid tables.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "examine/summarise.h"
#include "lib/realdata.h"
#include "lib/manifest.h"

#define PFNS	   1024u
#define GUEST_PFNS (PFNS - 16) /* the pfns above are ballooned out */
#define FIRST	   0x28u       /* the first of the tables */
#define LAST	   0x37u
#define PTES	   512u

struct guest {
	const char *name;
	unsigned width;
	unsigned nr_tables; /* all tables of the image; the rule covers each */
	unsigned nr_roots;  /* from FIRST on */
};

static const struct guest guests[] = {
	{"v3_422_pv64_1024", 8, 15, 2},
	{"v2_46_pv64_w64_live_1024", 8, 15, 2},
	{"v3_422_pv32_live_1024", 4, 12, 1},
};

/* The guest as the rule defines it. */
struct model {
	unsigned levels;
	unsigned type[PFNS]; /* from the manifest */
	bool there[PFNS];
	uint64_t pte[LAST + 1][PTES];
};

static uint64_t to(uint64_t pfn)
{
	return pfn << 12 | 0x67;
}

static void fill_top(struct model *m, unsigned width)
{
	if (width == 8) {
		m->pte[0x2a][0] = to(0x2c);
		m->pte[0x2a][3] = to(0x2d);
		m->pte[0x2b][1] = to(0x2e);
		m->pte[0x2b][511] = to(0x2f);
		m->pte[0x28][0] = m->pte[0x28][272] = to(0x2a);
		m->pte[0x28][511] = m->pte[0x29][0] = to(0x2b);
	}
	for (unsigned i = 0; width == 4 && i < 4; i++)
		m->pte[0x28][i] = (uint64_t)(0x2c + i) << 12 | 1;
}

/* Xen would not take an L1 that maps one of these writable: the tables (a 32-bit guest once had a
 * second L3, which is an ordinary page now) and the GDT pages of both vCPUs. */
static bool is_protected(const struct model *m, uint64_t pfn)
{
	bool gdt = pfn == 0x24 || pfn == 0x25, second_root = pfn == 0x29;

	return gdt || second_root || (pfn < PFNS && m->type[pfn] & 7 && m->type[pfn] <= 0xc);
}

/* An entry of an L1, read-only where it has to be. */
static uint64_t l1_entry(const struct model *m, uint64_t pte)
{
	bool writable = (pte & 3) == 3;

	return writable && is_protected(m, pte >> 12 & 0xffffffffff) ? pte & ~UINT64_C(2) : pte;
}

static void fill_l1(struct model *m, unsigned k)
{
	uint64_t *pte = m->pte[0x30 + k];

	for (unsigned i = 0; i < PTES; i++) {
		if (i % 7 == 3)
			pte[i] = 0xdead0000u | i << 1;
		else
			pte[i] = l1_entry(m, (uint64_t)((i + PTES * k) % GUEST_PFNS) << 12 |
						     (i % 2 ? 0x67 : 0x25) |
						     (i % 5 ? 0 : UINT64_C(1) << 63));
	}
}

static bool is_as_made(const struct model *m, const struct manifest *made, unsigned pfn)
{
	uint8_t raw[4096], hash[MANIFEST_HASH];

	for (unsigned i = 0; i < PTES; i++)
		gw_put_le64(raw + 8 * i, m->pte[pfn][i]);
	manifest_hash(raw, hash);
	return memcmp(hash, manifest_find(made, pfn)->hash, sizeof(hash)) == 0;
}

/* A live guest rewrote an entry of pfn 31 in each round; the hash shows how many rounds there
 * were. */
static void play_rounds(struct model *m, const struct manifest *made)
{
	for (unsigned r = 1; r < 20 && !is_as_made(m, made, 0x31); r++)
		m->pte[0x31][11 * r % PTES] = l1_entry(m, to((37 * r + 3) % GUEST_PFNS));
}

static void make_model(struct model *m, const struct guest *g)
{
	struct manifest made;
	char path[100];
	unsigned n = 0;

	snprintf(path, sizeof(path), "xen-code/%s.manifest.xz", g->name);
	made = manifest_load(path);
	*m = (struct model){.levels = g->width == 8 ? 4 : 3};
	for (size_t i = 0; i < made.nr; i++) {
		m->there[made.pages[i].pfn] = true;
		m->type[made.pages[i].pfn] = made.pages[i].type;
	}
	for (unsigned k = 0; k < 7; k++)
		fill_l1(m, k);
	for (unsigned pfn = 0x2c; pfn < 0x30; pfn++)
		for (unsigned i = 0; i < 4; i++)
			m->pte[pfn][8 * (pfn - 0x2c) + i] = to(0x30 + i);
	for (unsigned i = 0; i < PTES; i += 3)
		m->pte[0x37][i] = to(0x30 + i % 4);
	fill_top(m, g->width);
	play_rounds(m, &made);
	for (unsigned pfn = 0; pfn < PFNS; pfn++) {
		if (!(m->type[pfn] & 7) || m->type[pfn] > 0xc)
			continue;
		assert_in_range(pfn, FIRST, LAST);
		assert_true(is_as_made(m, &made, pfn));
		n++;
	}
	assert_int_equal(n, g->nr_tables);
	manifest_free(&made);
}

static unsigned level_in(const struct model *m, uint64_t pfn)
{
	return pfn < PFNS && m->there[pfn] && m->type[pfn] <= 0xc ? m->type[pfn] & 7 : 0;
}

static void mark(const struct model *m, uint64_t pfn, bool *seen)
{
	seen[pfn] = true;
	for (unsigned i = 0; i < PTES && level_in(m, pfn) > 1; i++)
		if (m->pte[pfn][i] & 1)
			mark(m, m->pte[pfn][i] >> 12 & 0xffffffffff, seen);
}

static unsigned present_in(const struct model *m, unsigned pfn)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PTES; i++)
		n += m->pte[pfn][i] & 1;
	return n;
}

static void check_root(const struct model *m, const struct gw_root *root, bool reached[][PFNS],
		       unsigned nr_roots, unsigned which)
{
	uint64_t present = 0, mapped = 0, shared = 0;
	unsigned tables[5] = {0};

	for (unsigned pfn = FIRST; pfn <= LAST; pfn++) {
		unsigned others = 0;

		if (!reached[which][pfn])
			continue;
		for (unsigned r = 0; r < nr_roots; r++)
			others += r != which && reached[r][pfn];
		shared += others > 0;
		tables[level_in(m, pfn)]++;
		present += present_in(m, pfn);
		mapped += level_in(m, pfn) == 1 ? present_in(m, pfn) : 0;
	}
	assert_true(root->followed && root->is_table && root->pinned);
	for (unsigned level = 1; level < 5; level++)
		assert_int_equal(root->tables[level], tables[level]);
	assert_int_equal(root->present, present);
	assert_int_equal(root->mapped, mapped);
	assert_int_equal(root->shared, shared);
	/* In an L4 the slots that map Xen; in a PAE L3 all but its first four. */
	assert_int_equal(root->xen_slots, m->levels == 4 ? 16 : 508);
}

static bool take_unreached(void *opaque, uint64_t pfn, unsigned type)
{
	bool *unreached = opaque;

	assert_false(unreached[pfn]);
	unreached[pfn] = true;
	return true;
}

static bool no_fault(void *opaque, const struct gw_table_fault *fault)
{
	fail_msg("pfn 0x%llx entry %u", (unsigned long long)fault->table, fault->slot);
	return true;
}

static void look(struct gw_summary *s, unsigned width)
{
	const struct gw_pv_layout *layout = gw_pv_layout(width);
	struct gw_error err = GW_ERROR_INIT;

	for (size_t i = 0; i < s->nr_vcpus; i++)
		assert_ok(gw_page_tables_use_vcpu(&s->tables, layout, s->vcpus[i].id,
						  s->vcpus[i].blobs[GW_VCPU_BASIC].data, &err),
			  &err);
	assert_ok(gw_page_tables_examine(&s->tables, &s->memory, layout, (uint64_t)s->p2m_end + 1,
					 &err),
		  &err);
}

static void check_guest(const struct guest *g)
{
	static struct model m;
	static bool reached[2][PFNS], unreached[PFNS];
	struct gw_error err = GW_ERROR_INIT;
	const struct gw_page_tables *pt;
	struct gw_buffer file;
	struct gw_summary *s;
	char path[100];
	uint64_t shared = 0;

	make_model(&m, g);
	snprintf(path, sizeof(path), "xen-code/%s.xz", g->name);
	file = realdata_load(realdata_path(path));
	s = summarise(file.data, file.len, false, true);
	pt = &s->tables;
	look(s, g->width);

	memset(reached, 0, sizeof(reached));
	memset(unreached, 0, sizeof(unreached));
	assert_int_equal(pt->nr_roots, g->nr_roots);
	for (unsigned r = 0; r < g->nr_roots; r++)
		mark(&m, FIRST + r, reached[r]);
	for (unsigned r = 0; r < g->nr_roots; r++) {
		assert_int_equal(pt->roots[r].pfn, FIRST + r);
		check_root(&m, &pt->roots[r], reached, g->nr_roots, r);
	}
	gw_page_tables_unreached(pt, take_unreached, unreached);
	for (unsigned pfn = 0; pfn < PFNS; pfn++) {
		shared += reached[0][pfn] && reached[1][pfn];
		assert_int_equal(unreached[pfn],
				 level_in(&m, pfn) && !reached[0][pfn] && !reached[1][pfn]);
	}
	assert_int_equal(pt->shared, shared);
	assert_int_equal(pt->unread, 0);
	assert_true(pt->all_followed);
	assert_ok(gw_page_tables_faults(pt, no_fault, NULL, &err), &err);
	/* Kernel roots of both vCPUs, and user roots of 64-bit guests, as the recorder set them. */
	assert_int_equal(pt->roots[0].nr_uses, 2);
	if (g->nr_roots == 2)
		assert_int_equal(pt->roots[1].nr_uses, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pt->roots[0].uses[i].vcpu, i);
		assert_false(pt->roots[0].uses[i].user);
		assert_true(g->nr_roots == 1 || pt->roots[1].uses[i].user);
	}
	summary_done(s);
	gw_buffer_free(&file);
}

static void follows_the_rule(void **unused)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(guests); i++)
		check_guest(&guests[i]);
}

/* Tables made by hand. */
struct made {
	struct gw_memory_map map;
	struct gw_page_tables pt;
};

static void add(struct made *m, uint64_t pfn, unsigned type, const uint64_t *ptes)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[4096];

	assert_ok(gw_memory_map_add(&m->map, pfn, type, &err), &err);
	if (!gw_page_table_level(type))
		return;
	for (unsigned i = 0; i < PTES; i++)
		gw_put_le64(raw + 8 * i, ptes ? ptes[i] : 0);
	assert_ok(
		gw_tables_put(&m->pt.tables, pfn, gw_page_table_level(type), raw, 7, 0x1234, &err),
		&err);
}

static void look_at(struct made *m, unsigned width, uint64_t nr_pfns)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_page_tables_examine(&m->pt, &m->map, gw_pv_layout(width), nr_pfns, &err),
		  &err);
}

static void made_free(struct made *m)
{
	gw_page_tables_free(&m->pt);
	gw_memory_map_free(&m->map);
}

struct seen {
	struct gw_table_fault list[64];
	size_t nr;
};

static bool take_fault(void *opaque, const struct gw_table_fault *fault)
{
	struct seen *seen = opaque;

	assert_true(seen->nr < GW_ARRAY_SIZE(seen->list));
	seen->list[seen->nr++] = *fault;
	return true;
}

static void names_each_fault(void **unused)
{
	static const struct {
		unsigned level, slot;
		uint64_t entry;
		int kind; /* -1: no fault */
	} entries[] = {
		{2, 0, 0x30067, -1},		  /* L1 */
		{2, 1, 0x31067, -1},		  /* pinned L1 */
		{2, 2, 0x20067, GW_TABLE_TYPE},	  /* itself */
		{2, 3, 0x40067, GW_TABLE_TYPE},	  /* an ordinary page */
		{2, 4, 0x100067, GW_TABLE_ABOVE}, /* one beyond the last pfn */
		{2, 5, 0xff067, GW_TABLE_ABSENT}, /* the last pfn, which has no entry */
		{2, 6, 0x50067, GW_TABLE_ABSENT}, /* XTAB */
		{2, 7, 0x300e7, GW_TABLE_SUPERPAGE},
		{2, 8, 0x20066, -1},		/* not present */
		{2, 9, 0x60067, GW_TABLE_TYPE}, /* a page without contents */
		{1, 0, 0x400e7, -1},		/* in this table the bit has another meaning */
		{1, 1, 0x20067, -1},		/* a page like any other */
		{1, 2, UINT64_C(0x8000000000100067), GW_TABLE_ABOVE},
		{1, 511, 0x50067, GW_TABLE_ABSENT},
		{1, 510, 0x60067, -1},
		{1, 3, UINT64_C(0x000ffffffffff067), GW_TABLE_ABOVE},
	};
	uint64_t ptes[3][PTES] = {{0}};
	struct made m = {0};
	struct seen seen = {0};
	struct gw_error err = GW_ERROR_INIT;
	uint64_t counts[GW_TABLE_NR_FAULTS] = {0};
	size_t nr = 0;

	for (size_t i = 0; i < GW_ARRAY_SIZE(entries); i++)
		ptes[entries[i].level][entries[i].slot] = entries[i].entry;
	add(&m, 0x20, GW_PAGE_L2TAB, ptes[2]);
	add(&m, 0x30, GW_PAGE_L1TAB, ptes[1]);
	add(&m, 0x31, GW_PAGE_L1TAB | GW_PAGE_PINNED, NULL);
	add(&m, 0x40, GW_PAGE_NOTAB, NULL);
	add(&m, 0x50, GW_PAGE_XTAB, NULL);
	add(&m, 0x60, GW_PAGE_XALLOC, NULL);
	look_at(&m, 8, 0x100);
	assert_ok(gw_page_tables_faults(&m.pt, take_fault, &seen, &err), &err);
	for (size_t i = 0; i < GW_ARRAY_SIZE(entries); i++) {
		bool found = false;

		if (entries[i].kind < 0)
			continue;
		nr++;
		counts[entries[i].kind]++;
		for (size_t k = 0; k < seen.nr; k++) {
			const struct gw_table_fault *f = &seen.list[k];

			if (f->level != entries[i].level || f->slot != entries[i].slot)
				continue;
			found = true;
			assert_int_equal(f->kind, entries[i].kind);
			assert_int_equal(f->table, f->level == 2 ? 0x20 : 0x30);
			assert_int_equal(f->entry, entries[i].entry);
			assert_int_equal(f->record, 7);
			assert_int_equal(f->offset, 0x1234);
		}
		assert_true(found);
	}
	assert_int_equal(seen.nr, nr);
	assert_memory_equal(counts, m.pt.faults, sizeof(counts));
	/* No root: nothing is reached. */
	assert_int_equal(m.pt.nr_roots, 0);
	assert_int_equal(m.pt.unreached, 3);
	made_free(&m);
}

/* Xen's slots may hold anything, those beside them may not. */
static void leaves_xens_slots_out(void **unused)
{
	uint64_t ptes[PTES];
	struct made m = {0};

	for (unsigned i = 0; i < PTES; i++)
		ptes[i] = UINT64_C(0x0007777777777063);
	add(&m, 0x20, GW_PAGE_L4TAB | GW_PAGE_PINNED, ptes);
	look_at(&m, 8, 0x100);
	assert_int_equal(m.pt.faults[GW_TABLE_ABOVE], PTES - 16);
	assert_int_equal(m.pt.roots[0].xen_slots, 16);
	assert_int_equal(m.pt.roots[0].present, PTES - 16);
	made_free(&m);

	add(&m, 0x20, GW_PAGE_L3TAB | GW_PAGE_PINNED, ptes);
	look_at(&m, 4, 0x100);
	assert_int_equal(m.pt.faults[GW_TABLE_ABOVE], 4);
	assert_int_equal(m.pt.roots[0].xen_slots, 508);
	made_free(&m);

	/* In a 32-bit L2 the superpages from slot 428 on are Xen's. */
	for (unsigned i = 0; i < PTES; i++)
		ptes[i] = 0xe3;
	add(&m, 0x20, GW_PAGE_L2TAB, ptes);
	look_at(&m, 4, 0x100);
	assert_int_equal(m.pt.faults[GW_TABLE_SUPERPAGE], 428);
	made_free(&m);
}

/* A vCPU's root may be a page that is not a table. */
static void says_what_roots_are(void **unused)
{
	static const struct gw_root_use uses[] = {
		{0x20, 1, false},  {0x20, 0, true},  {0x40, 2, false},
		{0x999, 3, false}, {0x21, 4, false}, {0x20, 0, false},
	};
	struct made m = {0};
	struct gw_error err = GW_ERROR_INIT;

	add(&m, 0x20, GW_PAGE_L4TAB, NULL);
	add(&m, 0x21, GW_PAGE_NOTAB, NULL);
	add(&m, 0x22, GW_PAGE_L4TAB | GW_PAGE_PINNED, NULL);
	add(&m, 0x40, GW_PAGE_L3TAB, NULL);
	/* A table whose contents never came. */
	assert_ok(gw_memory_map_add(&m.map, 0x41, GW_PAGE_L4TAB | GW_PAGE_PINNED, &err), &err);
	for (size_t i = 0; i < GW_ARRAY_SIZE(uses); i++)
		assert_ok(gw_page_tables_use(&m.pt, &uses[i], &err), &err);
	look_at(&m, 8, 0x100);
	assert_int_equal(m.pt.nr_roots, 6);
	assert_int_equal(m.pt.roots[0].pfn, 0x20);
	assert_int_equal(m.pt.roots[0].nr_uses, 3);
	assert_true(m.pt.roots[0].followed && !m.pt.roots[0].pinned);
	assert_true(!m.pt.roots[0].uses[0].user && m.pt.roots[0].uses[1].user);
	assert_int_equal(m.pt.roots[0].uses[2].vcpu, 1);
	assert_int_equal(m.pt.roots[1].pfn, 0x21);
	assert_int_equal(m.pt.roots[1].type, GW_PAGE_NOTAB);
	assert_false(m.pt.roots[1].is_table);
	assert_true(m.pt.roots[2].pinned && m.pt.roots[2].followed);
	assert_int_equal(m.pt.roots[2].nr_uses, 0);
	assert_false(m.pt.roots[3].is_table);
	assert_int_equal(m.pt.roots[4].pfn, 0x41);
	assert_true(m.pt.roots[4].pinned && !m.pt.roots[4].is_table);
	assert_int_equal(m.pt.roots[5].type, -1);
	assert_int_equal(m.pt.unread, 1);
	assert_int_equal(m.pt.by_level[4], 3);
	made_free(&m);
}

/* Many roots over the same tables: the walk has a bound, and reports what it leaves out. */
static void bounded(void **unused)
{
	uint64_t ptes[PTES];
	struct made m = {0};
	const uint64_t l3 = 0x1000, l2 = 0x2000, roots = 0x100000;
	uint64_t followed = 0;

	for (unsigned i = 0; i < PTES; i++)
		ptes[i] = to(l2 + i);
	add(&m, l3, GW_PAGE_L3TAB, ptes);
	for (unsigned i = 0; i < PTES; i++)
		ptes[i] = 0;
	for (unsigned i = 0; i < PTES; i++)
		add(&m, l2 + i, GW_PAGE_L2TAB, ptes);
	ptes[0] = to(l3);
	for (unsigned i = 0; i < 3000; i++)
		add(&m, roots + i, GW_PAGE_L4TAB | GW_PAGE_PINNED, ptes);
	look_at(&m, 8, 0x200000);
	assert_int_equal(m.pt.nr_roots, 3000);
	assert_false(m.pt.all_followed);
	for (size_t i = 0; i < m.pt.nr_roots; i++) {
		const struct gw_root *root = &m.pt.roots[i];

		followed += root->followed;
		assert_true(root->is_table);
		if (!root->followed)
			continue;
		assert_int_equal(root->tables[2], PTES);
		assert_int_equal(root->present, 1 + PTES);
	}
	assert_true(followed > 900 && followed < 3000);
	made_free(&m);
}

/* A page that is no longer a table, one that becomes a table again, and more tables than are
 * kept. */
static void keeps_the_last_contents(void **unused)
{
	struct made m = {0};
	uint64_t ptes[PTES] = {0x1067}, read[PTES];
	struct gw_error err = GW_ERROR_INIT;

	add(&m, 5, GW_PAGE_L1TAB, ptes);
	ptes[0] = 0x2067;
	add(&m, 6, GW_PAGE_L1TAB, ptes);
	add(&m, 5, GW_PAGE_L2TAB, ptes);
	assert_int_equal(m.pt.tables.nr, 2);
	assert_ok(gw_tables_read(&m.pt.tables, (size_t)gw_tables_find(&m.pt.tables, 5), read, &err),
		  &err);
	assert_int_equal(read[0], 0x2067);
	add(&m, 5, GW_PAGE_L1TAB, NULL);
	assert_ok(gw_tables_read(&m.pt.tables, (size_t)gw_tables_find(&m.pt.tables, 5), read, &err),
		  &err);
	assert_int_equal(read[0], 0);
	gw_tables_drop(&m.pt.tables, 6);
	gw_tables_drop(&m.pt.tables, 7);
	assert_int_equal(gw_tables_find(&m.pt.tables, 6), -1);
	assert_int_equal(gw_tables_find(&m.pt.tables, 7), -1);
	made_free(&m);

	for (uint64_t pfn = GW_TABLES_MAX + 5; pfn-- > 0;) {
		static const uint8_t zeros[4096];

		assert_ok(gw_tables_put(&m.pt.tables, pfn, 1, zeros, 0, 0, &err), &err);
	}
	assert_int_equal(m.pt.tables.nr, GW_TABLES_MAX);
	assert_int_equal(m.pt.tables.left_out, 5);
	assert_false(m.pt.tables.file.open);
	assert_ok(gw_tables_sort(&m.pt.tables, &err), &err);
	assert_int_equal(m.pt.tables.list[0].pfn, 5);
	assert_int_equal(gw_tables_find(&m.pt.tables, 4), -1);
	assert_int_equal(gw_tables_find(&m.pt.tables, 1000), 995);
	made_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_rule),
		cmocka_unit_test(names_each_fault),
		cmocka_unit_test(leaves_xens_slots_out),
		cmocka_unit_test(says_what_roots_are),
		cmocka_unit_test(bounded),
		cmocka_unit_test(keeps_the_last_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
