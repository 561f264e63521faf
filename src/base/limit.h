/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A limit on the lines that strangers cause, shared by a process and its children.
 */
#ifndef GW_BASE_LIMIT_H
#define GW_BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

/* Lines at once, and a second after that. */
#define GW_LIMIT_BURST	  50
#define GW_LIMIT_A_SECOND 5

/* In memory that child processes share. */
struct gw_limit;

/* NULL with err. It is freed with the process. */
struct gw_limit *gw_limit_new(struct gw_error *err);
/* True if a line may be written at now_ns (clock.h); else the line is counted. */
bool gw_limit_take(struct gw_limit *limit, uint64_t now_ns);
/* The lines that were not written since the last call. */
unsigned gw_limit_left_out(struct gw_limit *limit);

#endif
