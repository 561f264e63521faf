/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A part of test_rules.c: the rules for the blobs of a PV guest's vCPUs.
 */
#ifndef GW_TESTS_FORMAT_RULES_PV_VCPU_H
#define GW_TESTS_FORMAT_RULES_PV_VCPU_H

#include "base/buffer.h"

/* A vCPU record of a 64-bit guest whose blob of this length Xen takes. Fails for other lengths than
 * 5168 (basic), 64 (extended), 16 and 592 (XSAVE), and multiples of 16 (MSRs). */
void rules_pv_append_vcpu(struct gw_buffer *buf, uint32_t type, uint32_t id, uint32_t len);

void rules_pv_vcpu_broken_one_by_one(void **state);
void rules_pv_vcpu_takes(void **state);
void rules_pv_msrs_need_features(void **state);

#endif
