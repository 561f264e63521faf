/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domain with planned faults (faulty.h).
 */
#include "lib/gwtest.h"

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "faulty.h"

static struct faulty *of(struct gw_domain *d)
{
	return gw_container_of(d, struct faulty, base);
}

static void release(struct faulty *f)
{
	gw_domain_fini(&f->base);
	gw_control_fini(&f->control);
	free(f);
}

/* Counts a call; true if it is the one that has to fail. */
static bool fails(struct gw_domain *d, const char *what, struct gw_error *err)
{
	struct faulty *f = of(d);

	if (f->also_fails && f->also_fails(what))
		f->fail_at = f->calls;
	if (f->calls++ != f->fail_at)
		return false;
	f->failed++;
	gw_fail(err, GW_SYSTEM, "planned failure of call %u (%s)", f->fail_at, what);
	return true;
}

#define FORWARD(d, name, err, ...)                                                                 \
	(fails(d, #name, err) ? -1 : gw_domain_##name(of(d)->inner, ##__VA_ARGS__, err))

static int info(struct gw_domain *d, struct gw_domain_info *i, struct gw_error *err)
{
	struct faulty *f = of(d);
	int rc = FORWARD(d, info, err, i);

	f->looks++;
	if (rc == 0 && f->ends_at && f->looks >= f->ends_at)
		i->shutdown = f->end;
	return rc;
}

static int nr_pfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	return FORWARD(d, nr_pfns, err, nr);
}

static int page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
		      struct gw_error *err)
{
	struct faulty *f = of(d);
	int rc;

	if (f->step)
		f->step(f->opaque, f->inner);
	f->types_asked += n;
	rc = FORWARD(d, page_types, err, n, gfns, types);
	if (rc == 0 && f->first_type)
		types[0] = f->first_type;
	return rc;
}

static int map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
	       uint8_t *results, struct gw_mapping *mapping, struct gw_error *err)
{
	struct faulty *f = of(d);
	int rc;

	if (f->before_map)
		f->before_map(f->opaque, f->inner);
	rc = FORWARD(d, map_each, err, n, gfns, writable, pages, results, mapping);

	f->mapped += rc == 0;
	return rc;
}

static void unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	if (of(d)->unmapping)
		of(d)->unmapping(of(d)->opaque);
	of(d)->mapped--;
	gw_domain_unmap(of(d)->inner, mapping);
}

/* Fills new pages with old contents, as pages of a busy machine may have. */
static int soil(struct gw_domain *d, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	struct gw_mapping mapping;
	void *pages[1024];

	assert_true(n <= GW_ARRAY_SIZE(pages));
	if (gw_domain_map(d, n, gfns, true, pages, &mapping, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		memset(pages[i], 0xd1, GW_PAGE_SIZE);
	gw_domain_unmap(d, &mapping);
	return 0;
}

static int populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		    size_t *done, struct gw_error *err)
{
	struct faulty *f = of(d);

	if (fails(d, "populate", err)) {
		/* As on Xen: half of the pages stay. */
		gw_domain_populate_part(f->inner, n / 2, pfns, gfns, done, NULL);
		return -1;
	}
	if (gw_domain_populate_part(f->inner, n, pfns, gfns, done, err) < 0)
		return -1;
	return f->dirties ? soil(f->inner, n, gfns, err) : 0;
}

/* As a backend without a memory map of its own answers. */
static int one_range(struct gw_domain *d, struct gw_pfn_range **list, size_t *n,
		     struct gw_error *err)
{
	*list = calloc(1, sizeof(**list));
	*n = 1;
	return *list ? gw_domain_nr_pfns(d, &(*list)->count, err) : -1;
}

static int ranges(struct gw_domain *d, struct gw_pfn_range **list, size_t *n, struct gw_error *err)
{
	if (of(d)->one_range)
		return one_range(of(d)->inner, list, n, err);
	return FORWARD(d, ranges, err, list, n);
}

static int logdirty_start(struct gw_domain *d, struct gw_error *err)
{
	int rc = FORWARD(d, logdirty_start, err);

	of(d)->logging |= rc == 0;
	return rc;
}

static int logdirty_fetch_and_clear(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
				    uint64_t *dirty, struct gw_error *err)
{
	int rc = FORWARD(d, logdirty_fetch_and_clear, err, bitmap, nr, dirty);

	if (rc == 0 && of(d)->unlogged)
		gw_bitmap_clear(bitmap, of(d)->unlogged);
	return rc;
}

static int logdirty_peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err)
{
	return FORWARD(d, logdirty_peek, err, dirty);
}

static void logdirty_stop(struct gw_domain *d)
{
	of(d)->logging = false;
	gw_domain_logdirty_stop(of(d)->inner);
}

static int get_policy(struct gw_domain *d, struct gw_policy *policy, struct gw_error *err)
{
	return FORWARD(d, get_policy, err, policy);
}

static int set_policy(struct gw_domain *d, const struct gw_policy *policy, struct gw_error *err)
{
	return FORWARD(d, set_policy, err, policy);
}

static int get_tsc(struct gw_domain *d, struct gw_tsc_info *tsc, struct gw_error *err)
{
	return FORWARD(d, get_tsc, err, tsc);
}

