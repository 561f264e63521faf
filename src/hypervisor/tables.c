/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Full copies of the tables that a backend gives (godwit/hypervisor.h): required entries are
 * checked, optional ones that are missing become defaults. Inside the library every entry is there.
 */
#include <stdlib.h>
#include <string.h>

#include <godwit/control.h>
#include <godwit/hypervisor.h>

#include "base/util.h"

/* Copies as much of a table as both sides know; the rest of full is zero. */
static int adopt(void *full, size_t full_size, const void *theirs, const char *name,
		 struct gw_error *err)
{
	struct gw_table_head head;

	if (!theirs)
		return gw_fail(err, GW_USAGE, "the backend gives no %s table", name);
	memcpy(&head, theirs, sizeof(head));
	if (head.version != GW_TABLE_VERSION)
		return gw_fail(err, GW_UNSUPPORTED,
			       "the backend's %s table has version %u, this library has version %u",
			       name, head.version, GW_TABLE_VERSION);
	if (head.size < sizeof(head))
		return gw_fail(err, GW_USAGE, "the backend's %s table has size %u", name,
			       head.size);
	memcpy(full, theirs, GW_MIN((size_t)head.size, full_size));
	head.size = (uint32_t)full_size;
	memcpy(full, &head, sizeof(head));
	return 0;
}

#define REQUIRE(table, entry, name, err)                                                           \
	do {                                                                                       \
		if (!(table)->entry)                                                               \
			return gw_fail(err, GW_USAGE, "the backend's %s table has no %s", name,    \
				       #entry);                                                    \
	} while (0)

static uint64_t free_pages_unknown(struct gw_host *host)
{
	return UINT64_MAX;
}

static struct gw_domain *create_unsupported(struct gw_host *host,
					    const struct gw_domain_config *config,
					    struct gw_error *err)
{
	gw_fail(err, GW_UNSUPPORTED, "%s: cannot create a domain", host->ops->name);
	return NULL;
}

static struct gw_domain *attach_unsupported(struct gw_host *host, uint32_t domid, uint64_t max_pfns,
					    struct gw_error *err)
{
	gw_fail(err, GW_UNSUPPORTED, "%s: cannot attach to a domain", host->ops->name);
	return NULL;
}

static int fill_host(struct gw_host_ops *t, const struct gw_host_ops *theirs, struct gw_error *err)
{
	if (adopt(t, sizeof(*t), theirs, "host", err) < 0)
		return -1;
	REQUIRE(t, name, "host", err);
	REQUIRE(t, policy, "host", err);
	REQUIRE(t, guest_types, "host", err);
	REQUIRE(t, close, "host", err);
	t->free_pages = t->free_pages ?: free_pages_unknown;
	t->create = t->create ?: create_unsupported;
	t->attach = t->attach ?: attach_unsupported;
	return 0;
}

int gw_host_init(struct gw_host *host, const struct gw_host_ops *ops, struct gw_error *err)
{
	struct gw_host_ops *t = calloc(1, sizeof(*t));

	*host = (struct gw_host){0};
	if (!t)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a host's table");
	if (fill_host(t, ops, err) < 0) {
		free(t);
		return -1;
	}
	host->ops = host->tables = t;
	return 0;
}

void gw_host_fini(struct gw_host *host)
{
	free(host->tables);
	host->tables = NULL;
}

static int one_range(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		     struct gw_error *err)
{
	uint64_t nr;

	if (d->ops->nr_pfns(d, &nr, err) < 0)
		return -1;
	*ranges = calloc(1, sizeof(**ranges));
	if (!*ranges)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a domain's memory map");
	(*ranges)[0].count = nr;
	*n = nr > 0;
	return 0;
}

static int no_logdirty_start(struct gw_domain *d, struct gw_error *err)
{
	return gw_fail(err, GW_UNSUPPORTED, "domain %u: this hypervisor logs no dirty pages for it",
		       d->domid);
}

static int no_logdirty_fetch(struct gw_domain *d, uint64_t *bitmap, uint64_t nr, uint64_t *dirty,
			     struct gw_error *err)
{
	return no_logdirty_start(d, err);
}

static int no_logdirty_peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err)
{
	return no_logdirty_start(d, err);
}

static void no_logdirty_stop(struct gw_domain *d)
{
}

static int no_extra(struct gw_domain *d, const char *name, void **blob, size_t *len,
		    struct gw_error *err)
{
	*blob = NULL;
	*len = 0;
	return 0;
}

