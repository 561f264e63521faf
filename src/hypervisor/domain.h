/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls of the domain table and its sub-tables (godwit/hypervisor.h), which gives their meaning.
 * The engine, the guest hooks and the owners call a domain only through these: here arguments are
 * asserted, and a call can be traced.
 */
#ifndef GW_HYPERVISOR_DOMAIN_H
#define GW_HYPERVISOR_DOMAIN_H

#include <assert.h>

#include <godwit/hypervisor.h>

static inline int gw_domain_info(struct gw_domain *d, struct gw_domain_info *info,
				 struct gw_error *err)
{
	return d->ops->info(d, info, err);
}

static inline int gw_domain_nr_pfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	return d->ops->nr_pfns(d, nr, err);
}

/* Any n: asked in parts of GW_PAGE_TYPES_MAX. */
int gw_domain_page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
			 struct gw_error *err);

/* Each page with its own result (enum gw_map_result). */
static inline int gw_domain_map_each(struct gw_domain *d, size_t n, const uint64_t *gfns,
				     bool writable, void **pages, uint8_t *results,
				     struct gw_mapping *mapping, struct gw_error *err)
{
	assert(n > 0 && gfns && pages && results);
	return d->ops->map(d, n, gfns, writable, pages, results, mapping, err);
}

/* Fails (GW_INVALID) because this gfn has another result than GW_MAP_OK. Returns -1. */
int gw_domain_refuse_map(uint64_t gfn, uint8_t result, struct gw_error *err);

/* All n pages, or an error that names the first one that cannot be mapped; then none is. */
int gw_domain_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		  struct gw_mapping *mapping, struct gw_error *err);

static inline void gw_domain_unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	d->ops->unmap(d, mapping);
}

/* The first *done pfns have a page afterwards, also on failure. */
static inline int gw_domain_populate_part(struct gw_domain *d, size_t n, const uint64_t *pfns,
					  uint64_t *gfns, size_t *done, struct gw_error *err)
{
	assert(n == 0 || (pfns && gfns));
	*done = 0;
	return d->ops->populate(d, n, pfns, gfns, done, err);
}

/* The same for a caller that gives up anyway when it does not get all. */
static inline int gw_domain_populate(struct gw_domain *d, size_t n, const uint64_t *pfns,
				     uint64_t *gfns, struct gw_error *err)
{
	size_t done;

	return gw_domain_populate_part(d, n, pfns, gfns, &done, err);
}

static inline int gw_domain_ranges(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
				   struct gw_error *err)
{
	return d->ops->ranges(d, ranges, n, err);
}

/* The domain lives on; d must not be used any more. */
static inline void gw_domain_close(struct gw_domain *d)
{
	d->ops->close(d);
}

static inline int gw_domain_logdirty_start(struct gw_domain *d, struct gw_error *err)
{
	return d->ops->logdirty_start(d, err);
}

/*
 * Any nr: what the bitmap has no room for is forgotten with the rest (the caller sends no page
 * there). *dirty counts the first nr pfns.
 */
int gw_domain_logdirty_fetch_and_clear(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
				       uint64_t *dirty, struct gw_error *err);

static inline int gw_domain_logdirty_peek(struct gw_domain *d, uint64_t *dirty,
					  struct gw_error *err)
{
	return d->ops->logdirty_peek(d, dirty, err);
}

static inline void gw_domain_logdirty_stop(struct gw_domain *d)
{
	d->ops->logdirty_stop(d);
}

static inline int gw_domain_protect_start(struct gw_domain *d, gw_write_fault_fn *write,
					  void *opaque, struct gw_error *err)
{
	return d->faults->protect_start(d, write, opaque, err);
}

static inline int gw_domain_protect_release(struct gw_domain *d, size_t n, const uint64_t *pfns,
					    struct gw_error *err)
{
	assert(n == 0 || pfns);
	return d->faults->protect_release(d, n, pfns, err);
}

static inline int gw_domain_protect_stop(struct gw_domain *d, struct gw_error *err)
{
	return d->faults->protect_stop(d, err);
}

static inline int gw_domain_absent_start(struct gw_domain *d, size_t n, const uint64_t *pfns,
					 gw_touch_fault_fn *touch, void *opaque,
					 struct gw_error *err)
{
	assert(n == 0 || pfns);
	return d->faults->absent_start(d, n, pfns, touch, opaque, err);
}

static inline int gw_domain_fill(struct gw_domain *d, uint64_t pfn, const void *page,
				 struct gw_error *err)
{
	return d->faults->fill(d, pfn, page, err);
}

static inline int gw_domain_absent_stop(struct gw_domain *d, struct gw_error *err)
{
	return d->faults->absent_stop(d, err);
}

/* x86: d->x86 is not NULL. */
static inline int gw_domain_get_policy(struct gw_domain *d, struct gw_policy *policy,
				       struct gw_error *err)
{
	assert(d->x86);
	return d->x86->get_policy(d, policy, err);
}

