/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domain that fails when it is told to.
 */
#include "lib/gwtest.h"

#include <dirent.h>

#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "faulty.h"

static struct faulty *of(struct gw_domain *d)
{
	return gw_container_of(d, struct faulty, base);
}

/* Counts a call; true if it is the one that fails. */
static bool fails(struct gw_domain *d, const char *what, struct gw_error *err)
{
	struct faulty *f = of(d);

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
	return FORWARD(d, info, err, i);
}

static int nr_pfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	return FORWARD(d, nr_pfns, err, nr);
}

static int page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
		      struct gw_error *err)
{
	struct faulty *f = of(d);

	if (f->step)
		f->step(f->opaque, f->inner);
	return FORWARD(d, page_types, err, n, gfns, types);
}

static int map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
	       struct gw_mapping *mapping, struct gw_error *err)
{
	int rc = FORWARD(d, map, err, n, gfns, writable, pages, mapping);

	of(d)->mapped += rc == 0;
	return rc;
}

static void unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	of(d)->mapped--;
	gw_domain_unmap(of(d)->inner, mapping);
}

static int populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		    struct gw_error *err)
{
	return FORWARD(d, populate, err, n, pfns, gfns);
}

static int depopulate(struct gw_domain *d, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	return FORWARD(d, depopulate, err, n, gfns);
}

static int logdirty_start(struct gw_domain *d, struct gw_error *err)
{
	int rc = FORWARD(d, logdirty_start, err);

	of(d)->logging |= rc == 0;
	return rc;
}

static int logdirty_clean(struct gw_domain *d, uint64_t *bitmap, uint64_t nbits, uint64_t *dirty,
			  struct gw_error *err)
{
	return FORWARD(d, logdirty_clean, err, bitmap, nbits, dirty);
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

static int get_xenabi(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err)
{
	return FORWARD(d, get_xenabi, err, blob, len);
}

static int set_xenabi(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err)
{
	return FORWARD(d, set_xenabi, err, blob, len);
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
	return gw_control_unpause(inner_of(c), err);
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

static const struct gw_x86_hvm_ops hvm_ops = {
	.get_context = get_context,
	.set_context = set_context,
	.get_param = get_param,
	.set_param = set_param,
};

static const struct gw_domain_ops domain_ops = {
	.info = info,
	.nr_pfns = nr_pfns,
	.page_types = page_types,
	.map = map,
	.unmap = unmap,
	.populate = populate,
	.depopulate = depopulate,
	.logdirty_start = logdirty_start,
	.logdirty_clean = logdirty_clean,
	.logdirty_peek = logdirty_peek,
	.logdirty_stop = logdirty_stop,
	.get_policy = get_policy,
	.set_policy = set_policy,
	.get_tsc = get_tsc,
	.set_tsc = set_tsc,
	.get_xenabi = get_xenabi,
	.set_xenabi = set_xenabi,
};

static const struct gw_control_ops control_ops = {
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
	struct faulty *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(inner->type, GW_GUEST_X86_HVM);
	f->base = (struct gw_domain){
		.ops = &domain_ops,
		.type = inner->type,
		.hvm = &hvm_ops,
		.domid = inner->domid,
		.control = &f->control,
	};
	f->control = (struct gw_control){.ops = &control_ops, .domain = &f->base};
	f->inner = inner;
	f->fail_at = FAULTY_NEVER;
	return f;
}

void faulty_free(struct faulty *f)
{
	gw_control_destroy(f->inner->control);
	free(f);
}

int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
