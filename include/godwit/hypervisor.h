/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tables that a hypervisor backend fills: the host (runs domains) and the domain (one of
 * them), with a sub-table for each kind of guest. The engine and the guest hooks see a domain only
 * through these. A backend never sees the stream. Pausing, running and ending a domain is in
 * godwit/control.h.
 *
 * A backend gives its tables to gw_host_init(), gw_domain_init() and gw_control_init(). These make
 * full copies, in which every optional entry that is missing is the library's default.
 *
 * Frames: pfn is the guest's own numbering, gfn what the backend's calls take (HVM: the pfn
 * itself; PV: the mfn). Sizes of memory are in pages of 4096 bytes. A call that returns int gives
 * 0, or -1 with err.
 *
 * Threads. Two marks say what may run beside a call; a call without a mark has the domain for
 * itself (one thread at a time, no vCPU runs).
 *   [guest]    the guest may run meanwhile
 *   [parallel] any thread, beside itself and beside every other call with this mark
 */
#ifndef GODWIT_HYPERVISOR_H
#define GODWIT_HYPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <godwit/error.h>
#include <godwit/guest.h>
#include <godwit/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Most gfns of one page_types call, as of XEN_DOMCTL_getpageframeinfo3. */
#define GW_PAGE_TYPES_MAX 1024

enum gw_shutdown_reason {
	GW_SHUTDOWN_POWEROFF = 0,
	GW_SHUTDOWN_REBOOT = 1,
	GW_SHUTDOWN_SUSPEND = 2,
	GW_SHUTDOWN_CRASH = 3,
	GW_SHUTDOWN_NONE = -1, /* runs, or is paused */
};

struct gw_domain_info {
	enum gw_guest_type type;
	bool paused; /* by its owner, not by shutdown */
	enum gw_shutdown_reason shutdown;
	uint32_t max_vcpu_id;
	uint64_t nr_pages; /* populated */
};

struct gw_domain;
struct gw_control;

/*
 * First member of every table that a backend fills. size is sizeof of the table as the backend was
 * compiled, version GW_TABLE_VERSION. A later godwit adds entries only at the end of a table, so
 * that it knows from size which ones a backend built earlier does not have.
 */
struct gw_table_head {
	uint32_t size, version;
};
#define GW_TABLE_VERSION 1
#define GW_TABLE_HEAD(type)                                                                        \
	{                                                                                          \
		sizeof(type), GW_TABLE_VERSION                                                     \
	}

/* An open mapping of guest pages; what is inside belongs to the backend. */
struct gw_mapping {
	void *private_data;
};

/* What became of one page of a map. */
enum gw_map_result {
	GW_MAP_OK = 0,
	GW_MAP_GONE,	/* the gfn has no page (any more) */
	GW_MAP_REFUSED, /* it has one that must not be mapped so: a PV page table for writing */
};

/* pfns first .. first + count - 1. */
struct gw_pfn_range {
	uint64_t first, count;
};

/* One of the two rings that a guest shares with another domain: xenstore's or the console's. */
struct gw_ring {
	uint64_t gfn;	 /* its page; GW_INVALID_PFN: the guest has none */
	uint32_t domid;	 /* of the other end */
	uint32_t evtchn; /* the guest's event channel to it */
};

/* x86 guests of every kind. */
struct gw_x86_ops {
	struct gw_table_head head;
	/* policy: filled, owned by the caller. */
	int (*get_policy)(struct gw_domain *d, struct gw_policy *policy, struct gw_error *err);
	/*
	 * Refuses, naming the leaf, subleaf or MSR, what this host cannot give. Only before the
	 * domain has run: GW_BUSY later.
	 */
	int (*set_policy)(struct gw_domain *d, const struct gw_policy *policy,
			  struct gw_error *err);
	int (*get_tsc)(struct gw_domain *d, struct gw_tsc_info *tsc, struct gw_error *err);
	int (*set_tsc)(struct gw_domain *d, const struct gw_tsc_info *tsc, struct gw_error *err);
};

/* x86 HVM and PVH. */
struct gw_x86_hvm_ops {
	struct gw_table_head head;
	/* The HVM_CONTEXT blob: *blob is malloc'ed for the caller. */
	int (*get_context)(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err);
	/*
	 * Applies a context; entries that it cannot interpret are kept and come back from
	 * get_context. All params are set before.
	 */
	int (*set_context)(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err);
	int (*get_param)(struct gw_domain *d, uint32_t index, uint64_t *value,
			 struct gw_error *err);
	int (*set_param)(struct gw_domain *d, uint32_t index, uint64_t value, struct gw_error *err);
};

