/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a domain's process, and the rule of which thread may touch which part of it.
 *
 * Two threads touch it: the main thread, which runs the loop, and the thread of the operation in
 * progress (job.h), if there is one. gw_operation_start() and gw_operation_wait() order everything
 * that one did before everything that the other does afterwards.
 */
#ifndef GW_VMM_STATE_H
#define GW_VMM_STATE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/hypervisor.h>

#include "migrate/device_model.h"
#include "migrate/protocol.h"
#include "vmm/config.h"
#include "vmm/console_copy.h"
#include "vmm/process_args.h"
#include "vmm/reservations.h"
#include "vmm/runtime.h"
#include "vmm/session.h"
#include "vmm/toolstack.h"

struct gw_job;

enum gw_phase {
	GW_PHASE_EMPTY,	    /* no domain yet: a restore or a receive creates one */
	GW_PHASE_LIVE,	    /* the domain runs, or is paused by its owner */
	GW_PHASE_SAVED,	    /* suspended; the image is written, its client has to confirm it */
	GW_PHASE_UNDECIDED, /* suspended; a migration broke in its commit window */
};

enum gw_protection_role {
	GW_UNPROTECTED,
	GW_PRIMARY, /* the domain runs here, and another host has a copy */
	GW_BACKUP,  /* the copy is here */
};

/* The protection that this process takes part in. */
struct gw_protection {
	enum gw_protection_role role;
	char peer[128];	      /* the address of the other side */
	uint64_t checkpoints; /* complete ones at the backup */
	uint64_t state_ns;    /* gw_clock_ns() of the state that the backup has */
};

enum gw_side { GW_SIDE_SOURCE, GW_SIDE_DESTINATION };

struct gw_process {
	/* Set before any thread starts, constant from then on. */
	struct gw_process_args args;
	struct gw_runtime runtime;
	int signal_fd;
	int wake_fd; /* eventfd: gw_process_wake() */
	sigset_t old_mask;
	struct gw_console *console; /* has a lock of its own */

	/* Either thread, at any time. */
	_Atomic(enum gw_phase) phase;
	/* The guest has shut down, and not to be saved. Set by the vCPU's thread. */
	atomic_bool guest_ended;
	_Atomic uint64_t stopped_ns; /* gw_clock_ns() when it shut down, for whatever reason */
	atomic_bool backs_up;	     /* the copy here counts: its process is in place */

	/*
	 * Guarded by lock. While an operation runs, its thread takes the lock to write them and the
	 * main thread takes it to read them: it does not write them then. The operation's thread
	 * reads them without it, and so does the main thread while no operation runs.
	 */
	pthread_mutex_t lock;
	struct gw_claim claim;
	struct gw_config config;
	struct gw_host *host;
	struct gw_domain *domain;
	struct gw_reservation reservation;   /* of its memory: one thread at a time creates it */
	bool paused;			     /* by its owner */
	bool has_run;			     /* here, where the device model of `emulator` is not */
	struct gw_emulator_records emulator; /* that the domain came with; they go with it again */
	uint64_t started_ns;		     /* when the domain was started, or else the process */
	struct gw_migration_id migration;    /* in progress or undecided; zeroed: none */
	enum gw_side side;		     /* of that migration */
	struct gw_protection protection;
	struct gw_precopy_cost cost; /* of a suspend, as measured; the next one is expected to be
					like it */

	/* The main thread's alone, all below. */
	struct gw_sessions sessions;
	struct gw_job *job;	     /* the operation in progress; NULL: none */
	struct gw_domain_info info;  /* as it was last read */
	uint64_t accept_after_ms;    /* gw_clock_ms() before which no client can be accepted */
	bool cancel_seen;	     /* args.cancel was acted upon */
	struct gw_console_copy copy; /* what args.console_fd gets of the console */
	bool announced;		     /* in_place was called */
	bool arriving;		     /* a restore or a receive runs: its progress is shown, and
				      * the guest's output waits */
	char *wanted_name; /* of a domain that arrived as NAME--incoming: the name that it takes
			      when the source has released it; or NULL */
	uint64_t wanted_until_ns; /* time when it stops waiting for that */

	struct gw_domain_toolstack stopped; /* PHASE_SAVED, UNDECIDED: how to resume the domain */
	char *output_hook; /* UNDECIDED: holds back the guest's output until the claim; or NULL */
	struct gw_session *saver; /* PHASE_SAVED: the client that has to confirm the image */

	bool destroy_wanted; /* as soon as the operation has ended */
	struct gw_session *destroyer;
	bool ended;
	enum gw_process_end end;
	struct gw_error end_err;
};

/* Makes the main loop turn once more. Any thread. */
void gw_process_wake(struct gw_process *p);

/* The domain leaves the process: the loop ends after this turn. Only the first call counts. Answers
 * the client that requested a destroy. Main thread. */
void gw_process_end(struct gw_process *p, enum gw_process_end end);
/* The same if no domain was created, because of err. */
void gw_process_end_failed(struct gw_process *p, const struct gw_error *err);

/* The config of the domain to create: its members are taken over, those of the previous one
 * freed. */
void gw_process_set_config(struct gw_process *p, const struct gw_config *config);
/* The process's name from now on: its members are taken over, the previous one is released. */
void gw_process_set_claim(struct gw_process *p, const struct gw_claim *claim);
/* The migration that this side takes part in; NULL: none. */
void gw_process_set_migration(struct gw_process *p, const struct gw_migration_id *id,
			      enum gw_side side);

/* peer: NULL keeps that of before. */
void gw_process_set_protection(struct gw_process *p, enum gw_protection_role role, const char *peer,
			       uint64_t checkpoints, uint64_t state_ns);

/* 32 hex digits and a NUL. */
void gw_migration_id_format(const struct gw_migration_id *id, char out[33]);

#endif
