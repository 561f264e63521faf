/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The built-in machine: its calls other than the host, domain and control tables.
 */
#ifndef GW_HYPERVISOR_EMU_EMU_H
#define GW_HYPERVISOR_EMU_EMU_H

#include <godwit/hypervisor.h>

/*
 * query: the text after "emu:?" ("" without one): lack=FEATURE+FEATURE, logdirty=uffd|hook,
 * yield_us=N (a guest's SCHEDOP_yield waits N microseconds, at most 1000000: a damper for idle
 * loops). NULL with err; GW_UNSUPPORTED if this build has no Unicorn.
 */
struct gw_host *gw_emu_host_open(const char *query, struct gw_error *err);

/* In the calls below, d is a domain of this backend. */

/*
 * Removes the pages of n gfns, as a guest does that gives memory back. Ignores gfns without a page.
 */
int gw_emu_depopulate(struct gw_domain *d, size_t n, const uint64_t *gfns, struct gw_error *err);
/* The event channel port at which the guest takes suspend requests; 0: it announced none. */
unsigned gw_emu_suspend_port(struct gw_domain *d);

#endif
