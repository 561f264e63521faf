/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The operation in progress in a domain's process: at most one, in a thread of its own. This is the
 * part that all operations have; each embeds it as the first member of its own struct.
 */
#ifndef GW_VMM_JOB_H
#define GW_VMM_JOB_H

#include <jansson.h>

#include <godwit/channel.h>

#include "migrate/operation.h"
#include "migrate/report.h"
#include "vmm/state.h"

struct gw_job;

struct gw_job_kind {
	const char *name;    /* the request's name: "save" */
	const char *state;   /* of the domain while it runs: "saving" */
	const char *channel; /* name of its channel, for messages */
	size_t size;	     /* of the struct that embeds the job */
	/* The operation itself, in its own thread. 0 or -1. */
	int (*run)(struct gw_job *job, struct gw_error *err);
	/* In the main thread, after run has returned ret, with err if that is -1. Decides the
	 * domain's next state, and answers the owner. */
	void (*done)(struct gw_job *job, int ret, struct gw_error *err);
	/* In the main thread: asks it to end in its own way, and returns true; or false, and its
	 * cancel token is set. NULL: always the token. */
	bool (*cancel)(struct gw_job *job);
	/* The job goes, its channel is closed already: frees what else it has. NULL: nothing. */
	void (*release)(struct gw_job *job);
};

struct gw_job {
	const struct gw_job_kind *kind;
	struct gw_process *process;
	struct gw_channel *ch; /* owned */

	/* The operation's thread, while it runs. */
	struct gw_operation *running; /* itself */
	struct gw_domain_toolstack toolstack;
	struct gw_report report;

	/* The main thread. */
	struct gw_operation *op; /* the handle to poll, cancel and wait for */
	/* The client that requested it, and cancels it by disconnecting; NULL: the process's
	 * start. */
	struct gw_session *owner;
	uint64_t cancelled_ms; /* gw_clock_ms() of the first cancel that was obeyed; 0: none */

	/* Events that run has posted and the owner was not sent yet. */
	pthread_mutex_t lock;
	json_t *posted;
};

/* A zeroed struct of kind->size that begins with its job. Takes ch over, also on failure (NULL with
 * err). */
struct gw_job *gw_job_new(struct gw_process *p, const struct gw_job_kind *kind,
			  struct gw_channel *ch, struct gw_error *err);
void gw_job_free(struct gw_job *job);

/* Starts the thread; the job is p->job from now on. -1 frees the job. */
int gw_job_start(struct gw_job *job, struct gw_error *err);
/* The operation of p->job is over: its thread is joined, its done called, and the job freed. */
void gw_job_finish(struct gw_process *p);
/* Asks p->job to give up. 0, or -1 with GW_TOO_LATE; 0 as well if there is no job. */
int gw_job_cancel(struct gw_process *p, struct gw_error *err);
/* True if the owner of a cancelled p->job has no answer yet. */
bool gw_job_owes_answer(const struct gw_process *p);
/*
 * A call that cannot be interrupted, as a write to a disk that hangs, keeps a cancelled job from
 * ending. After a moment its owner is answered all the same; the job ends when that call returns.
 */
void gw_job_answer_cancel(struct gw_process *p);
/* Publishes the progress of p->job, and what was posted, to its owner. */
void gw_job_report_progress(struct gw_process *p);

/* In run: an event for the owner, sent in any case and in order. The reference is taken over. */
void gw_job_post(struct gw_job *job, json_t *event);

/* The same, unless as many as most have not been sent yet. */
void gw_job_post_some(struct gw_job *job, json_t *event, size_t most);

/* In run: a toolstack for the process's domain that obeys cancel. The job's channel gets the cancel
 * token as well. */
void gw_job_init_toolstack(struct gw_job *job, struct gw_toolstack *table);
const struct gw_cancel *gw_job_cancel_token(const struct gw_job *job);

/* The members of its reply: the report and, for people, a summary. The caller's reference. */
json_t *gw_job_report_json(const struct gw_job *job);

#endif
