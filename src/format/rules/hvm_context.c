/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for an HVM context as a whole: the chain of its entries, their kinds, instances and
 * lengths. hvm_load() in xen/arch/x86/hvm/save.c and hvm_load_entry() in its header.
 */
#include "format/rules/hvm_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

#define FIXED_MAX      1048 /* HPET */
#define LAPIC_SIZE_OLD 24   /* before 4.18, which added a field */

/*
 * Kinds of entries. min and max: the lengths that Xen accepts. Where min is 0, it extends a short
 * entry with zeros (hvm_load_entry_zeroextend); CPU_XSAVE and CPU_MSR say in themselves how long
 * they are.
 */
static const struct kind {
	uint32_t min, max;
	int (*check)(struct gw_hvm_check *check);
	bool vcpu;	 /* one for each vCPU */
	bool not_in_pvh; /* of a device that a PVH guest lacks */
} kinds[] = {
	[GW_HVM_CPU] = {0, GW_HVM_CPU_SIZE, gw_hvm_check_cpu, .vcpu = true},
	[GW_HVM_PIC] = {8, 8, gw_hvm_check_pic, .not_in_pvh = true},
	[GW_HVM_IOAPIC] = {400, 400, NULL, .not_in_pvh = true},
	[GW_HVM_LAPIC] = {0, 32, gw_hvm_check_lapic, .vcpu = true},
	[GW_HVM_LAPIC_REGS] = {1024, 1024, NULL, .vcpu = true},
	[GW_HVM_PCI_IRQ] = {16, 16, NULL},
	[GW_HVM_ISA_IRQ] = {8, 8, NULL},
	[GW_HVM_PCI_LINK] = {8, 8, gw_hvm_check_pci_link},
	[GW_HVM_PIT] = {56, 56, gw_hvm_check_pit, .not_in_pvh = true},
	[GW_HVM_RTC] = {0, 24, NULL, .not_in_pvh = true},
	[GW_HVM_HPET] = {FIXED_MAX, FIXED_MAX, NULL, .not_in_pvh = true},
	[GW_HVM_PMTIMER] = {8, 8, NULL, .not_in_pvh = true},
	[GW_HVM_MTRR] = {240, 240, gw_hvm_check_mtrr, .vcpu = true},
	[GW_HVM_VIRIDIAN_DOMAIN] = {0, 32, NULL},
	[GW_HVM_CPU_XSAVE] = {600, UINT32_MAX, gw_hvm_check_xsave, .vcpu = true},
	[GW_HVM_VIRIDIAN_VCPU] = {0, 216, gw_hvm_check_viridian_vcpu, .vcpu = true},
	[GW_HVM_VMCE_VCPU] = {0, 32, gw_hvm_check_vmce, .vcpu = true},
	[GW_HVM_TSC_ADJUST] = {8, 8, NULL, .vcpu = true},
	[GW_HVM_CPU_MSR] = {24, UINT32_MAX, gw_hvm_check_msrs, .vcpu = true},
};

/* Xen saves the local APIC of every vCPU, but the registers only of those that are up. */
static void count_vcpus(struct gw_hvm_check *check)
{
	const struct gw_config_facts *config = &check->rules->config;
	struct gw_hvm_walk walk;
	struct gw_hvm_entry entry;

	if (config->known && config->vcpus) {
		check->vcpus = GW_MIN(config->vcpus, GW_HVM_VCPUS_MAX);
		check->vcpus_by = "as the config gives";
		return;
	}
	gw_hvm_walk_init(&walk, check->rec->data, check->rec->length);
	while (gw_hvm_walk_next(&walk, &entry, NULL) > 0)
		if (entry.typecode == GW_HVM_LAPIC)
			check->vcpus = GW_MAX(check->vcpus, entry.instance + 1u);
	check->vcpus = GW_MIN(check->vcpus ? check->vcpus : GW_HVM_VCPUS_MAX, GW_HVM_VCPUS_MAX);
	check->vcpus_by = check->vcpus == GW_HVM_VCPUS_MAX ? "the most that Xen gives an HVM guest"
							   : "as many as have a LAPIC entry";
}

