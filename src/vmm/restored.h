/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The images that were restored in a runtime folder: a file of each in the subfolder "restored",
 * whose name is the image's fingerprint and whose contents are the uuid of the domain.
 */
#ifndef GW_VMM_RESTORED_H
#define GW_VMM_RESTORED_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/runtime.h"

/*
 * Notes that the image of this fingerprint was restored as a domain of this uuid. *before: it was
 * noted already, and uuid_before is that of the first time (zeros if it cannot be read). 0 or -1.
 */
int gw_restored_note(struct gw_runtime *rt, uint64_t fingerprint, const uint8_t uuid[16],
		     bool *before, uint8_t uuid_before[16], struct gw_error *err);

#endif
