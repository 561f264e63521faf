/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parts of the summary: records (records.c), pages and rounds (pages.c).
 */
#ifndef GW_EXAMINE_SUMMARY_INTERNAL_H
#define GW_EXAMINE_SUMMARY_INTERNAL_H

#include "examine/summary/summary.h"

/* A record that counts, other than PAGE_DATA. body_head: of one that came without data. */
void gw_summary_take_record(struct gw_summary *s, enum gw_layer layer, const struct gw_record *rec,
			    const uint8_t *body_head);
/* The entries of a PAGE_DATA that counts. */
void gw_summary_take_pages(struct gw_summary *s, const struct gw_image_reader *pages);

/* If it is a device model's state, gw_summary_body() gets it. */
void gw_summary_begin_body(struct gw_summary *s, const struct gw_examine_record *record);

/* A record that counts only with the next checkpoint. */
void gw_summary_put_aside(struct gw_summary *s, const struct gw_examine_record *record);
/* A checkpoint is complete. */
void gw_summary_checkpoint(struct gw_summary *s);

#endif