/* x86 PV. */
struct gw_x86_pv_ops {
	struct gw_table_head head;
	/* 4 or 8; set only before memory is populated. */
	int (*get_width)(struct gw_domain *d, unsigned *width, struct gw_error *err);
	int (*set_width)(struct gw_domain *d, unsigned width, struct gw_error *err);
	/*
	 * The machine-to-physical table: index mfn, value pfn, max_mfn the last valid index.
	 * Borrowed until the domain is closed. The guest changes it while it runs: read it with
	 * atomic loads.
	 */
	int (*m2p)(struct gw_domain *d, const uint64_t **m2p, uint64_t *max_mfn,
		   struct gw_error *err);
	/*
	 * The first mfn of the compat M2P, which marks Xen's slots in the L2 of a 32-bit guest.
	 * Asked only for width 4. GW_UNSUPPORTED where the hypervisor has none.
	 */
	int (*compat_m2p_mfn0)(struct gw_domain *d, uint64_t *mfn, struct gw_error *err);
	/* The shared info page, mapped until the domain is closed. Not a pfn of the guest's. */
	int (*shared_info)(struct gw_domain *d, void **page, uint64_t *mfn, struct gw_error *err);
	int (*vcpu_online)(struct gw_domain *d, uint32_t vcpu, bool *online, struct gw_error *err);
	/*
	 * The raw blobs of a vCPU, with mfns inside, sizes as the image specification
	 * gives them (X86_PV_VCPU_BASIC and the three after it). get: malloc'ed, *len 0 and *blob
	 * NULL when there is none of that kind.
	 */
	int (*get_vcpu)(struct gw_domain *d, uint32_t vcpu, uint32_t record_type, void **blob,
			size_t *len, struct gw_error *err);
	int (*set_vcpu)(struct gw_domain *d, uint32_t vcpu, uint32_t record_type, const void *blob,
			size_t len, struct gw_error *err);
	/* Pins n page tables: types[i] is GW_PAGE_PINNED | level. */
	int (*pin)(struct gw_domain *d, size_t n, const uint64_t *mfns, const uint8_t *types,
		   struct gw_error *err);
};

/* Names of extra state (gw_domain_ops.get_extra). */
#define GW_EXTRA_XENABI "xenabi" /* carried in record GODWIT_XENABI, docs/format.md */
#define GW_EXTRA_KVM	"kvm"	 /* carried in record GODWIT_KVM */

struct gw_domain_ops {
	struct gw_table_head head;
	/* Facts about what this backend does. */
	bool populate_zeroes; /* pages of populate read as zero; else they may hold anything */
	/*
	 * Log-dirty also reports what is written through map(writable). If it does not, a caller
	 * that writes while log-dirty is on adds those pages to the bitmap itself. (The engine
	 * writes nothing to a domain that it saves.)
	 */
	bool logdirty_sees_own_writes;

	/* [guest] */
	int (*info)(struct gw_domain *d, struct gw_domain_info *info, struct gw_error *err);
	/*
	 * One past the highest pfn that the domain uses or could use: the size of a log-dirty
	 * bitmap and of a walk over all pfns. For a domain without memory it is the bound that was
	 * given at create or attach, and a restore refuses pfns of a stream beyond it. It is never
	 * the number of pages that the domain has. [guest]
	 */
	int (*nr_pfns)(struct gw_domain *d, uint64_t *nr, struct gw_error *err);
	/*
	 * Types (enum gw_page_type) of n gfns, n at most GW_PAGE_TYPES_MAX. GW_INVALID_PFN and gfns
	 * without a page give GW_PAGE_XTAB. A type can be outdated when the call returns. [guest]
	 * [parallel]
	 */
	int (*page_types)(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
			  struct gw_error *err);
	/*
	 * Maps n gfns: pages[i] is where gfns[i] can be read (and written with writable), valid
	 * until unmap, and results[i] is an enum gw_map_result. A page that cannot be mapped is not
	 * an error of the call: its pages[i] is NULL. -1 with err if nothing could be mapped at all
	 * for a reason that is no page's own; then nothing is left to unmap. Consecutive gfns need
	 * not be consecutive in memory, but a caller may merge those that are. [guest] [parallel]
	 */
	int (*map)(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		   uint8_t *results, struct gw_mapping *mapping, struct gw_error *err);
	/* Ends a mapping, whichever thread made it. [guest] [parallel] */
	void (*unmap)(struct gw_domain *d, struct gw_mapping *mapping);
	/*
	 * Gives n pfns a page each; gfns receives what to call them (HVM: the pfns). *done is how
	 * many of the first pfns have their page when it returns: n with 0, fewer with -1; those
	 * pages stay. What they hold: populate_zeroes. [parallel] with different pfns.
	 */
	int (*populate)(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
			size_t *done, struct gw_error *err);
	/* Lets go of the domain, which lives on; all mappings have ended. The struct is gone. */
	void (*close)(struct gw_domain *d);

	/* Optional entries from here on. */

