/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The handles of Xen's libraries, and the memory that hypercalls use.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hypervisor/xen/domain.h"

/* /dev/xen/privcmd is missing, or no driver serves it. */
static bool is_no_xen(int errnum)
{
	return errnum == ENOENT || errnum == ENODEV || errnum == ENXIO;
}

int gw_xen_open_handles(struct gw_xen_host *h, struct gw_error *err)
{
	xentoollog_logger *log = &h->log;

	gw_xen_log_init(log);
	h->xch = xc_interface_open(log, log, 0);
	h->fmem = h->xch ? xenforeignmemory_open(log, 0) : NULL;
	h->xcall = h->fmem ? xencall_open(log, 0) : NULL;
	if (h->xcall)
		return 0;
	if (is_no_xen(errno))
		return gw_fail(
			err, GW_UNSUPPORTED,
			"xen: this machine does not run Xen, or this is not the domain that controls it");
	return gw_xen_fail(err, "xen: its interfaces cannot be opened");
}

void gw_xen_host_put(struct gw_xen_host *h)
{
	if (atomic_fetch_sub(&h->users, 1) > 1)
		return;
	if (h->xcall)
		xencall_close(h->xcall);
	if (h->fmem)
		xenforeignmemory_close(h->fmem);
	if (h->xch)
		xc_interface_close(h->xch);
	gw_host_fini(&h->base);
	free(h);
}

static size_t pages_of(size_t bytes)
{
	return (bytes + GW_PAGE_SIZE - 1) / GW_PAGE_SIZE;
}

void *gw_xen_buffer_alloc(struct gw_xen_host *h, size_t bytes, struct gw_error *err)
{
	size_t pages = GW_MAX(pages_of(bytes), (size_t)1);
	void *buffer = xencall_alloc_buffer_pages(h->xcall, pages);

	if (buffer)
		memset(buffer, 0, pages * GW_PAGE_SIZE);
	else
		gw_xen_fail(err, "a hypercall buffer of %zu bytes", bytes);
	return buffer;
}

void gw_xen_buffer_free(struct gw_xen_host *h, void *buffer, size_t bytes)
{
	if (buffer)
		xencall_free_buffer_pages(h->xcall, buffer, GW_MAX(pages_of(bytes), (size_t)1));
}
