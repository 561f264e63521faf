/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by both sides of the protocol: limits on silence, the bodies of CONFIG and RUNNING.
 */
#ifndef GW_MIGRATE_PROTOCOL_INTERNAL_H
#define GW_MIGRATE_PROTOCOL_INTERNAL_H

#include "migrate/frames.h"
#include "migrate/protocol.h"

/* The default of silence_ms. ALIVE goes out three times in that, so that one may be late. */
#define GW_SILENCE_MS	  30000
#define GW_ALIVE_PART(ms) ((ms) / 3)

#define GW_CONFIG_HEAD	      8 /* u32 flags, u32 reserved; the config follows */
#define GW_CONFIG_LIVE	      UINT32_C(1)
#define GW_CONFIG_CHECKPOINTS UINT32_C(2) /* a stream of checkpoints follows; there is no YOURS */

/* The body of RUNNING: the receiver's part of the downtime, by stage. */
#define GW_RUNNING_SIZE 24
struct gw_running {
	uint64_t receive_ns;	  /* SWITCHOVER to READY, without the device state */
	uint64_t device_state_ns; /* restoring the device state */
	uint64_t resume_ns;	  /* RELEASE to running */
};

#endif
