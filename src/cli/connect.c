/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules of -c, --connect: every verb honours it or refuses it.
 */
#include "cli/connect.h"

#include <string.h>

#include "base/util.h"
#include "hypervisor/uri.h"

/* Finds the scheme of a uri that has one of those that exist. */
static int parse(const char *uri, const char **scheme, const char **query, struct gw_error *err)
{
	static const char *const schemes[] = {"emu", "kvm", "memory", "xen"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(schemes); i++) {
		int found = gw_uri_query(uri, schemes[i], query, err);

		*scheme = schemes[i];
		if (found)
			return found < 0 ? -1 : 0;
	}
	return gw_fail(err, GW_USAGE,
		       "-c \"%.80s\": expected emu:, kvm:, memory: or xen:, with the colon", uri);
}

int gw_connect_check(const struct gw_verb *verb, const char *uri, struct gw_error *err)
{
	const char *scheme, *query;
	bool xen;

	if (parse(uri, &scheme, &query, err) < 0)
		return -1;
	xen = strcmp(scheme, "xen") == 0;
	if (verb->connects == GW_CONNECTS_NOTHING)
		return gw_fail(err, GW_USAGE, "%s uses no hypervisor: -c does not apply",
			       verb->name);
	if (xen && !verb->run_xen)
		return gw_fail(err, GW_USAGE, "%s does not work on domains of xen:, which are xl's",
			       verb->name);
	if (*query && xen)
		return gw_fail(err, GW_USAGE, "-c %.80s: xen: takes no keys", uri);
	if (*query && verb->connects == GW_CONNECTS_DOMAINS)
		return gw_fail(
			err, GW_USAGE,
			"-c %.80s: keys are for the host that run, restore or receive creates a domain on; the domains of %s have theirs",
			uri, verb->name);
	return 0;
}

bool gw_connect_is(const struct gw_cli *cli, const char *scheme)
{
	size_t len = strlen(scheme);

	return strncmp(cli->connect, scheme, len) == 0 && cli->connect[len] == ':';
}

bool gw_connect_has(const struct gw_cli *cli, const json_t *info)
{
	const char *host = json_string_value(json_object_get(info, "host"));

	return !cli->connect_given || !host || gw_connect_is(cli, host);
}
