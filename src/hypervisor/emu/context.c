/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The HVM context of an emulated domain: the CPU entry is that of the built-in machine; all other
 * entries are kept and given back byte for byte.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/emu/domain.h"

static int encode(struct gw_emu *e, struct gw_buffer *out, struct gw_error *err)
{
	struct gw_hvm_walk walk;
	struct gw_hvm_entry entry;
	struct gw_hvm_cpu cpu = e->m.cpu;
	uint8_t raw[GW_HVM_CPU_SIZE];
	int rc;

	if (e->m.cpu_loaded)
		gw_emu_regs_store(e, &cpu);
#if defined(__x86_64__)
	/* The guest reads this machine's own counter. */
	cpu.tsc = __builtin_ia32_rdtsc();
#endif
	gw_hvm_cpu_encode(raw, &cpu);
	gw_hvm_walk_init(&walk, e->m.context.data, e->m.context.len);
	while ((rc = gw_hvm_walk_next(&walk, &entry, err)) > 0) {
		bool ours = entry.typecode == GW_HVM_CPU;
		size_t at = out->len + GW_HVM_DESCRIPTOR_SIZE;

		if (gw_hvm_entry_append(out, entry.typecode, entry.instance,
					ours ? raw : entry.data, ours ? sizeof(raw) : entry.length,
					err) < 0)
			return -1;
		/* PAT is the first field of MTRR. */
		if (entry.typecode == GW_HVM_MTRR && entry.length >= 8 && e->m.cpu_loaded)
			gw_put_le64(out->data + at, gw_emu_pat(e));
	}
	return rc;
}

int gw_emu_context_get(struct gw_machine *m, void **blob, size_t *len, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	struct gw_buffer out = {0};
	int rc;

	if (gw_machine_need_stopped(&e->m, "reading its vCPU state", err) < 0)
		return -1;
	if (!e->m.have_cpu)
		return gw_fail(err, GW_USAGE, "domain %u has no vCPU state yet", e->m.d.domid);
	rc = e->m.ran ? encode(e, &out, err)
		      : gw_buffer_append(&out, e->m.context.data, e->m.context.len, err);
	if (rc < 0) {
		gw_buffer_free(&out);
		return -1;
	}
	*blob = out.data;
	*len = out.len;
	return 0;
}

/* Offsets in LAPIC_REGS: interrupts that wait, the timer's entry and its count. */
#define APIC_IRR       0x200
#define APIC_LVTT      0x320
#define APIC_TMICT     0x380
#define APIC_REGS_SIZE 1024
#define LVT_MASKED     0x10000u

/* There is no LAPIC here: a guest that waits for one would wait for ever. */
static int check_apic(const void *blob, size_t len, struct gw_error *err)
{
	struct gw_hvm_entry regs;
	int found = gw_hvm_find(blob, len, GW_HVM_LAPIC_REGS, 0, &regs, err);

	if (found <= 0 || regs.length < APIC_REGS_SIZE)
		return found < 0 ? -1 : 0;
	for (unsigned i = 0; i < 8; i++)
		if (gw_get_le32(regs.data + APIC_IRR + 16 * i))
			return gw_fail(
				err, GW_UNSUPPORTED,
				"the built-in machine has no LAPIC, and an interrupt waits in the guest's");
	if (gw_get_le32(regs.data + APIC_TMICT) &&
	    !(gw_get_le32(regs.data + APIC_LVTT) & LVT_MASKED))
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the built-in machine has no LAPIC, and the timer of the guest's runs");
	return 0;
}

int gw_emu_context_set(struct gw_machine *m, const void *blob, size_t len, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	struct gw_buffer copy = {0};
	struct gw_hvm_cpu cpu;
	bool long_mode;

	if (gw_machine_need_stopped(&e->m, "writing its vCPU state", err) < 0 ||
	    gw_machine_find_cpu(blob, len, &cpu, err) < 0 || check_apic(blob, len, err) < 0 ||
	    gw_emu_regs_check(&cpu, &long_mode, err) < 0 ||
	    gw_buffer_append(&copy, blob, len, err) < 0)
		return -1;
	gw_buffer_free(&e->m.context);
	e->m.context = copy;
	e->m.cpu = cpu;
	e->m.have_cpu = true;
	e->m.cpu_loaded = e->m.ran = false;
	gw_machine_vcpu_reset(&e->m);
	return 0;
}
