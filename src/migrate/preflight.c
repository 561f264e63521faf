/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gathers every reason for which a host cannot take a guest.
 */
#include "migrate/preflight.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/x86/policy.h"
#include "hypervisor/host.h"

/* Room for the line that counts what did not fit. */
#define TAIL 40

struct reasons {
	char text[sizeof(((struct gw_error *)0)->text)];
	size_t len;
	unsigned nr, left_out;
};

static void add(struct reasons *r, const char *line)
{
	size_t n = strlen(line);

	if (r->left_out > 0 || r->len + n + 1 + TAIL > sizeof(r->text)) {
		r->left_out++;
		return;
	}
	if (r->nr++ > 0)
		r->text[r->len++] = '\n';
	memcpy(r->text + r->len, line, n + 1);
	r->len += n;
}

static const char *type_name(enum gw_guest_type type)
{
	return type == GW_GUEST_X86_PV	  ? "x86 PV"
	       : type == GW_GUEST_X86_HVM ? "x86 HVM"
					  : "unknown";
}

static void report_lack(void *opaque, const struct gw_policy_lack *lack)
{
	char line[sizeof(lack->text) + 20];

	snprintf(line, sizeof(line), "this host lacks %s", lack->text);
	add(opaque, line);
}

static int check_policy(struct gw_host *host, const struct gw_preflight *wanted, struct reasons *r,
			struct gw_error *err)
{
	struct gw_policy offered = {0};

	if (!wanted->policy)
		return 0;
	if (gw_host_policy(host, wanted->type, &offered, err) < 0)
		return -1;
	gw_policy_compare(wanted->policy, &offered, report_lack, r);
	gw_policy_free(&offered);
	return 0;
}

int gw_preflight(struct gw_host *host, const struct gw_preflight *wanted, struct gw_error *err)
{
	struct reasons r = {0};
	uint64_t room = gw_host_free_pages(host);
	char line[200];

	if (!(gw_host_guest_types(host) & (1u << wanted->type))) {
		snprintf(line, sizeof(line), "this host (%s) does not run %s guests",
			 host->ops->name, type_name(wanted->type));
		add(&r, line);
	}
	if (wanted->pages > room) {
		snprintf(line, sizeof(line),
			 "the guest needs %" PRIu64
			 " pages of memory, this host has room for %" PRIu64,
			 wanted->pages, room);
		add(&r, line);
	}
	if (check_policy(host, wanted, &r, err) < 0)
		return -1;
	if (r.nr == 0 && r.left_out == 0)
		return 0;
	if (r.left_out > 0)
		snprintf(r.text + r.len, sizeof(r.text) - r.len, "\nand %u more", r.left_out);
	return gw_fail(err, GW_REFUSED, "%s", r.text);
}
