/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory backend's host and its domains' life. Memory is in frames.c, each kind of guest
 * in its own file.
 */
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "hypervisor/memory/domain.h"
#include "hypervisor/memory/guest.h"

/* What a domain here can have at most: frame numbers of Xen's interfaces end there anyway. */
#define MAX_PFNS    (UINT64_C(1) << 32)
#define MAX_PFNS_PV (UINT64_C(1) << 28)
#define MAX_VCPUS   4096u

/* An HVM guest's pages may stand anywhere below 4 GiB, and what finds no place there above. */
#define HVM_PFNS_BELOW_4G UINT64_C(0x100000)

static struct gw_memory_host *host_of(struct gw_host *host)
{
	return (struct gw_memory_host *)host;
}

static int info(struct gw_domain *d, struct gw_domain_info *out, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	gw_memory_lock(m);
	*out = (struct gw_domain_info){
		.type = d->type,
		.paused = m->paused > 0,
		.shutdown = m->shutdown,
		.max_vcpu_id = m->vcpus - 1,
		.nr_pages = m->frames.populated,
	};
	gw_memory_unlock(m);
	return 0;
}

static int nr_pfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	gw_memory_lock(m);
	*nr = gw_memory_nr_pfns(m);
	gw_memory_unlock(m);
	return 0;
}

static int get_policy(struct gw_domain *d, struct gw_policy *policy, struct gw_error *err)
{
	return gw_policy_copy(policy, &gw_memory_of(d)->policy, err);
}

static int set_policy(struct gw_domain *d, const struct gw_policy *policy, struct gw_error *err)
{
	struct gw_policy copy = {0};

	if (gw_policy_copy(&copy, policy, err) < 0)
		return -1;
	gw_policy_free(&gw_memory_of(d)->policy);
	gw_memory_of(d)->policy = copy;
	return 0;
}

static int get_tsc(struct gw_domain *d, struct gw_tsc_info *tsc, struct gw_error *err)
{
	*tsc = gw_memory_of(d)->tsc;
	return 0;
}

static int set_tsc(struct gw_domain *d, const struct gw_tsc_info *tsc, struct gw_error *err)
{
	gw_memory_of(d)->tsc = *tsc;
	return 0;
}

/* The kept state of this name; NULL for another name. */
static struct gw_buffer *extra_of(struct gw_domain *d, const char *name)
{
	if (strcmp(name, GW_EXTRA_XENABI) == 0)
		return &gw_memory_of(d)->xenabi;
	return strcmp(name, GW_EXTRA_KVM) == 0 ? &gw_memory_of(d)->kvm : NULL;
}

static int get_extra(struct gw_domain *d, const char *name, void **blob, size_t *len,
		     struct gw_error *err)
{
	const struct gw_buffer *kept = extra_of(d, name);

	*blob = NULL;
	*len = 0;
	if (!kept || kept->len == 0)
		return 0;
	*blob = malloc(kept->len);
	if (!*blob)
		return gw_fail_errno(err, "state of %zu bytes", kept->len);
	memcpy(*blob, kept->data, kept->len);
	*len = kept->len;
	return 0;
}

static int set_extra(struct gw_domain *d, const char *name, const void *blob, size_t len,
		     struct gw_error *err)
{
	struct gw_buffer *kept = extra_of(d, name);

	if (!kept)
		return gw_fail(err, GW_UNSUPPORTED, "domain %u: state \"%s\" is not known here",
			       d->domid, name);
	gw_buffer_reset(kept);
	return gw_buffer_append(kept, blob, len, err);
}

static int restored(struct gw_control *c, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(c->domain);
	int r = 0;

	gw_memory_lock(m);
	m->shutdown = GW_SHUTDOWN_NONE;
	/* Nothing runs here that could ask for more. */
	m->built = !gw_memory_is_pv(m);
	if (gw_memory_is_pv(m))
		r = gw_memory_kernel_restored(m, err);
	gw_memory_unlock(m);
	return r;
}

/* The guest of guest.c takes each step with the lock held, so none runs while another thread has
 * it. */
static int pause_domain(struct gw_control *c, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(c->domain);

	gw_memory_lock(m);
	m->paused++;
	gw_memory_unlock(m);
	return 0;
}

