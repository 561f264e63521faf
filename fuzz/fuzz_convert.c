/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: converts any bytes to version 3. What is written must obey the rules.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bound.h"
#include "channel/memory.h"
#include "convert/convert.h"
#include "examine/examine.h"
#include "input.h"

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	char text[600];

	if (finding->level != GW_LEVEL_ERROR)
		return;
	fprintf(stderr, "the converted image: %s\n",
		gw_finding_format(finding, text, sizeof(text)));
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gw_examine_sink sink = {.finding = on_finding};
	struct gw_convert_args args = {.in = peer_channel(data, size, 0),
				       .out = gw_channel_memory("the output", NULL),
				       .to = GW_CONVERT_LIBXC};
	struct gw_conversion_result done;
	struct gw_examination examination;
	struct gw_error err = GW_ERROR_INIT;

	if (!args.out)
		exit(1);
	bound_begin();
	if (gw_convert(&args, &done, &err) < 0) {
		if (!err.text[0])
			abort();
	} else if (gw_examine(args.out, &sink, &examination, &err) < 0) {
		fprintf(stderr, "the converted image: %s\n", err.text);
		abort();
	}
	/* A compressed page has one byte at least, and becomes 4096. */
	bound_check("a conversion", 16384 * size + BOUND_OF_IMAGE(size));
	gw_channel_close(args.in);
	gw_channel_close(args.out);
	return 0;
}
