/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domain of a machine: creation, end, and its tables, whose entries mostly call the files that
 * do the work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/util.h"
#include "format/x86/cpu_models.h"
#include "hypervisor/machine/machine.h"

static int op_info(struct gw_domain *d, struct gw_domain_info *info, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);

	pthread_mutex_lock(&m->lock);
	*info = (struct gw_domain_info){.type = d->type,
					.paused = m->pauses > 0,
					.shutdown = m->running ? GW_SHUTDOWN_NONE : m->shutdown,
					.nr_pages = __atomic_load_n(&m->mem.nr, __ATOMIC_RELAXED)};
	pthread_mutex_unlock(&m->lock);
	return 0;
}

static int op_nr_pfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	const struct gw_machine_memory *mem = &gw_machine_of(d)->mem;

	/* A domain that is being restored has no memory yet: only the window limits its pfns. */
	*nr = mem->top ? mem->top : mem->window;
	return 0;
}

static int op_page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
			 struct gw_error *err)
{
	const struct gw_machine *m = gw_machine_of(d);

	for (size_t i = 0; i < n; i++)
		types[i] = gw_machine_memory_has(&m->mem, gfns[i]) ? GW_PAGE_NOTAB : GW_PAGE_XTAB;
	return 0;
}

static int op_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		  uint8_t *results, struct gw_mapping *mapping, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);
	struct gw_machine_writer *writer;

	if (gw_machine_memory_open(&m->mem, n, gfns, writable, pages, results, &writer, err) < 0)
		return -1;
	*mapping = (struct gw_mapping){.private_data = writer};
	return 0;
}

static void op_unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	struct gw_machine *m = gw_machine_of(d);
	struct gw_machine_writer *writer = mapping->private_data;

	if (!writer)
		return;
	for (size_t i = 0; i < writer->n; i++) {
		/* While the mapping was open, every clean reported its pages as written. Writes
		 * since the last clean are marked here. */
		if (m->dirty.ops && m->dirty.ops->misses_host_writes)
			gw_machine_dirty_mark(m, writer->gfns[i]);
		if (m->ops->wrote)
			m->ops->wrote(m, writer->gfns[i]);
	}
	gw_machine_memory_close(&m->mem, writer);
	*mapping = (struct gw_mapping){0};
}

/* All of them or none. */
static int op_populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		       size_t *done, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);
	int rc = -1;

	gw_machine_pause(m);
	for (size_t i = 0; i < n; i++)
		if (pfns[i] == m->xen.shared_info_gfn) {
			gw_fail(err, GW_INVALID,
				"pfn 0x%llx cannot have a page: the guest's shared info is there",
				(unsigned long long)pfns[i]);
			goto out;
		}
	if (gw_machine_memory_add(&m->mem, n, pfns, err) < 0 ||
	    gw_machine_dirty_added(m, n, pfns, err) < 0)
		goto out;
	if (n && gfns != pfns)
		memcpy(gfns, pfns, n * sizeof(*gfns));
	m->stale_pieces = true;
	*done = n;
	rc = 0;
out:
	gw_machine_release(m);
	return rc;
}

int gw_machine_depopulate(struct gw_machine *m, size_t n, const uint64_t *gfns,
			  struct gw_error *err)
{
	int rc = 0;

	gw_machine_pause(m);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = gw_machine_memory_remove(&m->mem, gfns[i], err);
		gw_machine_dirty_mark(m, gfns[i]);
	}
	m->stale_pieces = true;
	gw_machine_release(m);
	return rc;
}

static int op_ranges(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		     struct gw_error *err)
{
	return gw_machine_memory_ranges(&gw_machine_of(d)->mem, ranges, n, err);
}

static int op_logdirty_start(struct gw_domain *d, struct gw_error *err)
{
	return gw_machine_dirty_start(gw_machine_of(d), err);
}

static int op_logdirty_fetch_and_clear(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
				       uint64_t *dirty, struct gw_error *err)
{
	uint64_t all;

	if (op_nr_pfns(d, &all, err) < 0)
		return -1;
	if (nr < all)
		return gw_fail(err, GW_USAGE,
			       "a log-dirty bitmap of %llu pfns for a domain of %llu",
			       (unsigned long long)nr, (unsigned long long)all);
	return gw_machine_dirty_fetch_and_clear(gw_machine_of(d), bitmap, nr, dirty, err);
}

static int op_logdirty_peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err)
{
	return gw_machine_dirty_peek(gw_machine_of(d), dirty, err);
}

static void op_logdirty_stop(struct gw_domain *d)
{
	gw_machine_dirty_stop(gw_machine_of(d));
}

static int op_get_policy(struct gw_domain *d, struct gw_policy *policy, struct gw_error *err)
{
	return gw_policy_copy(policy, &gw_machine_of(d)->policy, err);
}

