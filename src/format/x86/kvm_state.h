/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The body of GODWIT_KVM (docs/format.md): the state of a vCPU on KVM for which Xen has no record.
 */
#ifndef GW_FORMAT_X86_KVM_STATE_H
#define GW_FORMAT_X86_KVM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"

#define GW_KVM_STATE_VERSION 1u
#define GW_KVM_STATE_MSRS    512 /* most MSRs of a vCPU */

/* KVM_MP_STATE_...: of a vCPU that runs, and of one that waits for an interrupt. */
#define GW_KVM_RUNNABLE 0u
#define GW_KVM_HALTED	3u

struct gw_kvm_msr {
	uint32_t index;
	uint64_t value;
};

struct gw_kvm_state {
	uint64_t clock; /* kvmclock, ns */
	uint32_t mp_state;
	uint8_t shadow;	  /* interrupts are held off for one instruction: bit 0 MOV SS, bit 1 STI */
	bool nmi_pending; /* an NMI waits */
	bool nmi_masked;  /* an NMI is being handled: the next one waits for IRET */
	uint32_t nr_msrs; /* MSRs that differ from a new vCPU's */
	struct gw_kvm_msr msrs[GW_KVM_STATE_MSRS];
};

/* Whether it says no more than that the vCPU runs. */
bool gw_kvm_state_is_plain(const struct gw_kvm_state *state);

int gw_kvm_state_append(struct gw_buffer *out, const struct gw_kvm_state *state,
			struct gw_error *err);
/* Checks every field. GW_INVALID, or GW_UNSUPPORTED for another version. */
int gw_kvm_state_decode(const void *body, size_t len, struct gw_kvm_state *state,
			struct gw_error *err);

#endif
