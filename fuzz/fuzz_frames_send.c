/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: the sending side of a migration reads any bytes as the frames of a receiver. The
 * first byte says how many looks at the input find nothing, so that an answer need not come before
 * its time; the second whether the save is live.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bound.h"
#include "input.h"
#include "machine.h"
#include "migrate/protocol.h"

static void check(int rc, enum gw_outcome outcome, const struct gw_error *err)
{
	if ((rc == 0) == (outcome == GW_OUTCOME_MOVED) && (rc == 0 || err->text[0]))
		return;
	fprintf(stderr, "outcome %d, result %d (%s)\n", outcome, rc, err->text);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char config[] = "{}";
	struct input in = {data, size};
	unsigned quiet = input_u8(&in);
	bool live = input_u8(&in) & 1;
	const struct gw_migration_offer offer = {
		.config = config, .config_len = sizeof(config) - 1, .live = live};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_save_args save = {.live = live};
	enum gw_outcome outcome;
	struct gw_channel *ch;
	struct machine m;
	int rc;

	machine_open(&m, GW_GUEST_X86_HVM, 16);
	machine_fill_hvm(m.d, 4);
	ch = peer_channel(in.data, in.len, quiet);
	save.domain = m.d;
	save.toolstack = &m.toolstack;
	bound_begin();
	rc = gw_migrate_send(ch, &offer, &save, NULL, NULL, &outcome, &err);
	bound_check("the sender", 8 * size + (16u << 20));
	check(rc, outcome, &err);
	gw_channel_close(ch);
	machine_close(&m);
	return 0;
}
