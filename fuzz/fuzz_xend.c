/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as the header of xend, its config, and the image after it.
 */
#include <string.h>

#include "bound.h"
#include "drive.h"
#include "format/xend/xend.h"
#include "input.h"
#include "vmm/config.h"

static void build(const uint8_t *data, size_t size)
{
	struct gw_xend_config xend;
	struct gw_config config = {0};

	if (gw_xend_config_read((const char *)data, size, &xend, NULL) == 0 &&
	    gw_config_from_xend(&config, &xend, NULL) == 0)
		gw_config_build(&config, NULL);
	gw_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drive_result result;

	bound_begin();
	drive_xend(data, size, &result);
	build(data, size);
	bound_check("a file of xend", BOUND_OF_IMAGE(size));
	return 0;
}
