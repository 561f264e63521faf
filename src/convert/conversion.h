/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a conversion, its input and its output, shared by the files of this room. Users
 * include convert.h.
 */
#ifndef GW_CONVERT_CONVERSION_H
#define GW_CONVERT_CONVERSION_H

#include "base/estimate.h"
#include "channel/spool.h"
#include "channel/tee.h"
#include "convert/convert.h"
#include "convert/page_store.h"
#include "format/libxc/image.h"
#include "format/rules/rules.h"
#include "format/libxl/stream.h"
#include "format/xl/file.h"
#include "read/input.h"

/* The libxl records after the image, of the current round and of the last complete one: unchanged
 * records, or the device model state of a legacy image. */
struct gw_conv_deferred {
	struct gw_spool current, complete;
};

struct gw_conv {
	const struct gw_convert_args *args;
	struct gw_input in;
	struct gw_channel *out;
	struct gw_log log;
	struct gw_conversion_result *done;
	struct gw_findings findings; /* of the input */
	uint64_t in_start, out_start;
	struct gw_estimate estimate;

	/* of the input */
	bool has_xl, has_xend, has_stream;
	struct gw_xlfile xl;
	uint32_t xend_config_len;
	struct gw_stream_header stream;

	/* Rounds after the first are stored until they are complete: their pages here, the records
	 * after them in the member of each image format. */
	bool later;	/* the current round is one of them */
	bool verifying; /* pages to come were sent before: they are only compared */
	struct gw_page_store pages;
	struct gw_conv_deferred deferred;

	bool reported_model, reported_xenstore; /* that they are dropped */
};

/* input.c. Reading is read/input.h's; these move what is read. */

/* To the output. */
enum gw_read_result gw_conv_move(struct gw_conv *c, uint64_t len, struct gw_error *err);
/* The same, with a copy; see gw_channel_tee(). */
enum gw_read_result gw_conv_tee(struct gw_conv *c, uint64_t len, struct gw_tee *tee,
				uint64_t offset, struct gw_error *err);
/* To the spool. */
enum gw_read_result gw_conv_spool(struct gw_conv *c, struct gw_spool *spool, uint64_t len,
				  struct gw_error *err);
/* gw_findings.report: logs warnings; opaque is the conversion. */
void gw_conv_finding(void *conv, const struct gw_finding *finding);
void gw_conv_progress(struct gw_conv *c, enum gw_stage stage);
/* Reports data of the input that the result does not contain. */
void gw_conv_dropped(struct gw_conv *c, const char *fmt, ...) GW_PRINTF(2, 3);

/* output.c: all return 0 or -1. */

/* The layers in front of the image. converted: it was a legacy one. */
int gw_conv_begin(struct gw_conv *c, bool converted, struct gw_error *err);
int gw_conv_put(struct gw_conv *c, const void *data, size_t len, struct gw_error *err);
/* A record of either layer as it came, padding included. */
int gw_conv_record(struct gw_conv *c, const struct gw_record *rec, struct gw_error *err);
/* Writes a PAGE_DATA up to the page contents, which the caller writes. */
int gw_conv_page_head(struct gw_conv *c, const uint64_t *entries, size_t n, size_t nr_pages,
		      uint32_t reserved, struct gw_error *err);
/* Whether the result has a libxl layer. */
bool gw_conv_has_stream(const struct gw_conv *c);
/* A record without body, of either layer: the ENDs have one number. */
int gw_conv_empty_record(struct gw_conv *c, uint32_t type, struct gw_error *err);
/* All of the spool's bytes. */
int gw_conv_put_spool(struct gw_conv *c, struct gw_spool *spool, struct gw_error *err);

/* rounds.c: pages that wait. */

#define GW_CONV_PAGES 64u /* that are in memory at a time */
/* Entries with contents, from the first of n on, whose pfns follow one another: at most so many. */
size_t gw_conv_run(const uint64_t *entries, size_t n, size_t most);

/* Stores the pages of a PAGE_DATA until its round is complete; their contents come next. */
enum gw_read_result gw_conv_wait_pages(struct gw_conv *c, const uint64_t *entries, size_t n,
				       struct gw_error *err);
/* Writes the stored pages of a complete round, and forgets them. */
int gw_conv_put_waiting(struct gw_conv *c, struct gw_error *err);
/* Marks the records after the image as complete; later ones belong to the next round. */
int gw_conv_deferred_complete(struct gw_conv *c, struct gw_error *err);

/* The kinds of image, each to its end: one of version 2 or 3, bare or in a libxl stream; a legacy
 * one. 0 or -1. */
int gw_conv_current(struct gw_conv *c, enum gw_layer outermost, struct gw_error *err);
int gw_conv_legacy(struct gw_conv *c, struct gw_error *err);

#endif
