/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as the state of a domain of the built-in machine, HVM_CONTEXT or
 * GODWIT_XENABI, and makes the domain ready to run. The first byte chooses.
 */
#include <stdlib.h>

#include "bound.h"
#include "emu_machine.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned mode = input_u8(&in);
	struct gw_emu *e = emu_machine(mode & 1);
	struct gw_error err = GW_ERROR_INIT;
	void *blob = NULL;
	size_t len;
	int rc;

	bound_begin();
	if (mode & 2)
		rc = gw_domain_set_extra(&e->m.d, GW_EXTRA_XENABI, in.data, in.len, &err);
	else
		rc = gw_domain_set_context(&e->m.d, in.data, in.len, &err);
	if (rc == 0)
		rc = gw_control_restored(e->m.d.control, &err);
	if (rc < 0 && !err.text[0])
		abort();
	gw_error_clear(&err);
	if (rc == 0 && gw_domain_get_context(&e->m.d, &blob, &len, &err) < 0 && !err.text[0])
		abort();
	free(blob);
	bound_check("a state", 4 * size + (2u << 20));
	return 0;
}