static int op_set_policy(struct gw_domain *d, const struct gw_policy *policy, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);

	if (gw_machine_need_stopped(m, "setting its CPU policy", err) < 0)
		return -1;
	return gw_machine_policy_set(m, policy, err);
}

static int op_get_tsc(struct gw_domain *d, struct gw_tsc_info *tsc, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);

	*tsc = m->tsc;
	/* Guest time has not passed in a domain that has not run yet. */
	if (m->ran)
		tsc->nsec += gw_clock_ns() - m->tsc_set_at;
	return 0;
}

static int op_set_tsc(struct gw_domain *d, const struct gw_tsc_info *tsc, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);

	m->tsc = *tsc;
	m->tsc_set_at = gw_clock_ns();
	return 0;
}

static int op_get_extra(struct gw_domain *d, const char *name, void **blob, size_t *len,
			struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);

	*blob = NULL;
	*len = 0;
	if (strcmp(name, GW_EXTRA_XENABI) == 0)
		return gw_machine_xenabi_get(m, blob, len, err);
	return m->ops->get_extra ? m->ops->get_extra(m, name, blob, len, err) : 0;
}

static int op_set_extra(struct gw_domain *d, const char *name, const void *blob, size_t len,
			struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);

	if (strcmp(name, GW_EXTRA_XENABI) == 0)
		return gw_machine_xenabi_set(m, blob, len, err);
	if (m->ops->set_extra)
		return m->ops->set_extra(m, name, blob, len, err);
	return gw_fail(err, GW_UNSUPPORTED, "domain %u: %s does not know state \"%s\"", d->domid,
		       m->ops->title, name);
}

/* Finds every reason for which the domain could not run while the sender still has it. */
static int op_restored(struct gw_control *c, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(c->domain);

	if (gw_machine_need_stopped(m, "completing its restore", err) < 0)
		return -1;
	if (m->ops->prepare(m, err) < 0)
		return -1;
	gw_machine_own_hypercall_page(m);
	return m->ops->restored ? m->ops->restored(m, err) : 0;
}

static int op_pause(struct gw_control *c, struct gw_error *err)
{
	gw_machine_pause(gw_machine_of(c->domain));
	return 0;
}

static int op_unpause(struct gw_control *c, struct gw_error *err)
{
	return gw_machine_unpause(gw_machine_of(c->domain), err);
}

static int op_suspend(struct gw_control *c, int timeout_ms, const struct gw_cancel *cancel,
		      struct gw_error *err)
{
	return gw_machine_suspend(gw_machine_of(c->domain), timeout_ms, cancel, err);
}

static int op_resume(struct gw_control *c, struct gw_error *err)
{
	return gw_machine_resume(gw_machine_of(c->domain), err);
}

static void op_set_events(struct gw_control *c, const struct gw_control_events *events)
{
	gw_machine_of(c->domain)->events = events ? *events : (struct gw_control_events){0};
}

static const char *op_crash_text(struct gw_control *c)
{
	return gw_machine_of(c->domain)->crash;
}

static int op_throttle(struct gw_control *c, unsigned percent, struct gw_error *err)
{
	return gw_machine_throttle(gw_machine_of(c->domain), percent, err);
}

static void op_destroy(struct gw_control *c)
{
	struct gw_machine *m = gw_machine_of(c->domain);
	struct gw_held_list *domains = m->domains;
	void (*free_host)(struct gw_held_list * domains) = m->ops->free_host;
	bool last;

	gw_machine_dirty_stop(m);
	if (m->ops->ending)
		m->ops->ending(m);
	gw_machine_vcpu_end(m);
	last = gw_held_remove(domains, &m->held);
	m->ops->free(m);
	if (last)
		free_host(domains);
}

static void op_close(struct gw_domain *d)
{
	struct gw_machine *m = gw_machine_of(d);

	if (gw_held_close(m->domains, &m->held))
		op_destroy(&m->control);
}

static int op_get_context(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);

	return m->ops->get_context(m, blob, len, err);
}

static int op_set_context(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err)
{
	struct gw_machine *m = gw_machine_of(d);

	return m->ops->set_context(m, blob, len, err);
}

static int check_param(uint32_t index, struct gw_error *err)
{
	if (index >= GW_MACHINE_PARAMS)
		return gw_fail(err, GW_INVALID, "HVM param %u: Xen has none above %u", index,
			       GW_MACHINE_PARAMS - 1);
	return 0;
}

static int op_get_param(struct gw_domain *d, uint32_t index, uint64_t *value, struct gw_error *err)
{
	if (check_param(index, err) < 0)
		return -1;
	*value = gw_machine_of(d)->params[index];
	return 0;
}

