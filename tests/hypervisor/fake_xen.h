/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Xen's libraries, simulated: the calls that the Xen backend makes, over domains of the memory
 * backend, with the habits of Xen 4.17 that were measured on a real one. A test program links this
 * in the place of libxenctrl and its sisters.
 */
#ifndef GW_TESTS_HYPERVISOR_FAKE_XEN_H
#define GW_TESTS_HYPERVISOR_FAKE_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

#define FAKE_DOMAINS 4

struct fake_domain {
	uint32_t domid;
	struct gw_domain *memory; /* holds the pages and the state; NULL: none of this number */
	bool ran;		  /* it has run: its policy is fixed */
	bool dying;
	unsigned reason; /* of its shutdown, if not what memory says */
	bool logging;
	unsigned shared;  /* of its pages are shared with another domain, and not counted */
	uint64_t *hidden; /* pfns that log-dirty does not report once: their pages are new */
	/* What the last xc_dom_gnttab_seed brought. */
	bool seeded_hvm;
	uint64_t seeded_store, seeded_console;
	uint32_t seeded_store_domid, seeded_console_domid;
};

struct fake_xen {
	struct gw_host *host; /* memory: */
	struct fake_domain domains[FAKE_DOMAINS];
	int open_errno;		    /* what opening fails with; 0: it does not */
	bool no_shadow;		    /* no log-dirty for PV domains */
	bool no_pv32;		    /* no 32-bit PV domains */
	bool no_superpages;	    /* pages of 2 MiB cannot be had */
	uint64_t clean_most;	    /* a CLEAN covers so many pfns at most; 0: all */
	void (*before_clean)(void); /* happens between a question and a CLEAN */
	uint32_t xsave_mask;	    /* 0: the machine has no XSAVE */
	/* Counts. */
	unsigned type_calls, superpages, buffers, handles, mappings, pins;
	uint64_t types_asked;
};
extern struct fake_xen fake;

/* An empty machine with these defaults. stop: asserts that nothing was left open, and ends it. */
void fake_start(void);
void fake_stop(void);
/* A new domain as libxl makes one before it starts the restoring helper. */
struct fake_domain *fake_add(uint32_t domid, enum gw_guest_type type, uint64_t max_pages,
			     unsigned pv_width);
struct fake_domain *fake_find(uint32_t domid);
/* Gives pages to the pfns first .. first + n - 1, as its builder does or a balloon driver. */
void fake_populate(struct fake_domain *f, uint64_t first, size_t n);

/* fake_xen_memory.c: two domctls. -1 with errno. */
struct xen_domctl_getpageframeinfo3;
struct xen_domctl_shadow_op;
int fake_get_types(struct fake_domain *f, struct xen_domctl_getpageframeinfo3 *op);
int fake_shadow_op(struct fake_domain *f, struct xen_domctl_shadow_op *op);

/* fake_xen_state.c: the domctls about state. -1 with errno; 1: not one of them. */
struct xen_domctl;
int fake_state_domctl(struct fake_domain *f, struct xen_domctl *op);
/* True if a hypercall can use this memory. */
bool fake_is_buffer(const void *p, size_t bytes);

#endif
