/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a trace of a migration.
 */
#include <stdlib.h>

#include "bound.h"
#include "input.h"
#include "migrate/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gw_channel *in = peer_channel(data, size, 0);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_trace trace = {0};

	bound_begin();
	if (gw_trace_read(in, &trace, &err) == 0) {
		for (unsigned i = 0; i < trace.n; i++)
			gw_trace_agrees(&trace.verdicts[i], &trace.verdicts[0]);
	} else if (!err.text[0]) {
		abort();
	}
	gw_trace_free(&trace);
	gw_channel_close(in);
	bound_check("a trace", 16 * size + (1u << 20));
	return 0;
}
