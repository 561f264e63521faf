/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host "xen:": domains of the Xen that this machine runs, through libxenctrl and its sisters.
 * It attaches to domains that libxl created; libxl stays their owner. gw_host_open("xen:") loads it
 * as a plugin (hypervisor/plugin.h); a program that links godwit-xen opens it here.
 */
#ifndef GW_HYPERVISOR_XEN_XEN_H
#define GW_HYPERVISOR_XEN_XEN_H

#include <godwit/hypervisor.h>

/*
 * query: the text after "xen:?"; there are no options, so "". NULL with err: GW_UNSUPPORTED where
 * no Xen runs, GW_SYSTEM without the right to control it.
 *
 * attach of this host: max_pfns 0 for a domain without memory stands for a bound that follows from
 * the memory of the machine. The domain has no control: pausing, running and ending it is libxl's.
 */
struct gw_host *gw_xen_host_open(const char *query, struct gw_error *err);

#endif
