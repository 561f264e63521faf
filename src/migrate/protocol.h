/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A migration between two godwits (docs/protocol.md). Both sides send frames {u32 type, u32 flags,
 * u64 length}, little-endian; the stream is sent in DATA frames. These functions handle the frames
 * and their order. The caller owns the domains.
 */
#ifndef GW_MIGRATE_PROTOCOL_H
#define GW_MIGRATE_PROTOCOL_H

#include <stdint.h>

#include "base/buffer.h"
#include "migrate/operation.h"
#include "migrate/restore.h"
#include "migrate/save.h"
#include "migrate/sender_times.h"

#define GW_PROTOCOL_VERSION 1 /* the version that this godwit speaks */
#define GW_PROTOCOL_COMPAT  1 /* the oldest version that understands its frames */

struct gw_backup;

struct gw_migration_id {
	uint8_t bytes[16];
};

/* A stream that another program's save writes, carried by the caller. */
struct gw_stream_writer {
	void *opaque;
	/*
	 * Writes one libxl stream to out. Calls layer->static_data_written and layer->switchover at
	 * their places in it, as the engine does. report receives what is known. 0 or -1.
	 */
	int (*write)(void *opaque, struct gw_channel *out, const struct gw_save_layer *layer,
		     struct gw_report *report, struct gw_error *err);
};

/* The sender's data about the domain, which is sent before the stream. */
struct gw_migration_offer {
	struct gw_migration_id id;
	const char *config; /* JSON, as in an xl save file; borrowed */
	size_t config_len;
	bool live;
	const struct gw_stream_writer *stream; /* NULL: the engine saves save->domain */
	int silence_ms;			       /* the longest silence of the receiver; 0: 30 s */
};

/* The owner of the domain after a migration or a protection. */
enum gw_outcome {
	GW_OUTCOME_SOURCE,  /* the source: the receiver has nothing */
	GW_OUTCOME_MOVED,   /* the receiver */
	GW_OUTCOME_UNKNOWN, /* not known: the commit window or a failover failed; the copy stays
			       paused */
	GW_OUTCOME_DROPPED, /* the source, whose owner ended a protection: the copy was destroyed */
};
/*
 * Sends a domain over an open channel: HELLO, CONFIG, the static data, memory, device state, the
 * handover. Waits for ACCEPT before it sends memory; REFUSE is GW_REFUSED with the reasons. Returns
 * 0 when the receiver runs the domain, else -1. Sets *outcome in every case. Sets the cancel token
 * and the silence of ch during the call.
 *
 * save: what gw_save_stream() needs; its channel, operation and cancel token are replaced by ch and
 * op. report receives the result of both sides; NULL is fine.
 */
int gw_migrate_send(struct gw_channel *ch, const struct gw_migration_offer *offer,
		    const struct gw_save_args *save, struct gw_operation *op,
		    struct gw_report *report, enum gw_outcome *outcome, struct gw_error *err);

/* The receiving side calls its owner through this table. */
struct gw_receiver {
	void *opaque;
	/* Is it this migration's turn? 1, 0: not yet, ask again soon, or -1. NULL: always. */
	int (*turn)(void *opaque, struct gw_error *err);
	/*
	 * Static data and config have arrived. Creates the domain, paused, and returns it; or
	 * returns NULL with GW_REFUSED. The sender gets the reasons of err, or its sentence if
	 * it has none.
	 */
	struct gw_domain *(*accept)(void *opaque, const struct gw_migration_id *id,
				    const char *config, size_t config_len, enum gw_guest_type type,
				    const struct gw_policy *policy, struct gw_error *err);
	/* After accept: the pages with contents that are expected, for the progress; 0: unknown.
	 * May be NULL. */
	uint64_t (*expected_pages)(void *opaque);
	/* With stream, instead of accept: creates nothing. 0, or -1 with GW_REFUSED. */
	int (*check)(void *opaque, const struct gw_migration_id *id, const char *config,
		     size_t config_len, enum gw_guest_type type, const struct gw_policy *policy,
		     struct gw_error *err);
	/*
	 * Reads one libxl stream from in, for another program's restore. Calls args->header and
	 * args->static_data as gw_restore_stream() does, before that program creates the domain;
	 * the latter's domain stays NULL. NULL: the engine restores the domain of accept.
	 */
	int (*stream)(void *opaque, struct gw_channel *in, const struct gw_restore_args *args,
		      struct gw_error *err);
	/* Checks the header of the image before any record is read. May be NULL. */
	int (*header)(void *opaque, const struct gw_image_header *header, struct gw_error *err);
	/*
	 * The image is restored, and the sender still owns the domain. Fails if the domain cannot
	 * run here (gw_control_restored()). May be NULL.
	 */
	int (*complete)(void *opaque, struct gw_error *err);
	/* This side was cancelled: 0, or -1 with the reason, which goes to the sender. May be
	 * NULL. */
	int (*wanted)(void *opaque, struct gw_error *err);
	/* YOURS has arrived. Records it durably before MINE is sent. */
	int (*mine)(void *opaque, struct gw_error *err);
	/* RELEASE has arrived. Lets the domain run. */
	int (*run)(void *opaque, struct gw_error *err);
	const struct gw_toolstack *toolstack; /* may be NULL */
	struct gw_emulator_records *emulator; /* as in gw_restore_args; may be NULL */
	int silence_ms; /* the longest silence of the sender; 0: 30 s, in a protection 5 s */
	const struct gw_backup *backup; /* protect.h; NULL: a protection is refused */
	struct gw_sender_times times;
};

/*
 * Receives a domain over an open channel. Returns 0 when it runs here, else -1: GW_INVALID "no
 * godwit hello" if the peer is no godwit. Sets *outcome in every case: SOURCE (the caller destroys
 * the domain of accept), MOVED (it runs here), UNKNOWN (the caller keeps it paused). A sender that
 * wants its domain to be protected is served, too (protect.h): 0 also with DROPPED. Sets the cancel
 * token and the silence of ch during the call.
 */
int gw_migrate_receive(struct gw_channel *ch, const struct gw_receiver *receiver,
		       struct gw_operation *op, struct gw_report *report, enum gw_outcome *outcome,
		       struct gw_error *err);

/*
 * Ends a connection of which nothing was read: a godwit on the other side is sent why as its ERROR,
 * instead of a HELLO, and has a moment to read it.
 */
void gw_migrate_turn_away(struct gw_channel *ch, const struct gw_error *why);

#endif
