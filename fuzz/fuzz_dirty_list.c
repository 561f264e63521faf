/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as lists of pages on the back channel of COLO.
 */
#include <stdlib.h>

#include "bound.h"
#include "input.h"
#include "migrate/lockstep.h"

#define PFNS 1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t *bitmap = calloc(PFNS / 64, sizeof(*bitmap));
	struct gw_channel *in = peer_channel(data, size, 0);
	enum gw_list_form form = GW_LIST_UNKNOWN;
	struct gw_error err = GW_ERROR_INIT;

	if (!bitmap)
		exit(1);
	bound_begin();
	while (gw_dirty_list_read(in, &form, bitmap, PFNS, &err) == 0)
		;
	if (!err.text[0])
		abort();
	bound_check("a list of pages", 2 * size + (1u << 20));
	gw_channel_close(in);
	free(bitmap);
	return 0;
}
