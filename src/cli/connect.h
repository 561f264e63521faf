/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What -c, --connect may be for a verb.
 */
#ifndef GW_CLI_CONNECT_H
#define GW_CLI_CONNECT_H

#include <stdbool.h>

#include <jansson.h>

#include "cli/verb.h"

/* Fails, in words, if the verb has no use for the given uri or for a part of it. 0 or -1. */
int gw_connect_check(const struct gw_verb *verb, const char *uri, struct gw_error *err);
bool gw_connect_is(const struct gw_cli *cli, const char *scheme);
/* Is this the description of a domain of the hypervisor that -c names? Any is, without -c. */
bool gw_connect_has(const struct gw_cli *cli, const json_t *info);

#endif
