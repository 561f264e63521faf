/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The built-in machine: what is reached besides the host and domain tables. Whoever runs an
 * emulated domain gives it a console here and learns of its end here.
 */
#ifndef GW_HYPERVISOR_EMU_EMU_H
#define GW_HYPERVISOR_EMU_EMU_H

#include <stdbool.h>
#include <stddef.h>

#include <godwit/hypervisor.h>

/*
 * query: what stands behind "emu:?" ("" for nothing): lack=FEATURE+FEATURE, logdirty=uffd|hook,
 * yield_us=N (a guest's SCHEDOP_yield waits N microseconds, at most 1000000: a damper for idle
 * loops). NULL with err; GW_UNSUPPORTED if this build has no Unicorn.
 */
struct gw_host *gw_emu_host_open(const char *query, struct gw_error *err);

/* True for a domain of this backend. */
bool gw_emu_is(const struct gw_domain *d);

/*
 * Bytes the guest writes to port 0xE9 or by console_io go to fn, in the vCPU's thread, in pieces as
 * they come. fn must not call into the domain. NULL drops them. Set while paused.
 */
typedef void gw_emu_console_fn(void *opaque, const char *bytes, size_t len);
void gw_emu_set_console(struct gw_domain *d, gw_emu_console_fn *fn, void *opaque);

/*
 * fn is called in the vCPU's thread each time the guest shuts down (any reason, SUSPEND too). It
 * must not call into the domain: it tells another thread. Set while paused.
 */
typedef void gw_emu_shutdown_fn(void *opaque, enum gw_shutdown_reason reason);
void gw_emu_set_shutdown(struct gw_domain *d, gw_emu_shutdown_fn *fn, void *opaque);

/*
 * Why the machine itself stopped the guest (SHUTDOWN_CRASH without the guest's asking), one
 * sentence; "" if it did not. Borrowed; read it while no vCPU runs.
 */
const char *gw_emu_crash_text(const struct gw_domain *d);

/* The event channel port at which the guest takes requests to suspend; 0: it announced none. */
unsigned gw_emu_suspend_port(struct gw_domain *d);

#endif
