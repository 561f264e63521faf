/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The emulated domain, for the files of src/hypervisor/emu/; other files include emu.h.
 *
 * Threads: lock guards the run state. The processor (engine, cpu, xen) belongs to the vCPU's thread
 * while that runs, and otherwise to a thread that has seen running == false under lock.
 */
#ifndef GW_HYPERVISOR_EMU_DOMAIN_H
#define GW_HYPERVISOR_EMU_DOMAIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/control.h>

#include "base/buffer.h"
#include "format/x86/hvm_context.h"
#include "hypervisor/emu/emu.h"
#include "hypervisor/emu/faults.h"
#include "hypervisor/emu/logdirty.h"
#include "hypervisor/emu/memory.h"
#include "hypervisor/emu/throttle.h"
#include "hypervisor/emu/unicorn.h"
#include "hypervisor/held.h"

#define GW_EMU_PARAMS	     64
#define GW_EMU_PORTS	     1024    /* the number of ports in a 32-bit guest's shared info */
#define GW_EMU_DOMID_MAX     0x7fffu /* of a port's remote domain */
#define GW_EMU_WRMSR_SITES   64
#define GW_EMU_MSR_HYPERCALL UINT32_C(0x40000000)

/* A piece of guest memory that is mapped into Unicorn; ascending. */
struct gw_emu_piece {
	uint64_t gfn, count;
	void *host;
};

enum gw_emu_stop {
	GW_EMU_STOP_NONE,	 /* a stop was requested, or no reason at all: go on when allowed */
	GW_EMU_STOP_CRASH,	 /* the guest has ended: gw_emu_crash() was called */
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

/* An event channel. This machine only has unbound ones, which wait for the domain remote. */
struct gw_emu_port {
	bool open;
	uint32_t remote;
};

/* State of the guest that Xen keeps outside the guest's memory and registers. */
struct gw_emu_xen {
	uint8_t *shared_info;	  /* this process's own page, not part of the guest's memory */
	uint64_t shared_info_gfn; /* where the guest sees it; GW_INVALID_PFN: nowhere */
	uint64_t hypercall_gfn;	  /* GW_INVALID_PFN: the guest registered no hypercall page here */
	struct gw_emu_port ports[GW_EMU_PORTS];
	unsigned suspend_port;	/* 0: the guest announced none */
	bool suspend_withdrawn; /* a withdrawn request may have been seen by the guest */
};

struct gw_emu {
	struct gw_domain d; /* first */
	struct gw_control control;
	struct gw_control_events events;
	struct gw_held held;
	struct gw_held_list *domains; /* of its host */
	const struct gw_unicorn *u;
	struct gw_emu_memory mem;
	struct gw_emu_dirty dirty;
	struct gw_emu_faults faults;
	struct gw_policy host_policy, policy;
	struct gw_tsc_info tsc; /* as it was at tsc_set_at, monotonic ns */
	uint64_t tsc_set_at;
	uint64_t params[GW_EMU_PARAMS];
	unsigned yield_us;

	struct gw_emu_engine engine;
	struct gw_emu_xen xen;
	/* The last context that was set, and its CPU record. Registers that Unicorn lacks stay
	 * here. */
	struct gw_buffer context;
	struct gw_hvm_cpu cpu;
	bool have_cpu;	/* a context was set */
	bool cpu_in_uc; /* the engine holds the registers; cpu has those that were loaded into it */
	bool ran;	/* since the context was set */

	pthread_t thread;
	bool thread_started;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned pauses;
	bool held_back; /* by the throttle, for a moment */
	bool running, blocked, quit;
	bool kicked;	   /* a stop was requested since the last entry; atomic */
	bool stale_pieces; /* pages were added or removed */
	/* Pages that were not written by the guest and may have translations; none if first > last.
	 * Guarded by mem.lock. */
	uint64_t stale_first, stale_last;
	enum gw_shutdown_reason shutdown;
	bool announced;	 /* the shutdown was reported to shutdown_fd and events.shutdown */
	int shutdown_fd; /* eventfd, readable while shut down */
	char crash[500];

