/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libgodwit-xenguest: xc_domain_save() and xc_domain_restore() with the signatures and the meaning
 * of Xen's libxenguest (xenguest.h), done by the engine. A program links this library before
 * libxenguest, or is started with it in LD_PRELOAD.
 */
#include "xl/xenguest_state.h"

#include "base/util.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/xen/xen.h"
#include "migrate/accept.h"
#include "migrate/restore.h"
#include "migrate/save.h"

/* Not owned: a program may replace the file of the descriptor to end a save, as
 * libxl-save-helper does on SIGTERM. */
static int open_channels(struct gw_xenguest *g, int io_fd, int back_fd, struct gw_error *err)
{
	g->io = gw_channel_from_fd(io_fd, false, "the stream", err);
	if (!g->io)
		return -1;
	if (g->stream_type != GW_STREAM_COLO)
		return 0;
	g->back = gw_channel_from_fd(back_fd, false, "the back channel", err);
	return g->back ? 0 : -1;
}

static int open_domain(struct gw_xenguest *g, struct gw_error *err)
{
	g->host = gw_xen_host_open("", err);
	if (g->host)
		g->domain = gw_host_attach(g->host, g->domid, 0, err);
	return g->domain ? 0 : -1;
}

static void release(struct gw_xenguest *g)
{
	if (g->domain)
		gw_domain_close(g->domain);
	gw_host_close(g->host);
	gw_channel_close(g->back);
	gw_channel_close(g->io);
	gw_xenguest_end_progress(g);
}

static int check_type(unsigned type, struct gw_error *err)
{
	if (type <= XC_STREAM_COLO)
		return 0;
	return gw_fail(err, GW_USAGE, "stream type %u, expected at most %u", type, XC_STREAM_COLO);
}

static int save_image(struct gw_xenguest *g, uint32_t flags, struct gw_error *err)
{
	struct gw_toolstack toolstack;
	const struct gw_save_args args = {
		.domain = g->domain,
		.out = g->io,
		.toolstack = &toolstack,
		.live = flags & XCFLAGS_LIVE,
		.suspend_if_not_logged = true,
		.verify = flags & XCFLAGS_DEBUG,
		.stream_type = g->stream_type,
	};

	gw_xenguest_save_table(g, &toolstack);
	if (args.live && gw_xenguest_first_decision(g, err) < 0)
		return -1;
	return gw_save_image(&args, NULL, err);
}

static int switch_model(struct gw_xenguest *g, unsigned enable, struct gw_error *err)
{
	if (g->save->switch_qemu_logdirty(g->domid, enable, g->save->data) == 0)
		return 0;
	return gw_fail(err, GW_GUEST,
		       "the device model of domain %u did not switch its log-dirty mode %s",
		       g->domid, enable ? "on" : "off");
}

/* As libxc does, the device model's mode is switched around all of the save, also if it is not
 * live. */
static int save_domain(struct gw_xenguest *g, uint32_t flags, struct gw_error *err)
{
	const struct gw_log log = gw_xenguest_log(g);
	struct gw_error off = GW_ERROR_INIT;
	bool model = g->domain->type == GW_GUEST_X86_HVM && g->save->switch_qemu_logdirty;
	int rc = model ? switch_model(g, 1, err) : 0;

	if (rc == 0)
		rc = save_image(g, flags, err);
	if (model && switch_model(g, 0, &off) < 0)
		gw_logf(&log, GW_LOG_WARNING, "%s", off.text);
	return rc;
}

int xc_domain_save(xc_interface *xch, int io_fd, uint32_t dom, uint32_t flags,
		   struct save_callbacks *callbacks, xc_stream_type_t stream_type, int recv_fd)
{
	static const struct save_callbacks none;
	struct gw_xenguest g = {
		.xch = xch,
		.thread = pthread_self(),
		.domid = dom,
		.stream_type = (enum gw_stream_type)stream_type,
		.save = callbacks ? callbacks : &none,
	};
	struct gw_error err = GW_ERROR_INIT;
	int rc = check_type(stream_type, &err);

	if (rc == 0)
		rc = open_channels(&g, io_fd, recv_fd, &err);
	if (rc == 0)
		rc = open_domain(&g, &err);
	if (rc == 0)
		rc = save_domain(&g, flags, &err);
	release(&g);
	if (rc == 0)
		return 0;
	gw_libxc_save_failed(dom, g.suspended, "the caller", &err);
	return gw_xenguest_fail(&g, &err);
}

struct acceptance {
	struct gw_acceptance rules;
	struct gw_log log;
};

static int check_header(void *owner, const struct gw_image_header *header, struct gw_error *err)
{
	const struct acceptance *a = owner;

	return gw_acceptance_check(&a->rules, gw_generation_of(header), &a->log, err);
}

static int restore_domain(struct gw_xenguest *g, struct gw_ring_end store,
			  struct gw_ring_end console, struct gw_error *err)
{
	struct acceptance acceptance = {.log = gw_xenguest_log(g)};
	struct gw_restore_result result;
	struct gw_toolstack toolstack;
	const struct gw_restore_args args = {
		.domain = g->domain,
		.in = g->io,
		.store = store,
		.console = console,
		.toolstack = &toolstack,
		.stream_type = g->stream_type,
		.under_way = true,
		.owner = &acceptance,
		.header = check_header,
	};

	gw_xenguest_restore_table(g, &toolstack);
	if (gw_acceptance_load(&acceptance.rules, err) < 0 ||
	    gw_restore_image(&args, &result, err) < 0)
		return -1;
	if (result.failed_over)
		gw_logf(&acceptance.log, GW_LOG_WARNING, GW_LIBXC_FAILED_OVER,
			(unsigned long long)result.checkpoints);
	return 0;
}

int xc_domain_restore(xc_interface *xch, int io_fd, uint32_t dom, unsigned int store_evtchn,
		      unsigned long *store_mfn, uint32_t store_domid, unsigned int console_evtchn,
		      unsigned long *console_mfn, uint32_t console_domid,
		      xc_stream_type_t stream_type, struct restore_callbacks *callbacks,
		      int send_back_fd)
{
	static const struct restore_callbacks none;
	const struct gw_ring_end store = {.port = store_evtchn, .domid = store_domid};
	const struct gw_ring_end console = {.port = console_evtchn, .domid = console_domid};
	struct gw_xenguest g = {
		.xch = xch,
		.thread = pthread_self(),
		.domid = dom,
		.stream_type = (enum gw_stream_type)stream_type,
		.restore = callbacks ? callbacks : &none,
	};
	struct gw_error err = GW_ERROR_INIT;
	int rc = check_type(stream_type, &err);

	if (rc == 0)
		rc = open_channels(&g, io_fd, send_back_fd, &err);
	if (rc == 0)
		rc = open_domain(&g, &err);
	if (rc == 0)
		rc = restore_domain(&g, store, console, &err);
	release(&g);
	if (rc == 0) {
		*store_mfn = g.store_gfn;
		*console_mfn = g.console_gfn;
		return 0;
	}
	gw_fail_in(&err, "restoring domain %u", dom);
	return gw_xenguest_fail(&g, &err);
}
