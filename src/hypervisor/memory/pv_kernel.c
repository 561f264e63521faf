/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The few steps that a PV kernel takes around a save, played for a domain that has no vCPU: what
 * Linux does in its suspend and resume paths, no more.
 */
#include <string.h>

#include "base/util.h"
#include "format/libxc/image.h"
#include "hypervisor/memory/domain.h"

/* The start_info page: vCPU 0's (r)dx is its mfn while it sleeps in the suspend hypercall. */
static uint8_t *start_info(struct gw_memory_domain *m)
{
	const struct gw_pv_layout *l = m->pv.layout;
	struct gw_buffer *basic = gw_memory_pv_vcpu(m, 0, GW_REC_X86_PV_VCPU_BASIC);

	if (!basic || basic->len == 0)
		return NULL;
	uint64_t mfn = gw_pv_get_word(l, basic->data + l->vcpu_edx);

	if (!(gw_memory_state(m, mfn) & GW_MEMORY_HELD))
		return NULL;
	gw_memory_log_gfn(m, mfn);
	return gw_memory_frame(m, mfn);
}

void gw_memory_kernel_suspend(struct gw_memory_domain *m)
{
	const struct gw_pv_layout *l = m->pv.layout;
	uint8_t *start = start_info(m);
	const uint32_t fields[] = {l->start_store, l->start_console};

	for (unsigned i = 0; start && !m->pv.start_info_in_pfns && i < 2; i++) {
		uint64_t mfn = gw_pv_get_word(l, start + fields[i]);

		if (mfn < m->frames.nr && m->pv.m2p[mfn] != GW_INVALID_PFN)
			gw_pv_put_word(l, start + fields[i], m->pv.m2p[mfn]);
	}
	m->pv.start_info_in_pfns = true;
}

void gw_memory_kernel_resume(struct gw_memory_domain *m)
{
	const struct gw_pv_layout *l = m->pv.layout;
	uint8_t *start = start_info(m);
	const uint32_t fields[] = {l->start_store, l->start_console};

	for (unsigned i = 0; start && m->pv.start_info_in_pfns && i < 2; i++) {
		uint64_t mfn = gw_memory_pfn_to_gfn(m, gw_pv_get_word(l, start + fields[i]));

		if (mfn != GW_INVALID_PFN)
			gw_pv_put_word(l, start + fields[i], mfn);
	}
	m->pv.start_info_in_pfns = false;
}

/* What the P2M says of a pfn, as the guest keeps it: all ones for none. */
static uint64_t p2m_word(struct gw_memory_domain *m, uint64_t pfn)
{
	uint64_t mfn = gw_memory_pfn_to_gfn(m, pfn);

	return m->pv.layout->width == 8 ? mfn : (uint32_t)mfn;
}

/* Which slice of the P2M this page holds: its number, or GW_INVALID_PFN if it holds none. */
static uint64_t leaf_number(struct gw_memory_domain *m, const uint8_t *page)
{
	const struct gw_pv_layout *l = m->pv.layout;
	uint64_t none = l->width == 8 ? ~UINT64_C(0) : UINT32_MAX;
	unsigned i = 0;

	while (i < l->fpp && gw_pv_get_word(l, gw_pv_word_at(l, page, i)) == none)
		i++;
	if (i == l->fpp)
		return GW_INVALID_PFN;

	uint64_t mfn = gw_pv_get_word(l, gw_pv_word_at(l, page, i));

	if (mfn >= m->frames.nr || m->pv.m2p[mfn] == GW_INVALID_PFN || m->pv.m2p[mfn] % l->fpp != i)
		return GW_INVALID_PFN;
	uint64_t first = m->pv.m2p[mfn] - i;

	for (; i < l->fpp; i++)
		if (gw_pv_get_word(l, gw_pv_word_at(l, page, i)) != p2m_word(m, first + i))
			return GW_INVALID_PFN;
	return first / l->fpp;
}

