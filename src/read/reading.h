/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reading of an image, bare or with the libxl stream around it: the one loop over its records.
 * Each header and record is judged by the rules (format/rules/rules.h) and handed to a listener. A
 * restore, an examination and a conversion are listeners.
 *
 * What the rules call an error, either ends the reading (a restore obeys the rules) or is reported,
 * and the reading goes on wherever the framing still says where the next record begins (verify
 * reports all of them).
 */
#ifndef GW_READ_READING_H
#define GW_READ_READING_H

#include "format/libxc/image.h"
#include "format/libxl/stream.h"
#include "format/rules/rules.h"
#include "read/checkpoints.h"
#include "read/input.h"

/* What has arrived; its contents are in the reading's readers. */
enum gw_read_part {
	GW_READ_STREAM_HEADER,
	GW_READ_STREAM_RECORD, /* its body too, unless stream.rec.data is NULL */
	GW_READ_IMAGE_HEADER,
	GW_READ_IMAGE_RECORD, /* not PAGE_DATA */
	GW_READ_IMAGE_PAGES,  /* a PAGE_DATA, up to its entries */
};

/*
 * What is called as the reading goes on; any entry may be NULL. GW_READ_FAILED with err ends the
 * reading, as does GW_READ_ENDED: the input ended in what the entry read itself, or the listener
 * wants no more of it.
 */
struct gw_read_listener {
	/* Before the rules judge the part, and so before the findings about it. counts says what it
	 * makes of the parts before it. */
	void (*arrived)(void *owner, enum gw_read_part part, enum gw_counts counts);
	enum gw_read_result (*image_header)(void *owner, struct gw_error *err);
	/* Any record but PAGE_DATA. */
	enum gw_read_result (*image_record)(void *owner, struct gw_error *err);
	/* A well-formed PAGE_DATA, whose image.data_len bytes come next: the entry takes them from
	 * the input. NULL: they are skipped. */
	enum gw_read_result (*image_pages)(void *owner, struct gw_error *err);
	/* Any record with its body. */
	enum gw_read_result (*stream_record)(void *owner, struct gw_error *err);
	/* A record whose stream.body_left bytes come next: the entry takes them. NULL: they are
	 * skipped. */
	enum gw_read_result (*stream_body)(void *owner, struct gw_error *err);
	/* A checkpoint is complete: what came so far counts. */
	enum gw_read_result (*round_complete)(void *owner, struct gw_error *err);
};

/* Whether a CHECKPOINT_STATE record (COLO) stands between CHECKPOINT_END and the image. */
enum gw_read_colo {
	GW_READ_COLO_LOOK, /* the next record's type says so; only where reading ahead may wait */
	GW_READ_COLO_NO,
	GW_READ_COLO_YES,
};

struct gw_reading {
	/* Set by the caller; all pointers are borrowed. */
	struct gw_input *in;
	const struct gw_read_listener *listener;
	void *owner;
	const struct gw_findings *findings; /* every broken rule goes there; NULL is fine */
	bool all_errors;		    /* report broken rules and go on */
	bool is_judged; /* the rules have seen it all before, when it was spooled */
	enum gw_image_kind kind;
	enum gw_read_colo colo;
	bool pvh; /* the config in front says that the guest has no device model */

	/* What the listener may read. */
	struct gw_checkpoints checkpoints;
	struct gw_image_reader image;
	bool has_image_header;
	uint64_t image_offset; /* where the image begins, as messages count */
	struct gw_stream_reader stream;
	uint64_t stream_offset;

	/* private */
	struct gw_image_rules *image_rules;
	struct gw_stream_rules *stream_rules;
	bool has_image;
	bool image_waits;    /* a checkpoint has interrupted it */
	uint64_t image_left; /* the offset where that was */
};

/*
 * A bare image that begins at the next byte, up to its END; a libxl stream up to its END, with the
 * image inside. GW_READ_ENDED: the input ended before that, or where the next record begins is
 * unknown, or the listener ended it. What the rules say of an input that ends early was then
 * reported, and is no error (a whole checkpoint came), unless all_errors is set.
 */
enum gw_read_result gw_read_image(struct gw_reading *r, struct gw_error *err);
enum gw_read_result gw_read_stream(struct gw_reading *r, struct gw_error *err);
/* What the rules learned of the image; NULL if none began. */
const struct gw_image_facts *gw_reading_facts(const struct gw_reading *r);
/* The kind of guest; GW_GUEST_NONE before the image's header. */
enum gw_guest_type gw_reading_guest(const struct gw_reading *r);
void gw_reading_free(struct gw_reading *r);

#endif
