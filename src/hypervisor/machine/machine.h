/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A machine that runs one x86 PVH guest in this process: what the backends emu: and kvm: share. To
 * its guest it is a small Xen (docs/guest-abi.md). The backend embeds struct gw_machine as its
 * first member, and fills a table of what its processor does.
 *
 * Threads: lock guards the run state. The processor (the backend's, cpu, xen) belongs to the vCPU's
 * thread while that runs, and otherwise to a thread that has seen running == false under lock.
 */
#ifndef GW_HYPERVISOR_MACHINE_MACHINE_H
#define GW_HYPERVISOR_MACHINE_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/control.h>

#include "base/buffer.h"
#include "base/util.h"
#include "format/x86/hvm_context.h"
#include "hypervisor/held.h"
#include "hypervisor/machine/logdirty.h"
#include "hypervisor/machine/memory.h"
#include "hypervisor/machine/throttle.h"

#define GW_MACHINE_PARAMS	 64
#define GW_MACHINE_PORTS	 1024	 /* the number of ports in a 32-bit guest's shared info */
#define GW_MACHINE_DOMID_MAX	 0x7fffu /* of a port's remote domain */
#define GW_MACHINE_MSR_HYPERCALL UINT32_C(0x40000000)
#define GW_MACHINE_PORT_CONSOLE	 0xe9

/* An event channel. This machine only has unbound ones, which wait for the domain remote. */
struct gw_machine_port {
	bool open;
	uint32_t remote;
};

/* State of the guest that Xen keeps outside the guest's memory and registers. */
struct gw_machine_xen {
	uint8_t *shared_info;	  /* this process's own page, not part of the guest's memory */
	uint64_t shared_info_gfn; /* where the guest sees it; GW_INVALID_PFN: nowhere */
	uint64_t hypercall_gfn;	  /* GW_INVALID_PFN: the guest registered no hypercall page here */
	struct gw_machine_port ports[GW_MACHINE_PORTS];
	unsigned suspend_port;	/* 0: the guest announced none */
	bool suspend_withdrawn; /* a withdrawn request may have been seen by the guest */
};

/* The state of paging: CR0, CR3, CR4, and whether long mode is active. */
struct gw_machine_paging {
	uint64_t cr0, cr3, cr4;
	bool long_mode;
};

/* What a backend's processor does. Entries run in the vCPU's thread or while the vCPU is stopped.
 */
struct gw_machine_ops {
	const char *title; /* for messages: "the built-in machine" */
	/* The three bytes of the instruction that leaves the guest from a hypercall page. All
	 * backends have as many, so that a guest stopped in the page moves between them. */
	uint8_t hypercall_insn[3];
	/* Puts all state into the processor where necessary; fails if it could not run. */
	int (*prepare)(struct gw_machine *m, struct gw_error *err);
	/* One entry: runs until the guest exits, and handles the exit. */
	void (*run)(struct gw_machine *m);
	/* Ends an entry soon; called with lock, after kicked was set or an event was raised. NULL:
	 * run looks at kicked by itself. */
	void (*kick)(struct gw_machine *m);
	uint64_t (*reg)(struct gw_machine *m, enum gw_hvm_gpr reg);
	void (*set_reg)(struct gw_machine *m, enum gw_hvm_gpr reg, uint64_t value);
	void (*paging)(struct gw_machine *m, struct gw_machine_paging *paging);
	/* The machine or the host wrote this page. Any thread. NULL: the processor sees it. */
	void (*wrote)(struct gw_machine *m, uint64_t gfn);
	/* All of an image is in place: finds every reason for which it could not run. */
	int (*restored)(struct gw_machine *m, struct gw_error *err);
	const struct gw_machine_dirty_ops *(*dirty_method)(struct gw_machine *m);
	int (*get_context)(struct gw_machine *m, void **blob, size_t *len, struct gw_error *err);
	int (*set_context)(struct gw_machine *m, const void *blob, size_t len,
			   struct gw_error *err);
	/* State of the backend's own beside GW_EXTRA_XENABI. NULL: none. */
	int (*get_extra)(struct gw_machine *m, const char *name, void **blob, size_t *len,
			 struct gw_error *err);
	int (*set_extra)(struct gw_machine *m, const char *name, const void *blob, size_t len,
			 struct gw_error *err);
	/* The domain ends: ends what could hold up the vCPU's thread. NULL: nothing does. */
	void (*ending)(struct gw_machine *m);
	/* Frees the backend's part, m (gw_machine_fini()) and the struct around it. */
	void (*free)(struct gw_machine *m);
	/* Frees the host of this list after its last domain has ended. */
	void (*free_host)(struct gw_held_list *domains);
	const struct gw_fault_ops *faults; /* NULL: none */
};

struct gw_machine {
	struct gw_domain d; /* first */
	struct gw_control control;
	struct gw_control_events events;
	struct gw_held held;
	struct gw_held_list *domains; /* of its host */
	const struct gw_machine_ops *ops;
	struct gw_machine_memory mem;
	struct gw_machine_dirty dirty;
	struct gw_policy host_policy, policy;
	struct gw_tsc_info tsc; /* as it was at tsc_set_at, monotonic ns */
	uint64_t tsc_set_at;
	uint64_t params[GW_MACHINE_PARAMS];
	unsigned yield_us;

	struct gw_machine_xen xen;
	bool wide; /* the guest is in long mode: hypercalls and the shared info have 64-bit words */
	/* The last context that was set, and its CPU record. Registers that the processor lacks
	 * stay here. */
	struct gw_buffer context;
	struct gw_hvm_cpu cpu;
	bool have_cpu;	 /* a context was set */
	bool cpu_loaded; /* the processor holds the registers; cpu has those that were loaded */
	bool ran;	 /* since the context was set */

	pthread_t thread;
	bool thread_started;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned pauses;
	bool held_back; /* by the throttle, for a moment */
	bool running, blocked, quit;
	bool kicked;	   /* a stop was requested since the last entry; atomic */
	bool stale_pieces; /* pages were added or removed */
	enum gw_shutdown_reason shutdown;
	bool announced;	 /* the shutdown was reported to shutdown_fd and events.shutdown */
	int shutdown_fd; /* eventfd, readable while shut down */
	char crash[500];

	struct gw_machine_throttle throttle;
};

#define gw_machine_of(domain) gw_container_of(domain, struct gw_machine, d)

/*
 * domain.c. init: m is zeroed, inside the backend's own struct, with ops set. Makes it a paused
 * domain of the host; policy is the host's. After a failure the caller frees its part and calls
 * fini; after success only destroy does, which calls ops->free.
 */
int gw_machine_init(struct gw_machine *m, const struct gw_domain_config *config,
		    const struct gw_policy *policy, struct gw_held_list *domains,
		    struct gw_error *err);
/* Starts the vCPU's thread and lists the domain at its host: the last step of a creation. */
int gw_machine_start(struct gw_machine *m, struct gw_error *err);
void gw_machine_fini(struct gw_machine *m);
/* As gw_emu_depopulate() (emu.h), for every backend's. */
int gw_machine_depopulate(struct gw_machine *m, size_t n, const uint64_t *gfns,
			  struct gw_error *err);
/* The event channel port at which the guest takes suspend requests; 0: it announced none. */
unsigned gw_machine_suspend_port(struct gw_machine *m);

/* Pages that a new domain could have at most on this machine. */
uint64_t gw_machine_host_pages(void);

/* vcpu.c: the thread, and the entries of the control table that let it run. */
int gw_machine_vcpu_start(struct gw_machine *m, struct gw_error *err);
void gw_machine_vcpu_end(struct gw_machine *m);
int gw_machine_unpause(struct gw_machine *m, struct gw_error *err);
int gw_machine_suspend(struct gw_machine *m, int timeout_ms, const struct gw_cancel *cancel,
		       struct gw_error *err);
int gw_machine_resume(struct gw_machine *m, struct gw_error *err);

/* vcpu_state.c. pause: returns when the vCPU has stopped. */
void gw_machine_pause(struct gw_machine *m);
/* Undoes a pause that the backend made itself, without the checks of gw_machine_unpause(). */
void gw_machine_release(struct gw_machine *m);
/* New state was put into the stopped vCPU: it is no longer suspended, blocked or crashed. */
void gw_machine_vcpu_reset(struct gw_machine *m);
/* Called with lock: returns when the thread has left the guest. */
void gw_machine_vcpu_wait_stopped(struct gw_machine *m);
/* Makes shutdown_fd ready for the next shutdown. */
void gw_machine_vcpu_drain(struct gw_machine *m);
/* Fails with GW_BUSY unless the vCPU is stopped until a caller unpauses or resumes it. */
int gw_machine_need_stopped(struct gw_machine *m, const char *what, struct gw_error *err);
/* In the vCPU's thread: runs no more instructions until an event is pending. */
void gw_machine_block(struct gw_machine *m);
/* In the vCPU's thread: the guest has shut down or suspended. */
void gw_machine_shut_down(struct gw_machine *m, enum gw_shutdown_reason reason);
/* The same for a guest that the machine stops; fills crash. */
void gw_machine_crash(struct gw_machine *m, const char *fmt, ...) GW_PRINTF(2, 3);

/* throttle.c: lets the vCPU run (100 - percent) % of the time. */
int gw_machine_throttle(struct gw_machine *m, unsigned percent, struct gw_error *err);

/* walk.c: guest memory by virtual address, as the processor translates it. 0 or -1. */
int gw_machine_translate(struct gw_machine *m, uint64_t va, uint64_t *pa);
int gw_machine_copy_in(struct gw_machine *m, void *to, uint64_t va, size_t len);
int gw_machine_copy_out(struct gw_machine *m, uint64_t va, const void *from, size_t len);
/* Sets the gfn of each page table that the processor can reach now, in a bitmap of mem.window
 * bits. */
void gw_machine_walk_tables(struct gw_machine *m, uint64_t *bitmap);

/* hypercall.c */
void gw_machine_hypercall(struct gw_machine *m);
void gw_machine_set_hypercall_page(struct gw_machine *m, uint64_t value);
/* own: puts this machine's instruction into a hypercall page that another machine or Xen filled.
 * neutral: puts vmmcall there, which a suspended guest finds wherever it goes on. */
void gw_machine_own_hypercall_page(struct gw_machine *m);
void gw_machine_neutral_hypercall_page(struct gw_machine *m);

/* evtchn.c. raise: sets the port pending in the shared info; any thread. clear: a suspended guest
 * finds no old request when it goes on. */
int gw_machine_evtchn_op(struct gw_machine *m, uint64_t cmd, uint64_t arg);
void gw_machine_evtchn_raise(struct gw_machine *m, unsigned port);
void gw_machine_evtchn_clear(struct gw_machine *m, unsigned port);
void gw_machine_evtchn_withdraw(struct gw_machine *m, unsigned port);
bool gw_machine_evtchn_pending(const struct gw_machine *m);

/* policy.c. set: fails if the host lacks a part of it, and names that. */
int gw_machine_policy_set(struct gw_machine *m, const struct gw_policy *policy,
			  struct gw_error *err);
/* Adds features ("sse4_2+aes", or "") to a host's policy, or takes them away. key: the uri's key
 * that named them, for messages. */
int gw_machine_policy_change(struct gw_policy *policy, const char *key, const char *names, bool on,
			     struct gw_error *err);
/* What CPUID returns to the guest: eax, ebx, ecx, edx. */
void gw_machine_cpuid(const struct gw_machine *m, uint32_t leaf, uint32_t subleaf,
		      uint32_t regs[4]);

/* xenabi.c */
int gw_machine_xenabi_get(struct gw_machine *m, void **blob, size_t *len, struct gw_error *err);
int gw_machine_xenabi_set(struct gw_machine *m, const void *blob, size_t len, struct gw_error *err);

/* The CPU record of an HVM context. Such a machine has one vCPU: a context with more is refused
 * (GW_UNSUPPORTED), one without is invalid. 0 or -1. */
int gw_machine_find_cpu(const void *blob, size_t len, struct gw_hvm_cpu *cpu, struct gw_error *err);

#endif
