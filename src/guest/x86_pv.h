/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Declarations that the files about PV guests share: the guest's own P2M on the saving side, its
 * new one on the restoring side, the frame numbers inside page tables and vCPU contexts.
 */
#ifndef GW_GUEST_X86_PV_H
#define GW_GUEST_X86_PV_H

#include "format/x86/pv_layout.h"
#include "guest/x86.h"

/* x86_pv_p2m.c: the P2M a guest keeps in its memory, read while it may run. */
struct gw_pv_p2m {
	struct gw_domain *domain;
	const struct gw_pv_layout *layout;
	uint64_t nr_pfns;
	const uint64_t *m2p;
	uint64_t max_mfn, compat_mfn0;
	const uint8_t *shared_info;
	uint64_t generation; /* the guest's count of changes of a linear P2M when it was opened */
	/* Its pages. */
	size_t nr_leaves;
	uint64_t *leaf_mfns;
	void **leaves;
	struct gw_mapping mapping;
	bool mapped;
};

int gw_pv_p2m_open(struct gw_pv_p2m *p2m, struct gw_domain *d, struct gw_error *err);
void gw_pv_p2m_close(struct gw_pv_p2m *p2m);
/* Fails (GW_GUEST) if the guest has moved or resized its P2M since it was opened. */
int gw_pv_p2m_check(struct gw_pv_p2m *p2m, struct gw_error *err);
/* The mfn of a pfn below nr_pfns as the guest has it now; GW_INVALID_PFN for none or nonsense. */
uint64_t gw_pv_p2m_get(const struct gw_pv_p2m *p2m, uint64_t pfn);
/* The pfn of an mfn that is the guest's by the M2P and by the P2M; GW_INVALID_PFN if it is not. */
uint64_t gw_pv_mfn_to_pfn(const struct gw_pv_p2m *p2m, uint64_t mfn);

/* The new P2M of a guest that is restored. */
struct gw_pv_restore {
	struct gw_x86_stash x86;
	const struct gw_pv_layout *layout; /* NULL before X86_PV_INFO */
	uint64_t nr_pfns;		   /* 0 before X86_PV_P2M_FRAMES */
	/*
	 * The arrays are mappings, which take memory only where they are written: the P2M of a
	 * sparse guest is much larger than the guest.
	 */
	uint64_t mapped_pfns; /* entries of mfns */
	uint64_t *mfns;	      /* of pfn, plus 1; 0: none */
	uint64_t tables_end;  /* one past the highest pfn that ever was a page table */
	uint8_t *types;	      /* of pfn, enum gw_page_type as the stream gave it last */
	uint64_t *frames;     /* pfns of the pages that hold the P2M */
	size_t nr_frames;
	const uint64_t *m2p;
	uint64_t max_mfn;
	uint32_t nr_vcpus;	 /* 0 until static data is complete */
	struct gw_buffer *vcpus; /* GW_PV_VCPU_KINDS for each */
	struct gw_buffer shared_info;
};
#define GW_PV_VCPU_KINDS                                                                           \
	4u /* BASIC, EXTENDED, XSAVE, MSRS: their record types follow each other but for the last  \
	    */

static inline uint64_t gw_pv_new_mfn(const struct gw_pv_restore *r, uint64_t pfn)
{
	return pfn < r->nr_pfns && r->mfns[pfn] ? r->mfns[pfn] - 1 : GW_INVALID_PFN;
}

/* x86_pv_write_p2m.c: the mfn of a pfn that must have a page; what names it in the error. data: a
 * page that is no page table. */
int gw_pv_page_mfn(const struct gw_pv_restore *r, uint64_t pfn, const char *what, uint64_t *mfn,
		   struct gw_error *err);
int gw_pv_data_mfn(const struct gw_pv_restore *r, uint64_t pfn, const char *what, uint64_t *mfn,
		   struct gw_error *err);

/* x86_pv_pagetable.c. */
int gw_pv_normalise(const struct gw_pv_p2m *p2m, uint64_t pfn, unsigned level, const void *src,
		    void *dst, bool final, struct gw_error *err);
int gw_pv_localise(struct gw_restore_guest *g, uint64_t pfn, unsigned level, void *page,
		   struct gw_error *err);

/* x86_pv_vcpu.c: the frame numbers inside a vCPU's context (X86_PV_VCPU_BASIC). */
enum gw_pv_ref { GW_PV_REF_START_INFO, GW_PV_REF_GDT, GW_PV_REF_CR3, GW_PV_REF_USER_CR3 };
const char *gw_pv_ref_name(enum gw_pv_ref ref);
/* Replaces one frame number by another, or fails. */
typedef int gw_pv_translate_fn(void *opaque, enum gw_pv_ref ref, uint64_t *frame,
			       struct gw_error *err);
/* Translates them all; to_pfns says which form of the user cr3 is there and which is to be left. */
int gw_pv_translate_context(const struct gw_pv_layout *l, uint32_t vcpu, uint8_t *context,
			    bool to_pfns, gw_pv_translate_fn *fn, void *opaque,
			    struct gw_error *err);
int gw_pv_save_vcpus(const struct gw_pv_p2m *p2m, struct gw_buffer *records, struct gw_error *err);

/* x86_pv_write_p2m.c: the new P2M in the pages where the guest has its own. */
int gw_pv_write_p2m(struct gw_restore_guest *g, struct gw_error *err);

/* x86_pv_apply.c: all that waits for the end of the stream. */
int gw_pv_apply(struct gw_restore_guest *g, struct gw_error *err);

#endif
