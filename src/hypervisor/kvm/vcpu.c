/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries of the vCPU into the guest, and the guest's exits.
 *
 * A kick is a signal to the vCPU's thread. That thread blocks all signals; KVM unblocks this one
 * while the guest runs. So a kick that comes too early stays pending and ends the next entry at
 * once, no handler is called, and the program that uses the library keeps its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/util.h"
#include "hypervisor/kvm/domain.h"

#define KICK SIGURG

void gw_kvm_kick(struct gw_machine *m)
{
	pthread_kill(m->thread, KICK);
}

int gw_kvm_unblock_kick(struct gw_kvm *k, struct gw_error *err)
{
	const uint64_t set = ~(UINT64_C(1) << (KICK - 1));
	union {
		struct kvm_signal_mask head;
		uint8_t raw[sizeof(struct kvm_signal_mask) + sizeof(set)];
	} mask = {.head = {.len = sizeof(set)}};

	memcpy(mask.raw + sizeof(mask.head), &set, sizeof(set));
	if (ioctl(k->vcpu, KVM_SET_SIGNAL_MASK, &mask) < 0)
		return gw_fail_errno(err, "setting the signal mask of a vCPU of KVM");
	return 0;
}

static void take_kick(void)
{
	static const struct timespec at_once = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, KICK);
	while (sigtimedwait(&set, NULL, &at_once) > 0)
		;
}

static int enter(struct gw_kvm *k)
{
	int rc;

	k->have_regs = k->have_sregs = false;
	rc = ioctl(k->vcpu, KVM_RUN, 0);
	k->unfinished = rc == 0;
	return rc;
}

void gw_kvm_settle(struct gw_kvm *k)
{
	if (!k->unfinished)
		return;
	k->run->immediate_exit = 1;
	enter(k);
	k->run->immediate_exit = 0;
	k->unfinished = false;
}

static void console(struct gw_machine *m, const uint8_t *bytes, size_t len)
{
	if (m->events.console)
		m->events.console(m->events.opaque, (const char *)bytes, len);
}

static void hypercall(struct gw_kvm *k)
{
	struct gw_machine_paging paging;

	gw_kvm_settle(k);
	gw_kvm_paging(&k->m, &paging);
	k->m.wide = paging.long_mode;
	gw_machine_hypercall(&k->m);
}

static void port_exit(struct gw_kvm *k)
{
	uint8_t *bytes = (uint8_t *)k->run + k->run->io.data_offset;
	size_t len = (size_t)k->run->io.size * k->run->io.count;

	if (k->run->io.direction == KVM_EXIT_IO_IN) {
		/* No device answers: all ones, as on an empty bus. A Bochs-style debug port returns
		 * its own number. */
		memset(bytes, 0xff, len);
		if (k->run->io.port == GW_MACHINE_PORT_CONSOLE && len > 0) {
			memset(bytes, 0, len);
			for (size_t i = 0; i < len; i += k->run->io.size)
				bytes[i] = GW_MACHINE_PORT_CONSOLE;
		}
	} else if (k->run->io.port == GW_MACHINE_PORT_CONSOLE) {
		console(&k->m, bytes, len);
	} else if (k->run->io.port == GW_KVM_PORT_HYPERCALL) {
		hypercall(k);
	}
}

static void wrmsr_exit(struct gw_kvm *k)
{
	k->run->msr.error = k->run->msr.index != GW_MACHINE_MSR_HYPERCALL;
	if (!k->run->msr.error)
		gw_machine_set_hypercall_page(&k->m, k->run->msr.data);
}

static void memory_exit(struct gw_kvm *k)
{
	bool write = k->run->mmio.is_write;
	uint64_t at = k->run->mmio.phys_addr;

	gw_machine_crash(&k->m,
			 "the guest %s address 0x%" PRIx64 " near rip 0x%" PRIx64
			 ", where it has no page",
			 write ? "wrote to" : "read", at, (uint64_t)gw_kvm_regs(k)->rip);
}

/* KVM gave up: its emulator does not know an instruction, for example. */
static void internal_exit(struct gw_kvm *k)
{
	uint64_t rip = gw_kvm_regs(k)->rip;
	uint8_t code[8] = {0};

	gw_machine_copy_in(&k->m, code, rip, sizeof(code));
	gw_machine_crash(&k->m,
			 "KVM cannot go on at rip 0x%" PRIx64
			 " (internal error %u): %02x %02x %02x %02x %02x %02x",
			 rip, k->run->internal.suberror, code[0], code[1], code[2], code[3],
			 code[4], code[5]);
}

static void handle(struct gw_kvm *k)
{
	switch (k->run->exit_reason) {
	case KVM_EXIT_IO:
		port_exit(k);
		break;
	case KVM_EXIT_X86_WRMSR:
		wrmsr_exit(k);
		break;
	case KVM_EXIT_MMIO:
		memory_exit(k);
		break;
	case KVM_EXIT_SHUTDOWN:
		gw_machine_crash(
			&k->m,
			"the guest took an exception that it cannot handle near rip 0x%" PRIx64
			" (triple fault)",
			(uint64_t)gw_kvm_regs(k)->rip);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		internal_exit(k);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		gw_machine_crash(&k->m, "KVM cannot enter the guest: hardware reason 0x%" PRIx64,
				 (uint64_t)k->run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTR:
		break;
	default:
		gw_machine_crash(&k->m, "KVM left the guest for the unknown reason %u",
				 k->run->exit_reason);
	}
}

/* A HLT waits in the kernel. An event channel's event is no interrupt there: it ends the wait here.
 */
static void wake_if_event(struct gw_kvm *k)
{
	struct kvm_mp_state state;

	if (!gw_machine_evtchn_pending(&k->m) || ioctl(k->vcpu, KVM_GET_MP_STATE, &state) < 0 ||
	    state.mp_state != KVM_MP_STATE_HALTED)
		return;
	state.mp_state = KVM_MP_STATE_RUNNABLE;
	ioctl(k->vcpu, KVM_SET_MP_STATE, &state);
}

static bool goes_on(const struct gw_machine *m)
{
	return !__atomic_load_n(&m->kicked, __ATOMIC_ACQUIRE) && !m->blocked &&
	       m->shutdown == GW_SHUTDOWN_NONE;
}

static void refresh(struct gw_kvm *k)
{
	struct gw_error err = GW_ERROR_INIT;

	if (!k->m.stale_pieces)
		return;
	k->m.stale_pieces = false;
	if (gw_kvm_slots_sync(k, &err) < 0)
		gw_machine_crash(&k->m, "%s", err.text);
}

void gw_kvm_run(struct gw_machine *m)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);

	m->ran = true;
	wake_if_event(k);
	while (refresh(k), goes_on(m)) {
		if (enter(k) == 0) {
			handle(k);
		} else if (errno == EINTR || errno == EAGAIN) {
			take_kick();
			wake_if_event(k);
		} else {
			gw_machine_crash(m, "KVM cannot run the guest: %m");
		}
	}
	gw_kvm_settle(k);
}
