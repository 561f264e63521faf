/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of the HVM rules share: hvm.c (records), hvm_context.c (the walk over a context),
 * hvm_cpu.c, hvm_msrs.c and hvm_devices.c (its entries), hvm_params.c.
 *
 * The entries are judged as Xen's load handlers judge them, of Xen 4.14 to 4.22. Where the answer
 * depends on the guest's CPU policy, it is the policy in the image that counts, and nothing is
 * judged by a policy that the image lacks. What depends on the host is not judged: the states and
 * features that its processor has, shadow paging (where cr3 must be a page), AMD's stricter types
 * of pending events.
 */
#ifndef GW_FORMAT_RULES_HVM_INTERNAL_H
#define GW_FORMAT_RULES_HVM_INTERNAL_H

#include "format/x86/hvm_context.h"
#include "format/rules/image.h"

#define GW_HVM_VCPUS_MAX 128u /* HVM_MAX_VCPUS of hvm_info_table.h */

/* A context that is judged. */
struct gw_hvm_check {
	struct gw_image_rules *rules;
	const struct gw_record *rec;
	struct gw_error *err;
	unsigned vcpus;			  /* that the domain has; 0: not known */
	const char *vcpus_by;		  /* what says so */
	const struct gw_hvm_entry *entry; /* the current one */
	/* Its data, extended with zeros to the longest size that Xen accepts. Of variable length:
	 * the entry's own. */
	const uint8_t *data;
	unsigned cpus; /* CPU entries so far */
	uint64_t xcr0_accum[GW_HVM_VCPUS_MAX];
};

/* Reports that the current entry breaks a rule: "CPU 0 at 0x20 of the context: TEXT". */
int gw_hvm_broken(const struct gw_hvm_check *check, enum gw_rule_number number, const char *fmt,
		  ...) GW_PRINTF(3, 4);

/* One for each kind of entry. Its instance and length were judged. */
int gw_hvm_check_cpu(struct gw_hvm_check *check);
int gw_hvm_check_xsave(struct gw_hvm_check *check);
int gw_hvm_check_msrs(struct gw_hvm_check *check);
int gw_hvm_check_pic(struct gw_hvm_check *check);
int gw_hvm_check_lapic(struct gw_hvm_check *check);
int gw_hvm_check_pci_link(struct gw_hvm_check *check);
int gw_hvm_check_pit(struct gw_hvm_check *check);
int gw_hvm_check_mtrr(struct gw_hvm_check *check);
int gw_hvm_check_viridian_vcpu(struct gw_hvm_check *check);
int gw_hvm_check_vmce(struct gw_hvm_check *check);

/* A record that is not empty and came in its place. */
int gw_hvm_check_context(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err);
/* A param of HVM_PARAMS: entry i of the record. */
int gw_hvm_check_param(struct gw_image_rules *rules, const struct gw_record *rec, uint32_t i,
		       struct gw_error *err);

#endif
