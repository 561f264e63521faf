/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guest memory by virtual address: walks the page tables as the processor does, for hypercall
 * buffers and for stores that Unicorn reports by virtual address. Ignores permissions, because a
 * hypercall comes from the guest's kernel.
 */
#include <string.h>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/machine/machine.h"

#define CR0_PG	 (UINT64_C(1) << 31)
#define CR4_PSE	 (UINT64_C(1) << 4)
#define CR4_PAE	 (UINT64_C(1) << 5)
#define PTE_P	 UINT64_C(1)
#define PTE_PS	 (UINT64_C(1) << 7)
#define PTE_ADDR UINT64_C(0x000ffffffffff000)

/* The present paging mode: levels is 0 (paging off), 2 (32-bit), 3 (PAE) or 4. */
struct paging {
	unsigned levels;
	bool large_32; /* 4 MiB pages, CR4.PSE */
	uint64_t root;
};

static struct paging paging_now(struct gw_machine *m)
{
	struct gw_machine_paging now = {0};
	struct paging p = {0};

	m->ops->paging(m, &now);
	if (!(now.cr0 & CR0_PG))
		return p;
	p.root = now.cr3;
	p.levels = now.long_mode ? 4 : now.cr4 & CR4_PAE ? 3 : 2;
	p.root &= p.levels == 3 ? UINT64_C(0xffffffe0) : PTE_ADDR;
	p.large_32 = now.cr4 & CR4_PSE;
	return p;
}

/* The address in this process of len bytes of physical memory inside one page; NULL if there is
 * none. */
static uint8_t *at_pa(const struct gw_machine *m, uint64_t pa)
{
	uint64_t gfn = pa / GW_PAGE_SIZE;

	if (gfn == m->xen.shared_info_gfn)
		return m->xen.shared_info + pa % GW_PAGE_SIZE;
	if (!gw_machine_memory_has(&m->mem, gfn))
		return NULL;
	return (uint8_t *)gw_machine_memory_page(&m->mem, gfn) + pa % GW_PAGE_SIZE;
}

static unsigned index_shift(const struct paging *p, unsigned level)
{
	return p->levels == 2 ? 12 + 10 * (level - 1) : 12 + 9 * (level - 1);
}

static unsigned table_entries(const struct paging *p, unsigned level)
{
	if (p->levels == 2)
		return 1024;
	return p->levels == 3 && level == 3 ? 4 : 512;
}

/* The entry at this index of a table; 0 (absent) if the table is not in memory. */
static uint64_t entry_at(const struct gw_machine *m, const struct paging *p, uint64_t table,
			 unsigned index)
{
	unsigned size = p->levels == 2 ? 4 : 8;
	const uint8_t *at = at_pa(m, table + (uint64_t)index * size);

	if (!at)
		return 0;
	return size == 4 ? gw_get_le32(at) : gw_get_le64(at);
}

static bool is_leaf(const struct paging *p, unsigned level, uint64_t entry)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_PS))
		return false;
	return p->levels == 2 ? p->large_32 : level == 2 || (level == 3 && p->levels == 4);
}

static int translate(const struct gw_machine *m, const struct paging *p, uint64_t va, uint64_t *pa)
{
	uint64_t table = p->root;

	if (!p->levels) {
		*pa = va;
		return 0;
	}
	for (unsigned level = p->levels; level >= 1; level--) {
		unsigned shift = index_shift(p, level);
		uint64_t entry = entry_at(m, p, table,
					  (unsigned)(va >> shift) & (table_entries(p, level) - 1));
		uint64_t inside = (UINT64_C(1) << shift) - 1;

		if (!(entry & PTE_P))
			return -1;
		if (is_leaf(p, level, entry)) {
			*pa = (entry & PTE_ADDR & ~inside) | (va & inside);
			return 0;
		}
		table = entry & PTE_ADDR;
	}
	return -1;
}

int gw_machine_translate(struct gw_machine *m, uint64_t va, uint64_t *pa)
{
	struct paging p = paging_now(m);

	return translate(m, &p, va, pa);
}

static int copy(struct gw_machine *m, uint64_t va, uint8_t *bytes, size_t len, bool out)
{
	struct paging p = paging_now(m);

	while (len) {
		size_t part = GW_MIN(len, (size_t)(GW_PAGE_SIZE - va % GW_PAGE_SIZE));
		uint64_t pa;
		uint8_t *at;

		if (translate(m, &p, va, &pa) < 0 || !(at = at_pa(m, pa)))
			return -1;
		if (out) {
			memcpy(at, bytes, part);
			gw_machine_dirty_mark(m, pa / GW_PAGE_SIZE);
		} else {
			memcpy(bytes, at, part);
		}
		va += part;
		bytes += part;
		len -= part;
	}
	return 0;
}

int gw_machine_copy_in(struct gw_machine *m, void *to, uint64_t va, size_t len)
{
	return copy(m, va, to, len, false);
}

int gw_machine_copy_out(struct gw_machine *m, uint64_t va, const void *from, size_t len)
{
	return copy(m, va, (uint8_t *)from, len, true);
}

/* seen has a bit for each table and level, so that a shared table, or a loop, is walked once. */
static void visit(struct gw_machine *m, const struct paging *p, uint64_t table, unsigned level,
		  uint64_t *seen, uint64_t *bitmap)
{
	uint64_t gfn = table / GW_PAGE_SIZE;

	if (!gw_machine_memory_has(&m->mem, gfn) || gw_bitmap_test(seen, gfn * 4 + level - 1))
		return;
	gw_bitmap_set(seen, gfn * 4 + level - 1);
	gw_bitmap_set(bitmap, gfn);
	for (unsigned i = 0; level > 1 && i < table_entries(p, level); i++) {
		uint64_t entry = entry_at(m, p, table, i);

		if ((entry & PTE_P) && !is_leaf(p, level, entry))
			visit(m, p, entry & PTE_ADDR, level - 1, seen, bitmap);
	}
}

void gw_machine_walk_tables(struct gw_machine *m, uint64_t *bitmap)
{
	struct paging p;
	uint64_t *seen;

	if (!m->cpu_loaded)
		return;
	p = paging_now(m);
	seen = p.levels ? gw_bitmap_new(m->mem.window * 4) : NULL;
	if (!seen)
		return;
	visit(m, &p, p.root, p.levels, seen, bitmap);
	free(seen);
}
