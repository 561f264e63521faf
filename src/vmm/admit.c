/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Admits the peer of a new connection, or turns it away.
 */
#include "vmm/admit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "channel/local.h"
#include "migrate/protocol.h"

int gw_admission_set_uids(struct gw_admission *admission, const char *list, struct gw_error *err)
{
	admission->check_uid = true;
	admission->nr_uids = 0;
	if (!list) {
		admission->uids[admission->nr_uids++] = geteuid();
		admission->uids[admission->nr_uids++] = 0;
		return 0;
	}
	for (const char *at = list;;) {
		char *end;
		unsigned long uid = strtoul(at, &end, 10);

		if (*at < '0' || *at > '9' || (*end && *end != ',') || uid >= (uid_t)-1)
			return gw_fail(
				err, GW_USAGE,
				"--allow-uid: \"%.100s\" is no list of user numbers, such as 0,1000",
				list);
		if (admission->nr_uids == GW_ADMITTED_UIDS)
			return gw_fail(err, GW_USAGE, "--allow-uid takes at most %d users",
				       GW_ADMITTED_UIDS);
		admission->uids[admission->nr_uids++] = (uid_t)uid;
		if (!*end)
			return 0;
		at = end + 1;
	}
}

static int check_uid(const struct gw_admission *admission, struct gw_channel *ch,
		     struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	uid_t uid;

	if (!admission->check_uid || gw_peer_uid(ch->fd, &uid) == 0)
		return 0;
	for (unsigned i = 0; i < admission->nr_uids; i++)
		if (admission->uids[i] == uid)
			return 0;
	gw_fail(&why, GW_REFUSED,
		"user %u may not send a domain to this receiver (--allow-uid says who may)",
		(unsigned)uid);
	gw_migrate_turn_away(ch, &why);
	return gw_fail_as(err, &why);
}

int gw_admit(const struct gw_admission *admission, struct gw_channel **ch, struct gw_error *err)
{
	if (check_uid(admission, *ch, err) < 0)
		return -1;
	if (!admission->tls)
		return 0;
	*ch = gw_channel_tls(*ch, admission->tls, NULL, err);
	return *ch ? 0 : -1;
}
