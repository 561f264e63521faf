/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The hypercalls of a small PVH guest (numbers and structures of Xen's public headers). All others
 * return -ENOSYS. Buffers belong to the guest: every access is checked.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/machine/machine.h"

enum {
	HC_MEMORY_OP = 12,
	HC_XEN_VERSION = 17,
	HC_CONSOLE_IO = 18,
	HC_IRET = 23,
	HC_SCHED_OP = 29,
	HC_EVENT_CHANNEL_OP = 32,
	HC_HVM_OP = 34,
};

#define DOMID_SELF     0x7ff0
#define XEN_VERSION    (4 << 16 | 17)
#define STUB_SIZE      32 /* of a call's code in the hypercall page */
#define HYPERCALLS_MAX (GW_PAGE_SIZE / STUB_SIZE)
#define INSN_SIZE      sizeof(((struct gw_machine_ops *)0)->hypercall_insn)

static const uint8_t vmmcall[INSN_SIZE] = {0x0f, 0x01, 0xd9};

static int sched_yield_op(struct gw_machine *m)
{
	struct timespec until;

	if (!m->yield_us)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(m->yield_us % 1000000) * 1000;
	until.tv_sec += m->yield_us / 1000000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&m->lock);
	while (!m->pauses && !m->quit)
		if (pthread_cond_timedwait(&m->cond, &m->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&m->lock);
	return 0;
}

static int sched_block(struct gw_machine *m)
{
	/* As in Xen: a blocked vCPU accepts events. */
	__atomic_store_n(&m->xen.shared_info[1], 0, __ATOMIC_SEQ_CST);
	gw_machine_block(m);
	return 0;
}

static int sched_shutdown(struct gw_machine *m, uint64_t arg)
{
	uint8_t raw[4];
	uint32_t reason;
	bool withdrawn;

	if (gw_machine_copy_in(m, raw, arg, sizeof(raw)) < 0)
		return -EFAULT;
	reason = gw_get_le32(raw);
	if (reason > GW_SHUTDOWN_CRASH)
		return -EINVAL;
	pthread_mutex_lock(&m->lock);
	withdrawn = reason == GW_SHUTDOWN_SUSPEND && m->xen.suspend_withdrawn;
	m->xen.suspend_withdrawn = false;
	pthread_mutex_unlock(&m->lock);
	if (withdrawn)
		return 1;
	/* A restored guest sees the result that is in its registers now; resume() changes it to
	 * 1. */
	m->ops->set_reg(m, GW_HVM_RAX, 0);
	if (reason == GW_SHUTDOWN_SUSPEND)
		gw_machine_neutral_hypercall_page(m);
	gw_machine_shut_down(m, (enum gw_shutdown_reason)reason);
	return 0;
}

static int64_t sched_op(struct gw_machine *m, uint64_t cmd, uint64_t arg)
{
	switch (cmd) {
	case 0:
		return sched_yield_op(m);
	case 1:
		return sched_block(m);
	case 2:
		return sched_shutdown(m, arg);
	default:
		return -ENOSYS;
	}
}

/* XENMEM_add_to_physmap, space shared_info: the page replaces the one at the gfn. */
static int add_shared_info(struct gw_machine *m, uint64_t gfn)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gfn >= m->mem.window)
		return -EINVAL;
	if (gw_machine_memory_remove(&m->mem, gfn, &err) < 0)
		return -ENOMEM;
	gw_machine_dirty_mark(m, gfn);
	m->xen.shared_info_gfn = gfn;
	m->stale_pieces = true;
	return 0;
}

static int64_t memory_op(struct gw_machine *m, uint64_t cmd, uint64_t arg)
{
	size_t word = m->wide ? 8 : 4;
	uint8_t op[24]; /* u16 domid, size; u32 space; ulong idx; ulong gpfn */
	uint64_t gfn;

	if (cmd != 7)
		return -ENOSYS;
	if (gw_machine_copy_in(m, op, arg, 8 + 2 * word) < 0)
		return -EFAULT;
	if (gw_get_le16(op) != DOMID_SELF)
		return -EPERM;
	gfn = word == 8 ? gw_get_le64(op + 16) : gw_get_le32(op + 12);
	/* 0 is the shared info; the grant table and other spaces do not exist here. */
	return gw_get_le32(op + 4) == 0 ? add_shared_info(m, gfn) : -ENOSYS;
}

static int64_t xen_version(struct gw_machine *m, uint64_t cmd, uint64_t arg)
{
	uint8_t features[8]; /* u32 submap_idx; u32 submap out */

	if (cmd == 0)
		return XEN_VERSION;
	if (cmd != 6)
		return -ENOSYS;
	if (gw_machine_copy_in(m, features, arg, sizeof(features)) < 0)
		return -EFAULT;
	/* XENFEAT_auto_translated_physmap: the guest uses its own frame numbers. */
	gw_put_le32(features + 4, gw_get_le32(features) == 0 ? 1u << 2 : 0);
	return gw_machine_copy_out(m, arg, features, sizeof(features)) < 0 ? -EFAULT : 0;
}

static int64_t console_io(struct gw_machine *m, uint64_t cmd, uint64_t count, uint64_t arg)
{
	char bytes[256];

	if (cmd != 0)
		return -ENOSYS;
	if (count > GW_PAGE_SIZE)
		return -EINVAL;
	while (count) {
		size_t part = GW_MIN(count, sizeof(bytes));

		if (gw_machine_copy_in(m, bytes, arg, part) < 0)
			return -EFAULT;
		if (m->events.console)
			m->events.console(m->events.opaque, bytes, part);
		arg += part;
		count -= part;
	}
	return 0;
}

