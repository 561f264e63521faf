/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The PVH boot protocol (docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h of Xen): 32-bit
 * protected mode, paging off, ebx the start info. A kernel with a "Godwit" entry note is entered in
 * long mode instead, rbx the start info, its memory mapped one to one; for machines that cannot
 * change the mode (docs/guest-abi.md).
 *
 * Memory, low to high: the kernel's segments; the boot area right after them (GDT, page tables if
 * need be, start info with memory map and command line); the rest free for the guest.
 */
#include "hypervisor/pvh/boot.h"

#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/hvm_context.h"
#include "hypervisor/domain.h"
#include "hypervisor/pvh/elf.h"

/* Xen's layout: RAM up to here, the rest from 4 GiB. */
#define LOW_RAM_PAGES UINT64_C(0xf0000)
#define PAGES_4G      UINT64_C(0x100000)
#define RAM_PAGES_MAX                                                                              \
	(UINT64_C(511) << 18) /* what one table of the third level maps, less its hole */

#define SPECIAL_FIRST UINT64_C(0xfeff8)
#define IDENT_PT      UINT64_C(0xfeffe)

#define START_MAGIC  0x336ec578
#define MAP_RAM	     1
#define MAP_RESERVED 2
#define CMDLINE_MAX  2048

#define PTE_TABLE  UINT64_C(0x03) /* present, writable */
#define PTE_LARGE  UINT64_C(0x83)
#define GDT_CODE64 UINT64_C(0x00af9b000000ffff)
#define GDT_CODE32 UINT64_C(0x00cf9b000000ffff)
#define GDT_DATA   UINT64_C(0x00cf93000000ffff)
#define CR0_START  UINT64_C(0x11) /* PE, ET */
#define CR0_PG	   UINT64_C(0x80000000)
#define CR4_PAE	   UINT64_C(0x20)
#define EFER_LONG  UINT64_C(0x500) /* LME, LMA */
#define CHUNK	   512

struct boot {
	struct gw_domain *d;
	struct gw_pvh_elf elf;
	uint64_t low, high;		  /* pages of RAM below 0xf0000000 and from 4 GiB */
	uint64_t area;			  /* where the boot area begins, a page boundary */
	uint64_t gdt, tables, start_info; /* physical; tables 0 if none */
	uint64_t end;			  /* of the boot area */
};

/* Copies len bytes (zeros if bytes is NULL) to physical memory. */
static int put(struct boot *b, uint64_t pa, const uint8_t *bytes, uint64_t len,
	       struct gw_error *err)
{
	while (len) {
		uint64_t gfn = pa / GW_PAGE_SIZE;
		uint64_t part = GW_MIN(len, GW_PAGE_SIZE - pa % GW_PAGE_SIZE);
		struct gw_mapping mapping;
		void *page;

		if (gw_domain_map(b->d, 1, &gfn, true, &page, &mapping, err) < 0)
			return -1;
		if (bytes)
			memcpy((uint8_t *)page + pa % GW_PAGE_SIZE, bytes, part);
		gw_domain_unmap(b->d, &mapping);
		pa += part;
		len -= part;
		if (bytes)
			bytes += part;
	}
	return 0;
}

static int populate(struct gw_domain *d, uint64_t first, uint64_t n, struct gw_error *err)
{
	uint64_t pfns[CHUNK], gfns[CHUNK];

	while (n) {
		size_t part = GW_MIN(n, (uint64_t)CHUNK);

		for (size_t i = 0; i < part; i++)
			pfns[i] = first + i;
		if (gw_domain_populate(d, part, pfns, gfns, err) < 0)
			return -1;
		first += part;
		n -= part;
	}
	return 0;
}

/* One PML4, one PDPT, a page directory of 2 MiB pages per GiB up to the end of memory. */
static uint64_t nr_directories(const struct boot *b)
{
	uint64_t pages = b->high ? PAGES_4G + b->high : PAGES_4G;

	return (pages + (1u << 18) - 1) >> 18;
}

