/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tables a hypervisor backend fills: the host (what runs domains) and the
 * domain (one of them), with a sub-table for each kind of guest it can hold. The
 * engine and the guest hooks see a domain only through these. A backend never
 * sees the stream.
 *
 * Inside a table every entry is required; a sub-table that is NULL means "not run
 * here". Unless a line says otherwise, a domain's calls are made by one thread at
 * a time. Frames: pfn is the guest's own numbering, gfn what the backend's calls take
 * (HVM: the pfn itself; PV: the mfn). Sizes of memory are in pages of 4096 bytes.
 */
#ifndef GODWIT_HYPERVISOR_H
#define GODWIT_HYPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <godwit/error.h>
#include <godwit/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GW_PAGE_SHIFT  12
#define GW_PAGE_SIZE   4096u
#define GW_INVALID_PFN (~UINT64_C(0))

/* Values are those of the libxc domain header, section "Domain header" of the image specification.
 */
enum gw_guest_type {
	GW_GUEST_NONE = 0,
	GW_GUEST_X86_PV = 1,
	GW_GUEST_X86_HVM = 2, /* PVH too */
};

/* Page types: the nibble of a PAGE_DATA entry (XEN_DOMCTL_PFINFO_* without its shift). */
enum gw_page_type {
	GW_PAGE_NOTAB = 0x0,
	GW_PAGE_L1TAB = 0x1,
	GW_PAGE_L2TAB = 0x2,
	GW_PAGE_L3TAB = 0x3,
	GW_PAGE_L4TAB = 0x4,
	GW_PAGE_PINNED = 0x8, /* a bit: L1TAB..L4TAB with it are pinned tables */
	GW_PAGE_BROKEN = 0xd,
	GW_PAGE_XALLOC = 0xe,
	GW_PAGE_XTAB = 0xf,
};

/* NOTAB and tables, pinned or not. Reserved types (5-8) carry none. */
static inline bool gw_page_has_data(unsigned type)
{
	return type <= 0x4 || (type >= 0x9 && type <= 0xc);
}

static inline bool gw_page_is_populated(unsigned type)
{
	return gw_page_has_data(type) || type == GW_PAGE_XALLOC;
}

/* 1..4 for a page table of that level, 0 for anything else. */
static inline unsigned gw_page_table_level(unsigned type)
{
	return gw_page_has_data(type) ? type & 0x7 : 0;
}

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

/* X86_TSC_INFO, section of that name. */
struct gw_tsc_info {
	uint32_t mode, khz;
	uint64_t nsec;
	uint32_t incarnation;
};

struct gw_domain;
struct gw_control;

/* An open mapping of guest pages; what is inside belongs to the backend. */
struct gw_mapping {
	void *base;
	size_t len;
	void *private_data;
};

/* x86 HVM and PVH. */
struct gw_x86_hvm_ops {
	/* The HVM_CONTEXT blob: *blob is malloc'ed for the caller. */
	int (*get_context)(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err);
	/* Applies a context; entries it cannot interpret are kept and come back from get_context.
	 */
	int (*set_context)(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err);
	int (*get_param)(struct gw_domain *d, uint32_t index, uint64_t *value,
			 struct gw_error *err);
	int (*set_param)(struct gw_domain *d, uint32_t index, uint64_t value, struct gw_error *err);
};

/* x86 PV. */
struct gw_x86_pv_ops {
	/* 4 or 8; set only before memory is populated. */
	int (*get_width)(struct gw_domain *d, unsigned *width, struct gw_error *err);
	int (*set_width)(struct gw_domain *d, unsigned width, struct gw_error *err);
	/* The machine-to-physical table: index mfn, value pfn, max_mfn the last valid index.
	 * Borrowed. */
	int (*m2p)(struct gw_domain *d, const uint64_t **m2p, uint64_t *max_mfn,
		   struct gw_error *err);
	/* First mfn of the compat M2P of a 32-bit guest (marks Xen's slots in its L2), or
	 * GW_INVALID_PFN. */
	uint64_t (*compat_m2p_mfn0)(struct gw_domain *d);
	/* The shared info page, mapped until the domain is closed. Not a pfn of the guest's. */
	int (*shared_info)(struct gw_domain *d, void **page, uint64_t *mfn, struct gw_error *err);
	int (*vcpu_online)(struct gw_domain *d, uint32_t vcpu, bool *online, struct gw_error *err);
	/*
	 * The raw blobs of a vCPU, with mfns inside, sizes as section 1.4 gives them. get:
	 * malloc'ed, *len 0 and *blob NULL when there is none of that kind.
	 */
	int (*get_vcpu)(struct gw_domain *d, uint32_t vcpu, uint32_t record_type, void **blob,
			size_t *len, struct gw_error *err);
	int (*set_vcpu)(struct gw_domain *d, uint32_t vcpu, uint32_t record_type, const void *blob,
			size_t len, struct gw_error *err);
	/* Pins n page tables: types[i] is GW_PAGE_PINNED | level. */
	int (*pin)(struct gw_domain *d, size_t n, const uint64_t *mfns, const uint8_t *types,
		   struct gw_error *err);
};

