/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reading of a legacy image: the one loop over its items. Each is judged by the rules and handed
 * to a listener, as in read/reading.h.
 */
#ifndef GW_READ_LEGACY_H
#define GW_READ_LEGACY_H

#include "format/legacy/legacy.h"
#include "format/rules/rules.h"
#include "read/input.h"

/*
 * What is called for each event of the reader. GW_READ_FAILED with err ends the reading, as does
 * GW_READ_ENDED: the input ended in the data that the entry read itself, or the listener wants no
 * more.
 */
struct gw_legacy_listener {
	/* Before the rules judge the event. NULL is fine. */
	enum gw_read_result (*arrived)(void *owner, enum gw_legacy_event event,
				       struct gw_error *err);
	/* Takes reader.data_len bytes from the input if the event comes with such: PAGES,
	 * COMPRESSED and DEVICE_MODEL. */
	enum gw_read_result (*event)(void *owner, enum gw_legacy_event event, struct gw_error *err);
};

struct gw_legacy_reading {
	/* Set by the caller; all pointers are borrowed. */
	struct gw_input *in;
	const struct gw_legacy_listener *listener;
	void *owner;
	const struct gw_findings *findings; /* every broken rule goes there; NULL is fine */
	bool all_errors;		    /* report broken rules and go on */
	bool is_judged;			    /* the rules have seen it all before */

	/* What the listener may read. */
	struct gw_legacy_reader reader;
	struct gw_legacy_rules *rules; /* NULL if is_judged */
	uint64_t offset;	       /* where the image begins, as messages count */
	bool is_broken;		       /* where the next item begins is unknown */
};

/* An image begins at the next byte. kind: what is known of it; NULL: nothing. 0 or -1. */
int gw_legacy_reading_begin(struct gw_legacy_reading *r, const struct gw_legacy_kind *kind,
			    struct gw_error *err);
/*
 * To the image's end: GW_READ_OK. GW_READ_ENDED: the input ended inside of it, or where the next
 * item begins is unknown, or the listener ended the reading. What the rules say of that was then
 * reported, and is no error (a whole round came), unless all_errors is set.
 */
enum gw_read_result gw_read_legacy(struct gw_legacy_reading *r, struct gw_error *err);
void gw_legacy_reading_free(struct gw_legacy_reading *r);

#endif
