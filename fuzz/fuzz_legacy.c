/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a legacy image.
 */
#include "drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drive_result result;

	drive_legacy(data, size, &result);
	return 0;
}