	struct gw_emu_throttle throttle;
};

#define gw_emu_of(domain) gw_container_of(domain, struct gw_emu, d)

/* domain.c */
struct gw_emu *gw_emu_new(const struct gw_domain_config *config, const struct gw_policy *policy,
			  enum gw_emu_dirty_kind kind, unsigned yield_us,
			  struct gw_held_list *domains, struct gw_error *err);

/* host.c: frees the host of this list after its last domain has ended. */
void gw_emu_host_free(struct gw_held_list *domains);

/* vcpu.c: the thread, and the entries of the control table that let it run. */
int gw_emu_vcpu_start(struct gw_emu *e, struct gw_error *err);
void gw_emu_vcpu_end(struct gw_emu *e);
int gw_emu_unpause(struct gw_emu *e, struct gw_error *err);
int gw_emu_suspend(struct gw_emu *e, int timeout_ms, const struct gw_cancel *cancel,
		   struct gw_error *err);
int gw_emu_resume(struct gw_emu *e, struct gw_error *err);

/* vcpu_state.c. pause: returns when the vCPU has stopped. */
void gw_emu_pause(struct gw_emu *e);
/* Undoes a pause that the backend made itself, without the checks of gw_emu_unpause(). */
void gw_emu_release(struct gw_emu *e);
/* New state was put into the stopped vCPU: it is no longer suspended, blocked or crashed. */
void gw_emu_vcpu_reset(struct gw_emu *e);
/* Called with lock: returns when the thread has left the guest. */
void gw_emu_vcpu_wait_stopped(struct gw_emu *e);
/* Makes shutdown_fd ready for the next shutdown. */
void gw_emu_vcpu_drain(struct gw_emu *e);
/* Fails with GW_BUSY unless the vCPU is stopped until a caller unpauses or resumes it. */
int gw_emu_need_stopped(struct gw_emu *e, const char *what, struct gw_error *err);
/* In the vCPU's thread: runs no more instructions until an event is pending. */
void gw_emu_block(struct gw_emu *e);
/* In the vCPU's thread: the guest has shut down or suspended. */
void gw_emu_shut_down(struct gw_emu *e, enum gw_shutdown_reason reason);
/* The same for a guest that the machine stops; fills crash. */
void gw_emu_crash(struct gw_emu *e, const char *fmt, ...) GW_PRINTF(2, 3);

/* engine.c: Unicorn with its hooks. Opens it and loads registers and memory where necessary. */
int gw_emu_engine_prepare(struct gw_emu *e, struct gw_error *err);
void gw_emu_engine_close(struct gw_emu *e);
/* One entry: runs until the guest exits, and handles the exit. */
void gw_emu_engine_run(struct gw_emu *e);

/* throttle.c: lets the vCPU run (100 - percent) % of the time. */
int gw_emu_throttle(struct gw_emu *e, unsigned percent, struct gw_error *err);

/* machine_writes.c: the machine or the host wrote this page, so translations of it may be old. Any
 * thread. */
void gw_emu_stale(struct gw_emu *e, uint64_t gfn);

/* pieces.c: makes Unicorn's mappings those of the guest's memory. */
int gw_emu_pieces_sync(struct gw_emu *e, struct gw_error *err);

/* regs.c: registers between the CPU record and Unicorn. */
int gw_emu_regs_check(const struct gw_hvm_cpu *cpu, bool *long_mode, struct gw_error *err);
int gw_emu_regs_load(struct gw_emu *e, struct gw_error *err);
void gw_emu_regs_store(struct gw_emu *e, struct gw_hvm_cpu *cpu);
uint64_t gw_emu_reg(struct gw_emu *e, enum gw_hvm_gpr reg);
void gw_emu_set_reg(struct gw_emu *e, enum gw_hvm_gpr reg, uint64_t value);
uint64_t gw_emu_rip(struct gw_emu *e);
void gw_emu_set_rip(struct gw_emu *e, uint64_t rip);

/* walk.c: guest memory by virtual address, as the processor translates it. 0 or -1. */
int gw_emu_translate(struct gw_emu *e, uint64_t va, uint64_t *pa);
/* Fails if the guest's code or stack has other physical addresses than virtual ones: Unicorn looks
 * them up as if paging were off. 0 or -1. */
int gw_emu_check_paging(struct gw_emu *e, uint64_t rip, uint64_t rsp, struct gw_error *err);
int gw_emu_copy_in(struct gw_emu *e, void *to, uint64_t va, size_t len);
int gw_emu_copy_out(struct gw_emu *e, uint64_t va, const void *from, size_t len);
/* Sets the gfn of each page table that the processor can reach now, in a bitmap of mem.window
 * bits. */
void gw_emu_walk_tables(struct gw_emu *e, uint64_t *bitmap);

/* hypercall.c */
void gw_emu_hypercall(struct gw_emu *e);
void gw_emu_set_hypercall_page(struct gw_emu *e, uint64_t value);

/* evtchn.c. raise: sets the port pending in the shared info; any thread. clear: a suspended guest
 * finds no old request when it goes on. */
int gw_emu_evtchn_op(struct gw_emu *e, uint64_t cmd, uint64_t arg);
void gw_emu_evtchn_raise(struct gw_emu *e, unsigned port);
void gw_emu_evtchn_clear(struct gw_emu *e, unsigned port);
void gw_emu_evtchn_withdraw(struct gw_emu *e, unsigned port);
bool gw_emu_evtchn_pending(const struct gw_emu *e);

/* insn.c: instructions that Unicorn lacks. True if the next one was such and was executed. */
bool gw_emu_insn(struct gw_emu *e);

/* policy.c */
int gw_emu_policy_host(struct gw_policy *policy, const char *lack, struct gw_error *err);
int gw_emu_policy_set(struct gw_emu *e, const struct gw_policy *policy, struct gw_error *err);
void gw_emu_cpuid(const struct gw_emu *e, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

/* context.c, xenabi.c */
int gw_emu_context_get(struct gw_emu *e, void **blob, size_t *len, struct gw_error *err);
int gw_emu_context_set(struct gw_emu *e, const void *blob, size_t len, struct gw_error *err);
int gw_emu_xenabi_get(struct gw_emu *e, void **blob, size_t *len, struct gw_error *err);
int gw_emu_xenabi_set(struct gw_emu *e, const void *blob, size_t len, struct gw_error *err);

#endif
