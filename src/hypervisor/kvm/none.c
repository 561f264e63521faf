/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host kvm: on processors for which this build has no KVM backend.
 */
#include "hypervisor/kvm/kvm.h"

struct gw_host *gw_kvm_host_open(const char *query, struct gw_error *err)
{
	gw_fail(err, GW_UNSUPPORTED, "kvm: runs x86 guests, and this is no x86 machine");
	return NULL;
}
