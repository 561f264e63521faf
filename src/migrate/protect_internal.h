/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by both sides of a protection: the bodies of its frames, and how often a side is heard.
 */
#ifndef GW_MIGRATE_PROTECT_INTERNAL_H
#define GW_MIGRATE_PROTECT_INTERNAL_H

#include "base/util.h"

#define GW_NUMBER_SIZE 8  /* CHECKPOINT, NOTED: u64 number */
#define GW_STORED_SIZE 24 /* u64 number, u64 ns of applying, u64 ns of the takeover window */

#define GW_PROTECT_ALIVE_MS(silence_ms) GW_MIN((silence_ms) / 3, 500)

#endif
