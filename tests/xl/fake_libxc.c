/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Xen backend of these tests (fake_libxc.h).
 */
#include "fake_libxc.h"

#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/xen/xen.h"

#define DOMAINS_MAX 16

static struct gw_host *memory;
static struct gw_domain *domains[DOMAINS_MAX];
static unsigned nr_domains;

static int policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *to,
		  struct gw_error *err)
{
	return gw_host_policy(memory, type, to, err);
}

static unsigned guest_types(struct gw_host *host)
{
	return gw_host_guest_types(memory);
}

static struct gw_domain *attach(struct gw_host *host, uint32_t domid, uint64_t max_pfns,
				struct gw_error *err)
{
	return gw_host_attach(memory, domid, max_pfns, err);
}

static void close_host(struct gw_host *host)
{
	gw_host_fini(host);
	free(host);
}

static const struct gw_host_ops host_ops = {
	.head = GW_TABLE_HEAD(struct gw_host_ops),
	.name = "xen",
	.policy = policy,
	.guest_types = guest_types,
	.close = close_host,
	.attach = attach,
};

struct gw_host *gw_xen_host_open(const char *query, struct gw_error *err)
{
	struct gw_host *host = calloc(1, sizeof(*host));

	assert_non_null(host);
	assert_string_equal(query, "");
	assert_ok(gw_host_init(host, &host_ops, err), err);
	return host;
}

void fake_libxc_start(void)
{
	struct gw_error err = GW_ERROR_INIT;

	fake_libxc = (struct xc_interface_core){0};
	memory = gw_host_open("memory:", &err);
	if (!memory)
		fail_msg("%s", err.text);
}

void fake_libxc_stop(void)
{
	while (nr_domains > 0)
		gw_domain_close(domains[--nr_domains]);
	gw_host_close(memory);
	/* libxc holds on to no memory of a call that is over. */
	assert_null(fake_libxc.doing);
}

struct gw_domain *fake_libxc_domain(enum gw_guest_type type, uint64_t max_pfns)
{
	struct gw_error err = GW_ERROR_INIT;
	const struct gw_domain_config config = {
		.name = "fake",
		.type = type,
		.max_pages = max_pfns,
		.vcpus = 4,
		.seed = 7,
	};
	struct gw_domain *d = gw_host_create(memory, &config, &err);

	if (!d)
		fail_msg("%s", err.text);
	assert_true(nr_domains < DOMAINS_MAX);
	domains[nr_domains++] = d;
	return d;
}
