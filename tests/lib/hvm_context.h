/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HVM contexts that Xen accepts, for tests that need one: by hand, not by godwit's own writers.
 */
#ifndef GW_TESTS_LIB_HVM_CONTEXT_H
#define GW_TESTS_LIB_HVM_CONTEXT_H

#include <stdint.h>

#include "base/buffer.h"
#include "format/x86/hvm_context.h"

/* Appends an entry. */
void hvm_put(struct gw_buffer *buf, uint16_t code, uint16_t instance, const void *data,
	     uint32_t len);
/* The CPU entry of a vCPU in protected mode without paging; all else is zero. */
void hvm_cpu(uint8_t raw[GW_HVM_CPU_SIZE]);
/* HEADER, a CPU for each vCPU, END. */
struct gw_buffer hvm_context(unsigned vcpus);
/* An entry of every kind, of a guest with one vCPU, in Xen's order. */
struct gw_buffer hvm_context_of_all(void);

#endif
