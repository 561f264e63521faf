/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The fields of the entries of an HVM_CONTEXT. Names and offsets follow the structs of Xen's
 * public/arch-x86/hvm/save.h, registers of the local APIC follow Intel's manual. Also the save area
 * of FXSAVE and XSAVE, which PV guests have as well.
 */
#ifndef GW_FORMAT_X86_HVM_FIELDS_H
#define GW_FORMAT_X86_HVM_FIELDS_H

#include "format/fields.h"
#include "format/x86/hvm_context.h"

/*
 * Passes the fields of an entry to fn; fields beyond the entry's end are left out. Returns false
 * for an unknown typecode, which has no fields.
 */
bool gw_hvm_fields(const struct gw_hvm_entry *entry, gw_field_fn fn, void *opaque);
/* True if the entry's instance is the number of a vCPU. */
bool gw_hvm_code_is_per_vcpu(uint16_t typecode);

/* Named bits of registers that PV guests have too. */
extern const struct gw_field_bit gw_bits_cr0[], gw_bits_cr4[], gw_bits_rflags[], gw_bits_xcr0[];

/* The 512 bytes of FXSAVE64. */
void gw_fxsave_fields(const void *data, size_t len, gw_field_fn fn, void *opaque);
/*
 * xcr0, xcr0_accum, then an XSAVE area: the legacy part, its header, the upper halves of ymm where
 * the area has them in the standard form, the rest as bytes.
 */
void gw_xsave_fields(const void *data, size_t len, gw_field_fn fn, void *opaque);
/* {u32 index, u32 reserved, u64 value} each: fields named after the MSR, or "msr_0x...". */
void gw_msr_fields(const void *data, size_t len, gw_field_fn fn, void *opaque);

#endif