static int set_tsc(struct gw_domain *d, const struct gw_tsc_info *tsc, struct gw_error *err)
{
	return FORWARD(d, set_tsc, err, tsc);
}

static int get_extra(struct gw_domain *d, const char *name, void **blob, size_t *len,
		     struct gw_error *err)
{
	return FORWARD(d, get_extra, err, name, blob, len);
}

static int set_extra(struct gw_domain *d, const char *name, const void *blob, size_t len,
		     struct gw_error *err)
{
	return FORWARD(d, set_extra, err, name, blob, len);
}

static int seed_grants(struct gw_domain *d, const struct gw_ring *store,
		       const struct gw_ring *console, struct gw_error *err)
{
	return FORWARD(d, seed_grants, err, store, console);
}

static void close_domain(struct gw_domain *d)
{
	gw_domain_close(of(d)->inner);
	release(of(d));
}

/* The same for the control table. */
#define FORWARD_CONTROL(c, name, err, ...)                                                         \
	(fails((c)->domain, #name, err) ? -1 : gw_control_##name(inner_of(c), ##__VA_ARGS__, err))

static struct gw_control *inner_of(struct gw_control *c)
{
	return of(c->domain)->inner->control;
}

static int restored(struct gw_control *c, struct gw_error *err)
{
	return FORWARD_CONTROL(c, restored, err);
}

static int pause_domain(struct gw_control *c, struct gw_error *err)
{
	return gw_control_pause(inner_of(c), err);
}

static int unpause(struct gw_control *c, struct gw_error *err)
{
	struct faulty *f = of(c->domain);

	if (f->also_fails && f->also_fails("unpause"))
		return gw_fail(err, GW_SYSTEM, "planned failure (unpause)");
	return gw_control_unpause(f->inner->control, err);
}

static int suspend(struct gw_control *c, int timeout_ms, const struct gw_cancel *cancel,
		   struct gw_error *err)
{
	return FORWARD_CONTROL(c, suspend, err, timeout_ms, cancel);
}

static int resume(struct gw_control *c, struct gw_error *err)
{
	return gw_control_resume(inner_of(c), err);
}

static void set_events(struct gw_control *c, const struct gw_control_events *events)
{
	gw_control_set_events(inner_of(c), events);
}

static const char *crash_text(struct gw_control *c)
{
	return gw_control_crash_text(inner_of(c));
}

static void destroy(struct gw_control *c)
{
	faulty_free(of(c->domain));
}

static int get_context(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err)
{
	return FORWARD(d, get_context, err, blob, len);
}

static int set_context(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err)
{
	return FORWARD(d, set_context, err, blob, len);
}

static int get_param(struct gw_domain *d, uint32_t index, uint64_t *value, struct gw_error *err)
{
	return FORWARD(d, get_param, err, index, value);
}

static int set_param(struct gw_domain *d, uint32_t index, uint64_t value, struct gw_error *err)
{
	return FORWARD(d, set_param, err, index, value);
}

static const struct gw_domain_ops domain_ops = {
	.head = GW_TABLE_HEAD(struct gw_domain_ops),
	.logdirty_sees_own_writes = true,
	.info = info,
	.nr_pfns = nr_pfns,
	.page_types = page_types,
	.map = map,
	.unmap = unmap,
	.populate = populate,
	.close = close_domain,
	.ranges = ranges,
	.logdirty_start = logdirty_start,
	.logdirty_fetch_and_clear = logdirty_fetch_and_clear,
	.logdirty_peek = logdirty_peek,
	.logdirty_stop = logdirty_stop,
	.get_extra = get_extra,
	.set_extra = set_extra,
	.seed_grants = seed_grants,
};

static const struct gw_x86_ops x86_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_ops),
	.get_policy = get_policy,
	.set_policy = set_policy,
	.get_tsc = get_tsc,
	.set_tsc = set_tsc,
};

static const struct gw_x86_hvm_ops hvm_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_hvm_ops),
	.get_context = get_context,
	.set_context = set_context,
	.get_param = get_param,
	.set_param = set_param,
};

static const struct gw_control_ops control_ops = {
	.head = GW_TABLE_HEAD(struct gw_control_ops),
	.pause = pause_domain,
	.unpause = unpause,
	.suspend = suspend,
	.resume = resume,
	.restored = restored,
	.set_events = set_events,
	.crash_text = crash_text,
	.destroy = destroy,
};

struct faulty *faulty_new(struct gw_domain *inner)
{
	const struct gw_domain_tables tables = {
		.ops = &domain_ops, .x86 = &x86_ops, .hvm = &hvm_ops};
	struct gw_error err = GW_ERROR_INIT;
	struct faulty *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(inner->type, GW_GUEST_X86_HVM);
	assert_ok(gw_domain_init(&f->base, inner->type, inner->domid, &tables, &err), &err);
	assert_ok(gw_control_init(&f->control, &f->base, &control_ops, &err), &err);
	f->inner = inner;
	f->fail_at = FAULTY_NEVER;
	return f;
}

void faulty_let_go(struct faulty *f)
{
	release(f);
}

void faulty_free(struct faulty *f)
{
	gw_control_destroy(f->inner->control);
	release(f);
}
