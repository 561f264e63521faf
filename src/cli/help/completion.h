/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shell completions made from the verbs' tables.
 */
#ifndef GW_CLI_HELP_COMPLETION_H
#define GW_CLI_HELP_COMPLETION_H

#include <stdio.h>

void gw_completion_bash(FILE *to);
void gw_completion_zsh(FILE *to);

#endif