static int plan(struct boot *b, uint64_t mem_pages, struct gw_error *err)
{
	if (!mem_pages || mem_pages > RAM_PAGES_MAX)
		return gw_fail(err, GW_USAGE, "a guest has 1 to %llu pages of memory, not %llu",
			       (unsigned long long)RAM_PAGES_MAX, (unsigned long long)mem_pages);
	b->low = GW_MIN(mem_pages, LOW_RAM_PAGES);
	b->high = mem_pages - b->low;
	if (b->elf.end > b->low * GW_PAGE_SIZE)
		return gw_fail(err, GW_INVALID,
			       "the guest's kernel ends at 0x%llx, beyond its memory of %llu pages",
			       (unsigned long long)b->elf.end, (unsigned long long)mem_pages);
	b->area = GW_ROUND_UP(b->elf.end, GW_PAGE_SIZE);
	b->gdt = b->area;
	b->start_info = b->area + GW_PAGE_SIZE;
	if (b->elf.has_entry64) {
		b->tables = b->start_info;
		b->start_info += (2 + nr_directories(b)) * GW_PAGE_SIZE;
	}
	b->end = b->start_info + GW_PAGE_SIZE;
	if (b->end > b->low * GW_PAGE_SIZE)
		return gw_fail(
			err, GW_INVALID,
			"%llu pages of memory do not hold the guest's kernel and its start info",
			(unsigned long long)mem_pages);
	return 0;
}

static int load_segments(struct boot *b, struct gw_error *err)
{
	for (unsigned i = 0; i < b->elf.nr_segments; i++) {
		const struct gw_pvh_segment *s = &b->elf.segment[i];

		/* The memory after the file's part is zero already. */
		if (put(b, s->paddr, s->bytes, s->file_size, err) < 0)
			return -1;
	}
	return 0;
}

static int put_gdt(struct boot *b, struct gw_error *err)
{
	uint8_t gdt[24] = {0};

	gw_put_le64(gdt + 8, b->elf.has_entry64 ? GDT_CODE64 : GDT_CODE32);
	gw_put_le64(gdt + 16, GDT_DATA);
	return put(b, b->gdt, gdt, sizeof(gdt), err);
}

static int put_tables(struct boot *b, struct gw_error *err)
{
	uint64_t n = nr_directories(b), pdpt = b->tables + GW_PAGE_SIZE;
	uint8_t page[GW_PAGE_SIZE] = {0};

	gw_put_le64(page, pdpt | PTE_TABLE);
	if (put(b, b->tables, page, sizeof(page), err) < 0)
		return -1;
	memset(page, 0, 8);
	for (uint64_t i = 0; i < n; i++)
		gw_put_le64(page + 8 * i, (pdpt + (1 + i) * GW_PAGE_SIZE) | PTE_TABLE);
	if (put(b, pdpt, page, sizeof(page), err) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i++) {
		for (uint64_t j = 0; j < 512; j++)
			gw_put_le64(page + 8 * j, ((i << 30) + (j << 21)) | PTE_LARGE);
		if (put(b, pdpt + (1 + i) * GW_PAGE_SIZE, page, sizeof(page), err) < 0)
			return -1;
	}
	return 0;
}

static void put_range(uint8_t *to, uint64_t pfn, uint64_t pages, uint32_t type)
{
	gw_put_le64(to, pfn * GW_PAGE_SIZE);
	gw_put_le64(to + 8, pages * GW_PAGE_SIZE);
	gw_put_le32(to + 16, type);
	gw_put_le32(to + 20, 0);
}

