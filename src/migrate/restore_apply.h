/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The second half of restoring pages: a batch is populated, mapped, filled from its source,
 * localised and unmapped.
 */
#ifndef GW_MIGRATE_RESTORE_APPLY_H
#define GW_MIGRATE_RESTORE_APPLY_H

#include <godwit/log.h>

#include "migrate/batch.h"
#include "guest/faults.h"
#include "read/input.h"

/* The source of a batch's contents: a socket, a spool, or an offset in a file. */
struct gw_page_source {
	/* Fills all of iov with the next bytes; modifies iov. */
	enum gw_read_result (*readv)(void *owner, struct iovec *iov, int n, struct gw_error *err);
	void *owner;
};

/* A source that reads the next bytes of an input. */
struct gw_page_source gw_page_source_of(struct gw_input *in);

/*
 * State that all batches of a restore share. Two batches applied at once both change the guest's
 * P2M (in populate and localise), the page types, and the two counts.
 */
struct gw_restore_memory {
	struct gw_restore_guest *guest;
	const struct gw_log *log; /* NULL is fine */
	bool verifying;		  /* pages are only compared: VERIFY was read */
	uint64_t pages, mismatches;
};

/*
 * Applies a batch of gw_restore_judge_pages(). GW_READ_ENDED: the source ended inside it.
 * Afterwards no page is mapped.
 */
enum gw_read_result gw_restore_apply(struct gw_restore_memory *m, struct gw_batch *b,
				     const struct gw_page_source *source, struct gw_error *err);

#endif
