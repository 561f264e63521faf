/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The save and restore hooks of a guest type, which the engine calls. A hook sees the domain
 * through its tables, never a backend; it reads and writes whole records, never a channel.
 */
#ifndef GW_GUEST_GUEST_H
#define GW_GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

#include "base/buffer.h"
#include "format/libxc/image.h"

/* Result of normalise: the page has no canonical form now (a table with a foreign mfn while the
 * guest runs); send it later. */
#define GW_DEFER 1

/*
 * State of one save. ops' setup creates it, cleanup frees it. Hooks append whole records (header,
 * body, padding) to records, which the engine then writes.
 */
struct gw_save_guest {
	const struct gw_save_guest_ops *ops;
	struct gw_domain *domain;
	uint64_t nr_pfns; /* size of the P2M: pfns 0..nr_pfns-1 are to be sent */
	unsigned pv_width;
	void *priv;
};

struct gw_save_guest_ops {
	int (*setup)(struct gw_save_guest *g, struct gw_error *err);
	void (*cleanup)(struct gw_save_guest *g);
	/* Gets the gfns of n pfns; GW_INVALID_PFN for one that has none now. The guest may run. */
	int (*pfn_to_gfn)(struct gw_save_guest *g, size_t n, const uint64_t *pfns, uint64_t *gfns,
			  struct gw_error *err);
	/* True if pages of this type go through normalise. */
	bool (*needs_normalise)(unsigned type);
	/*
	 * Writes the page to dst (4096 bytes) in the form in which it is sent. final: the guest is
	 * suspended, so a page without a canonical form is an error and not GW_DEFER. 0, GW_DEFER,
	 * -1. Several pages may be normalised at once.
	 */
	int (*normalise)(struct gw_save_guest *g, uint64_t pfn, unsigned type, const void *src,
			 void *dst, bool final, struct gw_error *err);
	/* Records before STATIC_DATA_END (which the engine writes). */
	int (*static_data)(struct gw_save_guest *g, struct gw_buffer *records,
			   struct gw_error *err);
	/* Records between STATIC_DATA_END and the first PAGE_DATA. */
	int (*start_of_stream)(struct gw_save_guest *g, struct gw_buffer *records,
			       struct gw_error *err);
	int (*start_of_checkpoint)(struct gw_save_guest *g, struct gw_buffer *records,
				   struct gw_error *err);
	/* Writes the records after the last PAGE_DATA of a round: the suspended guest's state. */
	int (*end_of_checkpoint)(struct gw_save_guest *g, struct gw_buffer *records,
				 struct gw_error *err);
	/* Fails if the guest has changed so that data sent before is no longer valid. Called after
	 * every pass. */
	int (*check_state)(struct gw_save_guest *g, struct gw_error *err);
};

/* The far end of a ring that the guest shares with xenstore or with the console. */
struct gw_ring_end {
	uint32_t port;	/* event channel in the guest; 0: none is known, the guest's field stays */
	uint32_t domid; /* the domain that serves the ring */
};

struct gw_restore_faults {
	/* Reports a fault of the image that the restore survives; NULL: it survives none. */
	void (*report)(void *owner, const char *rule, const struct gw_error *fault);
	void *owner;
};

/* State of one restore. */
struct gw_restore_guest {
	const struct gw_restore_guest_ops *ops;
	struct gw_domain *domain;
	struct gw_policy policy; /* collected until static_data_complete; cleanup frees it */
	struct gw_ring_end store, console;
	uint64_t store_gfn, console_gfn; /* results; GW_INVALID_PFN: none */
	uint64_t given;			 /* pages that the domain was given so far */
	uint64_t max_pfns; /* HVM: bound for a pfn that gets a page. PV: its P2M is the bound */
	/*
	 * The id of the rule (format/rules/rules.h) that the image breaks if the current hook now
	 * fails with GW_INVALID; NULL unless only a restore can check it.
	 */
	const char *rule;
	struct gw_restore_faults faults; /* guest/faults.h */
	void *priv;
};

struct gw_restore_guest_ops {
	int (*setup)(struct gw_restore_guest *g, struct gw_error *err);
	void (*cleanup)(struct gw_restore_guest *g);
	/* The pfns below it are valid; 0 before the stream has said how many there are. */
	uint64_t (*nr_pfns)(const struct gw_restore_guest *g);
	/* gfn that populate gave this pfn, or GW_INVALID_PFN. */
	uint64_t (*pfn_to_gfn)(struct gw_restore_guest *g, uint64_t pfn);
	void (*set_gfn)(struct gw_restore_guest *g, uint64_t pfn, uint64_t gfn);
	/* NULL: the guest's page types do not matter to it. */
	void (*set_page_type)(struct gw_restore_guest *g, uint64_t pfn, unsigned type);
	bool (*needs_localise)(unsigned type);
	/*
	 * Converts a page in place from the form in which it was sent to that of this host's
	 * memory. Gives a page to pfns that it needs and that have none. page is 4096 bytes of the
	 * caller's.
	 */
	int (*localise)(struct gw_restore_guest *g, uint64_t pfn, unsigned type, void *page,
			struct gw_error *err);
	/*
	 * Takes a record other than END, PAGE_DATA, STATIC_DATA_END, VERIFY and CHECKPOINT, which
	 * are the engine's: 1 taken, 0 not a record of this guest type, -1. The rules have judged
	 * it already.
	 */
	int (*record)(struct gw_restore_guest *g, const struct gw_record *rec,
		      struct gw_error *err);
	/* Applies the static data; *missing: bit 0: there was no CPUID policy, bit 1: no MSR
	 * policy. */
	int (*static_data_complete)(struct gw_restore_guest *g, unsigned *missing,
				    struct gw_error *err);
	/* All records of the last complete round were read: applies those that had to wait. Called
	 * once for each round that is applied. */
	int (*stream_complete)(struct gw_restore_guest *g, struct gw_error *err);
};

extern const struct gw_save_guest_ops gw_x86_hvm_save, gw_x86_pv_save;
extern const struct gw_restore_guest_ops gw_x86_hvm_restore, gw_x86_pv_restore;

/* The hooks for a guest type; NULL if there are none (this build cannot save or restore it). */
const struct gw_save_guest_ops *gw_save_guest_ops(enum gw_guest_type type);
const struct gw_restore_guest_ops *gw_restore_guest_ops(enum gw_guest_type type);

/*
 * Gives pages to those of n pfns that have none, through the domain's populate and set_gfn. types:
 * their page types in the stream; the caller fills pages that have data. All other pages (all
 * pages, if types is NULL) read as zero, also in a domain whose populate does not zero. On failure,
 * the guest's hooks know the pfns that got a page.
 */
int gw_restore_populate(struct gw_restore_guest *g, size_t n, const uint64_t *pfns,
			const uint8_t *types, struct gw_error *err);

/*
 * Grants the pages of the two rings (store_gfn, console_gfn) to their far ends. The last step of
 * stream_complete.
 */
int gw_restore_seed_grants(struct gw_restore_guest *g, struct gw_error *err);

#endif
