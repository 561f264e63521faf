/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state records of a round: the records after its pages. They wait until the round is complete,
 * and a later round may replace them.
 */
#ifndef GW_CONVERT_STATE_RECORDS_H
#define GW_CONVERT_STATE_RECORDS_H

#include "base/buffer.h"
#include "format/libxc/image.h"

/* Bytes of one round's state records; no guest has more. */
#define GW_STATE_RECORDS_MAX (UINT64_C(128) << 20)

/* Appends the record as it came, padding included. */
int gw_state_records_add(struct gw_buffer *records, const struct gw_record *rec,
			 struct gw_error *err);
/*
 * Appends the older records that no record replaces, as a restore of both rounds would keep them:
 * by type, by vCPU, and HVM_PARAMS by index.
 */
int gw_state_records_merge(struct gw_buffer *records, const struct gw_buffer *older,
			   struct gw_error *err);

#endif
