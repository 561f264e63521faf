/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of a domain's process share: its state, its clients, the operation in progress.
 * The main thread owns all of it; what an operation's thread may touch says so.
 */
#ifndef GW_VMM_PROCESS_PRIVATE_H
#define GW_VMM_PROCESS_PRIVATE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include <jansson.h>

#include <godwit/hypervisor.h>

#include "convert/convert.h"
#include "vmm/config.h"
#include "vmm/conn.h"
#include "vmm/console.h"
#include "vmm/process.h"
#include "vmm/runtime.h"
#include "vmm/toolstack.h"
#include "migrate/operation.h"
#include "migrate/restore.h"
#include "migrate/save.h"
#include "migrate/protocol.h"

/* A client of the control socket. */
struct gw_session {
	struct gw_session *next;
	struct gw_conn conn;
	bool console; /* receives the console's bytes from console_pos on, nothing else any more */
	uint64_t console_pos;
	uint64_t console_until; /* and there it ends; UINT64_MAX: with the domain */
	bool closing;		/* once its output is out */
	bool gone;
};

struct gw_job;

/* What kind of operation it is. */
struct gw_job_kind {
	const char *name;    /* as requests call it: "save" */
	const char *state;   /* what the domain is doing meanwhile: "saving" */
	const char *channel; /* what its channel is, for messages */
	/* In the operation's thread. */
	gw_operation_fn run; /* opaque is the job */
	/* In the main thread, when run has returned; err is what it failed with. Answers the owner.
	 */
	void (*done)(struct gw_process *p, struct gw_job *job, int ret, struct gw_error *err);
};

/* The operation in progress. */
struct gw_job {
	const struct gw_job_kind *kind;
	struct gw_process *process;
	struct gw_operation *op;
	struct gw_session *owner; /* asked for it, and cancels it by going away; NULL: the process's
				     own start */
	struct gw_channel *ch;
	struct gw_domain_toolstack toolstack;
	struct gw_precopy precopy;
	bool live;
	struct gw_report report;
	enum gw_outcome outcome;
	struct gw_migration_id id;
	uint64_t suspended_ns;		       /* when the downtime began */
	uint64_t base;			       /* restore: offset of the stream in its file */
	int layer;			       /* restore: enum gw_layer */
	bool converts;			       /* restore: ch converts a legacy image */
	struct gw_toolstack convert_toolstack; /* what that conversion logs to */
};

enum gw_phase {
	GW_PHASE_EMPTY, /* no domain yet: a restore or receive makes one */
	GW_PHASE_LIVE,	/* runs, or is paused by its owner */
	GW_PHASE_SAVED, /* suspended; the image is written, its client has to say that it is kept */
	GW_PHASE_UNDECIDED, /* suspended; a handover broke in its commit window */
};

enum gw_side { GW_SIDE_SOURCE, GW_SIDE_DESTINATION };

struct gw_process {
	struct gw_process_args args;
	bool cancel_seen; /* args.cancel was acted upon */
	struct gw_runtime runtime;
	int signal_fd;
	sigset_t old_mask;
	int wake_fd; /* eventfd: an operation's thread changed something below */
	struct gw_console *console;
	uint64_t console_pos; /* of the copy to args.console_fd */
	struct gw_session *sessions;
	unsigned nr_sessions;
	struct gw_job *job;

	/* Guards the four below while an operation that makes the domain runs. */
	pthread_mutex_t lock;
	struct gw_claim claim;
	struct gw_config config;
	struct gw_host *host;
	struct gw_domain *domain;

	atomic_int phase;	    /* enum gw_phase */
	struct gw_domain_info info; /* as last seen */
	bool paused;		    /* by its owner */
	uint64_t started_ns;
	bool announced;	   /* in_place was called */
	char *wanted_name; /* arrived as NAME--incoming: the name to take when its holder is gone;
			      or NULL */
	uint64_t wanted_until_ns;

	/* The last migration that was not decided. */
	struct gw_migration_id migration;
	enum gw_side side;

