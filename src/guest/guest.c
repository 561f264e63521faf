/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which hooks serve which kind of guest, and what all restores share.
 */
#include "guest/guest.h"

#include <stdlib.h>

#include "base/util.h"
#include "hypervisor/domain.h"

/* pfns looked at together: what is on the stack for them is small, and a populate call still worth
 * its cost. */
#define CHUNK 512

const struct gw_save_guest_ops *gw_save_guest_ops(enum gw_guest_type type)
{
	switch (type) {
	case GW_GUEST_X86_HVM:
		return &gw_x86_hvm_save;
	case GW_GUEST_X86_PV:
		return &gw_x86_pv_save;
	default:
		return NULL;
	}
}

const struct gw_restore_guest_ops *gw_restore_guest_ops(enum gw_guest_type type)
{
	switch (type) {
	case GW_GUEST_X86_HVM:
		return &gw_x86_hvm_restore;
	case GW_GUEST_X86_PV:
		return &gw_x86_pv_restore;
	default:
		return NULL;
	}
}

static int compare_pfns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts (most lists are sorted already) and drops what is there twice. Returns how many are left.
 */
static size_t sort_unique(uint64_t *pfns, size_t n)
{
	size_t kept = 0;
	bool sorted = true;

	for (size_t i = 1; i < n && sorted; i++)
		sorted = pfns[i - 1] < pfns[i];
	if (sorted)
		return n;
	qsort(pfns, n, sizeof(*pfns), compare_pfns);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || pfns[kept - 1] != pfns[i])
			pfns[kept++] = pfns[i];
	return kept;
}

static int populate_chunk(struct gw_restore_guest *g, size_t n, const uint64_t *pfns,
			  struct gw_error *err)
{
	uint64_t need[CHUNK], gfns[CHUNK];
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!g->ops->pfn_is_valid(g, pfns[i]))
			return gw_fail(err, GW_INVALID,
				       "pfn 0x%llx is outside the guest's physical memory",
				       (unsigned long long)pfns[i]);
		if (g->ops->pfn_to_gfn(g, pfns[i]) == GW_INVALID_PFN)
			need[count++] = pfns[i];
	}
	count = sort_unique(need, count);
	if (count == 0)
		return 0;
	if (gw_domain_populate(g->domain, count, need, gfns, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		g->ops->set_gfn(g, need[i], gfns[i]);
	return 0;
}

int gw_restore_populate(struct gw_restore_guest *g, size_t n, const uint64_t *pfns,
			struct gw_error *err)
{
	for (size_t done = 0; done < n; done += CHUNK)
		if (populate_chunk(g, GW_MIN(n - done, (size_t)CHUNK), pfns + done, err) < 0)
			return -1;
	return 0;
}
