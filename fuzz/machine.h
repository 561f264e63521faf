/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domains of the memory backend for fuzz targets and tests: small, quickly made, with a neighbour
 * on the same host whose memory must never change.
 */
#ifndef GW_FUZZ_MACHINE_H
#define GW_FUZZ_MACHINE_H

#include <stdbool.h>

#include <godwit/hypervisor.h>
#include <godwit/toolstack.h>

#define MACHINE_PAGES 4096u /* that all domains of a machine may have together */

struct machine {
	struct gw_host *host;
	struct gw_domain *d; /* the one to restore into or to save */
	struct gw_domain
		*neighbour; /* of the same type; stays with its host for the next machine */
	struct gw_toolstack toolstack;
};

/* All of these end the program where they fail: no input can make them fail. */
void machine_open(struct machine *m, enum gw_guest_type type, uint64_t max_pages);
/* Destroys d. Checks the neighbour, and that nothing of d is left; ends the program with a message
 * if not. */
void machine_close(struct machine *m);

/* Gives an HVM domain n pages and a vCPU. */
void machine_fill_hvm(struct gw_domain *d, unsigned n);

#endif
