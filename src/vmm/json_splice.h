/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finds the place of a member's value in JSON text, so that one value can be replaced without a
 * change to any other byte.
 */
#ifndef GW_VMM_JSON_SPLICE_H
#define GW_VMM_JSON_SPLICE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The value of object[outer][inner] in text, which must be valid JSON (a parser accepted it): true
 * and
 * [*start, *end) its bytes, quotes included. False if there is none, or if a key on the way is
 * spelled with escapes.
 */
bool gw_json_find(const char *text, size_t len, const char *outer, const char *inner, size_t *start,
		  size_t *end);
/* The same for the value that n keys lead to. */
bool gw_json_find_path(const char *text, size_t len, const char *const *keys, size_t n,
		       size_t *start, size_t *end);

#endif
