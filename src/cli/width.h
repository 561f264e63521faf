/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The width of the terminal.
 */
#ifndef GW_CLI_WIDTH_H
#define GW_CLI_WIDTH_H

/* Columns of the terminal fd: $COLUMNS, else what the terminal says, else 80; at least 20. */
int gw_terminal_width(int fd);

#endif