static int extra_unknown(struct gw_domain *d, const char *name, const void *blob, size_t len,
			 struct gw_error *err)
{
	return gw_fail(err, GW_UNSUPPORTED, "domain %u: this hypervisor does not know state \"%s\"",
		       d->domid, name);
}

static int nothing_to_seed(struct gw_domain *d, const struct gw_ring *store,
			   const struct gw_ring *console, struct gw_error *err)
{
	return 0;
}

static int fill_domain(struct gw_domain_ops *t, const struct gw_domain_ops *theirs,
		       struct gw_error *err)
{
	if (adopt(t, sizeof(*t), theirs, "domain", err) < 0)
		return -1;
	REQUIRE(t, info, "domain", err);
	REQUIRE(t, nr_pfns, "domain", err);
	REQUIRE(t, page_types, "domain", err);
	REQUIRE(t, map, "domain", err);
	REQUIRE(t, unmap, "domain", err);
	REQUIRE(t, populate, "domain", err);
	REQUIRE(t, close, "domain", err);
	if (t->logdirty_start) {
		REQUIRE(t, logdirty_fetch_and_clear, "domain", err);
		REQUIRE(t, logdirty_peek, "domain", err);
		REQUIRE(t, logdirty_stop, "domain", err);
	} else {
		t->logdirty_start = no_logdirty_start;
		t->logdirty_fetch_and_clear = no_logdirty_fetch;
		t->logdirty_peek = no_logdirty_peek;
		t->logdirty_stop = no_logdirty_stop;
	}
	t->ranges = t->ranges ?: one_range;
	t->get_extra = t->get_extra ?: no_extra;
	t->set_extra = t->set_extra ?: extra_unknown;
	t->seed_grants = t->seed_grants ?: nothing_to_seed;
	return 0;
}

static int fill_x86(struct gw_x86_ops *t, const struct gw_x86_ops *theirs, struct gw_error *err)
{
	if (adopt(t, sizeof(*t), theirs, "x86", err) < 0)
		return -1;
	REQUIRE(t, get_policy, "x86", err);
	REQUIRE(t, set_policy, "x86", err);
	REQUIRE(t, get_tsc, "x86", err);
	REQUIRE(t, set_tsc, "x86", err);
	return 0;
}

static int fill_hvm(struct gw_x86_hvm_ops *t, const struct gw_x86_hvm_ops *theirs,
		    struct gw_error *err)
{
	if (adopt(t, sizeof(*t), theirs, "x86 HVM", err) < 0)
		return -1;
	REQUIRE(t, get_context, "x86 HVM", err);
	REQUIRE(t, set_context, "x86 HVM", err);
	REQUIRE(t, get_param, "x86 HVM", err);
	REQUIRE(t, set_param, "x86 HVM", err);
	return 0;
}

static int fill_pv(struct gw_x86_pv_ops *t, const struct gw_x86_pv_ops *theirs,
		   struct gw_error *err)
{
	if (adopt(t, sizeof(*t), theirs, "x86 PV", err) < 0)
		return -1;
	REQUIRE(t, get_width, "x86 PV", err);
	REQUIRE(t, set_width, "x86 PV", err);
	REQUIRE(t, m2p, "x86 PV", err);
	REQUIRE(t, compat_m2p_mfn0, "x86 PV", err);
	REQUIRE(t, shared_info, "x86 PV", err);
	REQUIRE(t, vcpu_online, "x86 PV", err);
	REQUIRE(t, get_vcpu, "x86 PV", err);
	REQUIRE(t, set_vcpu, "x86 PV", err);
	REQUIRE(t, pin, "x86 PV", err);
	return 0;
}

static int no_faults(struct gw_domain *d, struct gw_error *err)
{
	return gw_fail(err, GW_UNSUPPORTED,
		       "domain %u: this hypervisor cannot hand over faults on guest memory",
		       d->domid);
}

static int no_protect(struct gw_domain *d, gw_write_fault_fn *write, void *opaque,
		      struct gw_error *err)
{
	return no_faults(d, err);
}

static int no_release(struct gw_domain *d, size_t n, const uint64_t *pfns, struct gw_error *err)
{
	return no_faults(d, err);
}

static int no_absent(struct gw_domain *d, size_t n, const uint64_t *pfns, gw_touch_fault_fn *touch,
		     void *opaque, struct gw_error *err)
{
	return no_faults(d, err);
}

