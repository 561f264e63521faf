/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The emulated domain: creation, end, and its table, whose entries mostly call the files that do
 * the work.
 */
#include "hypervisor/emu/domain.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/util.h"
#include "format/x86/cpu_models.h"

static int op_info(struct gw_domain *d, struct gw_domain_info *info, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);

	pthread_mutex_lock(&e->lock);
	*info = (struct gw_domain_info){.type = d->type,
					.paused = e->pauses > 0,
					.shutdown = e->running ? GW_SHUTDOWN_NONE : e->shutdown,
					.nr_pages = __atomic_load_n(&e->mem.nr, __ATOMIC_RELAXED)};
	pthread_mutex_unlock(&e->lock);
	return 0;
}

static int op_nr_pfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	const struct gw_emu_memory *mem = &gw_emu_of(d)->mem;

	/* A domain that is being restored has no memory yet: only the window limits its pfns. */
	*nr = mem->top ? mem->top : mem->window;
	return 0;
}

static int op_page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
			 struct gw_error *err)
{
	const struct gw_emu *e = gw_emu_of(d);

	for (size_t i = 0; i < n; i++)
		types[i] = gw_emu_memory_has(&e->mem, gfns[i]) ? GW_PAGE_NOTAB : GW_PAGE_XTAB;
	return 0;
}

static int op_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		  uint8_t *results, struct gw_mapping *mapping, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);
	struct gw_emu_writer *writer;

	if (gw_emu_memory_open(&e->mem, n, gfns, writable, pages, results, &writer, err) < 0)
		return -1;
	*mapping = (struct gw_mapping){.private_data = writer};
	return 0;
}

static void op_unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	struct gw_emu *e = gw_emu_of(d);
	struct gw_emu_writer *writer = mapping->private_data;

	if (!writer)
		return;
	for (size_t i = 0; i < writer->n; i++) {
		/* While the mapping was open, every clean reported its pages as written. Writes
		 * since the last clean are marked here. */
		if (e->dirty.ops == &gw_emu_dirty_hook)
			gw_emu_dirty_mark(e, writer->gfns[i]);
		if (e->engine.uc)
			gw_emu_stale(e, writer->gfns[i]);
	}
	gw_emu_memory_close(&e->mem, writer);
	*mapping = (struct gw_mapping){0};
}

/* All of them or none. */
static int op_populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		       size_t *done, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);
	int rc = -1;

	gw_emu_pause(e);
	for (size_t i = 0; i < n; i++)
		if (pfns[i] == e->xen.shared_info_gfn) {
			gw_fail(err, GW_INVALID,
				"pfn 0x%llx cannot have a page: the guest's shared info is there",
				(unsigned long long)pfns[i]);
			goto out;
		}
	if (gw_emu_memory_add(&e->mem, n, pfns, err) < 0 || gw_emu_dirty_added(e, n, pfns, err) < 0)
		goto out;
	if (n && gfns != pfns)
		memcpy(gfns, pfns, n * sizeof(*gfns));
	e->stale_pieces = true;
	*done = n;
	rc = 0;
out:
	gw_emu_release(e);
	return rc;
}

int gw_emu_depopulate(struct gw_domain *d, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);
	int rc = 0;

	gw_emu_pause(e);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = gw_emu_memory_remove(&e->mem, gfns[i], err);
		gw_emu_dirty_mark(e, gfns[i]);
	}
	e->stale_pieces = true;
	gw_emu_release(e);
	return rc;
}

static int op_ranges(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		     struct gw_error *err)
{
	return gw_emu_memory_ranges(&gw_emu_of(d)->mem, ranges, n, err);
}

static int op_logdirty_start(struct gw_domain *d, struct gw_error *err)
{
	return gw_emu_dirty_start(gw_emu_of(d), err);
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
	return gw_emu_dirty_fetch_and_clear(gw_emu_of(d), bitmap, nr, dirty, err);
}

static int op_logdirty_peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err)
{
	return gw_emu_dirty_peek(gw_emu_of(d), dirty, err);
}

