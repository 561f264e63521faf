/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The title of a process, as ps and top show it.
 */
#ifndef GW_CLI_TITLE_H
#define GW_CLI_TITLE_H

/* Makes the room of the command line and the environment available. Once, before any thread starts:
 * it moves the environment and the strings of argv. */
void gw_title_init(int argc, char **argv);
/* Replaces the command line by "godwit: KIND NAME", and the process's short name. Does nothing
 * without gw_title_init(). */
void gw_title_set(const char *kind, const char *name);

#endif
