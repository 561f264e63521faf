/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reading of a legacy image: the one loop over its items. Each item is judged by the rules and
 * passed to a listener, as in read/reading.h.
 */
#ifndef GW_READ_LEGACY_H
#define GW_READ_LEGACY_H

#include "format/legacy/legacy.h"
#include "format/rules/rules.h"
#include "read/input.h"

/*
 * Called for each event of the reader. GW_READ_FAILED with err ends the reading, and so does
 * GW_READ_ENDED: either the input ended in data that the entry read itself, or the listener needs
 * no more.
 */
struct gw_legacy_listener {
	/* Before the rules judge the event. NULL is fine. */
	enum gw_read_result (*arrived)(void *owner, enum gw_legacy_event event,
				       struct gw_error *err);
	/* Must read reader.data_len bytes from the input if the event has such data: PAGES,
	 * COMPRESSED and DEVICE_MODEL. */
	enum gw_read_result (*event)(void *owner, enum gw_legacy_event event, struct gw_error *err);
};

struct gw_legacy_reading {
	/* Set by the caller; all pointers are borrowed. */
	struct gw_input *in;
	const struct gw_legacy_listener *listener;
	void *owner;
	const struct gw_findings *findings; /* receives every broken rule; NULL is fine */
	bool all_errors;		    /* report broken rules and go on */
	bool is_judged;			    /* the rules have judged everything before */

	/* The listener may read these. */
	struct gw_legacy_reader reader;
	struct gw_legacy_rules *rules; /* NULL if is_judged */
	uint64_t offset;	       /* offset of the image's first byte, for messages */
	bool is_broken;		       /* the place of the next item is unknown */
};

/* An image begins at the next byte. kind: what is known of it; NULL: nothing. 0 or -1. */
int gw_legacy_reading_begin(struct gw_legacy_reading *r, const struct gw_legacy_kind *kind,
			    struct gw_error *err);
/*
 * Reads to the image's end: GW_READ_OK. GW_READ_ENDED: the input ended inside it, or the place of
 * the next item is unknown, or the listener ended the reading. The rules have then reported that,
 * and it is not an error (a complete round came), unless all_errors is set.
 */
enum gw_read_result gw_read_legacy(struct gw_legacy_reading *r, struct gw_error *err);
void gw_legacy_reading_free(struct gw_legacy_reading *r);

#endif
