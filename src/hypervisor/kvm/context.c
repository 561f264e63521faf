/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The HVM context of a domain on KVM: the entries of the vCPU are KVM's, all others are kept and
 * given back byte for byte.
 */
#include <string.h>

#include "base/util.h"
#include "hypervisor/kvm/domain.h"

#define MSR_TSC UINT32_C(0x10)

static int append_cpu(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err)
{
	struct gw_hvm_cpu cpu = k->m.cpu;
	uint8_t raw[GW_HVM_CPU_SIZE];

	if (gw_kvm_regs_store(k, &cpu, err) < 0 || gw_kvm_xstate_store(k, &cpu, err) < 0 ||
	    gw_kvm_events_store(k, &cpu, NULL, err) < 0)
		return -1;
	gw_kvm_msrs_store(k, &cpu);
	gw_kvm_msr_get(k, MSR_TSC, &cpu.tsc);
	gw_hvm_cpu_encode(raw, &cpu);
	return gw_hvm_entry_append(out, GW_HVM_CPU, 0, raw, sizeof(raw), err);
}

/* In ascending order, as the context has its entries. */
static const struct {
	uint16_t code;
	int (*append)(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err);
} ours[] = {
	{GW_HVM_CPU, append_cpu},
	{GW_HVM_LAPIC, gw_kvm_apic_append},
	{GW_HVM_LAPIC_REGS, gw_kvm_apic_regs_append},
	{GW_HVM_MTRR, gw_kvm_mtrr_append},
	{GW_HVM_CPU_XSAVE, gw_kvm_xstate_append},
	{GW_HVM_TSC_ADJUST, gw_kvm_tsc_adjust_append},
	{GW_HVM_CPU_MSR, gw_kvm_cpu_msr_append},
};

static bool is_ours(uint16_t code)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(ours); i++)
		if (ours[i].code == code)
			return true;
	return false;
}

/* Ours come where the blob had them, and where it had none, before the first higher entry. */
static int encode(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err)
{
	struct gw_hvm_walk walk;
	struct gw_hvm_entry entry;
	size_t next = 0;
	int rc;

	gw_hvm_walk_init(&walk, k->m.context.data, k->m.context.len);
	while ((rc = gw_hvm_walk_next(&walk, &entry, err)) > 0) {
		bool last = entry.typecode == GW_HVM_END;

		while (next < GW_ARRAY_SIZE(ours) && (last || ours[next].code <= entry.typecode))
			if (ours[next++].append(k, out, err) < 0)
				return -1;
		if (!is_ours(entry.typecode) &&
		    gw_hvm_entry_append(out, entry.typecode, entry.instance, entry.data,
					entry.length, err) < 0)
			return -1;
	}
	return rc;
}

int gw_kvm_context_get(struct gw_machine *m, void **blob, size_t *len, struct gw_error *err)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);
	struct gw_buffer out = {0};
	int rc;

	if (gw_machine_need_stopped(m, "reading its vCPU state", err) < 0)
		return -1;
	if (!m->have_cpu)
		return gw_fail(err, GW_USAGE, "domain %u has no vCPU state yet", m->d.domid);
	if (m->ran && gw_kvm_prepare(m, err) < 0)
		return -1;
	rc = m->ran ? encode(k, &out, err)
		    : gw_buffer_append(&out, m->context.data, m->context.len, err);
	if (rc < 0) {
		gw_buffer_free(&out);
		return -1;
	}
	*blob = out.data;
	*len = out.len;
	return 0;
}

int gw_kvm_context_set(struct gw_machine *m, const void *blob, size_t len, struct gw_error *err)
{
	struct gw_buffer copy = {0};
	struct gw_hvm_cpu cpu;

	if (gw_machine_need_stopped(m, "writing its vCPU state", err) < 0 ||
	    gw_machine_find_cpu(blob, len, &cpu, err) < 0 ||
	    gw_buffer_append(&copy, blob, len, err) < 0)
		return -1;
	gw_buffer_free(&m->context);
	m->context = copy;
	m->cpu = cpu;
	m->have_cpu = true;
	m->cpu_loaded = m->ran = false;
	gw_machine_vcpu_reset(m);
	return 0;
}

static int load_msrs(struct gw_kvm *k, struct gw_error *err)
{
	if (gw_kvm_msrs_reset(k, err) < 0 || gw_kvm_msrs_load(k, &k->m.cpu, err) < 0 ||
	    gw_kvm_mtrr_load(k, err) < 0 || gw_kvm_tsc_adjust_load(k, err) < 0 ||
	    gw_kvm_cpu_msr_load(k, err) < 0)
		return -1;
	for (uint32_t i = 0; k->have_extra && i < k->extra.nr_msrs; i++)
		if (gw_kvm_msr_put(k, k->extra.msrs[i].index, k->extra.msrs[i].value, err) < 0)
			return -1;
	return 0;
}

/* The order is that of docs/architecture.md. */
static int load(struct gw_kvm *k, struct gw_error *err)
{
	const struct gw_hvm_cpu *cpu = &k->m.cpu;
	uint64_t apic_base;
	uint8_t tpr;

	gw_kvm_settle(k);
	if (gw_kvm_cpuid_set(k, err) < 0 || (!k->msr_reset && gw_kvm_msrs_read_reset(k, err) < 0) ||
	    gw_kvm_clock_load(k, cpu->tsc, err) < 0 ||
	    gw_kvm_apic_find(k, &apic_base, &tpr, err) < 0)
		return -1;
	if (gw_kvm_sregs_load(k, cpu, apic_base, tpr, err) < 0 ||
	    gw_kvm_xstate_load(k, cpu, err) < 0 || load_msrs(k, err) < 0 ||
	    gw_kvm_apic_load(k, err) < 0)
		return -1;
	return gw_kvm_regs_load(k, cpu, err) < 0 ? -1 : gw_kvm_events_load(k, cpu, err);
}

int gw_kvm_prepare(struct gw_machine *m, struct gw_error *err)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);

	if (!m->have_cpu)
		return gw_fail(err, GW_USAGE, "domain %u has no vCPU state yet and cannot run",
			       m->d.domid);
	/* Memory comes first: the page directory pointers are read from it. */
	if (m->stale_pieces && gw_kvm_slots_sync(k, err) < 0)
		return -1;
	m->stale_pieces = false;
	if (m->cpu_loaded)
		return 0;
	if (load(k, err) < 0)
		return -1;
	m->cpu_loaded = true;
	return 0;
}
