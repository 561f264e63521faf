/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gathers every reason for which a host cannot take a guest.
 */
#include "migrate/preflight.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/rules/rules.h"
#include "format/x86/policy.h"
#include "hypervisor/host.h"

static const char *type_name(enum gw_guest_type type)
{
	return type == GW_GUEST_X86_PV	  ? "x86 PV"
	       : type == GW_GUEST_X86_HVM ? "x86 HVM"
					  : "unknown";
}

/* Adds a reason against the guest. */
GW_PRINTF(2, 3)
static void refuse(struct gw_error *refusal, const char *fmt, ...)
{
	char reason[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	gw_fail(refusal, GW_REFUSED, "this host cannot take the guest");
	gw_fail_reason(refusal, "%s", reason);
}

static void report_lack(void *opaque, const struct gw_policy_lack *lack)
{
	if (!lack->refused_since)
		refuse(opaque, "this host lacks %s, which the guest may already use", lack->text);
	else if (lack->refused_since <= GW_XEN_FIRST)
		refuse(opaque, "this host lacks %s: Xen refuses the guest", lack->text);
	else
		refuse(opaque, "this host lacks %s: Xen 4.%u and later refuse the guest",
		       lack->text, lack->refused_since);
}

static int check_policy(struct gw_host *host, const struct gw_preflight *wanted,
			struct gw_error *refusal, struct gw_error *err)
{
	struct gw_policy offered = {0};

	if (!wanted->policy)
		return 0;
	if (gw_host_policy(host, wanted->type, &offered, err) < 0)
		return -1;
	gw_policy_compare(wanted->policy, &offered, report_lack, refusal);
	gw_policy_free(&offered);
	return 0;
}

int gw_preflight(struct gw_host *host, const struct gw_preflight *wanted, struct gw_error *err)
{
	struct gw_error refusal = GW_ERROR_INIT;
	uint64_t room = gw_host_free_pages(host);

	if (!(gw_host_guest_types(host) & (1u << wanted->type)))
		refuse(&refusal, "this host (%s) does not run %s guests", host->ops->name,
		       type_name(wanted->type));
	if (wanted->pages > room)
		refuse(&refusal,
		       "the guest needs %" PRIu64
		       " pages of memory, this host has room for %" PRIu64,
		       wanted->pages, room);
	if (check_policy(host, wanted, &refusal, err) < 0)
		return -1;
	return refusal.code == GW_OK ? 0 : gw_fail_as(err, &refusal);
}
