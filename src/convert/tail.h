/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records that wait behind the pages of a round until it is known whether they count: another round
 * may bring newer ones.
 */
#ifndef GW_CONVERT_TAIL_H
#define GW_CONVERT_TAIL_H

#include "base/buffer.h"
#include "format/libxc/image.h"

/* Of all that wait: more than any guest has. */
#define GW_TAIL_MAX (UINT64_C(128) << 20)

/* Appends the record as it came, padding included. */
int gw_tail_add(struct gw_buffer *tail, const struct gw_record *rec, struct gw_error *err);
/*
 * Appends what older has and nothing in tail replaces, as a restore of both rounds would keep it:
 * record by record, of each vCPU, param by param.
 */
int gw_tail_keep(struct gw_buffer *tail, const struct gw_buffer *older, struct gw_error *err);

#endif