/* struct hvm_start_info version 1, its memory map at +64, the command line at +192. */
static int put_start_info(struct boot *b, const char *cmdline, struct gw_error *err)
{
	uint8_t page[GW_PAGE_SIZE] = {0};
	uint32_t ranges = 0;
	size_t len = cmdline ? strlen(cmdline) : 0;

	if (len > CMDLINE_MAX)
		return gw_fail(err, GW_USAGE, "the guest's command line is longer than %d bytes",
			       CMDLINE_MAX);
	put_range(page + 64 + 24 * ranges++, 0, b->low, MAP_RAM);
	put_range(page + 64 + 24 * ranges++, SPECIAL_FIRST, GW_PVH_EXTRA_PAGES, MAP_RESERVED);
	if (b->high)
		put_range(page + 64 + 24 * ranges++, PAGES_4G, b->high, MAP_RAM);
	if (cmdline)
		memcpy(page + 192, cmdline, len);
	gw_put_le32(page, START_MAGIC);
	gw_put_le32(page + 4, 1);
	gw_put_le64(page + 24, len ? b->start_info + 192 : 0);
	gw_put_le64(page + 40, b->start_info + 64);
	gw_put_le32(page + 48, ranges);
	return put(b, b->start_info, page, sizeof(page), err);
}

/* Where Xen puts these pages of a PVH guest, so that an image of it is what stock Xen expects. */
static int put_special(struct boot *b, struct gw_error *err)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} params[] = {
		{1, 0xfeffc},  /* STORE_PFN */
		{5, 0xfeffd},  /* IOREQ_PFN */
		{6, 0xfeffb},  /* BUFIOREQ_PFN */
		{27, 0xfeff8}, /* PAGING_RING_PFN */
		{28, 0xfeff9}, /* MONITOR_RING_PFN */
		{29, 0xfeffa}, /* SHARING_RING_PFN */
		{17, 0xfefff}, /* CONSOLE_PFN */
		{12, IDENT_PT * GW_PAGE_SIZE},
	};
	uint8_t page[GW_PAGE_SIZE];

	if (populate(b->d, SPECIAL_FIRST, GW_PVH_EXTRA_PAGES, err) < 0)
		return -1;
	for (uint32_t i = 0; i < GW_PAGE_SIZE / 4; i++)
		gw_put_le32(page + 4 * i, i << 22 | 0xe7); /* 4 MiB each, one to one */
	if (put(b, IDENT_PT * GW_PAGE_SIZE, page, sizeof(page), err) < 0)
		return -1;
	for (size_t i = 0; i < GW_ARRAY_SIZE(params); i++)
		if (gw_domain_set_param(b->d, params[i].index, params[i].value, err) < 0)
			return -1;
	return 0;
}

static void fill_segments(struct gw_hvm_cpu *cpu, bool wide)
{
	const struct gw_hvm_segment data = {.selector = 16, .limit = UINT32_MAX, .ar = 0xc93};

	for (int i = GW_HVM_DS; i <= GW_HVM_SS; i++)
		cpu->seg[i] = data;
	cpu->seg[GW_HVM_CS] = (struct gw_hvm_segment){
		.selector = 8, .limit = UINT32_MAX, .ar = wide ? 0xa9b : 0xc9b};
	cpu->seg[GW_HVM_TR] = (struct gw_hvm_segment){.limit = 0x67, .ar = 0x8b};
}

static void fill_cpu(const struct boot *b, struct gw_hvm_cpu *cpu)
{
	bool wide = b->elf.has_entry64;

	*cpu = (struct gw_hvm_cpu){
		.rip = wide ? b->elf.entry64 : b->elf.entry32,
		.rflags = 2,
		.cr0 = wide ? CR0_START | CR0_PG : CR0_START,
		.cr3 = b->tables,
		.cr4 = wide ? CR4_PAE : 0,
		.dr6 = 0xffff0ff0,
		.dr7 = 0x400,
		.gdtr = {.base = b->gdt, .limit = 23},
		.efer = wide ? EFER_LONG : 0,
	};
	cpu->gpr[GW_HVM_RBX] = b->start_info;
	fill_segments(cpu, wide);
}

