/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the uri of a memory host says of it, and the domains of tests that come into being when they
 * are attached (memory.h).
 */
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "hypervisor/memory/domain.h"
#include "hypervisor/memory/guest.h"
#include "hypervisor/memory/memory.h"
#include "hypervisor/uri.h"

static int read_type(struct gw_memory_host *h, const struct gw_uri_pair *pair, struct gw_error *err)
{
	if (strcmp(pair->value, "pv") == 0)
		h->born.type = GW_GUEST_X86_PV;
	else if (strcmp(pair->value, "hvm") == 0)
		h->born.type = GW_GUEST_X86_HVM;
	else
		return gw_fail(err, GW_USAGE, "host option attach: \"%s\", expected pv or hvm",
			       pair->value);
	return 0;
}

static int read_logdirty(struct gw_memory_host *h, const struct gw_uri_pair *pair,
			 struct gw_error *err)
{
	h->no_logdirty = strcmp(pair->value, "no") == 0;
	if (h->no_logdirty)
		return 0;
	return gw_fail(err, GW_USAGE, "host option logdirty: \"%s\", expected no", pair->value);
}

static int read_option(struct gw_memory_host *h, const struct gw_uri_pair *pair,
		       struct gw_error *err)
{
	const struct {
		const char *key;
		uint64_t *to;
	} numbers[] = {
		{"pages", &h->limit},	 {"seed", &h->seed},	    {"vcpus", &h->born.vcpus},
		{"pfns", &h->born.pfns}, {"guest", &h->guest_seed}, {"rate", &h->guest_rate},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(numbers); i++)
		if (strcmp(pair->key, numbers[i].key) == 0)
			return gw_uri_number(pair, UINT64_MAX, numbers[i].to, err);
	if (strcmp(pair->key, "attach") == 0)
		return read_type(h, pair, err);
	if (strcmp(pair->key, "logdirty") == 0)
		return read_logdirty(h, pair, err);
	return gw_fail(err, GW_USAGE,
		       "host option \"%s\": memory: has options \"pages\" and \"seed\"", pair->key);
}

int gw_memory_read_options(struct gw_memory_host *h, const char *query, struct gw_error *err)
{
	struct gw_uri_pair pair;
	int more;

	h->born.vcpus = 1;
	h->guest_rate = 2;
	while ((more = gw_uri_next(&query, &pair, err)) > 0)
		if (read_option(h, &pair, err) < 0)
			return -1;
	return more;
}

int gw_memory_born_config(const struct gw_memory_host *h, uint64_t max_pfns,
			  struct gw_domain_config *config, struct gw_error *err)
{
	uint64_t pfns = max_pfns ? max_pfns : h->born.pfns;

	if (h->born.pfns)
		pfns = GW_MIN(pfns, h->born.pfns);
	if (pfns == 0)
		return gw_fail(err, GW_USAGE,
			       "a domain that is created by attach needs the host option pfns");
	*config = (struct gw_domain_config){
		.type = h->born.type,
		.max_pages = pfns,
		.max_pfns = pfns,
		.vcpus = (unsigned)GW_MIN(h->born.vcpus, (uint64_t)UINT32_MAX),
	};
	return 0;
}

int gw_memory_start_guest(struct gw_memory_domain *m, struct gw_error *err)
{
	const struct gw_memory_guest_options options = {
		.seed = m->host->guest_seed,
		.steps_per_ms = (unsigned)m->host->guest_rate,
		.tables = gw_memory_is_pv(m),
	};

	if (m->host->guest_seed == 0 || m->guest)
		return 0;
	m->guest = gw_memory_guest_start(&m->base, &options, err);
	return m->guest ? 0 : -1;
}
