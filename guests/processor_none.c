/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of the processor: guests other than the 64-bit PVH guest fill none.
 */
#include "processor.h"

int processor_fill(unsigned what)
{
	return what ? -1 : 0;
}

const char *processor_lost(void)
{
	return 0;
}