	/*
	 * Where pages can be: *ranges is malloc'ed for the caller, ascending, disjoint, all below
	 * nr_pfns. Every pfn that has a page lies in one; a hole of 1 TiB costs no entry. A page
	 * that comes later outside of them is reported by log-dirty as written. Default: one range
	 * of nr_pfns. [guest]
	 */
	int (*ranges)(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		      struct gw_error *err);

	/*
	 * Log-dirty, by pfn. Default: GW_UNSUPPORTED from start (as from Xen for a PV guest without
	 * shadow paging); then a domain can only be saved while it is suspended.
	 *
	 * start: from now on what is written is logged; started again it begins anew. [guest]
	 * fetch_and_clear: ORs into bitmap what was written since start or since the last call,
	 *     *dirty their number, and forgets it, all pfns at once: nr is at least nr_pfns, and a
	 *     smaller one is refused (GW_USAGE) before anything is forgotten. A backend whose
	 *     hypervisor covers fewer fails. A write that races is in this call or in the next.
	 *     [guest] [parallel], but not beside itself
	 * peek: the number only. [guest] [parallel]
	 * stop: may be called when log-dirty is off. [guest]
	 */
	int (*logdirty_start)(struct gw_domain *d, struct gw_error *err);
	int (*logdirty_fetch_and_clear)(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
					uint64_t *dirty, struct gw_error *err);
	int (*logdirty_peek)(struct gw_domain *d, uint64_t *dirty, struct gw_error *err);
	void (*logdirty_stop)(struct gw_domain *d);

	/*
	 * State of the backend's own that stock Xen has no record for, by name (GW_EXTRA_...). get:
	 * *blob malloc'ed, *len 0 and *blob NULL when there is nothing to carry (then a stock Xen
	 * can restore the image); fails for a domain that was stopped where its state cannot be
	 * carried. set: GW_UNSUPPORTED for a name it does not know. Default: there is none.
	 */
	int (*get_extra)(struct gw_domain *d, const char *name, void **blob, size_t *len,
			 struct gw_error *err);
	int (*set_extra)(struct gw_domain *d, const char *name, const void *blob, size_t len,
			 struct gw_error *err);

	/*
	 * The end of a restore: grants the pages of the two rings to their other ends (the reserved
	 * entries of the grant table). After the context (HVM) or the vCPUs (PV). Default: nothing
	 * to do.
	 */
	int (*seed_grants)(struct gw_domain *d, const struct gw_ring *store,
			   const struct gw_ring *console, struct gw_error *err);
};

/* In a thread of the backend's. Of the domain's calls only those of gw_fault_ops may be made. */
typedef void gw_write_fault_fn(void *opaque, uint64_t pfn, const void *page);
typedef void gw_touch_fault_fn(void *opaque, uint64_t pfn);

/*
 * Faults on guest memory that the caller serves; optional. One of the two at a time, GW_BUSY for
 * the other. They see accesses of the guest and of this process through maps; where the process may
 * not serve the kernel's own accesses, a read(2) into such a page fails with EFAULT.
 *
 * Copy before write (a snapshot of a running domain). start: the domain is stopped; from now on the
 * first write to each page it has waits until write(opaque, pfn, page) has returned, once for each
 * page. release: the caller has copied these pages or does not need them; they are written freely.
 * [guest] [parallel] stop: all are.
 *
 * Fill at first touch (post-copy). start: the domain is stopped; the contents of these pages are
 * gone, and the first access to each waits until fill() has brought them. touch(opaque, pfn) says
 * which page is waited for, at least once. fill: a page that is not absent (any more) stays as it
 * is. [guest] [parallel] stop: GW_BUSY while a page is absent.
 *
 * Log-dirty works beside both, started after and stopped before them (else GW_BUSY).
 */
struct gw_fault_ops {
	struct gw_table_head head;
	int (*protect_start)(struct gw_domain *d, gw_write_fault_fn *write, void *opaque,
			     struct gw_error *err);
	int (*protect_release)(struct gw_domain *d, size_t n, const uint64_t *pfns,
			       struct gw_error *err);
	int (*protect_stop)(struct gw_domain *d, struct gw_error *err);
	int (*absent_start)(struct gw_domain *d, size_t n, const uint64_t *pfns,
			    gw_touch_fault_fn *touch, void *opaque, struct gw_error *err);
	int (*fill)(struct gw_domain *d, uint64_t pfn, const void *page, struct gw_error *err);
	int (*absent_stop)(struct gw_domain *d, struct gw_error *err);
};

/*
 * The part that every backend's domain has; embedded as its first member. gw_domain_init() fills
 * it.
 */