struct gw_domain_ops {
	int (*info)(struct gw_domain *d, struct gw_domain_info *info, struct gw_error *err);
	/*
	 * One past the highest gpfn the domain may use. Of a domain without memory: could ever use,
	 * the bound that a restore holds a stream to.
	 */
	int (*nr_pfns)(struct gw_domain *d, uint64_t *nr, struct gw_error *err);

	/*
	 * Types (enum gw_page_type) of n gfns; GW_INVALID_PFN and gfns with no page give
	 * GW_PAGE_XTAB. May run beside the guest.
	 */
	int (*page_types)(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
			  struct gw_error *err);
	/*
	 * Maps n gfns that have a page: pages[i] is where gfns[i] can be read (and written with
	 * writable). Valid until unmap. Consecutive gfns need not be consecutive in memory, but a
	 * caller may merge those that are. May run beside the guest and beside other maps.
	 */
	int (*map)(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		   struct gw_mapping *mapping, struct gw_error *err);
	void (*unmap)(struct gw_domain *d, struct gw_mapping *mapping);
	/* Gives n pfns a zeroed page each; gfns receives what to call them (HVM: the pfns). All or
	 * an error. */
	int (*populate)(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
			struct gw_error *err);
	int (*depopulate)(struct gw_domain *d, size_t n, const uint64_t *gfns,
			  struct gw_error *err);

	/*
	 * Log-dirty, by pfn. start: from now on writes of the guest and of map(writable) are
	 * logged. clean: ORs what was written since start or the last clean into bitmap (nbits
	 * pfns), *dirty their number, and forgets it; a write that races with it is in this clean
	 * or the next. peek: number only. stop: may be called when not started. clean and peek run
	 * beside the guest.
	 */
	int (*logdirty_start)(struct gw_domain *d, struct gw_error *err);
	int (*logdirty_clean)(struct gw_domain *d, uint64_t *bitmap, uint64_t nbits,
			      uint64_t *dirty, struct gw_error *err);
	int (*logdirty_peek)(struct gw_domain *d, uint64_t *dirty, struct gw_error *err);
	void (*logdirty_stop)(struct gw_domain *d);

	/* policy: filled, owned by the caller. */
	int (*get_policy)(struct gw_domain *d, struct gw_policy *policy, struct gw_error *err);
	/* Refuses, naming the leaf or MSR, what this host cannot give. */
	int (*set_policy)(struct gw_domain *d, const struct gw_policy *policy,
			  struct gw_error *err);
	int (*get_tsc)(struct gw_domain *d, struct gw_tsc_info *tsc, struct gw_error *err);
	int (*set_tsc)(struct gw_domain *d, const struct gw_tsc_info *tsc, struct gw_error *err);

	/*
	 * State of the backend's own that stock Xen has no record for, carried in an optional
	 * record of the image (docs/format.md, GODWIT_XENABI). get: *len 0 when there is nothing to
	 * carry (then a stock Xen can restore the image).
	 */
	int (*get_xenabi)(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err);
	int (*set_xenabi)(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err);
};

/* The part every backend's domain has; embedded as its first member. */
struct gw_domain {
	const struct gw_domain_ops *ops;
	enum gw_guest_type type;
	const struct gw_x86_hvm_ops *hvm; /* type X86_HVM only */
	const struct gw_x86_pv_ops *pv;	  /* type X86_PV only */
	uint32_t domid;			  /* the backend's number for it, for messages */
	/* What the owner does with it (godwit/control.h). */
	struct gw_control *control;
};

/* What a domain is created from. Strings are borrowed for the call. */
struct gw_domain_config {
	const char *name;
	uint8_t uuid[16];
	enum gw_guest_type type;
	unsigned pv_width; /* 4 or 8, PV only; 0: the stream will say */
	uint64_t max_pfns; /* most pages it may ever have, a bound for hostile streams */
	unsigned vcpus;	   /* 1.. */
	uint64_t seed;	   /* memory backend: of the mfn permutation; 0: from the uuid */
};

struct gw_host;

struct gw_host_ops {
	const char *name; /* "emu", "memory", ... */
	/* What a domain here can be offered at most; asked before any domain exists. Caller owns
	 * it. */
	int (*policy)(struct gw_host *host, struct gw_policy *policy, struct gw_error *err);
	/* Kinds of guest it can run (or hold): a bit (1 << enum gw_guest_type) each. */
	unsigned (*guest_types)(struct gw_host *host);
	/* Pages a new domain could have at most. */
	uint64_t (*free_pages)(struct gw_host *host);
	/* Creates a paused domain without memory. NULL with err. */
	struct gw_domain *(*create)(struct gw_host *host, const struct gw_domain_config *config,
				    struct gw_error *err);
	void (*close)(struct gw_host *host);
};

struct gw_host {
	const struct gw_host_ops *ops;
};

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
