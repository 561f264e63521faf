/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The judgement of a PV guest's vCPUs, shared by the files that judge PV images: pv.c (records and
 * their order), pv_vcpu.c (X86_PV_VCPU_BASIC) and pv_extra.c (the other three vCPU records).
 */
#ifndef GW_FORMAT_RULES_PV_INTERNAL_H
#define GW_FORMAT_RULES_PV_INTERNAL_H

#include "format/rules/image.h"

/* The blob of a vCPU record, whose size is one that its kind can have, as Xen's hypervisor judges
 * it. */
int gw_rules_pv_basic(struct gw_image_rules *rules, const struct gw_record *rec,
		      const struct gw_vcpu_blob *vcpu, struct gw_error *err);
int gw_rules_pv_extended(struct gw_image_rules *rules, const struct gw_record *rec,
			 const struct gw_vcpu_blob *vcpu, struct gw_error *err);
int gw_rules_pv_xsave(struct gw_image_rules *rules, const struct gw_record *rec,
		      const struct gw_vcpu_blob *vcpu, struct gw_error *err);
int gw_rules_pv_msrs(struct gw_image_rules *rules, const struct gw_record *rec,
		     const struct gw_vcpu_blob *vcpu, struct gw_error *err);

#endif
