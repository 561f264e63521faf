/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Manual pages (man(7) macros) made from the verbs' tables.
 */
#ifndef GW_CLI_HELP_MANUAL_H
#define GW_CLI_HELP_MANUAL_H

#include <stdio.h>

#include "cli/verb.h"

void gw_manual_overview(FILE *to);			   /* godwit(1) */
void gw_manual_verb(FILE *to, const struct gw_verb *verb); /* godwit-VERB(1) */

#endif
