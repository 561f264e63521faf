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
#include "hypervisor/emu/domain.h"

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

static int sched_yield_op(struct gw_emu *e)
{
	struct timespec until;

	if (!e->yield_us)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(e->yield_us % 1000000) * 1000;
	until.tv_sec += e->yield_us / 1000000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&e->lock);
	while (!e->pauses && !e->quit)
		if (pthread_cond_timedwait(&e->cond, &e->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&e->lock);
	return 0;
}

static int sched_block(struct gw_emu *e)
{
	/* As in Xen: a blocked vCPU accepts events. */
	__atomic_store_n(&e->xen.shared_info[1], 0, __ATOMIC_SEQ_CST);
	gw_emu_block(e);
	return 0;
}

static int sched_shutdown(struct gw_emu *e, uint64_t arg)
{
	uint8_t raw[4];
	uint32_t reason;
	bool withdrawn;

	if (gw_emu_copy_in(e, raw, arg, sizeof(raw)) < 0)
		return -EFAULT;
	reason = gw_get_le32(raw);
	if (reason > GW_SHUTDOWN_CRASH)
		return -EINVAL;
	pthread_mutex_lock(&e->lock);
	withdrawn = reason == GW_SHUTDOWN_SUSPEND && e->xen.suspend_withdrawn;
	e->xen.suspend_withdrawn = false;
	pthread_mutex_unlock(&e->lock);
	if (withdrawn)
		return 1;
	/* A restored guest sees the result that is in its registers now; resume() changes it to
	 * 1. */
	gw_emu_set_reg(e, GW_HVM_RAX, 0);
	gw_emu_shut_down(e, (enum gw_shutdown_reason)reason);
	return 0;
}

static int64_t sched_op(struct gw_emu *e, uint64_t cmd, uint64_t arg)
{
	switch (cmd) {
	case 0:
		return sched_yield_op(e);
	case 1:
		return sched_block(e);
	case 2:
		return sched_shutdown(e, arg);
	default:
		return -ENOSYS;
	}
}

/* XENMEM_add_to_physmap, space shared_info: the page replaces the one at the gfn. */
static int add_shared_info(struct gw_emu *e, uint64_t gfn)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gfn >= e->mem.window)
		return -EINVAL;
	if (gw_emu_memory_remove(&e->mem, gfn, &err) < 0)
		return -ENOMEM;
	gw_emu_dirty_mark(e, gfn);
	e->xen.shared_info_gfn = gfn;
	e->stale_pieces = true;
	return 0;
}

static int64_t memory_op(struct gw_emu *e, uint64_t cmd, uint64_t arg)
{
	size_t word = e->engine.long_mode ? 8 : 4;
	uint8_t op[24]; /* u16 domid, size; u32 space; ulong idx; ulong gpfn */
	uint64_t gfn;

	if (cmd != 7)
		return -ENOSYS;
	if (gw_emu_copy_in(e, op, arg, 8 + 2 * word) < 0)
		return -EFAULT;
	if (gw_get_le16(op) != DOMID_SELF)
		return -EPERM;
	gfn = word == 8 ? gw_get_le64(op + 16) : gw_get_le32(op + 12);
	/* 0 is the shared info; the grant table and other spaces do not exist here. */
	return gw_get_le32(op + 4) == 0 ? add_shared_info(e, gfn) : -ENOSYS;
}

static int64_t xen_version(struct gw_emu *e, uint64_t cmd, uint64_t arg)
{
	uint8_t features[8]; /* u32 submap_idx; u32 submap out */

	if (cmd == 0)
		return XEN_VERSION;
	if (cmd != 6)
		return -ENOSYS;
	if (gw_emu_copy_in(e, features, arg, sizeof(features)) < 0)
		return -EFAULT;
	/* XENFEAT_auto_translated_physmap: the guest uses its own frame numbers. */
	gw_put_le32(features + 4, gw_get_le32(features) == 0 ? 1u << 2 : 0);
	return gw_emu_copy_out(e, arg, features, sizeof(features)) < 0 ? -EFAULT : 0;
}