static void op_logdirty_stop(struct gw_domain *d)
{
	gw_emu_dirty_stop(gw_emu_of(d));
}

static int op_get_policy(struct gw_domain *d, struct gw_policy *policy, struct gw_error *err)
{
	return gw_policy_copy(policy, &gw_emu_of(d)->policy, err);
}

static int op_set_policy(struct gw_domain *d, const struct gw_policy *policy, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);

	if (gw_emu_need_stopped(e, "setting its CPU policy", err) < 0)
		return -1;
	return gw_emu_policy_set(e, policy, err);
}

static int op_get_tsc(struct gw_domain *d, struct gw_tsc_info *tsc, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);

	*tsc = e->tsc;
	/* Guest time has not passed in a domain that has not run yet. */
	if (e->ran)
		tsc->nsec += gw_clock_ns() - e->tsc_set_at;
	return 0;
}

static int op_set_tsc(struct gw_domain *d, const struct gw_tsc_info *tsc, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);

	e->tsc = *tsc;
	e->tsc_set_at = gw_clock_ns();
	return 0;
}

static int op_get_extra(struct gw_domain *d, const char *name, void **blob, size_t *len,
			struct gw_error *err)
{
	*blob = NULL;
	*len = 0;
	if (strcmp(name, GW_EXTRA_XENABI) != 0)
		return 0;
	return gw_emu_xenabi_get(gw_emu_of(d), blob, len, err);
}

static int op_set_extra(struct gw_domain *d, const char *name, const void *blob, size_t len,
			struct gw_error *err)
{
	if (strcmp(name, GW_EXTRA_XENABI) != 0)
		return gw_fail(err, GW_UNSUPPORTED,
			       "domain %u: the built-in machine does not know state \"%s\"",
			       d->domid, name);
	return gw_emu_xenabi_set(gw_emu_of(d), blob, len, err);
}

/* Finds every reason for which the domain could not run while the sender still has it. */
static int op_restored(struct gw_control *c, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(c->domain);

	if (gw_emu_need_stopped(e, "completing its restore", err) < 0)
		return -1;
	if (gw_emu_engine_prepare(e, err) < 0)
		return -1;
	return gw_emu_check_paging(e, gw_emu_rip(e), gw_emu_reg(e, GW_HVM_RSP), err);
}

static int op_pause(struct gw_control *c, struct gw_error *err)
{
	gw_emu_pause(gw_emu_of(c->domain));
	return 0;
}

static int op_unpause(struct gw_control *c, struct gw_error *err)
{
	return gw_emu_unpause(gw_emu_of(c->domain), err);
}

static int op_suspend(struct gw_control *c, int timeout_ms, const struct gw_cancel *cancel,
		      struct gw_error *err)
{
	return gw_emu_suspend(gw_emu_of(c->domain), timeout_ms, cancel, err);
}

static int op_resume(struct gw_control *c, struct gw_error *err)
{
	return gw_emu_resume(gw_emu_of(c->domain), err);
}

static void op_set_events(struct gw_control *c, const struct gw_control_events *events)
{
	gw_emu_of(c->domain)->events = events ? *events : (struct gw_control_events){0};
}

static const char *op_crash_text(struct gw_control *c)
{
	return gw_emu_of(c->domain)->crash;
}

static int op_throttle(struct gw_control *c, unsigned percent, struct gw_error *err)
{
	return gw_emu_throttle(gw_emu_of(c->domain), percent, err);
}

static void free_emu(struct gw_emu *e)
{
	gw_emu_engine_close(e);
	gw_emu_memory_free(&e->mem);
	if (e->xen.shared_info)
		munmap(e->xen.shared_info, GW_PAGE_SIZE);
	gw_policy_free(&e->host_policy);
	gw_policy_free(&e->policy);
	gw_buffer_free(&e->context);
	gw_domain_fini(&e->d);
	gw_control_fini(&e->control);
	free(e);
}

