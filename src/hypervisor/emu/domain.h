/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The emulated domain, for the files of src/hypervisor/emu/; other files include emu.h. It is a
 * machine (hypervisor/machine/machine.h), which has the rules for threads, whose processor is
 * Unicorn.
 */
#ifndef GW_HYPERVISOR_EMU_DOMAIN_H
#define GW_HYPERVISOR_EMU_DOMAIN_H

#include "hypervisor/emu/emu.h"
#include "hypervisor/emu/faults.h"
#include "hypervisor/emu/logdirty.h"
#include "hypervisor/emu/unicorn.h"
#include "hypervisor/machine/machine.h"

#define GW_EMU_WRMSR_SITES 64

/* A piece of guest memory that is mapped into Unicorn; ascending. */
struct gw_emu_piece {
	uint64_t gfn, count;
	void *host;
};

enum gw_emu_stop {
	GW_EMU_STOP_NONE,	 /* a stop was requested, or no reason at all: go on when allowed */
	GW_EMU_STOP_CRASH,	 /* the guest has ended: gw_machine_crash() was called */
	GW_EMU_STOP_RETRANSLATE, /* hooks changed: go on with new translations */
};

struct gw_emu_engine {
	uc_engine *uc;
	bool long_mode; /* opened for 64-bit long mode, else 32-bit protected mode */
	struct gw_emu_piece *pieces;
	size_t nr_pieces;
	uint64_t wrmsr_sites[GW_EMU_WRMSR_SITES]; /* addresses where Unicorn exits */
	unsigned nr_sites;
	uint64_t scanned; /* rip at which the last scan_entry() began */
	enum gw_emu_stop stop;
	uint64_t forget_from, forget_to;	       /* with STOP_RETRANSLATE: the block */
	uint16_t loaded_selectors[GW_HVM_NR_SEGMENTS]; /* as Unicorn read them back after loading */
	uc_hook write_hook;
	bool write_hooked;
};

struct gw_emu {
	struct gw_machine m; /* first */
	const struct gw_unicorn *u;
	struct gw_emu_dirty dirty;
	struct gw_emu_faults faults;
	struct gw_emu_engine engine;
	/* Pages that were not written by the guest and may have translations; none if first > last.
	 * Guarded by m.mem.lock. */
	uint64_t stale_first, stale_last;
};

#define gw_emu_of_machine(machine) gw_container_of(machine, struct gw_emu, m)
#define gw_emu_of(domain)	   gw_emu_of_machine(gw_machine_of(domain))

/* domain.c */
struct gw_emu *gw_emu_new(const struct gw_domain_config *config, const struct gw_policy *policy,
			  enum gw_emu_dirty_kind kind, unsigned yield_us,
			  struct gw_held_list *domains, struct gw_error *err);

/* host.c: frees the host of this list after its last domain has ended. */
void gw_emu_host_free(struct gw_held_list *domains);

/* engine.c: Unicorn with its hooks. Opens it and loads registers and memory where necessary. */
int gw_emu_engine_prepare(struct gw_machine *m, struct gw_error *err);
void gw_emu_engine_close(struct gw_emu *e);
/* One entry: runs until the guest exits, and handles the exit. */
void gw_emu_engine_run(struct gw_machine *m);

/* machine_writes.c: the machine or the host wrote this page, so translations of it may be old. Any
 * thread. */
void gw_emu_stale(struct gw_machine *m, uint64_t gfn);

/* pieces.c: makes Unicorn's mappings those of the guest's memory. */
int gw_emu_pieces_sync(struct gw_emu *e, struct gw_error *err);

/* regs.c: registers between the CPU record and Unicorn. */
int gw_emu_regs_check(const struct gw_hvm_cpu *cpu, bool *long_mode, struct gw_error *err);
int gw_emu_regs_load(struct gw_emu *e, struct gw_error *err);
void gw_emu_regs_store(struct gw_emu *e, struct gw_hvm_cpu *cpu);
uint64_t gw_emu_reg(struct gw_machine *m, enum gw_hvm_gpr reg);
void gw_emu_set_reg(struct gw_machine *m, enum gw_hvm_gpr reg, uint64_t value);
uint64_t gw_emu_pat(struct gw_emu *e);
uint64_t gw_emu_rip(struct gw_emu *e);
void gw_emu_set_rip(struct gw_emu *e, uint64_t rip);
/* The table entries paging and restored: the latter fails if the guest's code or stack has other
 * physical addresses than virtual ones, because Unicorn looks them up as if paging were off. */
void gw_emu_paging(struct gw_machine *m, struct gw_machine_paging *paging);
int gw_emu_check_paging(struct gw_machine *m, struct gw_error *err);

/* insn.c: instructions that Unicorn lacks. True if the next one was such and was executed. */
bool gw_emu_insn(struct gw_emu *e);

/* policy.c */
int gw_emu_policy_host(struct gw_policy *policy, const char *lack, struct gw_error *err);

/* context.c */
int gw_emu_context_get(struct gw_machine *m, void **blob, size_t *len, struct gw_error *err);
int gw_emu_context_set(struct gw_machine *m, const void *blob, size_t len, struct gw_error *err);

#endif
