/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The part that save and migrate share: a job over the descriptor of a client's request, with the
 * options of a save.
 */
#ifndef GW_VMM_OUTGOING_H
#define GW_VMM_OUTGOING_H

#include "migrate/precopy.h"
#include "migrate/save.h"
#include "vmm/job.h"

struct gw_outgoing {
	struct gw_job job;
	bool live;
	bool static_only; /* the image ends with its static data */
	bool trace;	  /* the client wants the trace of the live passes */
	struct gw_precopy precopy;
	int silence_ms; /* migrate: the longest silence of the receiver; 0: the protocol's own */
};

/* A job for s, with the descriptor and the options of its request. NULL with err. */
struct gw_outgoing *gw_outgoing_new(struct gw_process *p, struct gw_session *s,
				    const json_t *message, const struct gw_job_kind *kind,
				    struct gw_error *err);
/* In run: the arguments of a save by this job, over a toolstack that is initialised here. */
struct gw_save_args gw_outgoing_save_args(struct gw_outgoing *out, struct gw_toolstack *toolstack);
/* After run: what it measured tells the next one what to expect. */
void gw_outgoing_note_cost(const struct gw_outgoing *out);
/* The reply of a job that succeeded: its report, and whether the domain was paused by force. */
json_t *gw_outgoing_reply(const struct gw_outgoing *out);

#endif
