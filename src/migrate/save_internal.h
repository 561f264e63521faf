/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of one save, shared by save.c (the order of the image), save_memory.c (its memory),
 * save_live.c (the live passes) and save_batch.c (one record of pages).
 */
#ifndef GW_MIGRATE_SAVE_INTERNAL_H
#define GW_MIGRATE_SAVE_INTERNAL_H

#include "base/estimate.h"
#include "guest/guest.h"
#include "migrate/lockstep.h"
#include "migrate/page_sink.h"
#include "migrate/save.h"
#include "migrate/toolstack.h"

struct gw_save {
	const struct gw_save_args *args;
	struct gw_toolstack toolstack; /* complete */
	const struct gw_cancel *cancel;
	struct gw_domain *domain;
	struct gw_save_guest guest;
	struct gw_batch_pool pool;
	struct gw_channel_sink channel_sink;
	struct gw_page_sink *sink;
	struct gw_buffer records;   /* whole records about to be written */
	uint64_t *due;		    /* pfns of this round */
	bool all_due;		    /* due has all pfns that can have a page */
	uint64_t *sent;		    /* pfns that have an entry on the channel */
	struct gw_page_align align; /* of the pages in a file */
	uint64_t *deferred; /* pfns that had no page, or no canonical form, when their batch was
			       made */
	uint64_t nr_deferred;
	enum gw_list_form list_form; /* of the secondary's lists */
	bool logging;		     /* log-dirty was started */
	bool model_logging;	     /* log-dirty of the device model was started */
	bool live;		     /* the guest may run while memory is sent */
	bool switched;		     /* the layers were informed of the switchover */
	struct gw_report *report;
	struct gw_pacing pacing;
	uint64_t start_ns;
	/* of the live passes */
	struct gw_precopy_round *passes;
	unsigned nr_passes;
	unsigned throttle; /* by how many percent the vCPUs are slowed now */
	/* of the current round */
	uint64_t round_pages, round_bytes, round_waited_ns;
	struct gw_progress progress;
	uint64_t progress_ns;
	struct gw_estimate estimate;
	uint64_t known_dirty; /* pages that are due again after this round, as far as is known */
	unsigned peeks;	      /* looks at the dirty pages in this round */
};

/* The layers around the image, the innermost first. */
#define gw_for_each_layer(l, s)                                                                    \
	for (const struct gw_save_layer *l = (s)->args->layer; l; l = l->outer)

/* Writes s->records and empties it. */
int gw_save_write_records(struct gw_save *s, struct gw_error *err);
/* Asks the toolstack to suspend the domain and checks that it did. */
int gw_save_suspend(struct gw_save *s, struct gw_error *err);
/* The vCPUs run at full speed again. */
void gw_save_end_throttle(struct gw_save *s);
/* Fails with GW_GONE if the guest has shut down, and not to be saved: there is nothing left to
 * save. */
int gw_save_check_guest(struct gw_save *s, struct gw_error *err);
/* Publishes s->progress; at limited intervals unless now. */
void gw_save_progress(struct gw_save *s, bool now);

int gw_save_memory_init(struct gw_save *s, struct gw_error *err);
void gw_save_memory_free(struct gw_save *s);
/* All memory of the first or only checkpoint; the domain is suspended when it returns 0. */
int gw_save_memory(struct gw_save *s, struct gw_error *err);
/* Memory of a later checkpoint: suspends, then sends the pages written since the last one. */
int gw_save_memory_again(struct gw_save *s, struct gw_error *err);

/* The pages of s->due, which are nr_due, with the statistics of the round. */
int gw_save_round(struct gw_save *s, enum gw_stage stage, uint64_t nr_due, bool final,
		  struct gw_error *err);
/* Makes the pages due that were written since the last call: *nr_due pfns. */
int gw_save_fetch_dirty(struct gw_save *s, uint64_t *nr_due, struct gw_error *err);
/*
 * Makes due every pfn that can have a page. *nr_pages: those that have one, of which most ranges
 * have fewer than pfns. Log-dirty is on or the domain is suspended, so a page that is added later
 * is reported as written.
 */
int gw_save_make_all_due(struct gw_save *s, uint64_t *nr_pages, struct gw_error *err);

/* The live passes, until it is time to suspend. -1: or they gave up. */
int gw_save_live(struct gw_save *s, struct gw_error *err);
/* Fails if the policy wants to slow the vCPUs and their owner cannot. */
int gw_save_check_throttle(struct gw_save *s, struct gw_error *err);

/*
 * Finds the types of b->pfns[0..nr-1], maps the pages with data, normalises them, and builds the
 * record in b->iov. final: the guest is suspended, so no page may be deferred for its contents. On
 * failure nothing stays mapped.
 */
int gw_save_batch_prepare(struct gw_save *s, struct gw_batch *b, bool final, struct gw_error *err);

#endif
