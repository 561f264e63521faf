/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The uri a host is opened by: "scheme:" with optional "?key=value&key=value". What the keys
 * mean is each backend's business; nothing is percent-decoded.
 */
#ifndef GW_HYPERVISOR_URI_H
#define GW_HYPERVISOR_URI_H

#include <stdint.h>

#include <godwit/error.h>

#define GW_URI_VALUE_MAX 256

struct gw_uri_pair {
	char key[32];
	char value[GW_URI_VALUE_MAX];
};

/*
 * If uri has this scheme ("memory"): 1, and *query is the text after "?" ("" without one).
 * 0 if it has another one; -1 with GW_USAGE if something else follows the colon.
 */
int gw_uri_query(const char *uri, const char *scheme, const char **query, struct gw_error *err);

/* Reads the next pair of a query and moves *query after it: 1, 0 at the end, -1 with GW_USAGE.
 */
int gw_uri_next(const char **query, struct gw_uri_pair *pair, struct gw_error *err);

/* The pair's value as a number (decimal, or hexadecimal with 0x) of at most max. */
int gw_uri_number(const struct gw_uri_pair *pair, uint64_t max, uint64_t *value,
		  struct gw_error *err);

#endif
