/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Event channels, as far as a guest needs them to be asked to suspend. The guest finds events in
 * the shared info page (two-level layout of public/xen.h); no interrupt is delivered. Suspend
 * requests go to the last port that the guest left unbound for domain 0 (docs/guest-abi.md).
 */
#include <errno.h>

#include "base/bytes.h"
#include "hypervisor/machine/machine.h"

#define DOMID_SELF 0x7ff0

/* EVTCHNOP_* of public/event_channel.h. */
#define OP_CLOSE  3
#define OP_SEND	  4
#define OP_STATUS 5
#define OP_ALLOC  6
#define OP_UNMASK 9

#define STATUS_CLOSED  0
#define STATUS_UNBOUND 1

/* Offsets in struct shared_info and its vcpu_info[0]; the words are unsigned long. */
#define UPCALL_PENDING 0
#define PENDING	       0x800

static unsigned word_bits(const struct gw_machine *m)
{
	return m->wide ? 64 : 32;
}

/* A bit has the same byte in both word sizes, as the guest is little-endian. */
static void set_bit_at(uint8_t *page, size_t offset, unsigned bit)
{
	__atomic_fetch_or(&page[offset + bit / 8], (uint8_t)(1u << bit % 8), __ATOMIC_SEQ_CST);
}

static void clear_bit_at(uint8_t *page, size_t offset, unsigned bit)
{
	__atomic_fetch_and(&page[offset + bit / 8], (uint8_t) ~(1u << bit % 8), __ATOMIC_SEQ_CST);
}

static bool bit_at(const uint8_t *page, size_t offset, unsigned bit)
{
	return __atomic_load_n(&page[offset + bit / 8], __ATOMIC_SEQ_CST) >> bit % 8 & 1;
}

void gw_machine_evtchn_raise(struct gw_machine *m, unsigned port)
{
	uint8_t *page = m->xen.shared_info;
	size_t selector = word_bits(m) / 8; /* vcpu_info.evtchn_pending_sel */
	size_t mask = PENDING + word_bits(m) * word_bits(m) / 8;

	m->xen.suspend_withdrawn = false;
	set_bit_at(page, PENDING, port);
	if (bit_at(page, mask, port))
		return;
	set_bit_at(page, selector, port / word_bits(m));
	__atomic_store_n(&page[UPCALL_PENDING], 1, __ATOMIC_SEQ_CST);
	/* A processor that halted may wait where it does not see the event. */
	if (m->running && m->ops->kick)
		m->ops->kick(m);
}

void gw_machine_evtchn_clear(struct gw_machine *m, unsigned port)
{
	clear_bit_at(m->xen.shared_info, PENDING, port);
}

void gw_machine_evtchn_withdraw(struct gw_machine *m, unsigned port)
{
	gw_machine_evtchn_clear(m, port);
	/* The guest may have seen the request already: then its suspend call returns
	 * "cancelled". */
	m->xen.suspend_withdrawn = true;
}

bool gw_machine_evtchn_pending(const struct gw_machine *m)
{
	return __atomic_load_n(&m->xen.shared_info[UPCALL_PENDING], __ATOMIC_SEQ_CST);
}

static int alloc_unbound(struct gw_machine *m, uint64_t arg)
{
	uint8_t op[8]; /* u16 dom, remote_dom; u32 port out */
	uint32_t remote;
	unsigned port = 1;

	if (gw_machine_copy_in(m, op, arg, sizeof(op)) < 0)
		return -EFAULT;
	if (gw_get_le16(op) != DOMID_SELF && gw_get_le16(op) != m->d.domid)
		return -EPERM;
	remote = gw_get_le16(op + 2);
	/* A restore refuses a port that waits for such a domain. */
	if (remote > GW_MACHINE_DOMID_MAX)
		return -ESRCH;
	while (port < GW_MACHINE_PORTS && m->xen.ports[port].open)
		port++;
	if (port == GW_MACHINE_PORTS)
		return -ENOSPC;
	gw_put_le32(op + 4, port);
	if (gw_machine_copy_out(m, arg, op, sizeof(op)) < 0)
		return -EFAULT;
	m->xen.ports[port] = (struct gw_machine_port){.open = true, .remote = remote};
	clear_bit_at(m->xen.shared_info, PENDING, port);
	if (remote == 0)
		m->xen.suspend_port = port;
	return 0;
}

/* Reads the number of an open port at arg; 0 or -errno. */
static int port_at(struct gw_machine *m, uint64_t arg, unsigned *port)
{
	uint8_t raw[4];

	if (gw_machine_copy_in(m, raw, arg, sizeof(raw)) < 0)
		return -EFAULT;
	*port = gw_get_le32(raw);
	return *port && *port < GW_MACHINE_PORTS && m->xen.ports[*port].open ? 0 : -EINVAL;
}

static int close_port(struct gw_machine *m, uint64_t arg)
{
	unsigned port;
	int rc = port_at(m, arg, &port);

	if (rc)
		return rc;
	m->xen.ports[port] = (struct gw_machine_port){0};
	clear_bit_at(m->xen.shared_info, PENDING, port);
	if (port == m->xen.suspend_port)
		m->xen.suspend_port = 0;
	return 0;
}

/* An unbound port has no other end: Xen accepts such an event and drops it. */
static int send(struct gw_machine *m, uint64_t arg)
{
	unsigned port;

	return port_at(m, arg, &port);
}

static int status(struct gw_machine *m, uint64_t arg)
{
	uint8_t op[24] = {0}; /* u16 dom, u32 port; u32 status, vcpu, union */
	uint32_t port;

	if (gw_machine_copy_in(m, op, arg, 8) < 0)
		return -EFAULT;
	if (gw_get_le16(op) != DOMID_SELF)
		return -EPERM;
	port = gw_get_le32(op + 4);
	if (port >= GW_MACHINE_PORTS)
		return -EINVAL;
	gw_put_le32(op + 8, m->xen.ports[port].open ? STATUS_UNBOUND : STATUS_CLOSED);
	gw_put_le16(op + 16, (uint16_t)m->xen.ports[port].remote);
	return gw_machine_copy_out(m, arg, op, sizeof(op)) < 0 ? -EFAULT : 0;
}

static int unmask(struct gw_machine *m, uint64_t arg)
{
	unsigned port;
	int rc = port_at(m, arg, &port);

	if (rc)
		return rc;
	clear_bit_at(m->xen.shared_info, PENDING + word_bits(m) * word_bits(m) / 8, port);
	if (bit_at(m->xen.shared_info, PENDING, port))
		gw_machine_evtchn_raise(m, port);
	return 0;
}

int gw_machine_evtchn_op(struct gw_machine *m, uint64_t cmd, uint64_t arg)
{
	int rc = -ENOSYS;

	/* suspend() reads the ports in another thread. */
	pthread_mutex_lock(&m->lock);
	if (cmd == OP_ALLOC)
		rc = alloc_unbound(m, arg);
	else if (cmd == OP_CLOSE)
		rc = close_port(m, arg);
	else if (cmd == OP_SEND)
		rc = send(m, arg);
	else if (cmd == OP_STATUS)
		rc = status(m, arg);
	else if (cmd == OP_UNMASK)
		rc = unmask(m, arg);
	pthread_mutex_unlock(&m->lock);
	return rc;
}
