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

static void check_machine(struct gw_host *host, const struct gw_preflight *wanted,
			  struct gw_error *refusal)
{
	const struct gw_preflight_room *room = wanted->room;
	uint64_t left = gw_host_free_pages(host);

	if (room && room->left < left)
		left = room->left;
	if (wanted->pages <= left)
		return;
	if (room && room->promised > 0)
		refuse(refusal,
		       "the guest needs %" PRIu64
		       " pages of memory, this host has room for %" PRIu64 ", beside %" PRIu64
		       " that other domains were promised",
		       wanted->pages, left, room->promised);
	else
		refuse(refusal,
		       "the guest needs %" PRIu64
		       " pages of memory, this host has room for %" PRIu64,
		       wanted->pages, left);
}

static void check_receiver(const struct gw_preflight *wanted, struct gw_error *refusal)
{
	const struct gw_preflight_room *room = wanted->room;

	if (room && room->max_domains && room->domains >= room->max_domains)
		refuse(refusal,
		       "this receiver may have %u domains (--max-domains) and has %u, those included that are arriving",
		       room->max_domains, room->domains);
	if (room && room->max_pages &&
	    (room->pages > room->max_pages || wanted->pages > room->max_pages - room->pages))
		refuse(refusal,
		       "the guest needs %" PRIu64
		       " pages of memory, this receiver may have %" PRIu64
		       " (--max-memory), of which %u domains have %" PRIu64,
		       wanted->pages, room->max_pages, room->domains, room->pages);
}

int gw_preflight(struct gw_host *host, const struct gw_preflight *wanted, struct gw_error *err)
{
	struct gw_error refusal = GW_ERROR_INIT;

	if (!(gw_host_guest_types(host) & (1u << wanted->type)))
		refuse(&refusal, "this host (%s) does not run %s guests", host->ops->name,
		       type_name(wanted->type));
	check_machine(host, wanted, &refusal);
	check_receiver(wanted, &refusal);
	if (check_policy(host, wanted, &refusal, err) < 0)
		return -1;
	return refusal.code == GW_OK ? 0 : gw_fail_as(err, &refusal);
}