	struct gw_domain_toolstack saved; /* PHASE_SAVED, UNDECIDED: how to take it back to life */
	struct gw_session *saver;	  /* PHASE_SAVED: who has to say that the image is kept */

	bool destroy_wanted; /* as soon as the operation has ended */
	struct gw_session *destroyer;
	bool ended;
	bool left; /* and the domain and its name are gone */
	enum gw_process_end end;
	struct gw_error end_err;
};

/* session.c: clients and their messages */
int gw_session_accept(struct gw_process *p);
void gw_session_input(struct gw_process *p, struct gw_session *s);
void gw_session_output(struct gw_process *p, struct gw_session *s);
/* Frees those that are gone, undoing what they had asked for. */
void gw_session_reap(struct gw_process *p);
void gw_session_close_all(struct gw_process *p);
/* Replies to a request named name: body's members (its reference is taken over, NULL is fine) and
 * ok. s may be NULL. */
void gw_session_reply(struct gw_session *s, const char *name, json_t *body);
void gw_session_fail(struct gw_session *s, const char *name, const struct gw_error *err);
void gw_session_event(struct gw_session *s, json_t *event);

/* request.c: what clients can ask for */
void gw_request(struct gw_process *p, struct gw_session *s, const json_t *message);

/* info.c */
json_t *gw_process_info(struct gw_process *p);
/* Reads the domain's info again, unless an operation holds it. */
void gw_process_look(struct gw_process *p);

/* process.c */
void gw_process_wake(struct gw_process *p);
void gw_process_finish(struct gw_process *p, enum gw_process_end end);
/* Opens the host and creates the (paused) domain of p->config under p->config.name, which it
 * claims. Either thread. */
int gw_process_create(struct gw_process *p, struct gw_error *err);
/* The opposite. */
void gw_process_drop(struct gw_process *p);
/* The domain is whole: lets it run unless it is to stay paused. Either thread. */
int gw_process_go(struct gw_process *p, struct gw_error *err);

/* job.c: the operation in progress */
struct gw_job *gw_job_new(struct gw_process *p, const struct gw_job_kind *kind);
/* The same for s, with the descriptor and the options of its request. */
int gw_job_from_request(struct gw_process *p, struct gw_session *s, const json_t *message,
			const struct gw_job_kind *kind, struct gw_job **job, struct gw_error *err);
/* Frees the job if it cannot be started. */
int gw_job_start(struct gw_process *p, struct gw_job *job, struct gw_error *err);
void gw_job_done(struct gw_process *p);
void gw_job_report_progress(struct gw_process *p);
void gw_job_free(struct gw_job *job);
/* For run: a toolstack over the job's domain that honours op's cancel token. */
void gw_job_toolstack(struct gw_job *job, struct gw_operation *op, struct gw_toolstack *table);

/*
 * restore.c. What stands in front of the image on job->ch: the layer behind it, and the config of
 * the domain, under the name that the process was asked to give it. Either thread.
 */
int gw_restore_front(struct gw_process *p, struct gw_job *job, struct gw_error *err);
/* In the operation's thread: fills the domain that was created from what gw_restore_front() left.
 */
int gw_restore_rest(struct gw_job *job, struct gw_operation *op, struct gw_error *err);
/* Is the image of this header taken in here? opaque is the job. */
int gw_restore_judge(void *opaque, const struct gw_image_header *header, struct gw_error *err);

/* Requests that start an operation: 0, or -1 with err (then s is answered by the caller). */
int gw_save_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		    struct gw_error *err);
int gw_migrate_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		       struct gw_error *err);
/* The owner of a saved image says that it is kept, and what becomes of the domain; or went away
 * without (keep NULL). */
void gw_save_settle(struct gw_process *p, const char *keep);

/* Of the job, as members of its reply: the report and, for people, a summary. */
json_t *gw_job_report(const struct gw_job *job);

/* 32 hex digits and a NUL. */
void gw_migration_id_format(const struct gw_migration_id *id, char out[33]);

#endif
