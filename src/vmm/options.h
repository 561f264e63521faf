/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Members of a request, checked: a wrong type or a number out of range is refused by name.
 */
#ifndef GW_VMM_OPTIONS_H
#define GW_VMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <godwit/error.h>

/* *value is unchanged if there is no such member. 0 or -1. */
int gw_option_bool(const json_t *message, const char *name, bool *value, struct gw_error *err);
int gw_option_number(const json_t *message, const char *name, uint64_t max, uint64_t *value,
		     struct gw_error *err);

#endif
