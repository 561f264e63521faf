/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The body of GODWIT_XENABI (docs/format.md): the guest's state in Xen other than memory and
 * registers. A guest that suspended itself expects to lose it and registers again; a guest that was
 * paused at any other point needs all of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "hypervisor/machine/machine.h"

#define VERSION	    1u
#define HEAD_SIZE   40
#define ENTRY_SIZE  8
#define FLAG_INFO   1u /* the guest mapped its shared info page */
#define FLAG_PAGE   2u /* the guest registered a hypercall page */
#define FLAGS_KNOWN 3u

static unsigned count_ports(const struct gw_machine_xen *x)
{
	unsigned n = 0;

	for (unsigned p = 1; p < GW_MACHINE_PORTS; p++)
		n += x->ports[p].open;
	return n;
}

static bool nothing_to_carry(const struct gw_machine *m)
{
	return m->shutdown == GW_SHUTDOWN_SUSPEND ||
	       (m->xen.shared_info_gfn == GW_INVALID_PFN &&
		m->xen.hypercall_gfn == GW_INVALID_PFN && !count_ports(&m->xen));
}

static void encode(const struct gw_machine_xen *x, uint8_t *raw)
{
	bool info = x->shared_info_gfn != GW_INVALID_PFN, page = x->hypercall_gfn != GW_INVALID_PFN;
	uint8_t *to = raw + HEAD_SIZE;

	gw_put_le32(raw, VERSION);
	gw_put_le32(raw + 4, (info ? FLAG_INFO : 0) | (page ? FLAG_PAGE : 0));
	gw_put_le64(raw + 8, info ? x->shared_info_gfn : 0);
	gw_put_le64(raw + 16, page ? x->hypercall_gfn : 0);
	gw_put_le32(raw + 24, x->suspend_port);
	gw_put_le32(raw + 28, count_ports(x));
	gw_put_le64(raw + 32, 0);
	for (unsigned p = 1; p < GW_MACHINE_PORTS; p++)
		if (x->ports[p].open) {
			gw_put_le32(to, p);
			gw_put_le32(to + 4, x->ports[p].remote);
			to += ENTRY_SIZE;
		}
	memcpy(to, x->shared_info, GW_PAGE_SIZE);
}

int gw_machine_xenabi_get(struct gw_machine *m, void **blob, size_t *len, struct gw_error *err)
{
	if (gw_machine_need_stopped(m, "reading its Xen state", err) < 0)
		return -1;
	*blob = NULL;
	*len = 0;
	if (nothing_to_carry(m))
		return 0;
	*len = HEAD_SIZE + ENTRY_SIZE * (size_t)count_ports(&m->xen) + GW_PAGE_SIZE;
	*blob = malloc(*len);
	if (!*blob)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a domain's Xen state");
	encode(&m->xen, *blob);
	return 0;
}

static int bad(struct gw_error *err, const char *what, uint64_t value)
{
	return gw_fail(err, GW_INVALID, "GODWIT_XENABI: %s (0x%llx)", what,
		       (unsigned long long)value);
}

static int decode_ports(struct gw_machine_xen *x, const uint8_t *at, uint32_t n,
			struct gw_error *err)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < n; i++, at += ENTRY_SIZE) {
		uint32_t port = gw_get_le32(at), remote = gw_get_le32(at + 4);

		if (port <= last || port >= GW_MACHINE_PORTS)
			return bad(err, "an event channel port is out of order or out of range",
				   port);
		if (remote > GW_MACHINE_DOMID_MAX)
			return bad(err, "an event channel has no peer domain", remote);
		x->ports[port] = (struct gw_machine_port){.open = true, .remote = remote};
		last = port;
	}
	if (x->suspend_port &&
	    (x->suspend_port >= GW_MACHINE_PORTS || !x->ports[x->suspend_port].open))
		return bad(err, "the suspend port is not open", x->suspend_port);
	return 0;
}

static int decode_head(const struct gw_machine *m, struct gw_machine_xen *x, const uint8_t *raw,
		       size_t len, struct gw_error *err)
{
	uint32_t flags, ports;

	if (len < HEAD_SIZE + GW_PAGE_SIZE)
		return bad(err, "too short", len);
	if (gw_get_le32(raw) != VERSION)
		return gw_fail(err, GW_UNSUPPORTED,
			       "GODWIT_XENABI: version %u, this godwit knows %u", gw_get_le32(raw),
			       VERSION);
	flags = gw_get_le32(raw + 4);
	ports = gw_get_le32(raw + 28);
	x->suspend_port = gw_get_le32(raw + 24);
	if (flags & ~FLAGS_KNOWN)
		return bad(err, "unknown flags", flags);
	if (gw_get_le64(raw + 32))
		return bad(err, "a reserved field is not 0", gw_get_le64(raw + 32));
	if (ports >= GW_MACHINE_PORTS ||
	    len != HEAD_SIZE + ENTRY_SIZE * (size_t)ports + GW_PAGE_SIZE)
		return bad(err, "its length does not fit its number of ports", ports);
	x->shared_info_gfn = flags & FLAG_INFO ? gw_get_le64(raw + 8) : GW_INVALID_PFN;
	x->hypercall_gfn = flags & FLAG_PAGE ? gw_get_le64(raw + 16) : GW_INVALID_PFN;
	if ((flags & FLAG_INFO) && x->shared_info_gfn >= m->mem.window)
		return bad(err, "the shared info page is beyond the domain's memory",
			   x->shared_info_gfn);
	if ((flags & FLAG_INFO) && gw_machine_memory_has(&m->mem, x->shared_info_gfn))
		return bad(err, "the shared info page is where the domain has memory",
			   x->shared_info_gfn);
	if ((flags & FLAG_PAGE) && x->hypercall_gfn >= m->mem.window)
		return bad(err, "the hypercall page is beyond the domain's memory",
			   x->hypercall_gfn);
	return decode_ports(x, raw + HEAD_SIZE, ports, err);
}

int gw_machine_xenabi_set(struct gw_machine *m, const void *blob, size_t len, struct gw_error *err)
{
	struct gw_machine_xen *x;
	int rc;

	if (gw_machine_need_stopped(m, "writing its Xen state", err) < 0)
		return -1;
	x = calloc(1, sizeof(*x));
	if (!x)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a domain's Xen state");
	x->shared_info = m->xen.shared_info;
	rc = decode_head(m, x, blob, len, err);
	if (rc == 0) {
		memcpy(x->shared_info, (const uint8_t *)blob + len - GW_PAGE_SIZE, GW_PAGE_SIZE);
		m->xen = *x;
		m->stale_pieces = true;
	}
	free(x);
	return rc;
}
