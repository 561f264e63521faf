/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The built-in machine as a host: its URI, its policy, new domains. domain.c has the domain's
 * table.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hypervisor/emu/domain.h"
#include "hypervisor/uri.h"

struct emu_host {
	struct gw_host host; /* first */
	struct gw_policy policy;
	enum gw_emu_dirty_kind dirty;
	unsigned yield_us;
	struct gw_held_list domains;
};

static struct emu_host *host_of(struct gw_host *host)
{
	return gw_container_of(host, struct emu_host, host);
}

static int host_policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *policy,
		       struct gw_error *err)
{
	return gw_policy_copy(policy, &host_of(host)->policy, err);
}

static unsigned host_guest_types(struct gw_host *host)
{
	return 1u << GW_GUEST_X86_HVM;
}

static uint64_t host_free_pages(struct gw_host *host)
{
	return gw_machine_host_pages();
}

static struct gw_domain *host_create(struct gw_host *host, const struct gw_domain_config *config,
				     struct gw_error *err)
{
	struct emu_host *h = host_of(host);
	struct gw_emu *e;

	if (config->type != GW_GUEST_X86_HVM) {
		gw_fail(err, GW_UNSUPPORTED,
			"the built-in machine runs x86 HVM and PVH guests only");
		return NULL;
	}
	if (config->vcpus > 1) {
		gw_fail(err, GW_UNSUPPORTED, "the built-in machine has one vCPU, not %u",
			config->vcpus);
		return NULL;
	}
	e = gw_emu_new(config, &h->policy, h->dirty, h->yield_us, &h->domains, err);
	return e ? &e->m.d : NULL;
}

static struct gw_domain *host_attach(struct gw_host *host, uint32_t domid, uint64_t max_pfns,
				     struct gw_error *err)
{
	return gw_held_attach(&host_of(host)->domains, domid, err);
}

static void free_host(struct emu_host *h)
{
	gw_policy_free(&h->policy);
	gw_host_fini(&h->host);
	free(h);
}

void gw_emu_host_free(struct gw_held_list *domains)
{
	free_host(gw_container_of(domains, struct emu_host, domains));
}

static void host_close(struct gw_host *host)
{
	struct emu_host *h = host_of(host);
	struct gw_domain *d;
	bool last;

	while ((d = gw_held_end(&h->domains, &last)))
		d->control->ops->destroy(d->control);
	if (last)
		free_host(h);
}

static const struct gw_host_ops host_ops = {
	.head = GW_TABLE_HEAD(struct gw_host_ops),
	.name = "emu",
	.policy = host_policy,
	.guest_types = host_guest_types,
	.free_pages = host_free_pages,
	.create = host_create,
	.attach = host_attach,
	.close = host_close,
};

static int parse(struct emu_host *h, const char *query, char *lack, size_t lack_size,
		 struct gw_error *err)
{
	struct gw_uri_pair pair;
	uint64_t number;
	int rc;

	while ((rc = gw_uri_next(&query, &pair, err)) > 0) {
		if (!strcmp(pair.key, "lack")) {
			snprintf(lack, lack_size, "%s", pair.value);
		} else if (!strcmp(pair.key, "logdirty")) {
			if (gw_emu_dirty_kind_parse(pair.value, &h->dirty, err) < 0)
				return -1;
		} else if (!strcmp(pair.key, "yield_us")) {
			if (gw_uri_number(&pair, 1000000, &number, err) < 0)
				return -1;
			h->yield_us = (unsigned)number;
		} else {
			return gw_fail(
				err, GW_USAGE,
				"host emu: has options lack=, logdirty= and yield_us=, not \"%s\"",
				pair.key);
		}
	}
	return rc;
}

struct gw_host *gw_emu_host_open(const char *query, struct gw_error *err)
{
	const char *env = getenv("GODWIT_LOGDIRTY");
	char lack[sizeof(((struct gw_uri_pair *)0)->value)] = "";
	struct emu_host *h = calloc(1, sizeof(*h));

	if (!h) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a host");
		return NULL;
	}
	gw_held_init(&h->domains);
	if (gw_host_init(&h->host, &host_ops, err) < 0 ||
	    (env && *env && gw_emu_dirty_kind_parse(env, &h->dirty, err) < 0) ||
	    parse(h, query, lack, sizeof(lack), err) < 0 ||
	    gw_emu_policy_host(&h->policy, lack, err) < 0) {
		free_host(h);
		return NULL;
	}
	return &h->host;
}
