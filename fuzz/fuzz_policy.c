/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a CPU policy. The first byte chooses CPUID or MSRs.
 */
#include "bound.h"
#include "format/libxc/image.h"
#include "input.h"
#include "record_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned which = input_u8(&in);

	bound_begin();
	drive_record(which & 2 ? 8 : 0, which & 1 ? GW_REC_X86_MSR_POLICY : GW_REC_X86_CPUID_POLICY,
		     in.data, in.len);
	bound_check("a policy", 8 * size + (1u << 20));
	return 0;
}
