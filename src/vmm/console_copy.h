/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The copy of a guest's console that its own process prints.
 */
#ifndef GW_VMM_CONSOLE_COPY_H
#define GW_VMM_CONSOLE_COPY_H

#include "base/terminal.h"
#include "vmm/console.h"

struct gw_console_copy {
	int fd;	       /* -1: no copy, or no longer: its reader is gone */
	bool filtered; /* fd is a terminal, and the guest may not command it */
	uint64_t pos;  /* of the console, as far as it was read */
	struct gw_terminal terminal;
	struct gw_buffer out; /* read and not yet written, from out_pos on */
	size_t out_pos;
};

/* raw: a terminal, too, gets every byte. */
void gw_console_copy_begin(struct gw_console_copy *copy, int fd, bool raw);
/* True if there is something to write. */
bool gw_console_copy_pending(const struct gw_console_copy *copy, struct gw_console *console);
/* Writes one piece, after the descriptor polled writable. */
void gw_console_copy_step(struct gw_console_copy *copy, struct gw_console *console);
/* Ends the colours, and frees the buffer. */
void gw_console_copy_end(struct gw_console_copy *copy);

#endif