static int64_t console_io(struct gw_emu *e, uint64_t cmd, uint64_t count, uint64_t arg)
{
	char bytes[256];

	if (cmd != 0)
		return -ENOSYS;
	if (count > GW_PAGE_SIZE)
		return -EINVAL;
	while (count) {
		size_t part = GW_MIN(count, sizeof(bytes));

		if (gw_emu_copy_in(e, bytes, arg, part) < 0)
			return -EFAULT;
		if (e->events.console)
			e->events.console(e->events.opaque, bytes, part);
		arg += part;
		count -= part;
	}
	return 0;
}

static int64_t hvm_op(struct gw_emu *e, uint64_t cmd, uint64_t arg)
{
	uint8_t op[16]; /* u16 domid; u32 index at 4; u64 value */
	uint32_t index;

	if (cmd > 1)
		return -ENOSYS;
	if (gw_emu_copy_in(e, op, arg, sizeof(op)) < 0)
		return -EFAULT;
	index = gw_get_le32(op + 4);
	if (gw_get_le16(op) != DOMID_SELF)
		return -EPERM;
	if (index >= GW_EMU_PARAMS)
		return -EINVAL;
	if (cmd == 0) {
		e->params[index] = gw_get_le64(op + 8);
		return 0;
	}
	gw_put_le64(op + 8, e->params[index]);
	return gw_emu_copy_out(e, arg, op, sizeof(op)) < 0 ? -EFAULT : 0;
}

static int64_t dispatch(struct gw_emu *e, uint64_t nr, const uint64_t a[3])
{
	switch (nr) {
	case HC_MEMORY_OP:
		return memory_op(e, a[0], a[1]);
	case HC_XEN_VERSION:
		return xen_version(e, a[0], a[1]);
	case HC_CONSOLE_IO:
		return console_io(e, a[0], a[1], a[2]);
	case HC_SCHED_OP:
		return sched_op(e, a[0], a[1]);
	case HC_EVENT_CHANNEL_OP:
		return gw_emu_evtchn_op(e, a[0], a[1]);
	case HC_HVM_OP:
		return hvm_op(e, a[0], a[1]);
	default:
		return -ENOSYS;
	}
}

void gw_emu_hypercall(struct gw_emu *e)
{
	static const enum gw_hvm_gpr regs[2][3] = {{GW_HVM_RBX, GW_HVM_RCX, GW_HVM_RDX},
						   {GW_HVM_RDI, GW_HVM_RSI, GW_HVM_RDX}};
	uint64_t args[3], nr = gw_emu_reg(e, GW_HVM_RAX);
	int64_t rc;

	for (int i = 0; i < 3; i++)
		args[i] = gw_emu_reg(e, regs[e->engine.long_mode][i]);
	/* A shutdown sets its own result; all other calls return theirs here. */
	rc = dispatch(e, nr, args);
	if (e->shutdown == GW_SHUTDOWN_NONE)
		gw_emu_set_reg(e, GW_HVM_RAX, (uint64_t)rc);
}

void gw_emu_set_hypercall_page(struct gw_emu *e, uint64_t value)
{
	static const uint8_t stub[] = {0xb8, 0, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3};
	uint64_t gfn = value / GW_PAGE_SIZE;
	uint8_t *page;

	/* Bits 0 to 11 are the index of a page; there is only one. */
	if (value % GW_PAGE_SIZE || !gw_emu_memory_has(&e->mem, gfn))
		return;
	page = gw_emu_memory_page(&e->mem, gfn);
	memset(page, 0, GW_PAGE_SIZE);
	for (uint32_t nr = 0; nr < HYPERCALLS_MAX; nr++) {
		uint8_t *to = page + nr * STUB_SIZE;

		if (nr == HC_IRET) {
			memcpy(to, "\x0f\x0b", 2); /* not for this kind of guest: ud2 */
			continue;
		}
		memcpy(to, stub, sizeof(stub));
		gw_put_le32(to + 1, nr);
	}
	gw_emu_dirty_mark(e, gfn);
	e->xen.hypercall_gfn = gfn;
	/*
	 * Old translations of the page are dropped at the next entry. A stop here would stop before
	 * the WRMSR again and again; and old code in that page can only be the stubs of another
	 * Xen.
	 */
	gw_emu_stale(e, gfn);
}
