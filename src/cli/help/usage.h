/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Help texts made from the verbs' tables.
 */
#ifndef GW_CLI_HELP_USAGE_H
#define GW_CLI_HELP_USAGE_H

#include <stdio.h>

#include "cli/verb.h"

/* "godwit --help": the groups and their verbs, the global options. */
void gw_usage_overview(FILE *to);
/* "godwit help VERB". */
void gw_usage_verb(FILE *to, const struct gw_verb *verb);

/* The arguments in the verb's synopsis: "[OPTIONS] FILE". Written into buf. */
const char *gw_usage_synopsis(const struct gw_verb *verb, char *buf, size_t size);
/* What stands for the option's argument: "N", "auto|never|json"; NULL for flags. */
const char *gw_option_argument(const struct gw_option *option);

/* The sentence that says where the JSON of a verb is described; in buf. */
const char *gw_usage_json(const struct gw_verb *verb, char *buf, size_t size);

#endif
