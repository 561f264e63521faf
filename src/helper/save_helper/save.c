/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --save-domain: writes the libxc image of a domain to libxl's descriptor.
 */
#include "base/util.h"
#include "helper/libxc.h"
#include "helper/save_helper/helper.h"
#include "migrate/save.h"

/* Asks libxl to switch the device model's log-dirty mode; it knows which domains have one. */
static int switch_model(struct gw_helper *h, uint32_t enable, struct gw_error *err)
{
	const uint32_t fields[] = {h->args.domid, enable};
	int32_t answer = -1;

	if (gw_libxl_ask_finally(&h->pipe, GW_LIBXL_SWITCH_LOGDIRTY, 2, fields, &answer, err) < 0)
		return -1;
	if (answer == 0)
		return 0;
	return gw_fail(err, GW_GUEST,
		       "the device model of domain %u did not switch its log-dirty mode %s",
		       h->args.domid, enable ? "on" : "off");
}

static int save(struct gw_helper *h, struct gw_report *report, struct gw_error *err)
{
	struct gw_toolstack toolstack;
	const struct gw_save_args args = {
		.domain = h->domain,
		.out = h->io,
		.toolstack = &toolstack,
		.cancel = h->cancel,
		.live = h->args.live,
		.suspend_if_not_logged = true,
		.verify = h->args.debug,
		.stream_type = h->args.stream_type,
		.precopy = h->settings.precopy,
	};

	int rc;

	gw_helper_fill_toolstack(h, &toolstack);
	rc = gw_save_image(&args, report, err);
	/* Where Xen's policy decides, nobody asked for a downtime. */
	if (toolstack.precopy_policy && report->stopped_by != GW_STOP_NOT_LIVE)
		report->stopped_by = GW_STOP_TOOLSTACK;
	return rc;
}

/*
 * Xen's helper switches the device model's mode for every HVM guest, around all that it does: in
 * that order, and also where the save is not live.
 */
int gw_helper_save(struct gw_helper *h, struct gw_report *report, struct gw_error *err)
{
	bool model = h->domain->type == GW_GUEST_X86_HVM &&
		     (h->args.callbacks & 1u << GW_LIBXL_SWITCH_LOGDIRTY);
	struct gw_error off = GW_ERROR_INIT;
	const struct gw_log log = gw_helper_log(h);
	int rc = model ? switch_model(h, 1, err) : 0;

	if (rc == 0)
		rc = save(h, report, err);
	if (model && switch_model(h, 0, &off) < 0)
		gw_logf(&log, GW_LOG_WARNING, "%s", off.text);
	return rc < 0 ? gw_libxc_save_failed(h->args.domid, h->suspended, "libxl", err) : 0;
}
