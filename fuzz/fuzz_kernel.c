/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as the ELF file of a guest kernel, and boots it in a domain that
 * never runs.
 */
#include <stdlib.h>

#include "bound.h"
#include "hypervisor/pvh/boot.h"
#include "hypervisor/pvh/elf.h"
#include "input.h"
#include "machine.h"

#define PAGES 600u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_pvh_elf elf;
	struct machine m;

	bound_begin();
	if (gw_pvh_elf_parse(&elf, data, size, &err) < 0) {
		if (!err.text[0])
			abort();
		return 0;
	}
	machine_open(&m, GW_GUEST_X86_HVM, PAGES + GW_PVH_EXTRA_PAGES);
	if (gw_pvh_boot(m.d, data, size, "seed=1", PAGES, &err) < 0 && !err.text[0])
		abort();
	machine_close(&m);
	bound_check("a kernel", 1u << 20);
	return 0;
}
