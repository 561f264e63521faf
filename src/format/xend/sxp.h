/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * S-expressions as xend wrote its configs: lists in parentheses, atoms, quoted text with the
 * escapes of Python. Reads token by token, without memory of its own and without recursion. xend.h
 * gives the meaning of the lists.
 */
#ifndef GW_FORMAT_XEND_SXP_H
#define GW_FORMAT_XEND_SXP_H

#include <stddef.h>

#include <godwit/error.h>

#include "base/buffer.h"

#define GW_SXP_DEPTH_MAX 64u /* lists within lists; xend's have six or so */

enum gw_sxp_token {
	GW_SXP_END,   /* end of the text, with no list open */
	GW_SXP_OPEN,  /* depth is that inside the list */
	GW_SXP_CLOSE, /* depth is that outside the list */
	GW_SXP_ATOM,  /* gw_sxp_atom() */
};

struct gw_sxp {
	const char *text; /* borrowed; any bytes */
	size_t len, pos;
	unsigned depth;	     /* number of open lists */
	size_t start, until; /* the current token, with quotes */
};

void gw_sxp_init(struct gw_sxp *sxp, const char *text, size_t len);
/* 0, or -1 (GW_INVALID) with the fault and its place in the text. */
int gw_sxp_next(struct gw_sxp *sxp, enum gw_sxp_token *token, struct gw_error *err);
/*
 * Copies the text of the current atom, without quotes and escapes: as much as fits into size (at
 * least 1) with a NUL. Returns the full length. The text may contain any byte.
 */
size_t gw_sxp_atom(const struct gw_sxp *sxp, char *to, size_t size);

/*
 * Appends the same text, formatted: each list on a line of its own, indented by its depth. Atoms
 * are unchanged, comments are dropped. -1 as gw_sxp_next(), or GW_NO_MEMORY; then a part was
 * appended.
 */
int gw_sxp_lay_out(const char *text, size_t len, struct gw_buffer *out, struct gw_error *err);

#endif