struct gw_domain {
	const struct gw_domain_ops *ops;
	enum gw_guest_type type;
	const struct gw_x86_ops *x86;	  /* every x86 guest */
	const struct gw_x86_hvm_ops *hvm; /* type X86_HVM only */
	const struct gw_x86_pv_ops *pv;	  /* type X86_PV only */
	uint32_t domid;			  /* the backend's number for it, for messages */
	/* What the owner does with it (godwit/control.h); NULL: its owner is another program. */
	struct gw_control *control;
	void *tables;			   /* the library's copies */
	const struct gw_fault_ops *faults; /* GW_UNSUPPORTED from each entry if there are none */
};

/* What a backend gives to gw_domain_init(). A sub-table is NULL where it does not apply. */
struct gw_domain_tables {
	const struct gw_domain_ops *ops;
	const struct gw_x86_ops *x86;
	const struct gw_x86_hvm_ops *hvm;
	const struct gw_x86_pv_ops *pv;
	const struct gw_fault_ops *faults; /* optional */
};

/*
 * Makes d a domain with full copies of these tables. GW_USAGE if a required entry is missing (err
 * names it), GW_UNSUPPORTED for tables of another version. gw_domain_fini() frees the copies.
 */
int gw_domain_init(struct gw_domain *d, enum gw_guest_type type, uint32_t domid,
		   const struct gw_domain_tables *tables, struct gw_error *err);
void gw_domain_fini(struct gw_domain *d);

/* What a domain is created from. Strings are borrowed for the call. */
struct gw_domain_config {
	const char *name;
	uint8_t uuid[16];
	enum gw_guest_type type;
	unsigned pv_width; /* 4 or 8, PV only; 0: the stream will say */
	/* How many pages it may have, wherever they are: bounds memory (max_memkb), not pfns. */
	uint64_t max_pages;
	unsigned vcpus; /* 1.. */
	uint64_t seed;	/* memory backend: of the mfn permutation; 0: from the uuid */
	/*
	 * One past the highest pfn that may have a page: what nr_pfns says of a domain without
	 * memory, the bound for hostile streams. 0: the backend chooses, with room for the hole
	 * below 4 GiB of an HVM guest.
	 */
	uint64_t max_pfns;
	/*
	 * Memory backend, PV, for a check: a page table with bad entries is not refused. Its fault
	 * (GW_INVALID: pfn and level of the table, the slot, and why) is reported, once, and the
	 * table is used without those entries. NULL: it is refused.
	 */
	void (*bad_table)(void *owner, const struct gw_error *fault);
	void *bad_table_owner;
};

struct gw_host;

struct gw_host_ops {
	struct gw_table_head head;
	const char *name; /* "emu", "memory", ... */
	/*
	 * The most that a guest of this type can be given here (Xen's max policy, not the default
	 * one of a new guest); asked before any domain exists. The caller owns it.
	 */
	int (*policy)(struct gw_host *host, enum gw_guest_type type, struct gw_policy *policy,
		      struct gw_error *err);
	/* Kinds of guest it can run (or hold): a bit (1 << enum gw_guest_type) each. */
	unsigned (*guest_types)(struct gw_host *host);
	/* Closes the host. Domains that are open go on; the last one frees what is shared. */
	void (*close)(struct gw_host *host);

	/* Optional entries from here on. */

	/* Pages that a new domain could have at most. Default: UINT64_MAX, unknown. */
	uint64_t (*free_pages)(struct gw_host *host);
	/*
	 * Creates a paused domain without memory. Its owner is the caller: domain->control is
	 * there. NULL with err. Default: GW_UNSUPPORTED.
	 */
	struct gw_domain *(*create)(struct gw_host *host, const struct gw_domain_config *config,
				    struct gw_error *err);
	/*
	 * Opens a domain that exists already, perhaps another program's (libxl's): close lets go of
	 * it. max_pfns: the bound for one that has no memory yet, as in the config (0: the backend
	 * chooses, or it has memory).
	 * NULL with err. Default: GW_UNSUPPORTED.
	 */
	struct gw_domain *(*attach)(struct gw_host *host, uint32_t domid, uint64_t max_pfns,
				    struct gw_error *err);
	/* Domains that it creates never run: their memory and state stay as they were restored.
	 * Default: false. */
	bool never_runs;
};

struct gw_host {
	const struct gw_host_ops *ops;
	void *tables; /* the library's copy */
};

/* Makes host one with a full copy of ops, as gw_domain_init() does. */
int gw_host_init(struct gw_host *host, const struct gw_host_ops *ops, struct gw_error *err);
void gw_host_fini(struct gw_host *host);

/*
 * uri: "emu:", "memory:" with optional "?key=value&..." (docs/architecture.md lists the keys;
 * emu: "lack=FEATURE+FEATURE" takes CPU features away). NULL with err, GW_UNSUPPORTED if
 * this build has no such backend.
 */
struct gw_host *gw_host_open(const char *uri, struct gw_error *err);
void gw_host_close(struct gw_host *host);

#ifdef __cplusplus
}
#endif
#endif