/* The rest of what Xen wants of a vCPU: an APIC and MTRRs as after reset. */
static int append_reset_state(struct gw_buffer *blob, struct gw_error *err)
{
	uint8_t lapic[24] = {0}, regs[1024] = {0}, mtrr[240] = {0};

	gw_put_le64(lapic, 0xfee00900); /* APIC base: enabled, boot processor */
	gw_put_le32(lapic + 8, 2);	/* disabled by software */
	gw_put_le32(regs + 0x30, 0x00050014);
	gw_put_le32(regs + 0xe0, UINT32_MAX);
	gw_put_le32(regs + 0xf0, 0xff);
	for (size_t lvt = 0x320; lvt <= 0x370; lvt += 0x10)
		gw_put_le32(regs + lvt, 0x10000);	 /* masked */
	gw_put_le64(mtrr, UINT64_C(0x0007040600070406)); /* PAT */
	gw_put_le64(mtrr + 224, 0x508);			 /* capabilities */
	gw_put_le64(mtrr + 232, 0x806);			 /* enabled, default write-back */
	if (gw_hvm_entry_append(blob, GW_HVM_LAPIC, 0, lapic, sizeof(lapic), err) < 0 ||
	    gw_hvm_entry_append(blob, GW_HVM_LAPIC_REGS, 0, regs, sizeof(regs), err) < 0)
		return -1;
	return gw_hvm_entry_append(blob, GW_HVM_MTRR, 0, mtrr, sizeof(mtrr), err);
}

static int set_context(struct boot *b, struct gw_error *err)
{
	struct gw_hvm_header header = {.magic = GW_HVM_HEADER_MAGIC,
				       .version = GW_HVM_HEADER_VERSION,
				       .changeset = UINT64_MAX};
	uint8_t raw_header[GW_HVM_HEADER_SIZE], raw_cpu[GW_HVM_CPU_SIZE];
	struct gw_tsc_info tsc = {0};
	struct gw_buffer blob = {0};
	struct gw_hvm_cpu cpu;
	int rc = -1;

	if (gw_domain_get_tsc(b->d, &tsc, err) < 0)
		return -1;
	header.gtsc_khz = tsc.khz;
	gw_hvm_header_encode(raw_header, &header);
	fill_cpu(b, &cpu);
	gw_hvm_cpu_encode(raw_cpu, &cpu);
	if (gw_hvm_entry_append(&blob, GW_HVM_HEADER, 0, raw_header, sizeof(raw_header), err) ==
		    0 &&
	    gw_hvm_entry_append(&blob, GW_HVM_CPU, 0, raw_cpu, sizeof(raw_cpu), err) == 0 &&
	    append_reset_state(&blob, err) == 0 &&
	    gw_hvm_entry_append(&blob, GW_HVM_END, 0, NULL, 0, err) == 0)
		rc = gw_domain_set_context(b->d, blob.data, blob.len, err);
	gw_buffer_free(&blob);
	return rc;
}

int gw_pvh_boot(struct gw_domain *d, const void *elf, size_t len, const char *cmdline,
		uint64_t mem_pages, struct gw_error *err)
{
	struct boot b = {.d = d};

	if (!d->hvm)
		return gw_fail(err, GW_USAGE, "a PVH guest needs a domain of type HVM");
	if (gw_pvh_elf_parse(&b.elf, elf, len, err) < 0 || plan(&b, mem_pages, err) < 0 ||
	    populate(d, 0, b.low, err) < 0 || populate(d, PAGES_4G, b.high, err) < 0 ||
	    load_segments(&b, err) < 0 || put_gdt(&b, err) < 0 ||
	    (b.tables && put_tables(&b, err) < 0) || put_start_info(&b, cmdline, err) < 0 ||
	    put_special(&b, err) < 0)
		return -1;
	return set_context(&b, err);
}