static int unpause(struct gw_control *c, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(c->domain);
	int r = 0;

	gw_memory_lock(m);
	if (m->paused > 0)
		m->paused--;
	else
		r = gw_fail(err, GW_USAGE, "domain %u is not paused", c->domain->domid);
	pthread_cond_broadcast(&m->changed);
	gw_memory_unlock(m);
	return r < 0 ? r : gw_memory_start_guest(m, err);
}

static int suspend(struct gw_control *c, int timeout_ms, const struct gw_cancel *cancel,
		   struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(c->domain);

	if (gw_cancel_is_set(cancel))
		return gw_fail(err, GW_CANCELLED, "cancelled while suspending domain %u",
			       c->domain->domid);
	gw_memory_lock(m);
	if (gw_shutdown_is_end(m->shutdown)) {
		gw_memory_unlock(m);
		return gw_fail(err, GW_GONE, "the guest %s instead of suspending",
			       gw_shutdown_words(m->shutdown));
	}
	if (m->shutdown == GW_SHUTDOWN_NONE) {
		if (m->on_suspend)
			m->on_suspend(m->on_suspend_opaque);
		if (gw_memory_is_pv(m))
			gw_memory_kernel_suspend(m);
		m->shutdown = GW_SHUTDOWN_SUSPEND;
	}
	gw_memory_unlock(m);
	return 1;
}

static int resume(struct gw_control *c, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(c->domain);
	int r = 0;

	gw_memory_lock(m);
	if (m->shutdown == GW_SHUTDOWN_SUSPEND) {
		if (gw_memory_is_pv(m))
			gw_memory_kernel_resume(m);
		m->shutdown = GW_SHUTDOWN_NONE;
	} else {
		r = gw_fail(err, GW_USAGE, "domain %u is not suspended", c->domain->domid);
	}
	pthread_cond_broadcast(&m->changed);
	gw_memory_unlock(m);
	return r;
}

static void free_host(struct gw_memory_host *h)
{
	gw_host_fini(&h->base);
	free(h);
}

static void destroy(struct gw_control *c)
{
	struct gw_memory_domain *m = gw_memory_of(c->domain);

	gw_memory_guest_stop(m->guest);
	if (gw_memory_is_pv(m))
		gw_memory_pv_free(m);
	gw_memory_hvm_free(m);
	gw_memory_frames_free(m);
	gw_policy_free(&m->policy);
	gw_buffer_free(&m->xenabi);
	gw_buffer_free(&m->kvm);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->changed);
	gw_domain_fini(&m->base);
	gw_control_fini(&m->control);
	if (gw_held_remove(&m->host->domains, &m->held))
		free_host(m->host);
	free(m);
}

static void close_domain(struct gw_domain *d)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	if (gw_held_close(&m->host->domains, &m->held))
		destroy(&m->control);
}

static const struct gw_domain_ops domain_ops = {
	.head = GW_TABLE_HEAD(struct gw_domain_ops),
	.populate_zeroes = true,
	.logdirty_sees_own_writes = true,
	.info = info,
	.nr_pfns = nr_pfns,
	.page_types = gw_memory_page_types,
	.map = gw_memory_map,
	.unmap = gw_memory_unmap,
	.populate = gw_memory_populate,
	.close = close_domain,
	.ranges = gw_memory_ranges,
	.logdirty_start = gw_memory_logdirty_start,
	.logdirty_fetch_and_clear = gw_memory_logdirty_fetch_and_clear,
	.logdirty_peek = gw_memory_logdirty_peek,
	.logdirty_stop = gw_memory_logdirty_stop,
	.get_extra = get_extra,
	.set_extra = set_extra,
};

static const struct gw_x86_ops x86_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_ops),
	.get_policy = get_policy,
	.set_policy = set_policy,
	.get_tsc = get_tsc,
	.set_tsc = set_tsc,
};

static const struct gw_domain_tables tables = {
	.ops = &domain_ops,
	.x86 = &x86_ops,
	.hvm = &gw_memory_hvm_ops,
	.pv = &gw_memory_pv_ops,
};

static const struct gw_control_ops control_ops = {
	.head = GW_TABLE_HEAD(struct gw_control_ops),
	.pause = pause_domain,
	.unpause = unpause,
	.suspend = suspend,
	.resume = resume,
	.restored = restored,
	.destroy = destroy,
};