static void op_destroy(struct gw_control *c)
{
	struct gw_emu *e = gw_emu_of(c->domain);

	gw_emu_dirty_stop(e);
	gw_emu_faults_free(&e->faults);
	gw_emu_vcpu_end(e);
	if (gw_held_remove(e->domains, &e->held))
		gw_emu_host_free(e->domains);
	free_emu(e);
}

static void op_close(struct gw_domain *d)
{
	struct gw_emu *e = gw_emu_of(d);

	if (gw_held_close(e->domains, &e->held))
		op_destroy(&e->control);
}

static int op_get_context(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err)
{
	return gw_emu_context_get(gw_emu_of(d), blob, len, err);
}

static int op_set_context(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err)
{
	return gw_emu_context_set(gw_emu_of(d), blob, len, err);
}

static int check_param(uint32_t index, struct gw_error *err)
{
	if (index >= GW_EMU_PARAMS)
		return gw_fail(err, GW_INVALID, "HVM param %u: Xen has none above %u", index,
			       GW_EMU_PARAMS - 1);
	return 0;
}

static int op_get_param(struct gw_domain *d, uint32_t index, uint64_t *value, struct gw_error *err)
{
	if (check_param(index, err) < 0)
		return -1;
	*value = gw_emu_of(d)->params[index];
	return 0;
}

static int op_set_param(struct gw_domain *d, uint32_t index, uint64_t value, struct gw_error *err)
{
	if (check_param(index, err) < 0)
		return -1;
	gw_emu_of(d)->params[index] = value;
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

static const struct gw_domain_tables tables = {
	.ops = &domain_ops,
	.x86 = &x86_ops,
	.hvm = &hvm_ops,
	.faults = &gw_emu_fault_ops,
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

static int init(struct gw_emu *e, const struct gw_domain_config *config,
		const struct gw_policy *policy, struct gw_error *err)
{
	void *page;

	e->u = gw_unicorn_get(err);
	if (!e->u ||
	    gw_domain_init(&e->d, GW_GUEST_X86_HVM, gw_held_domid(e->domains), &tables, err) < 0 ||
	    gw_control_init(&e->control, &e->d, &control_ops, err) < 0 ||
	    gw_emu_memory_init(&e->mem, config->max_pages, config->max_pfns, err) < 0 ||
	    gw_policy_copy(&e->host_policy, policy, err) < 0 ||
	    gw_cpu_model_policy("amd", policy, &e->policy, err) < 0)
		return -1;
	page = mmap(NULL, GW_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return gw_fail_errno(err, "mapping a domain's shared info page");
	e->xen.shared_info = page;
	e->tsc = (struct gw_tsc_info){.khz = tsc_khz()};
	e->tsc_set_at = gw_clock_ns();
	return 0;
}

struct gw_emu *gw_emu_new(const struct gw_domain_config *config, const struct gw_policy *policy,
			  enum gw_emu_dirty_kind kind, unsigned yield_us,
			  struct gw_held_list *domains, struct gw_error *err)
{
	struct gw_emu *e = calloc(1, sizeof(*e));

	if (!e) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a domain");
		return NULL;
	}
	e->domains = domains;
	gw_emu_faults_init(&e->faults);
	e->dirty.kind = kind;
	e->dirty.uffd = e->dirty.pagemap = -1;
	e->yield_us = yield_us;
	e->stale_first = 1;
	e->xen.shared_info_gfn = e->xen.hypercall_gfn = GW_INVALID_PFN;
	if (init(e, config, policy, err) < 0) {
		free_emu(e);
		return NULL;
	}
	if (gw_emu_vcpu_start(e, err) < 0) {
		gw_emu_vcpu_end(e);
		free_emu(e);
		return NULL;
	}
	gw_held_add(domains, &e->held, &e->d);
	return e;
}

unsigned gw_emu_suspend_port(struct gw_domain *d)
{
	struct gw_emu *e = gw_emu_of(d);
	unsigned port;

	pthread_mutex_lock(&e->lock);
	port = e->xen.suspend_port;
	pthread_mutex_unlock(&e->lock);
	return port;
}
