/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host that runs domains on KVM.
 */
#ifndef GW_HYPERVISOR_KVM_KVM_H
#define GW_HYPERVISOR_KVM_KVM_H

#include <godwit/hypervisor.h>

/*
 * query: the text after "kvm:?" ("" without one): lack=FEATURE+FEATURE, yield_us=N as for emu:;
 * offer=FEATURE+FEATURE takes guests with CPU features that KVM does not report.
 * NULL with err; GW_UNSUPPORTED where there is no KVM, or it lacks what is needed.
 */
struct gw_host *gw_kvm_host_open(const char *query, struct gw_error *err);

#endif