static inline int gw_domain_set_policy(struct gw_domain *d, const struct gw_policy *policy,
				       struct gw_error *err)
{
	assert(d->x86);
	return d->x86->set_policy(d, policy, err);
}

static inline int gw_domain_get_tsc(struct gw_domain *d, struct gw_tsc_info *tsc,
				    struct gw_error *err)
{
	assert(d->x86);
	return d->x86->get_tsc(d, tsc, err);
}

static inline int gw_domain_set_tsc(struct gw_domain *d, const struct gw_tsc_info *tsc,
				    struct gw_error *err)
{
	assert(d->x86);
	return d->x86->set_tsc(d, tsc, err);
}

static inline int gw_domain_get_extra(struct gw_domain *d, const char *name, void **blob,
				      size_t *len, struct gw_error *err)
{
	return d->ops->get_extra(d, name, blob, len, err);
}

static inline int gw_domain_set_extra(struct gw_domain *d, const char *name, const void *blob,
				      size_t len, struct gw_error *err)
{
	return d->ops->set_extra(d, name, blob, len, err);
}

static inline int gw_domain_seed_grants(struct gw_domain *d, const struct gw_ring *store,
					const struct gw_ring *console, struct gw_error *err)
{
	return d->ops->seed_grants(d, store, console, err);
}

/* x86 HVM and PVH: d->hvm is not NULL. */
static inline int gw_domain_get_context(struct gw_domain *d, void **blob, size_t *len,
					struct gw_error *err)
{
	assert(d->hvm);
	return d->hvm->get_context(d, blob, len, err);
}

static inline int gw_domain_set_context(struct gw_domain *d, const void *blob, size_t len,
					struct gw_error *err)
{
	assert(d->hvm);
	return d->hvm->set_context(d, blob, len, err);
}

static inline int gw_domain_get_param(struct gw_domain *d, uint32_t index, uint64_t *value,
				      struct gw_error *err)
{
	assert(d->hvm);
	return d->hvm->get_param(d, index, value, err);
}

static inline int gw_domain_set_param(struct gw_domain *d, uint32_t index, uint64_t value,
				      struct gw_error *err)
{
	assert(d->hvm);
	return d->hvm->set_param(d, index, value, err);
}

/* x86 PV: d->pv is not NULL. */
static inline int gw_domain_get_width(struct gw_domain *d, unsigned *width, struct gw_error *err)
{
	assert(d->pv);
	return d->pv->get_width(d, width, err);
}

static inline int gw_domain_set_width(struct gw_domain *d, unsigned width, struct gw_error *err)
{
	assert(d->pv);
	return d->pv->set_width(d, width, err);
}

static inline int gw_domain_m2p(struct gw_domain *d, const uint64_t **m2p, uint64_t *max_mfn,
				struct gw_error *err)
{
	assert(d->pv);
	return d->pv->m2p(d, m2p, max_mfn, err);
}

static inline int gw_domain_compat_m2p_mfn0(struct gw_domain *d, uint64_t *mfn,
					    struct gw_error *err)
{
	assert(d->pv);
	return d->pv->compat_m2p_mfn0(d, mfn, err);
}

static inline int gw_domain_shared_info(struct gw_domain *d, void **page, uint64_t *mfn,
					struct gw_error *err)
{
	assert(d->pv);
	return d->pv->shared_info(d, page, mfn, err);
}

static inline int gw_domain_vcpu_online(struct gw_domain *d, uint32_t vcpu, bool *online,
					struct gw_error *err)
{
	assert(d->pv);
	return d->pv->vcpu_online(d, vcpu, online, err);
}

static inline int gw_domain_get_vcpu(struct gw_domain *d, uint32_t vcpu, uint32_t record_type,
				     void **blob, size_t *len, struct gw_error *err)
{
	assert(d->pv);
	return d->pv->get_vcpu(d, vcpu, record_type, blob, len, err);
}

static inline int gw_domain_set_vcpu(struct gw_domain *d, uint32_t vcpu, uint32_t record_type,
				     const void *blob, size_t len, struct gw_error *err)
{
	assert(d->pv);
	return d->pv->set_vcpu(d, vcpu, record_type, blob, len, err);
}

static inline int gw_domain_pin(struct gw_domain *d, size_t n, const uint64_t *mfns,
				const uint8_t *types, struct gw_error *err)
{
	assert(d->pv);
	assert(n == 0 || (mfns && types));
	return d->pv->pin(d, n, mfns, types, err);
}

/* What the guest did when it shut down for this reason, after "the guest": "powered itself off". */
const char *gw_shutdown_words(enum gw_shutdown_reason reason);
/* True if the domain's life has ended: its guest shut down, and not to be saved. */
bool gw_shutdown_is_end(enum gw_shutdown_reason reason);

#endif
