/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as an HVM_CONTEXT, with its fields, its rules, and as the state of a
 * domain.
 */
#include "bound.h"
#include "format/libxc/image.h"
#include "format/x86/hvm_context.h"
#include "format/x86/hvm_fields.h"
#include "hypervisor/domain.h"
#include "input.h"
#include "machine.h"
#include "record_image.h"

static void name_fields(const uint8_t *data, size_t size)
{
	struct gw_hvm_entry entry;
	struct gw_hvm_walk walk;

	gw_hvm_walk_init(&walk, data, size);
	while (gw_hvm_walk_next(&walk, &entry, NULL) > 0)
		gw_hvm_fields(&entry, drive_field, NULL);
	gw_fxsave_fields(data, size, drive_field, NULL);
	gw_xsave_fields(data, size, drive_field, NULL);
	gw_msr_fields(data, size, drive_field, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine m;

	bound_begin();
	drive_record(0, GW_REC_HVM_CONTEXT, data, size);
	bound_check("HVM_CONTEXT", 8 * size + (1u << 20));
	name_fields(data, size);
	machine_open(&m, GW_GUEST_X86_HVM, 16);
	gw_domain_set_context(m.d, data, size, NULL);
	machine_close(&m);
	return 0;
}