static int no_fill(struct gw_domain *d, uint64_t pfn, const void *page, struct gw_error *err)
{
	return no_faults(d, err);
}

static int fill_faults(struct gw_fault_ops *t, const struct gw_fault_ops *theirs,
		       struct gw_error *err)
{
	if (theirs && adopt(t, sizeof(*t), theirs, "fault", err) < 0)
		return -1;
	t->protect_start = t->protect_start ?: no_protect;
	t->protect_release = t->protect_release ?: no_release;
	t->protect_stop = t->protect_stop ?: no_faults;
	t->absent_start = t->absent_start ?: no_absent;
	t->fill = t->fill ?: no_fill;
	t->absent_stop = t->absent_stop ?: no_faults;
	return 0;
}

/* The copies of one domain. */
struct full_tables {
	struct gw_domain_ops ops;
	struct gw_x86_ops x86;
	struct gw_x86_hvm_ops hvm;
	struct gw_x86_pv_ops pv;
	struct gw_fault_ops faults;
};

/* The sub-tables that a guest of this type needs. */
static int fill_kind(struct gw_domain *d, struct full_tables *t,
		     const struct gw_domain_tables *theirs, struct gw_error *err)
{
	if (d->type != GW_GUEST_X86_HVM && d->type != GW_GUEST_X86_PV)
		return gw_fail(err, GW_UNSUPPORTED, "a domain of guest type %d", (int)d->type);
	if (fill_x86(&t->x86, theirs->x86, err) < 0)
		return -1;
	d->x86 = &t->x86;
	if (d->type == GW_GUEST_X86_PV) {
		d->pv = &t->pv;
		return fill_pv(&t->pv, theirs->pv, err);
	}
	d->hvm = &t->hvm;
	return fill_hvm(&t->hvm, theirs->hvm, err);
}

int gw_domain_init(struct gw_domain *d, enum gw_guest_type type, uint32_t domid,
		   const struct gw_domain_tables *tables, struct gw_error *err)
{
	struct full_tables *t = calloc(1, sizeof(*t));

	*d = (struct gw_domain){.type = type, .domid = domid};
	if (!t)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a domain's tables");
	d->tables = t;
	d->ops = &t->ops;
	d->faults = &t->faults;
	if (fill_domain(&t->ops, tables->ops, err) < 0 ||
	    fill_faults(&t->faults, tables->faults, err) < 0 || fill_kind(d, t, tables, err) < 0) {
		gw_domain_fini(d);
		return -1;
	}
	return 0;
}

void gw_domain_fini(struct gw_domain *d)
{
	free(d->tables);
	d->tables = NULL;
}

static void drop_events(struct gw_control *c, const struct gw_control_events *events)
{
}

static const char *no_crash_text(struct gw_control *c)
{
	return "";
}

static int no_throttle(struct gw_control *c, unsigned percent, struct gw_error *err)
{
	return gw_fail(err, GW_UNSUPPORTED, "domain %u: this hypervisor cannot slow its vCPUs",
		       c->domain->domid);
}

static int fill_control(struct gw_control_ops *t, const struct gw_control_ops *theirs,
			struct gw_error *err)
{
	if (adopt(t, sizeof(*t), theirs, "control", err) < 0)
		return -1;
	REQUIRE(t, pause, "control", err);
	REQUIRE(t, unpause, "control", err);
	REQUIRE(t, suspend, "control", err);
	REQUIRE(t, resume, "control", err);
	REQUIRE(t, restored, "control", err);
	REQUIRE(t, destroy, "control", err);
	t->set_events = t->set_events ?: drop_events;
	t->crash_text = t->crash_text ?: no_crash_text;
	t->throttle = t->throttle ?: no_throttle;
	return 0;
}

int gw_control_init(struct gw_control *c, struct gw_domain *domain,
		    const struct gw_control_ops *ops, struct gw_error *err)
{
	struct gw_control_ops *t = calloc(1, sizeof(*t));

	*c = (struct gw_control){.domain = domain};
	if (!t)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a domain's control table");
	if (fill_control(t, ops, err) < 0) {
		free(t);
		return -1;
	}
	c->ops = c->tables = t;
	domain->control = c;
	return 0;
}

void gw_control_fini(struct gw_control *c)
{
	free(c->tables);
	c->tables = NULL;
}
