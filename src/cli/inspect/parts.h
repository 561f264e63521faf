/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The decoded state in an image, as inspect shows it: vCPUs, the platform, CPU policies. For people
 * in parts.c, for programs in parts_json.c; device models in emulator.c.
 */
#ifndef GW_CLI_INSPECT_PARTS_H
#define GW_CLI_INSPECT_PARTS_H

#include "cli/inspect/inspect.h"
#include "format/x86/hvm_context.h"

/* All fields of the vCPU inspect->vcpu. */
void gw_inspect_vcpu_text(const struct gw_inspect *inspect);
/* State outside vCPUs: timers, interrupt controllers, shared_info, TSC; unknown entries. */
void gw_inspect_platform_text(const struct gw_inspect *inspect);
void gw_inspect_policy_text(const struct gw_inspect *inspect);

/* The device model's state; in full: every section of it. */
void gw_inspect_emulator_text(const struct gw_inspect *inspect, bool in_full);

/* The members vcpu_state, hvm_entries, shared_info, cpuid, msr_policy of the JSON object. */
void gw_inspect_vcpus_json(struct gw_inspect *inspect);
void gw_inspect_platform_json(struct gw_inspect *inspect);
void gw_inspect_policy_json(struct gw_inspect *inspect);
void gw_inspect_emulator_json(struct gw_inspect *inspect);

/* An entry of the HVM_CONTEXT is to be shown. */
bool gw_inspect_wants_entry(const struct gw_inspect *inspect, const struct gw_hvm_entry *entry);

#endif
