/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Faults on an emulated domain's memory that another thread serves (gw_fault_ops): a copy before
 * the first write, or contents at the first access. A mapping can have one userfaultfd, and
 * asynchronous write protection applies to the whole descriptor. So while this one is open,
 * log-dirty is either a part of it (protect) or uses Unicorn's hook (absent).
 */
#ifndef GW_HYPERVISOR_EMU_FAULTS_H
#define GW_HYPERVISOR_EMU_FAULTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

enum gw_emu_fault_mode { GW_EMU_FAULTS_OFF, GW_EMU_FAULTS_PROTECT, GW_EMU_FAULTS_ABSENT };

struct gw_emu_faults {
	enum gw_emu_fault_mode mode;
	int uffd, stop_fd;
	pthread_t thread;
	uint64_t *due; /* bit per gfn, atomic: to be copied before a write, or filled */
	/* Guards log-dirty's state of a page: mark and protection change together. */
	pthread_mutex_t lock;
	bool logging;
	gw_write_fault_fn *on_write;
	gw_touch_fault_fn *on_touch;
	void *opaque;
};

void gw_emu_faults_init(struct gw_emu_faults *f);
/* Ends all faults, for a domain that ends. */
void gw_emu_faults_free(struct gw_emu_faults *f);

extern const struct gw_fault_ops gw_emu_fault_ops;

#endif
