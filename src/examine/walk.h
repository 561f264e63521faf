/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a walk, which its files share. Users of a walk see examine.h.
 */
#ifndef GW_EXAMINE_WALK_H
#define GW_EXAMINE_WALK_H

#include "base/estimate.h"
#include "examine/examine.h"
#include "read/reading.h"

/* How a layer of the walk ended. */
enum gw_walk_outcome {
	GW_WALK_FAILED = -1, /* the walk cannot go on at all: err is set */
	GW_WALK_OVER,	     /* the layer was read to its end */
	GW_WALK_LOST,	     /* the input ended, or where the next record begins is unknown */
};

struct gw_walk {
	struct gw_input in;
	const struct gw_examine_sink *sink;
	struct gw_examination *sum;
	struct gw_findings findings;
	struct gw_reading
		reading; /* of an image that is no legacy one, and of the stream around it */
	struct gw_config_facts config; /* of the xl header's config */
	bool announces_legacy;	       /* the header in front does */
	struct gw_estimate estimate;
};

/* gw_findings.report: counts a finding and hands it on. */
void gw_walk_finding(void *walk, const struct gw_finding *finding);
void gw_walk_progress(struct gw_walk *w, enum gw_stage stage);
/* Counts a record and hands it on. */
void gw_walk_record(struct gw_walk *w, const struct gw_examine_record *record);

/* A libxc image that begins here, or a libxl stream with the image in it. */
enum gw_walk_outcome gw_walk_image(struct gw_walk *w, enum gw_layer outermost,
				   struct gw_error *err);
/* A stream of QEMU that begins here. */
enum gw_walk_outcome gw_walk_savevm(struct gw_walk *w, struct gw_error *err);
/* A libvirt save file that begins here, with the stream in it. */
enum gw_walk_outcome gw_walk_libvirt(struct gw_walk *w, struct gw_error *err);
/* A legacy image that begins here, to its end or as far as it goes. */
enum gw_walk_outcome gw_walk_legacy(struct gw_walk *w, struct gw_error *err);

#endif
