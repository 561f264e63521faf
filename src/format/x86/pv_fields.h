/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The fields of a PV guest's vCPU records and shared_info. Names and offsets follow Xen's public
 * xen.h and arch-x86/xen.h, for both guest widths.
 */
#ifndef GW_FORMAT_X86_PV_FIELDS_H
#define GW_FORMAT_X86_PV_FIELDS_H

#include "format/fields.h"

/* X86_PV_VCPU_BASIC of a guest of this width; none for a width that is neither 4 nor 8. */
void gw_pv_basic_fields(unsigned width, const void *data, size_t len, gw_field_fn fn, void *opaque);
/* X86_PV_VCPU_EXTENDED */
void gw_pv_extended_fields(const void *data, size_t len, gw_field_fn fn, void *opaque);
/* SHARED_INFO; event channels are given as numbers of pending and masked ones. */
void gw_shared_info_fields(unsigned width, const void *data, size_t len, gw_field_fn fn,
			   void *opaque);
/* "default", "always_emulate", "never_emulate", "pvrdtscp"; NULL for others. */
const char *gw_tsc_mode_name(uint32_t mode);

#endif
