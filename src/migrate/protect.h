/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The protection of a running domain: the sender (the primary) sends checkpoints, of which the
 * receiver (the backup) keeps the last complete one and runs it when the primary is dead
 * (docs/protocol.md, "Checkpoints"). These functions handle the frames and the time limits. The
 * caller owns the domains.
 */
#ifndef GW_MIGRATE_PROTECT_H
#define GW_MIGRATE_PROTECT_H

#include "migrate/protocol.h"

/* The longest silence of a peer in a protection, unless the caller sets it. */
#define GW_PROTECT_SILENCE_MS 5000
#define GW_PROTECT_COPY_LIMIT (UINT64_C(128) << 20)

/* A checkpoint that the receiver has, with the time of each of its stages. */
struct gw_checkpoint {
	uint64_t number;   /* from 1 */
	uint64_t begun_ns; /* gw_clock_ns() when its suspend began */
	uint64_t pages, bytes;
	/* From the request to suspend, which the guest answers in its own time; the guest stands
	 * from then to the end of the resume. */
	uint64_t suspend_ns, memory_ns, state_ns, resume_ns;
	bool aside; /* its pages were copied aside; else they were sent while it was stopped */
	uint64_t send_ns;  /* after the resume: until the last byte was written */
	uint64_t store_ns; /* and from then on until the receiver had it */
	uint64_t apply_ns; /* the receiver's part of that */
};

/* The owner of a domain that is protected. All calls come from the thread of gw_protect_send(). */
struct gw_protector {
	void *opaque;
	unsigned interval_ms; /* from the begin of one checkpoint to that of the next */
	/* So many bytes of a checkpoint are copied aside while the guest stands; if there are more,
	 * it stands until all are sent. 0: none is copied. */
	uint64_t copy_limit;
	/* True once the protection is to end. Asked many times a second, so it must be fast. */
	bool (*over)(void *opaque);
	/*
	 * The receiver has this checkpoint: output that the guest made before its suspend may
	 * leave. -1 ends the protection.
	 */
	int (*stored)(void *opaque, const struct gw_checkpoint *c, struct gw_error *err);
	/* The guest has run for as long without a newer checkpoint at the receiver; asked many
	 * times a second while one is on its way. -1 ends the protection. May be NULL. */
	int (*behind)(void *opaque, uint64_t ns, struct gw_error *err);
};

/* What the receiver can still do after a protection has ended. */
enum gw_protection_end {
	/* Nothing: it never had a complete checkpoint, or it destroyed its copy and said so. */
	GW_PROTECTION_OVER,
	/* It may run its copy until a moment of time: until then nothing that the copy does not
	 * know may leave. */
	GW_PROTECTION_LOST,
};

struct gw_protection_result {
	enum gw_protection_end end;
	uint64_t safe_ns;      /* LOST: gw_protect_clock_ns() from which on it does not begin to */
	uint64_t checkpoints;  /* that the receiver had */
	bool stopped_by_owner; /* over() or stored() ended it */
};

/* Nanoseconds that also count while the machine sleeps. */
uint64_t gw_protect_clock_ns(void);

/*
 * Protects a domain over an open channel, until protector->over(), a failure or a cancel. Returns 0
 * if the protection ended because of over(), and the receiver has confirmed that its copy is
 * destroyed; else -1. Sets *result in every case. The domain may be suspended when it returns -1:
 * its owner resumes it.
 *
 * save: as for gw_migrate_send(). Its toolstack suspends the guest, resumes it (postcopy), and ends
 * the stream when its checkpoint() returns GW_CHECKPOINT_STOP, which it does once over() is true.
 * report: the stages of the checkpoint in progress; required.
 */
int gw_protect_send(struct gw_channel *ch, const struct gw_migration_offer *offer,
		    const struct gw_save_args *save, const struct gw_protector *protector,
		    struct gw_operation *op, struct gw_report *report,
		    struct gw_protection_result *result, struct gw_error *err);

/*
 * What the owner of a receiver adds for protections. opaque is that of struct gw_receiver, whose
 * accept, complete and run are called, too: run after a failover, mine never.
 */
struct gw_backup {
	/* The takeover window: a failover that is not over by then does not run the copy. */
	uint64_t window_ns;
	/* A checkpoint was applied. The first call is the moment from which the copy counts; -1
	 * ends the protection. May be NULL. */
	int (*applied)(void *opaque, uint64_t number, struct gw_error *err);
	/*
	 * The sender is lost. Returns 0 when it is certain that it is dead, -1 if that is not
	 * certain. NULL: a failover goes on without.
	 */
	int (*fence)(void *opaque, struct gw_error *err);
	/* The sender has ended the protection: destroys the copy. */
	void (*drop)(void *opaque);
};

#endif
