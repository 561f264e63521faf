/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domain struct of the memory backend, shared by its files only.
 */
#ifndef GW_HYPERVISOR_MEMORY_DOMAIN_H
#define GW_HYPERVISOR_MEMORY_DOMAIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/control.h>

#include "base/buffer.h"
#include "base/util.h"
#include "format/x86/pv_tables.h"
#include "hypervisor/held.h"

#define GW_MEMORY_HVM_PARAMS   39u /* HVM_NR_PARAMS of Xen 4.17 and later */
#define GW_MEMORY_VCPU_RECORDS 4u  /* BASIC, EXTENDED, XSAVE, MSRS */

/* No PV guest has a pfn as high as this: X86_PV_P2M_FRAMES has 32 bits for one. */
#define GW_MEMORY_PV_PFNS (UINT64_C(1) << 32)

/* Frames of a PV machine below this are Xen's own. */
#define GW_MEMORY_XEN_FRAMES 0x400u

struct gw_memory_guest;

/* Domains of a test that come into being when they are attached (attach.c). */
struct gw_memory_born {
	enum gw_guest_type type; /* GW_GUEST_NONE: there are none */
	uint64_t vcpus;
	uint64_t pfns; /* at most; 0: what attach says */
};

struct gw_memory_host {
	struct gw_host base;
	uint64_t limit; /* pages */
	uint64_t seed;
	_Atomic uint64_t used; /* pages of all its domains */
	struct gw_held_list domains;
	struct gw_memory_born born;
	bool no_logdirty;    /* its domains have none */
	uint64_t guest_rate; /* its steps in a millisecond; 0: as fast as it can */
	uint64_t guest_seed; /* a guest (guest.h) runs in every domain; 0: in none */
};

/*
 * The machine's frames as far as they are this domain's. An address range is reserved for all of
 * them; the kernel gives memory only to those that were written. HVM: frame i is pfn i.
 */
struct gw_memory_frames {
	uint8_t *base;	/* of frame 0 */
	uint8_t *state; /* GW_MEMORY_HELD | type */
	uint64_t nr;
	uint64_t populated;
};
#define GW_MEMORY_HELD 0x80u /* the domain has this frame */

/* PV only. */
struct gw_memory_pv {
	const struct gw_pv_layout *layout;
	uint64_t *m2p;		    /* frames.nr entries, GW_INVALID_PFN where there is none */
	uint64_t *p2m;		    /* GW_MEMORY_PV_PFNS entries, 0: none (mfn 0 is Xen's) */
	struct gw_pv_tables tables; /* and what else its frames are used for */
	/* The permutation mfns come from. */
	uint64_t seed, cursor;
	unsigned bits;
	uint64_t shared_mfn, compat_mfn0;
	uint8_t *shared;	 /* its page */
	struct gw_buffer *vcpus; /* GW_MEMORY_VCPU_RECORDS for each vCPU */
	bool start_info_in_pfns;
};

struct gw_memory_hvm {
	struct gw_buffer context;
	uint64_t params[GW_MEMORY_HVM_PARAMS];
};

struct gw_memory_domain {
	struct gw_domain base;
	struct gw_control control;
	struct gw_held held;
	struct gw_memory_host *host;
	uint64_t max_pages; /* it may have, wherever they are */
	/* One past the highest that may have one. PV: bounds nothing, and grows with the guest. */
	uint64_t max_pfns;
	uint64_t top; /* one past the highest that ever had one */
	bool built;   /* what top was when it was restored is all it needs */
	unsigned vcpus;
	/*
	 * Guards all that changes while the guest of guest.c runs: each of its steps holds
	 * it. frames.state is also read without it, one byte at a time.
	 */
	pthread_mutex_t lock;
	_Atomic unsigned wanted; /* how many wait for the lock: the guest stands back for them */
	pthread_cond_t changed;	 /* paused, shutdown, or whether the guest shall end */
	unsigned paused;
	enum gw_shutdown_reason shutdown;
	struct gw_memory_frames frames;
	uint64_t *dirty; /* by pfn; NULL: log-dirty is off */
	struct gw_policy policy;
	struct gw_tsc_info tsc;
	struct gw_buffer xenabi, kvm;
	struct gw_memory_pv pv;
	struct gw_memory_hvm hvm;
	/* The guest, told with the lock held that it shall get ready to be saved. */
	void (*on_suspend)(void *opaque);
	void *on_suspend_opaque;
	struct gw_memory_guest *guest; /* the one of guest_seed, once it runs */
};

static inline struct gw_memory_domain *gw_memory_of(struct gw_domain *d)
{
	return (struct gw_memory_domain *)d;
}

static inline void gw_memory_lock(struct gw_memory_domain *m)
{
	atomic_fetch_add(&m->wanted, 1);
	pthread_mutex_lock(&m->lock);
	atomic_fetch_sub(&m->wanted, 1);
}

static inline void gw_memory_unlock(struct gw_memory_domain *m)
{
	pthread_mutex_unlock(&m->lock);
}

static inline bool gw_memory_is_pv(const struct gw_memory_domain *m)
{
	return m->base.type == GW_GUEST_X86_PV;
}

static inline unsigned gw_memory_state(const struct gw_memory_domain *m, uint64_t gfn)
{
	if (gfn >= m->frames.nr)
		return 0;
	return __atomic_load_n(&m->frames.state[gfn], __ATOMIC_RELAXED);
}

