/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: the receiving side of a migration reads any bytes as the frames of a sender. The
 * outcome must fit what happened: a domain runs only after RELEASE.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bound.h"
#include "hypervisor/control.h"
#include "input.h"
#include "machine.h"
#include "migrate/protocol.h"

#define PAGES 2048u

struct owner {
	struct machine m;
	bool created, mine, runs;
};

static struct gw_domain *accept(void *opaque, const struct gw_migration_id *id, const char *config,
				size_t config_len, enum gw_guest_type type,
				const struct gw_policy *policy, struct gw_error *err)
{
	struct owner *o = opaque;

	if (config_len == 0 || (type != GW_GUEST_X86_HVM && type != GW_GUEST_X86_PV)) {
		gw_fail(err, GW_REFUSED, "no such domain");
		return NULL;
	}
	machine_open(&o->m, type, PAGES);
	o->created = true;
	return o->m.d;
}

static int complete(void *opaque, struct gw_error *err)
{
	struct owner *o = opaque;

	return gw_control_restored(o->m.d->control, err);
}

static int mine(void *opaque, struct gw_error *err)
{
	struct owner *o = opaque;

	o->mine = true;
	return 0;
}

static int run(void *opaque, struct gw_error *err)
{
	struct owner *o = opaque;

	o->runs = true;
	return 0;
}

static void check(const struct owner *o, int rc, enum gw_outcome outcome,
		  const struct gw_error *err)
{
	bool fits = o->runs ? outcome == GW_OUTCOME_MOVED
			    : outcome == (o->mine ? GW_OUTCOME_UNKNOWN : GW_OUTCOME_SOURCE);

	if (fits && (rc == 0) == o->runs && (rc == 0 || err->text[0]))
		return;
	fprintf(stderr, "outcome %d, result %d (%s)\n", outcome, rc, err->text);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct owner o = {0};
	const struct gw_receiver receiver = {
		.opaque = &o, .accept = accept, .complete = complete, .mine = mine, .run = run};
	struct gw_channel *ch = peer_channel(data, size, 0);
	struct gw_error err = GW_ERROR_INIT;
	enum gw_outcome outcome;
	int rc;

	bound_begin();
	rc = gw_migrate_receive(ch, &receiver, NULL, NULL, &outcome, &err);
	bound_check("the receiver", BOUND_OF_IMAGE(size));
	check(&o, rc, outcome, &err);
	gw_channel_close(ch);
	if (o.created)
		machine_close(&o.m);
	return 0;
}
