/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The second half of restoring pages: a batch is populated, mapped, filled from where its bytes
 * are, localised and unmapped.
 */
#ifndef GW_MIGRATE_RESTORE_APPLY_H
#define GW_MIGRATE_RESTORE_APPLY_H

#include <godwit/log.h>

#include "migrate/batch.h"
#include "guest/faults.h"
#include "read/input.h"

/* Where the contents of a batch come from: a socket, a spool, a place in a file. */
struct gw_page_source {
	/* Fills all of iov, which is used up, with the next bytes. */
	enum gw_read_result (*readv)(void *owner, struct iovec *iov, int n, struct gw_error *err);
	void *owner;
};

/* The next bytes of an input. */
struct gw_page_source gw_page_source_of(struct gw_input *in);

/*
 * What all batches of a restore share. Two batches that are applied at once share in it what they
 * change: the guest's p2m, which populate and localise add to, the page types, and the two counts.
 */
struct gw_restore_memory {
	struct gw_restore_guest *guest;
	const struct gw_log *log; /* NULL is fine */
	bool verifying;		  /* pages are only compared with what is there: VERIFY was read */
	uint64_t pages, mismatches;
};

/*
 * Applies a batch of gw_restore_judge_pages(). GW_READ_ENDED: the source ended inside it. Nothing
 * is mapped afterwards.
 */
enum gw_read_result gw_restore_apply(struct gw_restore_memory *m, struct gw_batch *b,
				     const struct gw_page_source *source, struct gw_error *err);

#endif
