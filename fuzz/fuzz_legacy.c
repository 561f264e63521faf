/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a legacy image.
 */
#include "bound.h"
#include "drive.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drive_result result;

	bound_begin();
	drive_legacy(data, size, &result);
	bound_check("a legacy image", BOUND_OF_IMAGE(size));
	return 0;
}