static int64_t hvm_op(struct gw_machine *m, uint64_t cmd, uint64_t arg)
{
	uint8_t op[16]; /* u16 domid; u32 index at 4; u64 value */
	uint32_t index;

	if (cmd > 1)
		return -ENOSYS;
	if (gw_machine_copy_in(m, op, arg, sizeof(op)) < 0)
		return -EFAULT;
	index = gw_get_le32(op + 4);
	if (gw_get_le16(op) != DOMID_SELF)
		return -EPERM;
	if (index >= GW_MACHINE_PARAMS)
		return -EINVAL;
	if (cmd == 0) {
		m->params[index] = gw_get_le64(op + 8);
		return 0;
	}
	gw_put_le64(op + 8, m->params[index]);
	return gw_machine_copy_out(m, arg, op, sizeof(op)) < 0 ? -EFAULT : 0;
}

static int64_t dispatch(struct gw_machine *m, uint64_t nr, const uint64_t a[3])
{
	switch (nr) {
	case HC_MEMORY_OP:
		return memory_op(m, a[0], a[1]);
	case HC_XEN_VERSION:
		return xen_version(m, a[0], a[1]);
	case HC_CONSOLE_IO:
		return console_io(m, a[0], a[1], a[2]);
	case HC_SCHED_OP:
		return sched_op(m, a[0], a[1]);
	case HC_EVENT_CHANNEL_OP:
		return gw_machine_evtchn_op(m, a[0], a[1]);
	case HC_HVM_OP:
		return hvm_op(m, a[0], a[1]);
	default:
		return -ENOSYS;
	}
}

void gw_machine_hypercall(struct gw_machine *m)
{
	static const enum gw_hvm_gpr regs[2][3] = {{GW_HVM_RBX, GW_HVM_RCX, GW_HVM_RDX},
						   {GW_HVM_RDI, GW_HVM_RSI, GW_HVM_RDX}};
	uint64_t args[3], nr = m->ops->reg(m, GW_HVM_RAX);
	int64_t rc;

	for (int i = 0; i < 3; i++)
		args[i] = m->ops->reg(m, regs[m->wide][i]);
	/* A shutdown sets its own result; all other calls return theirs here. */
	rc = dispatch(m, nr, args);
	if (m->shutdown == GW_SHUTDOWN_NONE)
		m->ops->set_reg(m, GW_HVM_RAX, (uint64_t)rc);
}

/* mov eax, NUMBER; the instruction that leaves the guest; ret. */
static void put_stub(uint8_t *to, uint32_t nr, const uint8_t insn[INSN_SIZE])
{
	to[0] = 0xb8;
	gw_put_le32(to + 1, nr);
	memcpy(to + 5, insn, INSN_SIZE);
	to[8] = 0xc3;
}

static void fill_page(struct gw_machine *m, uint64_t gfn, const uint8_t insn[INSN_SIZE])
{
	uint8_t *page = gw_machine_memory_page(&m->mem, gfn);

	memset(page, 0, GW_PAGE_SIZE);
	for (uint32_t nr = 0; nr < HYPERCALLS_MAX; nr++) {
		if (nr == HC_IRET)
			memcpy(page + nr * STUB_SIZE, "\x0f\x0b", 2); /* not for this guest: ud2 */
		else
			put_stub(page + nr * STUB_SIZE, nr, insn);
	}
	gw_machine_dirty_mark(m, gfn);
	/* A stop of the vCPU here would stop before the WRMSR again and again; and old code in that
	 * page can only be the stubs of another Xen. */
	if (m->ops->wrote)
		m->ops->wrote(m, gfn);
}

void gw_machine_set_hypercall_page(struct gw_machine *m, uint64_t value)
{
	uint64_t gfn = value / GW_PAGE_SIZE;

	/* Bits 0 to 11 are the index of a page; there is only one. */
	if (value % GW_PAGE_SIZE || !gw_machine_memory_has(&m->mem, gfn))
		return;
	fill_page(m, gfn, m->ops->hypercall_insn);
	m->xen.hypercall_gfn = gfn;
}

/* Whether the page has the stubs of a Xen or of a machine, with another instruction than insn. */
static bool has_other_stubs(const struct gw_machine *m, uint64_t gfn, const uint8_t insn[INSN_SIZE])
{
	const uint8_t *page;

	if (!gw_machine_memory_has(&m->mem, gfn))
		return false;
	page = gw_machine_memory_page(&m->mem, gfn);
	for (uint32_t nr = 0; nr < HC_IRET; nr++) {
		const uint8_t *stub = page + nr * STUB_SIZE;

		if (stub[0] != 0xb8 || gw_get_le32(stub + 1) != nr || stub[8] != 0xc3)
			return false;
	}
	return memcmp(page + 5, insn, INSN_SIZE) != 0;
}

/* The registered page, or that in which a guest that suspended itself waits. */
static uint64_t page_of_guest(struct gw_machine *m)
{
	uint64_t pa;

	if (m->xen.hypercall_gfn != GW_INVALID_PFN)
		return m->xen.hypercall_gfn;
	return gw_machine_translate(m, m->cpu.rip, &pa) == 0 ? pa / GW_PAGE_SIZE : GW_INVALID_PFN;
}

void gw_machine_own_hypercall_page(struct gw_machine *m)
{
	uint64_t gfn = page_of_guest(m);

	if (!has_other_stubs(m, gfn, m->ops->hypercall_insn))
		return;
	fill_page(m, gfn, m->ops->hypercall_insn);
	m->xen.hypercall_gfn = gfn;
}

void gw_machine_neutral_hypercall_page(struct gw_machine *m)
{
	if (has_other_stubs(m, m->xen.hypercall_gfn, vmmcall))
		fill_page(m, m->xen.hypercall_gfn, vmmcall);
}