/* It demands nothing of a CPU, so it offers no policy: an empty one limits nothing. */
static int host_policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *policy,
		       struct gw_error *err)
{
	*policy = (struct gw_policy){0};
	return 0;
}

static unsigned guest_types(struct gw_host *host)
{
	return 1u << GW_GUEST_X86_PV | 1u << GW_GUEST_X86_HVM;
}

static uint64_t free_pages(struct gw_host *host)
{
	struct gw_memory_host *h = host_of(host);
	uint64_t used = h->used;

	return used < h->limit ? h->limit - used : 0;
}

static int check_config(const struct gw_domain_config *c, struct gw_error *err)
{
	bool pv = c->type == GW_GUEST_X86_PV;
	uint64_t max = pv ? MAX_PFNS_PV : MAX_PFNS;

	if (!pv && c->type != GW_GUEST_X86_HVM)
		return gw_fail(err, GW_UNSUPPORTED, "a domain of guest type %d", (int)c->type);
	if (c->max_pages == 0 || c->max_pages > max)
		return gw_fail(err, GW_USAGE,
			       "a domain of %" PRIu64 " pages: from 1 to %" PRIu64 " can be held",
			       c->max_pages, max);
	if (c->max_pfns > max + HVM_PFNS_BELOW_4G)
		return gw_fail(err, GW_USAGE,
			       "a domain of %" PRIu64 " pfns: at most %" PRIu64 " can be held",
			       c->max_pfns, max + HVM_PFNS_BELOW_4G);
	if (c->vcpus == 0 || c->vcpus > MAX_VCPUS)
		return gw_fail(err, GW_USAGE, "a domain of %u vCPUs: from 1 to %u can be held",
			       c->vcpus, MAX_VCPUS);
	return 0;
}

static uint64_t seed_of(const struct gw_memory_host *h, const struct gw_domain_config *c)
{
	if (c->seed)
		return c->seed;
	return gw_get_le64(c->uuid) ^ gw_get_le64(c->uuid + 8) ^ h->seed;
}

static int fill_domain(struct gw_memory_domain *m, uint32_t domid, const struct gw_domain_config *c,
		       struct gw_error *err)
{
	struct gw_memory_host *h = m->host;
	bool pv = c->type == GW_GUEST_X86_PV;

	m->max_pages = c->max_pages;
	m->max_pfns = c->max_pfns ? c->max_pfns : c->max_pages + (pv ? 0 : HVM_PFNS_BELOW_4G);
	m->vcpus = c->vcpus;
	m->paused = 1;
	m->shutdown = GW_SHUTDOWN_NONE;
	if (gw_domain_init(&m->base, c->type, domid, &tables, err) < 0 ||
	    gw_control_init(&m->control, &m->base, &control_ops, err) < 0 ||
	    gw_memory_frames_init(m, err) < 0)
		return -1;
	if (!pv)
		return 0;
	if (gw_memory_pv_init(m, c->pv_width, seed_of(h, c), err) < 0)
		return -1;
	m->pv.tables.fault = c->bad_table;
	m->pv.tables.fault_owner = c->bad_table_owner;
	return 0;
}

static struct gw_domain *create_as(struct gw_memory_host *h, uint32_t domid,
				   const struct gw_domain_config *c, struct gw_error *err)
{
	if (check_config(c, err) < 0)
		return NULL;
	struct gw_memory_domain *m = calloc(1, sizeof(*m));

	if (!m) {
		gw_fail_errno(err, "a domain");
		return NULL;
	}
	m->host = h;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
	m->control.domain = &m->base; /* for destroy */
	if (fill_domain(m, domid, c, err) < 0) {
		destroy(&m->control);
		return NULL;
	}
	gw_held_add(&h->domains, &m->held, &m->base);
	return &m->base;
}

static struct gw_domain *create(struct gw_host *host, const struct gw_domain_config *c,
				struct gw_error *err)
{
	struct gw_memory_host *h = host_of(host);

	return create_as(h, gw_held_domid(&h->domains), c, err);
}

static struct gw_domain *attach(struct gw_host *host, uint32_t domid, uint64_t max_pfns,
				struct gw_error *err)
{
	struct gw_memory_host *h = host_of(host);
	struct gw_error not_held = GW_ERROR_INIT;
	struct gw_domain *d = gw_held_attach(&h->domains, domid, &not_held);
	struct gw_domain_config config;

