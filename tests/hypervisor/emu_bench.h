/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Helpers for the tests of the machines of this process: a host, a booted heartbeat guest, its
 * console's text, its memory, and a second domain made from a first one's state.
 */
#ifndef GW_TESTS_EMU_BENCH_H
#define GW_TESTS_EMU_BENCH_H

#include "lib/gwtest.h"

#include <pthread.h>

#include <godwit/hypervisor.h>

#include "format/x86/hvm_context.h"

struct guest {
	struct gw_host *host;
	struct gw_domain *d;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	char text[65536]; /* the console's text so far */
	size_t len;
};

/* Prints a reason and exits with 77 where the machine under test cannot run: the built-in one, or
 * KVM with GODWIT_TEST_MACHINE=kvm in the environment. */
void bench_require(void);
bool bench_on_kvm(void);

/* The whole file godwit-guestWIDTH.elf; *len its size. */
void *bench_guest_file(const char *width, size_t *len);

/* A paused domain on a host of its own, without memory. */
struct guest *guest_new(const char *query, uint64_t max_pfns);
/* The same on "emu" or "kvm". */
struct guest *guest_new_on(const char *machine, const char *query, uint64_t max_pfns);
/* The same, booted from godwit-guestWIDTH.elf with that many pages of RAM. Still paused. */
struct guest *guest_boot(const char *query, const char *width, const char *cmdline,
			 uint64_t mem_pages);
void guest_free(struct guest *g);

void guest_pause(struct guest *g);
void guest_unpause(struct guest *g);

/* Waits (10 s, on KVM 60) until the console has this text at or after position from; returns the
 * position after it. */
size_t guest_wait(struct guest *g, size_t from, const char *text);
size_t guest_console_len(struct guest *g);

/* The guest's page, for reading, whether it runs or not. */
void *guest_page(struct guest *g, uint64_t gfn);
/* Writes into a page as a toolstack would, so that the built-in machine notices. */
void guest_write(struct guest *g, uint64_t gfn, size_t offset, const void *bytes, size_t len);

/* Copies all state of a stopped domain into a new one through the tables. */
struct guest *guest_copy(struct guest *from, const char *query);
struct guest *guest_copy_to(struct guest *from, const char *machine, const char *query);

/* Sets the vCPU of a paused guest to run code at this address in flat 32-bit mode. */
void guest_set_entry(struct guest *g, uint32_t eip);
/* A domain with that many pages of RAM and this code at 1 MiB, where it starts; a VMMCALL becomes
 * the instruction with which its machine is called. Still paused. */
struct guest *guest_raw(const char *query, const void *code, size_t len, uint64_t mem_pages);
/* Waits (10 s) until the vCPU has halted or shut down, and pauses the guest; the caller unpauses
 * it. */
void guest_wait_halted(struct guest *g);
/* The vCPU's registers. Paused guest. */
void guest_cpu(struct guest *g, struct gw_hvm_cpu *cpu);
void guest_set_cpu(struct guest *g, const struct gw_hvm_cpu *cpu);

#endif
