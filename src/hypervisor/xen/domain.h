/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host and domain structs of the Xen backend, shared by its files only.
 *
 * Hypercall buffers come from libxencall (gw_xen_buffer_alloc), and domctls that have a buffer go
 * through xc_domctl: these two are the same in every release, whereas libxenctrl's own wrappers
 * change their names and arguments.
 */
#ifndef GW_HYPERVISOR_XEN_DOMAIN_H
#define GW_HYPERVISOR_XEN_DOMAIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenguest.h>

#include <godwit/hypervisor.h>

struct gw_xen_host {
	struct gw_host base;
	xentoollog_logger log; /* libxc's messages, error.c */
	xc_interface *xch;
	xenforeignmemory_handle *fmem;
	xencall_handle *xcall;
	_Atomic unsigned users; /* the open host and each open domain */
};

/* What a PV domain has mapped until it is closed. */
struct gw_xen_pv {
	uint64_t *m2p;
	uint64_t max_mfn;
	size_t m2p_pages;
	void *shared;
	uint64_t shared_mfn;
};

/* The pages of an HVM domain when its memory was last looked through (ranges.h). */
struct gw_xen_known {
	uint64_t *present; /* by pfn; NULL: it never was */
	uint64_t nr;	   /* pfns */
	uint64_t pages;	   /* the domain's number of pages then, or UINT64_MAX */
};

struct gw_xen_domain {
	struct gw_domain base;
	struct gw_xen_host *host;
	uint64_t max_pfns; /* the bound given at attach; 0: none */
	/* A buffer of GW_PAGE_TYPES_MAX entries that no call uses just now. */
	_Atomic(uint64_t *) spare;
	uint8_t *dirty; /* the bitmap of the last fetch, kept for the next */
	size_t dirty_pages;
	struct gw_xen_known known;
	struct gw_xen_pv pv;
};

static inline struct gw_xen_domain *gw_xen_of(struct gw_domain *d)
{
	return (struct gw_xen_domain *)d;
}

static inline xc_interface *gw_xen_xch(struct gw_domain *d)
{
	return gw_xen_of(d)->host->xch;
}

/* error.c */
void gw_xen_log_init(xentoollog_logger *log);
/*
 * A call of Xen's failed: like gw_fail_errno, with the code that the errno stands for and what
 * libxc said about it in this thread.
 */
int gw_xen_fail(struct gw_error *err, const char *fmt, ...) GW_PRINTF(2, 3);
/* The errno's code: GW_UNSUPPORTED, GW_NO_MEMORY, GW_BUSY or GW_SYSTEM. */
enum gw_code gw_xen_code(int errnum);

/* handles.c */
int gw_xen_open_handles(struct gw_xen_host *h, struct gw_error *err);
/* Memory that a hypercall may read and write, zeroed, in whole pages. NULL with err. */
void *gw_xen_buffer_alloc(struct gw_xen_host *h, size_t bytes, struct gw_error *err);
void gw_xen_buffer_free(struct gw_xen_host *h, void *buffer, size_t bytes);
/* One user less; the last one closes the handles. */
void gw_xen_host_put(struct gw_xen_host *h);

/* domain.c */
struct gw_domain *gw_xen_attach(struct gw_host *host, uint32_t domid, uint64_t max_pfns,
				struct gw_error *err);

/* query.c: what Xen says of the domain; an error if it says something of another one. */
int gw_xen_getinfo(struct gw_xen_host *h, uint32_t domid, xc_domaininfo_t *info,
		   struct gw_error *err);
/* One past the highest pfn that has a page, as Xen counts. */
int gw_xen_nr_gpfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err);
/* Of a PV domain: an entry of gw_x86_pv_ops. */
int gw_xen_get_width(struct gw_domain *d, unsigned *width, struct gw_error *err);

/* memory.c, logdirty.c: entries of gw_domain_ops. */
int gw_xen_page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
		      struct gw_error *err);
int gw_xen_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
	       uint8_t *results, struct gw_mapping *mapping, struct gw_error *err);
void gw_xen_unmap(struct gw_domain *d, struct gw_mapping *mapping);
int gw_xen_populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		    size_t *done, struct gw_error *err);
int gw_xen_logdirty_start(struct gw_domain *d, struct gw_error *err);
int gw_xen_logdirty_fetch_and_clear(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
				    uint64_t *dirty, struct gw_error *err);
int gw_xen_logdirty_peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err);
void gw_xen_logdirty_stop(struct gw_domain *d);

/* x86.c */
extern const struct gw_x86_ops gw_xen_x86_ops;
/* Copies a policy of Xen's. */
int gw_xen_policy_copy(struct gw_xen_host *h, const xc_cpu_policy_t *from, struct gw_policy *to,
		       struct gw_error *err);
int gw_xen_seed_grants(struct gw_domain *d, const struct gw_ring *store,
		       const struct gw_ring *console, struct gw_error *err);

/* hvm.c, pv.c, vcpu.c */
extern const struct gw_x86_hvm_ops gw_xen_hvm_ops;
extern const struct gw_x86_pv_ops gw_xen_pv_ops;
void gw_xen_pv_free(struct gw_xen_domain *x);
int gw_xen_get_vcpu(struct gw_domain *d, uint32_t vcpu, uint32_t record, void **blob, size_t *len,
		    struct gw_error *err);
int gw_xen_set_vcpu(struct gw_domain *d, uint32_t vcpu, uint32_t record, const void *blob,
		    size_t len, struct gw_error *err);

#endif
