/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a libxl stream, with the image inside.
 */
#include "drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drive_result result;

	drive_stream(data, size, &result);
	return 0;
}
