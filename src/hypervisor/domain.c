/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls of the domain table that are more than a call (domain.h).
 */
#include "hypervisor/domain.h"

#include <stdlib.h>

#include "base/bitmap.h"
#include "base/util.h"

int gw_domain_page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
			 struct gw_error *err)
{
	assert(n == 0 || (gfns && types));
	for (size_t done = 0; done < n; done += GW_PAGE_TYPES_MAX)
		if (d->ops->page_types(d, GW_MIN(n - done, (size_t)GW_PAGE_TYPES_MAX), gfns + done,
				       types + done, err) < 0)
			return -1;
	return 0;
}

int gw_domain_refuse_map(uint64_t gfn, uint8_t result, struct gw_error *err)
{
	return gw_fail(err, GW_INVALID, "gfn 0x%llx cannot be mapped: %s", (unsigned long long)gfn,
		       result == GW_MAP_GONE
			       ? "it has no page"
			       : "it is a page table in use and cannot be mapped for writing");
}

static int first_refused(size_t n, const uint64_t *gfns, const uint8_t *results,
			 struct gw_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (results[i] != GW_MAP_OK)
			return gw_domain_refuse_map(gfns[i], results[i], err);
	return 0;
}

int gw_domain_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		  struct gw_mapping *mapping, struct gw_error *err)
{
	uint8_t few[GW_PAGE_TYPES_MAX], *results = n > sizeof(few) ? malloc(n) : few;
	int rc;

	if (!results)
		return gw_fail(err, GW_NO_MEMORY, "no memory to map %zu pages", n);
	rc = gw_domain_map_each(d, n, gfns, writable, pages, results, mapping, err);
	if (rc == 0) {
		rc = first_refused(n, gfns, results, err);
		if (rc < 0)
			gw_domain_unmap(d, mapping);
	}
	if (results != few)
		free(results);
	return rc;
}

int gw_domain_logdirty_fetch_and_clear(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
				       uint64_t *dirty, struct gw_error *err)
{
	uint64_t all;

	if (gw_domain_nr_pfns(d, &all, err) < 0)
		return -1;
	if (nr >= all)
		return d->ops->logdirty_fetch_and_clear(d, bitmap, nr, dirty, err);

	GW_FREE_ON_EXIT uint64_t *whole = gw_bitmap_new(all);

	if (!whole)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a bitmap of %llu pages",
			       (unsigned long long)all);
	if (d->ops->logdirty_fetch_and_clear(d, whole, all, dirty, err) < 0)
		return -1;
	if (nr % 64)
		whole[nr / 64] &= (UINT64_C(1) << (nr % 64)) - 1;
	gw_bitmap_or(bitmap, whole, nr);
	*dirty = gw_bitmap_count(whole, nr);
	return 0;
}

const char *gw_shutdown_words(enum gw_shutdown_reason reason)
{
	switch (reason) {
	case GW_SHUTDOWN_NONE:
		return "runs";
	case GW_SHUTDOWN_POWEROFF:
		return "powered itself off";
	case GW_SHUTDOWN_REBOOT:
		return "asked for a reboot";
	case GW_SHUTDOWN_SUSPEND:
		return "suspended itself";
	case GW_SHUTDOWN_CRASH:
		return "crashed";
	}
	return "shut down"; /* Xen knows more reasons: watchdog, soft reset */
}

bool gw_shutdown_is_end(enum gw_shutdown_reason reason)
{
	return reason != GW_SHUTDOWN_NONE && reason != GW_SHUTDOWN_SUSPEND;
}
