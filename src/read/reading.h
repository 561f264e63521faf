/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reading of an image, bare or with the libxl stream around it: the one loop over its records.
 * Each header and record is judged by the rules (format/rules/rules.h) and passed to a listener.
 * Restore, examination and conversion are listeners.
 *
 * An error of the rules either ends the reading (a restore obeys the rules), or is reported, and
 * the reading goes on wherever the framing still gives the place of the next record (verify reports
 * all errors).
 */
#ifndef GW_READ_READING_H
#define GW_READ_READING_H

#include "format/libxc/image.h"
#include "format/libxl/stream.h"
#include "format/rules/rules.h"
#include "read/checkpoints.h"
#include "read/input.h"

/* The part that has arrived; its contents are in the reading's readers. */
enum gw_read_part {
	GW_READ_STREAM_HEADER,
	GW_READ_STREAM_RECORD, /* with its body, unless stream.rec.data is NULL */
	GW_READ_IMAGE_HEADER,
	GW_READ_IMAGE_RECORD, /* not PAGE_DATA */
	GW_READ_IMAGE_PAGES,  /* a PAGE_DATA, up to its entries */
};

/*
 * Called during the reading; any entry may be NULL. GW_READ_FAILED with err ends the reading, and
 * so does GW_READ_ENDED: either the input ended in data that the entry read itself, or the listener
 * needs no more.
 */
struct gw_read_listener {
	/* Called before the rules judge the part, and so before findings about it. counts: the
	 * part's effect on the parts before it. */
	void (*arrived)(void *owner, enum gw_read_part part, enum gw_counts counts);
	enum gw_read_result (*image_header)(void *owner, struct gw_error *err);
	/* Any record except PAGE_DATA. */
	enum gw_read_result (*image_record)(void *owner, struct gw_error *err);
	/* A well-formed PAGE_DATA. The entry must read the image.data_len bytes that come next.
	 * NULL: they are skipped. */
	enum gw_read_result (*image_pages)(void *owner, struct gw_error *err);
	/* Any record with its body. */
	enum gw_read_result (*stream_record)(void *owner, struct gw_error *err);
	/* A record whose stream.body_left bytes come next: the entry must read them. NULL: they are
	 * skipped. */
	enum gw_read_result (*stream_body)(void *owner, struct gw_error *err);
	/* A checkpoint is complete: everything before it counts. */
	enum gw_read_result (*round_complete)(void *owner, struct gw_error *err);
};

/* Whether a CHECKPOINT_STATE record (COLO) comes between CHECKPOINT_END and the image. */
enum gw_read_colo {
	GW_READ_COLO_LOOK, /* the next record's type decides; only where reading ahead may wait */
	GW_READ_COLO_NO,
	GW_READ_COLO_YES,
};

struct gw_reading {
	/* Set by the caller; all pointers are borrowed. */
	struct gw_input *in;
	const struct gw_read_listener *listener;
	void *owner;
	const struct gw_findings *findings; /* receives every broken rule; NULL is fine */
	bool all_errors;		    /* report broken rules and go on */
	bool is_judged; /* the rules have judged everything before it was spooled */
	enum gw_image_kind kind;
	enum gw_read_colo colo;
	struct gw_config_facts config; /* zeroed: no config is known */

	/* The listener may read these. */
	struct gw_checkpoints checkpoints;
	struct gw_image_reader image;
	bool has_image_header;
	uint64_t image_offset; /* offset of the image's first byte, for messages */
	struct gw_stream_reader stream;
	uint64_t stream_offset;

	/* private */
	struct gw_image_rules *image_rules;
	struct gw_stream_rules *stream_rules;
	bool has_image;
	bool image_waits;    /* the image is interrupted by a checkpoint */
	uint64_t image_left; /* the offset of that place */
};

/*
 * Reads a bare image that begins at the next byte, up to its END; or a libxl stream up to its END,
 * with the image inside. GW_READ_ENDED: the input ended before that, or the place of the next
 * record is unknown, or the listener ended the reading. The rules have then reported an early end,
 * and it is not an error (a complete checkpoint came), unless all_errors is set.
 */
enum gw_read_result gw_read_image(struct gw_reading *r, struct gw_error *err);
enum gw_read_result gw_read_stream(struct gw_reading *r, struct gw_error *err);
/* The rules' facts about the image; NULL if no image began. */
const struct gw_image_facts *gw_reading_facts(const struct gw_reading *r);
/* The guest type; GW_GUEST_NONE before the image's header. */
enum gw_guest_type gw_reading_guest(const struct gw_reading *r);
void gw_reading_free(struct gw_reading *r);

#endif