static bool is_gdt_frame(struct gw_memory_domain *m, uint64_t mfn)
{
	const struct gw_pv_layout *l = m->pv.layout;

	for (uint32_t vcpu = 0; vcpu < m->vcpus; vcpu++) {
		struct gw_buffer *basic = gw_memory_pv_vcpu(m, vcpu, GW_REC_X86_PV_VCPU_BASIC);

		for (unsigned i = 0; basic->len && i < 16; i++)
			if (gw_pv_get_word(l, gw_pv_word_at(l, basic->data + l->vcpu_gdt, i)) ==
			    mfn)
				return true;
	}
	return false;
}

bool gw_memory_kernel_needs(struct gw_memory_domain *m, uint64_t pfn)
{
	const struct gw_pv_layout *l = m->pv.layout;
	uint64_t mfn = gw_memory_pfn_to_gfn(m, pfn);
	const uint8_t *start = start_info(m);

	if (mfn == GW_INVALID_PFN || gw_memory_state(m, mfn) != GW_MEMORY_HELD)
		return true;
	const uint8_t *page = gw_memory_frame(m, mfn);

	return page == start || (start && gw_pv_get_word(l, start + l->start_store) == mfn) ||
	       (start && gw_pv_get_word(l, start + l->start_console) == mfn) ||
	       is_gdt_frame(m, mfn) || leaf_number(m, page) != GW_INVALID_PFN;
}

/* A kernel knows where its P2M is; played here, it has to be found. mfns of nr leaves, false if one
 * is missing. */
static bool find_leaves(struct gw_memory_domain *m, uint64_t *mfns, uint64_t nr)
{
	uint64_t found = 0;

	memset(mfns, 0, nr * sizeof(*mfns));
	for (uint64_t pfn = 0; pfn < m->top && found < nr; pfn++) {
		uint64_t mfn = gw_memory_pfn_to_gfn(m, pfn);

		if (mfn == GW_INVALID_PFN || gw_memory_state(m, mfn) != GW_MEMORY_HELD)
			continue;
		uint64_t leaf = leaf_number(m, gw_memory_frame(m, mfn));

		if (leaf < nr && mfns[leaf] == 0) {
			mfns[leaf] = mfn;
			found++;
		}
	}
	return found == nr;
}

/* A page that is no pfn's, for the upper levels of the P2M. */
static uint64_t take_page(struct gw_memory_domain *m)
{
	uint64_t mfn = gw_memory_mfn_take(m);

	gw_memory_set_state(m, mfn, GW_MEMORY_HELD | GW_PAGE_NOTAB);
	return mfn;
}

static void put_list(struct gw_memory_domain *m, const uint64_t *leaves, uint64_t nr)
{
	const struct gw_pv_layout *l = m->pv.layout;
	uint64_t top = take_page(m);
	uint64_t mid = 0;

	for (uint64_t i = 0; i < nr; i++) {
		if (i % l->fpp == 0) {
			mid = take_page(m);
			gw_pv_put_word(l, gw_pv_word_at(l, gw_memory_frame(m, top), i / l->fpp),
				       mid);
		}
		gw_pv_put_word(l, gw_pv_word_at(l, gw_memory_frame(m, mid), i % l->fpp), leaves[i]);
	}
	uint8_t *arch = m->pv.shared + l->shared_arch;

	gw_pv_put_word(l, arch + l->arch_fll, top);
	gw_pv_put_word(l, arch + l->arch_p2m_cr3, 0);
}

int gw_memory_kernel_restored(struct gw_memory_domain *m, struct gw_error *err)
{
	const struct gw_pv_layout *l = m->pv.layout;
	uint64_t nr_pfns = gw_memory_kernel_pfns(m);
	uint64_t nr = (nr_pfns + l->fpp - 1) / l->fpp;

	if (nr == 0 || nr > m->frames.populated)
		return 0;
	GW_FREE_ON_EXIT uint64_t *leaves = calloc(nr, sizeof(*leaves));

	if (!leaves)
		return gw_fail_errno(err, "a P2M of %llu pages", (unsigned long long)nr);
	/* Without a whole P2M there is nothing to point to, and a later save will say so. */
	if (nr <= (uint64_t)l->fpp * l->fpp && find_leaves(m, leaves, nr))
		put_list(m, leaves, nr);
	return 0;
}