static int op_set_param(struct gw_domain *d, uint32_t index, uint64_t value, struct gw_error *err)
{
	if (check_param(index, err) < 0)
		return -1;
	gw_machine_of(d)->params[index] = value;
	return 0;
}

static const struct gw_domain_ops domain_ops = {
	.head = GW_TABLE_HEAD(struct gw_domain_ops),
	.populate_zeroes = true,
	.logdirty_sees_own_writes = true,
	.info = op_info,
	.nr_pfns = op_nr_pfns,
	.page_types = op_page_types,
	.map = op_map,
	.unmap = op_unmap,
	.populate = op_populate,
	.close = op_close,
	.ranges = op_ranges,
	.logdirty_start = op_logdirty_start,
	.logdirty_fetch_and_clear = op_logdirty_fetch_and_clear,
	.logdirty_peek = op_logdirty_peek,
	.logdirty_stop = op_logdirty_stop,
	.get_extra = op_get_extra,
	.set_extra = op_set_extra,
};

static const struct gw_x86_ops x86_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_ops),
	.get_policy = op_get_policy,
	.set_policy = op_set_policy,
	.get_tsc = op_get_tsc,
	.set_tsc = op_set_tsc,
};

static const struct gw_x86_hvm_ops hvm_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_hvm_ops),
	.get_context = op_get_context,
	.set_context = op_set_context,
	.get_param = op_get_param,
	.set_param = op_set_param,
};

static const struct gw_control_ops control_ops = {
	.head = GW_TABLE_HEAD(struct gw_control_ops),
	.pause = op_pause,
	.unpause = op_unpause,
	.suspend = op_suspend,
	.resume = op_resume,
	.restored = op_restored,
	.destroy = op_destroy,
	.set_events = op_set_events,
	.crash_text = op_crash_text,
	.throttle = op_throttle,
};

/* The guest reads this machine's own counter, so its frequency is that of this machine. */
static uint32_t tsc_khz(void)
{
#if defined(__x86_64__)
	uint64_t from = gw_clock_ns(), ticks = __builtin_ia32_rdtsc(), to;

	do
		to = gw_clock_ns();
	while (to - from < 1000000);
	return (uint32_t)((__builtin_ia32_rdtsc() - ticks) * 1000000 / (to - from));
#else
	return 1000000;
#endif
}

void gw_machine_fini(struct gw_machine *m)
{
	gw_machine_memory_free(&m->mem);
	if (m->xen.shared_info)
		munmap(m->xen.shared_info, GW_PAGE_SIZE);
	gw_policy_free(&m->host_policy);
	gw_policy_free(&m->policy);
	gw_buffer_free(&m->context);
	gw_domain_fini(&m->d);
	gw_control_fini(&m->control);
}

int gw_machine_init(struct gw_machine *m, const struct gw_domain_config *config,
		    const struct gw_policy *policy, struct gw_held_list *domains,
		    struct gw_error *err)
{
	const struct gw_domain_tables tables = {
		.ops = &domain_ops,
		.x86 = &x86_ops,
		.hvm = &hvm_ops,
		.faults = m->ops->faults,
	};
	void *page;

	m->domains = domains;
	m->xen.shared_info_gfn = m->xen.hypercall_gfn = GW_INVALID_PFN;
	if (gw_domain_init(&m->d, GW_GUEST_X86_HVM, gw_held_domid(domains), &tables, err) < 0 ||
	    gw_control_init(&m->control, &m->d, &control_ops, err) < 0 ||
	    gw_machine_memory_init(&m->mem, config->max_pages, config->max_pfns, err) < 0 ||
	    gw_policy_copy(&m->host_policy, policy, err) < 0 ||
	    gw_cpu_model_policy("amd", policy, &m->policy, err) < 0)
		return -1;
	page = mmap(NULL, GW_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return gw_fail_errno(err, "mapping a domain's shared info page");
	m->xen.shared_info = page;
	m->tsc = (struct gw_tsc_info){.khz = tsc_khz()};
	m->tsc_set_at = gw_clock_ns();
	return 0;
}

int gw_machine_start(struct gw_machine *m, struct gw_error *err)
{
	if (gw_machine_vcpu_start(m, err) < 0) {
		gw_machine_vcpu_end(m);
		return -1;
	}
	gw_held_add(m->domains, &m->held, &m->d);
	return 0;
}

unsigned gw_machine_suspend_port(struct gw_machine *m)
{
	unsigned port;

	pthread_mutex_lock(&m->lock);
	port = m->xen.suspend_port;
	pthread_mutex_unlock(&m->lock);
	return port;
}

uint64_t gw_machine_host_pages(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024 / GW_PAGE_SIZE;
}