static inline void gw_memory_set_state(struct gw_memory_domain *m, uint64_t gfn, unsigned state)
{
	__atomic_store_n(&m->frames.state[gfn], (uint8_t)state, __ATOMIC_RELAXED);
}

static inline uint8_t *gw_memory_frame(const struct gw_memory_domain *m, uint64_t gfn)
{
	return m->frames.base + gfn * GW_PAGE_SIZE;
}

/* reserve.c. reserve: zeroed address space that takes no memory before it is touched. */
void *gw_memory_reserve(uint64_t bytes, struct gw_error *err);
void gw_memory_release(void *p, uint64_t bytes);

/* frames.c. All with the lock held unless they say otherwise. */
int gw_memory_frames_init(struct gw_memory_domain *m, struct gw_error *err);
void gw_memory_frames_free(struct gw_memory_domain *m);
uint64_t gw_memory_pfn_to_gfn(struct gw_memory_domain *m, uint64_t pfn);
void gw_memory_log(struct gw_memory_domain *m, uint64_t pfn);
void gw_memory_log_gfn(struct gw_memory_domain *m, uint64_t gfn);
/* Entries of gw_domain_ops; they take the lock. */
int gw_memory_page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
			 struct gw_error *err);
int gw_memory_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		  uint8_t *results, struct gw_mapping *mapping, struct gw_error *err);
void gw_memory_unmap(struct gw_domain *d, struct gw_mapping *mapping);
int gw_memory_populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		       size_t *done, struct gw_error *err);
int gw_memory_ranges(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		     struct gw_error *err);
/* What it can have at most, on this host. */
static inline uint64_t gw_memory_most_pages(const struct gw_memory_domain *m)
{
	return GW_MIN(m->max_pages, m->host->limit);
}
/* nr_pfns, with the lock held. */
uint64_t gw_memory_nr_pfns(const struct gw_memory_domain *m);
int gw_memory_logdirty_start(struct gw_domain *d, struct gw_error *err);
int gw_memory_logdirty_fetch_and_clear(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
				       uint64_t *dirty, struct gw_error *err);
int gw_memory_logdirty_peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err);
void gw_memory_logdirty_stop(struct gw_domain *d);

/* attach.c */
int gw_memory_read_options(struct gw_memory_host *h, const char *query, struct gw_error *err);
/* What a domain that is attached for the first time is created from. GW_UNSUPPORTED: it is not. */
int gw_memory_born_config(const struct gw_memory_host *h, uint64_t max_pfns,
			  struct gw_domain_config *config, struct gw_error *err);
/* Lets the host's kind of guest run in the domain, if it has one and it does not run yet. Without
 * the lock. */
int gw_memory_start_guest(struct gw_memory_domain *m, struct gw_error *err);

/* mfn.c: mfns and what the machine knows of them. */
int gw_memory_mfn_init(struct gw_memory_domain *m, uint64_t seed, struct gw_error *err);
void gw_memory_mfn_free(struct gw_memory_domain *m);
uint64_t
gw_memory_mfn_frames(uint64_t pages); /* how many frames the machine has for so many pages */
/* A free frame, taken; the caller sees to it that there is one. */
uint64_t gw_memory_mfn_take(struct gw_memory_domain *m);

/* tables.c: page tables in use. With the lock held. */
int gw_memory_tables_init(struct gw_memory_domain *m, struct gw_error *err);
void gw_memory_tables_free(struct gw_memory_domain *m);
/* A frame of the domain's that has a pfn. */
bool gw_memory_is_guests(const struct gw_memory_domain *m, uint64_t mfn);
int gw_memory_get_table(struct gw_memory_domain *m, uint64_t mfn, unsigned level,
			struct gw_error *err);
void gw_memory_put_table(struct gw_memory_domain *m, uint64_t mfn);

/* pv.c, pv_kernel.c */
extern const struct gw_x86_pv_ops gw_memory_pv_ops;
int gw_memory_pv_init(struct gw_memory_domain *m, unsigned width, uint64_t seed,
		      struct gw_error *err);
void gw_memory_pv_free(struct gw_memory_domain *m);
struct gw_buffer *gw_memory_pv_vcpu(struct gw_memory_domain *m, uint32_t vcpu, uint32_t record);
int gw_memory_pin(struct gw_domain *d, size_t n, const uint64_t *mfns, const uint8_t *types,
		  struct gw_error *err);
/* The pfns that a PV kernel says it has; 0 before it says so. */
static inline uint64_t gw_memory_kernel_pfns(const struct gw_memory_domain *m)
{
	const struct gw_pv_layout *l = m->pv.layout;
	uint64_t pfns = gw_pv_get_word(l, m->pv.shared + l->shared_arch + l->arch_max_pfn);

	return pfns <= GW_MEMORY_PV_PFNS ? pfns : 0;
}
/* True if a PV kernel keeps something in this page that a rewrite would break. */
bool gw_memory_kernel_needs(struct gw_memory_domain *m, uint64_t pfn);
void gw_memory_kernel_suspend(struct gw_memory_domain *m);
void gw_memory_kernel_resume(struct gw_memory_domain *m);
int gw_memory_kernel_restored(struct gw_memory_domain *m, struct gw_error *err);

/* hvm.c */
extern const struct gw_x86_hvm_ops gw_memory_hvm_ops;
void gw_memory_hvm_free(struct gw_memory_domain *m);

#endif
