/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the heartbeat guest needs of the machine it runs on. One file implements it for PVH (and for
 * HVM, where a boot sector enters the guest as a PVH loader would), another for PV.
 */
#ifndef GODWIT_GUESTS_MACHINE_H
#define GODWIT_GUESTS_MACHINE_H

#include <stdint.h>

#define SCHED_OP	 29
#define EVENT_CHANNEL_OP 32
#define MEMORY_OP	 12

#define SHUTDOWN_SUSPEND 2
#define SHUTDOWN_CRASH	 3
#define DOMID_SELF	 0x7ff0

#define PAGE 4096u

typedef unsigned long word;

/* Where the shared info page appears once machine_connect() has succeeded. */
extern uint8_t shared_info[PAGE];

word hypercall(word nr, word a, word b, word c);

/* Prints one character on the hypervisor's console. */
void machine_put_char(char c);

/* Called once, with what the loader passed to the entry; returns the command line, NULL if there is
 * none. */
const char *machine_start(const void *info);

/* The memory for a working set of this many pages: sets the first pfn and returns the number of
 * pages. */
uint32_t machine_room(uint32_t wanted, uint32_t *first_pfn);

/* Maps the shared info page, at the start and again after each restore; 0 if that succeeded. */
int machine_connect(void);

/* Suspends: 0 in a new domain, 1 in the old one. */
word machine_suspend(void);

#endif
