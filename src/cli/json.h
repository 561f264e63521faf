/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Results as JSON on stdout. The outermost object is written piece by piece while the work goes
 * on, so that no list, however long, has to fit into memory. Numbers that may exceed 2^53
 * are written as strings "0x...".
 */
#ifndef GW_CLI_JSON_H
#define GW_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/* A text of any bytes: each invalid one becomes U+FFFD. */
json_t *gw_json_text(const char *text, size_t len);
json_t *gw_json_hex(uint64_t value);

/* As json_dumps(), but characters that a terminal would not simply show are escaped. The caller
 * frees it; NULL without memory or value. */
char *gw_json_dumps(const json_t *value, size_t flags);
/* Prints that and a newline; "null" if there is none. */
void gw_json_print(const json_t *value, size_t flags, FILE *to);

/* A zeroed struct is ready to use. */
struct gw_json_writer {
	bool any; /* the next member or element is not the first */
	int depth;
};

void gw_json_begin(struct gw_json_writer *w); /* { */
/* "key": value, on a line of its own. Takes value over. */
void gw_json_member(struct gw_json_writer *w, const char *key, json_t *value);
/* "key": [ */
void gw_json_list(struct gw_json_writer *w, const char *key);
/* An element of the list, on a line of its own. Takes value over. */
void gw_json_element(struct gw_json_writer *w, json_t *value);
void gw_json_list_end(struct gw_json_writer *w); /* ] */
void gw_json_end(struct gw_json_writer *w);	 /* } and a newline */

#endif
