/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Makes and sets back domains of the built-in machine.
 */
#include "emu_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"

#define L4_GFN 14u
#define L3_GFN 15u

#define CR0_PE_ET  UINT64_C(0x11)
#define CR0_PG	   (UINT64_C(1) << 31)
#define CR4_PAE	   UINT64_C(0x20)
#define EFER_LONG  UINT64_C(0x500) /* LME, LMA */
#define PTE_TABLE  UINT64_C(0x03)
#define PTE_1G	   UINT64_C(0x83)
#define AR_CODE32  0xc9bu
#define AR_CODE64  0xa9bu
#define AR_DATA	   0xc93u
#define FIRST_CODE 0x1000u

static void must(bool ok, const struct gw_error *err)
{
	if (ok)
		return;
	fprintf(stderr, "the fuzz target cannot begin: %s\n", err->text);
	abort();
}

struct gw_buffer emu_context(bool wide)
{
	static const struct gw_hvm_header header = {.magic = GW_HVM_HEADER_MAGIC,
						    .version = GW_HVM_HEADER_VERSION,
						    .changeset = UINT64_MAX};
	struct gw_hvm_cpu cpu = {
		.rip = FIRST_CODE, .rflags = 2, .cr0 = CR0_PE_ET, .dr6 = 0xffff0ff0, .dr7 = 0x400};
	uint8_t raw_header[GW_HVM_HEADER_SIZE], raw[GW_HVM_CPU_SIZE];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer blob = {0};

	for (int i = GW_HVM_CS; i <= GW_HVM_SS; i++)
		cpu.seg[i] = (struct gw_hvm_segment){.limit = UINT32_MAX, .ar = AR_DATA};
	cpu.seg[GW_HVM_CS].ar = wide ? AR_CODE64 : AR_CODE32;
	cpu.gpr[GW_HVM_RSP] = FIRST_CODE;
	if (wide) {
		cpu.cr0 |= CR0_PG;
		cpu.cr4 = CR4_PAE;
		cpu.efer = EFER_LONG;
		cpu.cr3 = L4_GFN * GW_PAGE_SIZE;
	}
	gw_hvm_header_encode(raw_header, &header);
	gw_hvm_cpu_encode(raw, &cpu);
	must(gw_hvm_entry_append(&blob, GW_HVM_HEADER, 0, raw_header, sizeof(raw_header), &err) ==
			     0 &&
		     gw_hvm_entry_append(&blob, GW_HVM_CPU, 0, raw, sizeof(raw), &err) == 0 &&
		     gw_hvm_entry_append(&blob, GW_HVM_END, 0, NULL, 0, &err) == 0,
	     &err);
	return blob;
}

static struct gw_emu *create(void)
{
	const struct gw_domain_config config = {.name = "fuzz",
						.type = GW_GUEST_X86_HVM,
						.max_pages = EMU_WINDOW,
						.max_pfns = EMU_WINDOW,
						.vcpus = 1};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("emu:?logdirty=hook", &err);
	struct gw_domain *d = host ? gw_host_create(host, &config, &err) : NULL;

	if (!d) {
		printf("skipped: %s\n", err.text);
		exit(77);
	}
	return gw_emu_of(d);
}

static void reset_memory(struct gw_emu *e, bool wide)
{
	struct gw_error err = GW_ERROR_INIT;

	for (uint64_t gfn = 0; gfn < EMU_WINDOW; gfn++) {
		if (gfn < EMU_PAGES && !gw_machine_memory_has(&e->m.mem, gfn))
			must(gw_machine_memory_add(&e->m.mem, 1, &gfn, &err) == 0, &err);
		if (gfn >= EMU_PAGES)
			must(gw_machine_memory_remove(&e->m.mem, gfn, &err) == 0, &err);
	}
	memset(gw_machine_memory_page(&e->m.mem, 0), 0, EMU_PAGES * GW_PAGE_SIZE);
	memset(e->m.xen.shared_info, 0, GW_PAGE_SIZE);
	e->m.stale_pieces = true;
	if (!wide)
		return;
	gw_put_le64(gw_machine_memory_page(&e->m.mem, L4_GFN), L3_GFN * GW_PAGE_SIZE | PTE_TABLE);
	gw_put_le64(gw_machine_memory_page(&e->m.mem, L3_GFN), PTE_1G);
}

static void reset_state(struct gw_emu *e, bool wide)
{
	struct gw_buffer context = emu_context(wide);
	struct gw_error err = GW_ERROR_INIT;

	memset(e->m.xen.ports, 0, sizeof(e->m.xen.ports));
	memset(e->m.params, 0, sizeof(e->m.params));
	e->m.xen.shared_info_gfn = e->m.xen.hypercall_gfn = GW_INVALID_PFN;
	e->m.xen.suspend_port = 0;
	e->m.xen.suspend_withdrawn = false;
	must(gw_domain_set_context(&e->m.d, context.data, context.len, &err) == 0 &&
		     gw_emu_engine_prepare(&e->m, &err) == 0,
	     &err);
	gw_buffer_free(&context);
}

struct gw_emu *emu_machine(bool wide)
{
	static struct gw_emu *made[2];

	if (!made[wide])
		made[wide] = create();
	reset_memory(made[wide], wide);
	reset_state(made[wide], wide);
	return made[wide];
}
