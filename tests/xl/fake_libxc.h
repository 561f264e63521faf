/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What libgodwit-xenguest needs of libxenctrl (fake_reports.c) and of the Xen backend
 * (fake_libxc.c), for tests without them: the reports are kept, and domains are those of a host in
 * memory.
 */
#ifndef GW_TESTS_XL_FAKE_LIBXC_H
#define GW_TESTS_XL_FAKE_LIBXC_H

#include "lib/gwtest.h"

#include <xenctrl.h>
#include <xenguest.h>

#include <godwit/hypervisor.h>

struct xc_interface_core {
	char errors[2000];	  /* a line each */
	char progress[2000];	  /* subjects, a line each */
	const char *doing;	  /* the prefix that was set last */
	void (*on_subject)(void); /* called at each new subject with steps */
};
extern struct xc_interface_core fake_libxc;

/* A host without domains, and nothing said. stop ends all of its domains. */
void fake_libxc_start(void);
void fake_libxc_stop(void);
/* A new domain; it is the host's. */
struct gw_domain *fake_libxc_domain(enum gw_guest_type type, uint64_t max_pfns);

#endif
