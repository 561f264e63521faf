/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Godwit to godwit: the frames a migration travels in (docs/protocol.md). Both directions are
 * frames {u32 type, u32 flags, u64 length}, little endian; the stream is in DATA frames. This file
 * knows frames and the order they come in; domains are the caller's.
 */
#ifndef GW_MIGRATE_PROTOCOL_H
#define GW_MIGRATE_PROTOCOL_H

#include <stdint.h>

#include "base/buffer.h"
#include "migrate/operation.h"
#include "migrate/restore.h"
#include "migrate/save.h"

#define GW_PROTOCOL_VERSION 1 /* what this godwit speaks */
#define GW_PROTOCOL_COMPAT  1 /* the oldest whose peers understand what it sends */

struct gw_migration_id {
	uint8_t bytes[16];
};

/* What the sender says of the domain before its stream: the config as an xl save file has it. */
struct gw_migration_offer {
	struct gw_migration_id id;
	const char *config; /* JSON, borrowed */
	size_t config_len;
	bool live;
	int silence_ms; /* the longest silence of the receiver in a handshake; 0: 30 s */
};

/*
 * The sending side of one migration over an open channel: hello both ways, CONFIG, the static data
 * in DATA frames, waits for ACCEPT or REFUSE (GW_REFUSED with the reasons), memory, switchover,
 * "yours", acknowledgement, release. Returns 0 when the other side has the domain; *outcome says
 * who owns it in every case.
 */
enum gw_outcome {
	GW_OUTCOME_SOURCE,  /* runs (or may run) here; the other side has nothing */
	GW_OUTCOME_MOVED,   /* it is the other side's */
	GW_OUTCOME_UNKNOWN, /* the commit window broke: stay paused, let the operator decide */
};
int gw_migrate_send(struct gw_channel *ch, const struct gw_migration_offer *offer,
		    struct gw_save_args *save, struct gw_operation *op, enum gw_outcome *outcome,
		    struct gw_error *err);

/* What the receiving side asks of its owner. */
struct gw_receiver {
	void *opaque;
	/*
	 * Static data and config are in, nothing exists yet. Returns the created, paused domain, or
	 * NULL with GW_REFUSED: err's text goes to the sender (several reasons: one a line).
	 */
	struct gw_domain *(*accept)(void *opaque, const struct gw_migration_id *id,
				    const char *config, size_t config_len, enum gw_guest_type type,
				    const struct gw_policy *policy, struct gw_error *err);
	/* The header of the image that comes, before anything of it is read. NULL is fine. */
	int (*header)(void *opaque, const struct gw_image_header *header, struct gw_error *err);
	/*
	 * The image is in the domain, which is still the sender's: what would keep the domain from
	 * running here fails now (gw_control_restored()). NULL is fine.
	 */
	int (*complete)(void *opaque, struct gw_error *err);
	/* The sender gave it away ("yours"): keep this in mind before the acknowledgement leaves.
	 */
	int (*mine)(void *opaque, struct gw_error *err);
	/* The handover is complete: let it run. */
	int (*run)(void *opaque, struct gw_error *err);
	const struct gw_toolstack *toolstack; /* NULL: nobody needs to know anything */
	int silence_ms; /* the longest silence of the sender in a handshake; 0: 30 s */
};

/*
 * The receiving side. *outcome: SOURCE (destroy what accept gave), MOVED (it is ours and was set
 * running), UNKNOWN (ours may be the only one: keep it paused). GW_INVALID "no godwit hello" for
 * whatever else connects.
 */
int gw_migrate_receive(struct gw_channel *ch, const struct gw_receiver *receiver,
		       struct gw_operation *op, struct gw_report *report, enum gw_outcome *outcome,
		       struct gw_error *err);

#endif
