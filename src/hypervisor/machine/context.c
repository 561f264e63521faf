/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a machine of this process takes from an HVM context, whatever its processor is.
 */
#include "hypervisor/machine/machine.h"

int gw_machine_find_cpu(const void *blob, size_t len, struct gw_hvm_cpu *cpu, struct gw_error *err)
{
	struct gw_hvm_walk walk;
	struct gw_hvm_entry entry;
	unsigned cpus = 0;
	int rc;

	gw_hvm_walk_init(&walk, blob, len);
	while ((rc = gw_hvm_walk_next(&walk, &entry, err)) > 0) {
		if (entry.typecode != GW_HVM_CPU)
			continue;
		if (entry.instance || cpus++)
			return gw_fail(
				err, GW_UNSUPPORTED,
				"the HVM context has more than one vCPU; a machine of this process has one");
		if (gw_hvm_cpu_decode(&entry, cpu, err) < 0)
			return -1;
	}
	if (rc == 0 && !cpus)
		return gw_fail(err, GW_INVALID, "the HVM context has no CPU entry");
	return rc;
}
