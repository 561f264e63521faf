/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory backend: it holds a domain of any guest type and runs none. Tests use it, and commands
 * that need a restored image without a hypervisor. For a PV domain it plays the hypervisor's part
 * for real: mfns by a seeded permutation with gaps, an M2P, typed page tables, pinning.
 *
 * Keys of its uri: "pages=N" (most pages all its domains may have together; default: what the
 * machine has free), "seed=N" (of the mfn permutation of domains whose config gives none). Keys for
 * tests of programs whose domain is created by another one: "attach=pv|hvm" (attach creates an
 * empty domain of this type where there is none of the number), "vcpus=N" (it has; default 1),
 * "pfns=N" (it may have at most), "logdirty=no" (no domain has a log-dirty mode), "guest=SEED"
 * (guest.h: it writes in every domain that is unpaused), "rate=N" (its steps in a millisecond;
 * default 2, 0: as fast as it can).
 *
 * It has no vCPU, yet a PV kernel must do something before it is saved and after it was restored;
 * those few steps are played here: suspend turns the frames in start_info into pfns, resume back
 * into mfns; restored rebuilds the frame list that shared_info points to.
 */
#ifndef GW_HYPERVISOR_MEMORY_MEMORY_H
#define GW_HYPERVISOR_MEMORY_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

/* query: the text after "memory:?". */
struct gw_host *gw_memory_host_open(const char *query, struct gw_error *err);

/* For what follows, d is a domain of this backend. */

/* The mfn (HVM: pfn) of a pfn, GW_INVALID_PFN if it has no page. */
uint64_t gw_memory_gfn(struct gw_domain *d, uint64_t pfn);
/* The page of a pfn, to look at or to change behind everyone's back; NULL if it has none. */
void *gw_memory_page(struct gw_domain *d, uint64_t pfn);
/* Its type as page_types would say: GW_PAGE_XTAB if it has none. */
unsigned gw_memory_page_type(struct gw_domain *d, uint64_t pfn);
/* The first pfn at or after pfn that has a page; GW_INVALID_PFN if there is none. */
uint64_t gw_memory_next(struct gw_domain *d, uint64_t pfn);
/* Logs a page as written by the guest. */
void gw_memory_touch(struct gw_domain *d, uint64_t pfn);
/*
 * Makes the page of a pfn a page table of this level (1..4), checked as the hypervisor does when
 * something begins to use it; level 0 takes that back.
 */
int gw_memory_set_type(struct gw_domain *d, uint64_t pfn, unsigned level, struct gw_error *err);
/*
 * Takes away the pages of n gfns, as a guest does that gives memory back. Fails at the first that
 * has none or is a page table in use.
 */
int gw_memory_depopulate(struct gw_domain *d, size_t n, const uint64_t *gfns, struct gw_error *err);
/* Unpins a page table. */
int gw_memory_unpin(struct gw_domain *d, uint64_t pfn, struct gw_error *err);

#endif