static int check_header(struct gw_hvm_check *check)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_hvm_header header;

	if (check->entry->length == GW_HVM_HEADER_SIZE &&
	    gw_hvm_header_decode(check->entry, &header, &why) < 0)
		return gw_hvm_broken(check, R_CONTEXT_HEADER,
				     "magic 0x%08x and version %u, expected 0x%08x and version %u",
				     header.magic, header.version, GW_HVM_HEADER_MAGIC,
				     GW_HVM_HEADER_VERSION);
	if (check->entry->length != GW_HVM_HEADER_SIZE)
		return gw_hvm_broken(check, R_CONTEXT_LENGTH, "%u bytes, expected %u",
				     check->entry->length, GW_HVM_HEADER_SIZE);
	return 0;
}

static int check_length(struct gw_hvm_check *check, const struct kind *kind)
{
	uint32_t len = check->entry->length;

	if (kind->min <= len && len <= kind->max) {
		if (check->entry->typecode == GW_HVM_LAPIC && len > LAPIC_SIZE_OLD)
			return gw_hvm_broken(check, R_CONTEXT_LAPIC_SIZE,
					     "%u bytes, Xen before 4.18 accepts at most %u", len,
					     LAPIC_SIZE_OLD);
		return 0;
	}
	if (kind->min == kind->max)
		return gw_hvm_broken(check, R_CONTEXT_LENGTH, "%u bytes, expected %u", len,
				     kind->max);
	return gw_hvm_broken(check, R_CONTEXT_LENGTH, "%u bytes, expected at %s %u", len,
			     len > kind->max ? "most" : "least",
			     len > kind->max ? kind->max : kind->min);
}

/* The contents of an entry whose length is right. */
static int check_contents(struct gw_hvm_check *check, const struct kind *kind)
{
	uint8_t extended[FIXED_MAX] = {0};
	int rc = 0;

	check->data = check->entry->data;
	if (kind->min == 0) {
		memcpy(extended, check->entry->data, check->entry->length);
		check->data = extended;
	}
	if (kind->check)
		rc = kind->check(check);
	check->data = NULL;
	return rc;
}

static int check_entry(struct gw_hvm_check *check)
{
	const struct gw_hvm_entry *entry = check->entry;
	const struct kind *kind =
		entry->typecode < GW_ARRAY_SIZE(kinds) ? &kinds[entry->typecode] : NULL;
	int rc = 0;

	if (entry->typecode == GW_HVM_HEADER && entry->offset == 0)
		return check_header(check);
	if (entry->typecode == GW_HVM_END)
		return 0;
	if (!kind || kind->max == 0)
		return gw_hvm_broken(check, R_CONTEXT_TYPE, "typecode %u is not one of an entry",
				     entry->typecode);
	if (kind->not_in_pvh && check->rules->config.known && check->rules->config.pvh)
		rc |= gw_hvm_broken(check, R_CONTEXT_PVH, "a PVH guest has no such device");
	if (kind->vcpu && entry->instance >= check->vcpus)
		rc |= gw_hvm_broken(check, R_CONTEXT_VCPU, "the guest has %u vCPUs, %s",
				    check->vcpus, check->vcpus_by);
	check->cpus += entry->typecode == GW_HVM_CPU;
	rc |= check_length(check, kind);
	if (entry->length >= kind->min && entry->length <= kind->max)
		rc |= check_contents(check, kind);
	return rc;
}

int gw_hvm_check_context(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err)
{
	struct gw_hvm_check check = {.rules = rules, .rec = rec, .err = err};
	struct gw_error why = GW_ERROR_INIT;
	struct gw_hvm_entry entry = {0};
	struct gw_hvm_walk walk;
	uint32_t end_length;
	int rc = 0, more;

	check.entry = &entry;
	count_vcpus(&check);
	gw_hvm_walk_init(&walk, rec->data, rec->length);
	while ((more = gw_hvm_walk_next(&walk, &entry, &why)) > 0)
		rc |= check_entry(&check);
	if (more < 0)
		return rc | gw_broken(&rules->reporter, R_CONTEXT_WALK, rec->offset, rec, err, "%s",
				      why.text);
	end_length = gw_get_le32(rec->data + walk.pos - 4);
	if (walk.pos != walk.len || end_length)
		rc |= gw_broken(
			&rules->reporter, R_CONTEXT_END, rec->offset, rec, err,
			"END at 0x%zx says that it has %u bytes, and %zu follow it: Xen stops at END",
			walk.pos - GW_HVM_DESCRIPTOR_SIZE, end_length, walk.len - walk.pos);
	if (check.cpus == 0)
		rc |= gw_broken(&rules->reporter, R_CONTEXT_NO_CPU, rec->offset, rec, err,
				"the context has no CPU entry: no vCPU would run");
	return rc;
}
