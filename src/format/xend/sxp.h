/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * S-expressions as xend wrote its configs: lists in parentheses, atoms, quoted text with the
 * escapes of Python. Read token by token, without memory of its own and without recursion. What the
 * lists mean is not of this file (xend.h).
 */
#ifndef GW_FORMAT_XEND_SXP_H
#define GW_FORMAT_XEND_SXP_H

#include <stddef.h>

#include <godwit/error.h>

#include "base/buffer.h"

#define GW_SXP_DEPTH_MAX 64u /* lists within lists; xend's have six or so */

enum gw_sxp_token {
	GW_SXP_END,   /* of the text, with no list open */
	GW_SXP_OPEN,  /* depth is that inside the list */
	GW_SXP_CLOSE, /* depth is that outside of it again */
	GW_SXP_ATOM,  /* gw_sxp_atom() */
};

struct gw_sxp {
	const char *text; /* borrowed; any bytes */
	size_t len, pos;
	unsigned depth;	     /* lists that are open */
	size_t start, until; /* the token at hand, quotes included */
};

void gw_sxp_init(struct gw_sxp *sxp, const char *text, size_t len);
/* 0, or -1 (GW_INVALID) with what is wrong, and where in the text. */
int gw_sxp_next(struct gw_sxp *sxp, enum gw_sxp_token *token, struct gw_error *err);
/*
 * Copies the text of the current atom, without quotes and escapes: as much as fits into size (at
 * least 1) with a NUL. Returns the full length. The text may contain any byte.
 */
size_t gw_sxp_atom(const struct gw_sxp *sxp, char *to, size_t size);

/*
 * Appends the same text laid out for people: a line for each list, indented as deep as it lies.
 * Atoms stay as they are spelled, comments go. -1 as gw_sxp_next(), or GW_NO_MEMORY; what was
 * appended then is a part.
 */
int gw_sxp_lay_out(const char *text, size_t len, struct gw_buffer *out, struct gw_error *err);

#endif
