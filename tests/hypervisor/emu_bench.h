/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What tests of the built-in machine share: a host, a booted heartbeat guest, its console's text,
 * its memory, and a second domain made of a first one's state.
 */
#ifndef GW_TESTS_EMU_BENCH_H
#define GW_TESTS_EMU_BENCH_H

#include "gwtest.h"

#include <pthread.h>

#include <godwit/hypervisor.h>

struct guest {
	struct gw_host *host;
	struct gw_domain *d;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	char text[65536]; /* the console, from its beginning */
	size_t len;
};

/* Prints why and exits 77 where the machine cannot run. */
void bench_require(void);

/* The whole file godwit-guestWIDTH.elf; *len its size. */
void *bench_guest_file(const char *width, size_t *len);

/* A paused domain on a host of its own, without memory. */
struct guest *guest_new(const char *query, uint64_t max_pfns);
/* The same, booted from godwit-guestWIDTH.elf with RAM of so many pages. Still paused. */
struct guest *guest_boot(const char *query, const char *width, const char *cmdline,
			 uint64_t mem_pages);
void guest_free(struct guest *g);

void guest_pause(struct guest *g);
void guest_unpause(struct guest *g);

/* Waits (10 s) until the console has this text at or after position from; returns the position
 * behind it. */
size_t guest_wait(struct guest *g, size_t from, const char *text);
size_t guest_console_len(struct guest *g);

/* The guest's page, writable: for a paused guest or for reading racy counters. */
void *guest_page(struct guest *g, uint64_t gfn);

/* Copies all state of a stopped domain into a new one by way of the tables. */
struct guest *guest_copy(struct guest *from, const char *query);

/* Seeds rand() from GODWIT_SEED or the clock, and prints it. */
void bench_seed(void);

#endif