	if (d || h->born.type == GW_GUEST_NONE) {
		if (!d)
			gw_fail_as(err, &not_held);
		return d;
	}
	if (gw_memory_born_config(h, max_pfns, &config, err) < 0)
		return NULL;
	return create_as(h, domid, &config, err);
}

static void close_host(struct gw_host *host)
{
	struct gw_memory_host *h = host_of(host);
	struct gw_domain *d;
	bool last;

	while ((d = gw_held_end(&h->domains, &last)))
		destroy(d->control);
	if (last)
		free_host(h);
}

static const struct gw_host_ops host_ops = {
	.head = GW_TABLE_HEAD(struct gw_host_ops),
	.name = "memory",
	.policy = host_policy,
	.guest_types = guest_types,
	.free_pages = free_pages,
	.create = create,
	.attach = attach,
	.close = close_host,
	.never_runs = true,
};

struct gw_host *gw_memory_host_open(const char *query, struct gw_error *err)
{
	struct gw_memory_host *h = calloc(1, sizeof(*h));

	if (!h) {
		gw_fail_errno(err, "the host memory:");
		return NULL;
	}
	long pages = sysconf(_SC_AVPHYS_PAGES);

	h->limit = pages > 0 ? (uint64_t)pages : UINT64_MAX;
	gw_held_init(&h->domains);
	if (gw_host_init(&h->base, &host_ops, err) < 0 ||
	    gw_memory_read_options(h, query, err) < 0) {
		free_host(h);
		return NULL;
	}
	return &h->base;
}

uint64_t gw_memory_gfn(struct gw_domain *d, uint64_t pfn)
{
	return gw_memory_pfn_to_gfn(gw_memory_of(d), pfn);
}

void *gw_memory_page(struct gw_domain *d, uint64_t pfn)
{
	uint64_t gfn = gw_memory_gfn(d, pfn);

	return gfn == GW_INVALID_PFN ? NULL : gw_memory_frame(gw_memory_of(d), gfn);
}

unsigned gw_memory_page_type(struct gw_domain *d, uint64_t pfn)
{
	uint64_t gfn = gw_memory_gfn(d, pfn);

	return gfn == GW_INVALID_PFN ? GW_PAGE_XTAB : gw_memory_state(gw_memory_of(d), gfn) & 0xf;
}

uint64_t gw_memory_next(struct gw_domain *d, uint64_t pfn)
{
	for (; pfn < gw_memory_of(d)->top; pfn++)
		if (gw_memory_gfn(d, pfn) != GW_INVALID_PFN)
			return pfn;
	return GW_INVALID_PFN;
}

void gw_memory_touch(struct gw_domain *d, uint64_t pfn)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	gw_memory_lock(m);
	gw_memory_log(m, pfn);
	gw_memory_unlock(m);
}

int gw_memory_set_type(struct gw_domain *d, uint64_t pfn, unsigned level, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	int r = 0;

	gw_memory_lock(m);
	uint64_t mfn = gw_memory_pfn_to_gfn(m, pfn);

	if (mfn == GW_INVALID_PFN)
		r = gw_fail(err, GW_USAGE, "pfn %#" PRIx64 " has no page", pfn);
	else if (level > 0)
		r = gw_memory_get_table(m, mfn, level, err);
	else if (gw_page_table_level(gw_memory_state(m, mfn) & 0xf))
		gw_memory_put_table(m, mfn);
	else
		r = gw_fail(err, GW_USAGE, "pfn %#" PRIx64 " is not a page table", pfn);
	gw_memory_unlock(m);
	return r;
}

int gw_memory_unpin(struct gw_domain *d, uint64_t pfn, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	int r = 0;

	gw_memory_lock(m);
	uint64_t mfn = gw_memory_pfn_to_gfn(m, pfn);

	if (mfn != GW_INVALID_PFN && (gw_memory_state(m, mfn) & GW_PAGE_PINNED)) {
		gw_memory_set_state(m, mfn, gw_memory_state(m, mfn) & ~(unsigned)GW_PAGE_PINNED);
		gw_memory_put_table(m, mfn);
	} else {
		r = gw_fail(err, GW_USAGE, "pfn %#" PRIx64 " is not pinned", pfn);
	}
	gw_memory_unlock(m);
	return r;
}
