/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a record of a PV guest: those of its vCPUs, SHARED_INFO,
 * P2M_FRAMES. The first byte chooses the record and the width of the guest.
 */
#include "bound.h"
#include "format/libxc/image.h"
#include "format/x86/hvm_fields.h"
#include "format/x86/pv_fields.h"
#include "input.h"
#include "record_image.h"

static const uint32_t types[] = {
	GW_REC_X86_PV_VCPU_BASIC, GW_REC_X86_PV_VCPU_EXTENDED,	    GW_REC_X86_PV_VCPU_XSAVE,
	GW_REC_X86_PV_VCPU_MSRS,  GW_REC_X86_PV_P2M_FRAMES,	    GW_REC_SHARED_INFO,
	GW_REC_X86_TSC_INFO,	  GW_REC_CHECKPOINT_DIRTY_PFN_LIST,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned which = input_u8(&in), width = which & 0x80 ? 4 : 8;

	bound_begin();
	drive_record(width, types[which % (sizeof(types) / sizeof(types[0]))], in.data, in.len);
	bound_check("a record of a PV guest", 8 * size + (1u << 20));
	gw_pv_basic_fields(width, in.data, in.len, drive_field, NULL);
	gw_pv_extended_fields(in.data, in.len, drive_field, NULL);
	gw_shared_info_fields(width, in.data, in.len, drive_field, NULL);
	gw_xsave_fields(in.data, in.len, drive_field, NULL);
	gw_msr_fields(in.data, in.len, drive_field, NULL);
	return 0;
}
