/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A rehearsal: an image is restored into a domain of the memory backend, which never runs, and what
 * only that shows becomes findings. What a first reading of the image learned is enough to make the
 * domain.
 */
#ifndef GW_MIGRATE_REHEARSE_H
#define GW_MIGRATE_REHEARSE_H

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/progress.h>

#include "format/rules/rules.h"

/* What the domain has to have. Zeroed before the first reading. */
struct gw_rehearsal {
	uint64_t nr_pfns;   /* one past the highest pfn that gets a page or is in the P2M */
	uint64_t populated; /* entries that ask for a page */
	uint32_t nr_vcpus;  /* one past the highest with a record; 0: none had one */
	bool colo;	    /* CHECKPOINT_STATE records are in it */
};

struct gw_rehearsal_args {
	enum gw_guest_type guest;
	struct gw_channel *in; /* at the first byte of the stream, or of the image if it is bare */
	bool in_stream;
	uint64_t origin; /* what findings call the offset of that byte */
	/* in is what a legacy image becomes: its records are named by their numbers in version 3.
	 */
	bool converted;
	const struct gw_observer *observer; /* NULL is fine. progress */
	const struct gw_cancel *cancel;
	const struct gw_findings *findings;
};

/* A record of the image (GW_LAYER_LIBXC) or of the stream around it. pages: of a PAGE_DATA the
 * reader with its entries, else NULL. */
void gw_rehearsal_record(struct gw_rehearsal *r, enum gw_layer layer, const struct gw_record *rec,
			 const struct gw_image_reader *pages);

/*
 * Restores an image in which the rules found no error. Every fault is reported, as far as the
 * restore can go on after it, each rule a few dozen times at most. 0 when that is over, whatever
 * was found; -1 if it could not be done here.
 */
int gw_rehearse(const struct gw_rehearsal *r, const struct gw_rehearsal_args *args,
		struct gw_error *err);

#endif
