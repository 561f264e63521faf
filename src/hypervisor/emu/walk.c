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
#include "hypervisor/emu/domain.h"

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

static uint64_t read_cr(struct gw_emu *e, int reg)
{
	uint64_t value = 0;

	e->u->reg_read(e->engine.uc, reg, &value);
	return value;
}

static struct paging paging_now(struct gw_emu *e)
{
	struct paging p = {0};
	uint64_t cr4;

	if (!(read_cr(e, UC_X86_REG_CR0) & CR0_PG))
		return p;
	cr4 = read_cr(e, UC_X86_REG_CR4);
	p.root = read_cr(e, UC_X86_REG_CR3);
	p.levels = e->engine.long_mode ? 4 : cr4 & CR4_PAE ? 3 : 2;
	p.root &= p.levels == 3 ? UINT64_C(0xffffffe0) : PTE_ADDR;
	p.large_32 = cr4 & CR4_PSE;
	return p;
}

/* The address in this process of len bytes of physical memory inside one page; NULL if there is
 * none. */
static uint8_t *at_pa(const struct gw_emu *e, uint64_t pa)
{
	uint64_t gfn = pa / GW_PAGE_SIZE;

	if (gfn == e->xen.shared_info_gfn)
		return e->xen.shared_info + pa % GW_PAGE_SIZE;
	if (!gw_emu_memory_has(&e->mem, gfn))
		return NULL;
	return (uint8_t *)gw_emu_memory_page(&e->mem, gfn) + pa % GW_PAGE_SIZE;
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
static uint64_t entry_at(const struct gw_emu *e, const struct paging *p, uint64_t table,
			 unsigned index)
{
	unsigned size = p->levels == 2 ? 4 : 8;
	const uint8_t *at = at_pa(e, table + (uint64_t)index * size);

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

static int translate(const struct gw_emu *e, const struct paging *p, uint64_t va, uint64_t *pa)
{
	uint64_t table = p->root;

	if (!p->levels) {
		*pa = va;
		return 0;
	}
	for (unsigned level = p->levels; level >= 1; level--) {
		unsigned shift = index_shift(p, level);
		uint64_t entry = entry_at(e, p, table,
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

int gw_emu_translate(struct gw_emu *e, uint64_t va, uint64_t *pa)
{
	struct paging p = paging_now(e);

	return translate(e, &p, va, pa);
}

int gw_emu_check_paging(struct gw_emu *e, uint64_t rip, uint64_t rsp, struct gw_error *err)
{
	uint64_t pa;
	static const char needs[] =
		"the built-in machine runs only guests whose virtual addresses are their physical ones";

	if (gw_emu_translate(e, rip, &pa) < 0)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the guest cannot run here: its page tables have no page for its code at 0x%llx",
			(unsigned long long)rip);
	if (pa != rip)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the guest cannot run here: it uses paging, and its code at virtual address 0x%llx has the physical address 0x%llx; %s",
			(unsigned long long)rip, (unsigned long long)pa, needs);
	if (gw_emu_translate(e, rsp, &pa) == 0 && pa != rsp)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the guest cannot run here: it uses paging, and its stack at virtual address 0x%llx has the physical address 0x%llx; %s",
			(unsigned long long)rsp, (unsigned long long)pa, needs);
	return 0;
}

static int copy(struct gw_emu *e, uint64_t va, uint8_t *bytes, size_t len, bool out)
{
	struct paging p = paging_now(e);

	while (len) {
		size_t part = GW_MIN(len, (size_t)(GW_PAGE_SIZE - va % GW_PAGE_SIZE));
		uint64_t pa;
		uint8_t *at;

		if (translate(e, &p, va, &pa) < 0 || !(at = at_pa(e, pa)))
			return -1;
		if (out) {
			memcpy(at, bytes, part);
			gw_emu_dirty_mark(e, pa / GW_PAGE_SIZE);
		} else {
			memcpy(bytes, at, part);
		}
		va += part;
		bytes += part;
		len -= part;
	}
	return 0;
}

int gw_emu_copy_in(struct gw_emu *e, void *to, uint64_t va, size_t len)
{
	return copy(e, va, to, len, false);
}

int gw_emu_copy_out(struct gw_emu *e, uint64_t va, const void *from, size_t len)
{
	return copy(e, va, (uint8_t *)from, len, true);
}

/* seen has a bit for each table and level, so that a shared table, or a loop, is walked once. */
static void visit(struct gw_emu *e, const struct paging *p, uint64_t table, unsigned level,
		  uint64_t *seen, uint64_t *bitmap)
{
	uint64_t gfn = table / GW_PAGE_SIZE;

	if (!gw_emu_memory_has(&e->mem, gfn) || gw_bitmap_test(seen, gfn * 4 + level - 1))
		return;
	gw_bitmap_set(seen, gfn * 4 + level - 1);
	gw_bitmap_set(bitmap, gfn);
	for (unsigned i = 0; level > 1 && i < table_entries(p, level); i++) {
		uint64_t entry = entry_at(e, p, table, i);

		if ((entry & PTE_P) && !is_leaf(p, level, entry))
			visit(e, p, entry & PTE_ADDR, level - 1, seen, bitmap);
	}
}

void gw_emu_walk_tables(struct gw_emu *e, uint64_t *bitmap)
{
	struct paging p;
	uint64_t *seen;

	if (!e->cpu_in_uc)
		return;
	p = paging_now(e);
	seen = p.levels ? gw_bitmap_new(e->mem.window * 4) : NULL;
	if (!seen)
		return;
	visit(e, &p, p.root, p.levels, seen, bitmap);
	free(seen);
}
