/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of one restore, shared by restore.c (the image's records), restore_static.c (what comes
 * before memory), restore_pages.c (memory), rounds.c (checkpoints) and stream_restore.c (the layer
 * around it).
 */
#ifndef GW_MIGRATE_RESTORE_INTERNAL_H
#define GW_MIGRATE_RESTORE_INTERNAL_H

#include <sys/uio.h>

#include "channel/spool.h"
#include "format/rules/rules.h"
#include "guest/guest.h"
#include "migrate/restore.h"

/*
 * Three answers of everything that reads the stream. Lost means that the input ended, cleanly or
 * inside something: behind a complete checkpoint that is a failover, before it a failure.
 */
enum gw_pull { GW_PULL_FAILED = -1, GW_PULL_LOST = 0, GW_PULL_OK = 1 };

/* What the layer around the image does at a CHECKPOINT. */
struct gw_restore_layer {
	void *opaque;
	/*
	 * image_bytes is how far the image has come, guest what it is of. Lost: *lost then says
	 * how, if the input did not just end.
	 */
	enum gw_pull (*checkpoint)(void *opaque, uint64_t image_bytes, enum gw_guest_type guest,
				   struct gw_error *lost, struct gw_error *err);
};

/* A batch of pages on its way in. */
struct gw_page_batch {
	size_t nr; /* pages with data */
	uint64_t pfns[GW_BATCH_MAX];
	uint64_t gfns[GW_BATCH_MAX];
	uint8_t types[GW_BATCH_MAX];
	void *pages[GW_BATCH_MAX];   /* in guest memory */
	void *bounced[GW_BATCH_MAX]; /* where its bytes go first, or NULL */
	struct iovec iov[GW_BATCH_MAX];
	uint8_t *bounce; /* GW_BATCH_MAX pages, once needed */
};

struct gw_restore {
	struct gw_restore_args *args;
	const struct gw_restore_layer *layer; /* NULL: none */
	struct gw_image_rules *rules;
	struct gw_image_reader reader;
	struct gw_error lost; /* why the input counts as lost, if reading said so */

	bool guest_ready; /* setup was done */
	struct gw_restore_guest guest;
	struct gw_policy policy;
	struct gw_buffer static_records; /* put off until there is a domain */
	bool static_done;

	struct gw_page_batch *batch;
	bool verifying;
	uint64_t mismatches;

	bool ended; /* END was read */

	struct gw_spool spool;
	bool spooling; /* behind the first complete checkpoint */

	uint64_t start_ns, progress_ns, pages;
	uint64_t start_pos; /* of the image in args->in */
	struct gw_progress progress;
};

/* The same as gw_restore_image, with a layer around it. */
int gw_restore_image_in(struct gw_restore_args *args, const struct gw_restore_layer *layer,
			struct gw_error *err);

/*
 * A restore that failed with err: if the guest's hooks say which rule that breaks, args->refusal
 * tells it, with rec of reader, unless reader is NULL or reads something else than the input. The
 * first call counts. Before place and record are put in front of err's text.
 */
void gw_restore_refused(struct gw_restore *r, const struct gw_image_reader *reader,
			const struct gw_error *err);

/* The next event of a reader that is fed from a channel. Broken framing is reported through the
 * rules. */
enum gw_pull gw_restore_pull(struct gw_restore *r, struct gw_channel *from,
			     struct gw_image_reader *reader, enum gw_image_event *event,
			     struct gw_error *err);
/* Fills iov (used up). Lost: the input ended or failed; r->lost then says how, if it did not just
 * end. */
enum gw_pull gw_restore_readv(struct gw_restore *r, struct gw_channel *from, struct iovec *iov,
			      int n, struct gw_error *err);
/* A record of the engine's own or of the guest's; not END, CHECKPOINT or PAGE_DATA. 0 or -1. */
int gw_restore_record(struct gw_restore *r, const struct gw_record *rec, struct gw_error *err);

/* Applies one event of a reader; page contents come from the channel. */
enum gw_pull gw_restore_apply(struct gw_restore *r, struct gw_channel *from,
			      struct gw_image_reader *reader, enum gw_image_event event,
			      struct gw_error *err);

/* A record before the end of the static data: kept. 0 or -1. */
int gw_restore_keep_static(struct gw_restore *r, const struct gw_record *rec, struct gw_error *err);
/* The static data is complete: asks for the domain, applies it. 0 or -1. */
int gw_restore_static_complete(struct gw_restore *r, struct gw_error *err);

/* The pages of a PAGE_DATA record that obeys the rules. */
enum gw_pull gw_restore_pages(struct gw_restore *r, struct gw_channel *from,
			      const struct gw_image_reader *reader, struct gw_error *err);
void gw_restore_pages_free(struct gw_restore *r);

/*
 * CHECKPOINT was read: asks the layer and the toolstack whether it counts, then applies what was
 * spooled for it. OK: go on with the next round.
 */
enum gw_pull gw_restore_checkpoint(struct gw_restore *r, struct gw_error *err);
/* Behind the first checkpoint: keeps what an event brought until its CHECKPOINT comes. */
enum gw_pull gw_restore_spool(struct gw_restore *r, enum gw_image_event event,
			      struct gw_error *err);

#endif
