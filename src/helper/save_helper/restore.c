/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --restore-domain: fills the domain that libxl has created from a libxc image.
 */
#include "migrate/restore.h"

#include "base/util.h"
#include "helper/save_helper/helper.h"
#include "helper/save_helper/stand_in.h"

static int check_header(void *owner, const struct gw_image_header *header, struct gw_error *err)
{
	const struct gw_helper *h = owner;
	const struct gw_log log = gw_helper_log(owner);

	return gw_acceptance_check(&h->settings.acceptance, gw_generation_of(header), &log, err);
}

static void say_failover(struct gw_helper *h, const struct gw_restore_result *result)
{
	const struct gw_log log = gw_helper_log(h);

	gw_logf(&log, GW_LOG_WARNING,
		"the sender is gone: the domain has the state of checkpoint %llu, the last complete one",
		(unsigned long long)result->checkpoints);
}

int gw_helper_restore(struct gw_helper *h, struct gw_report *report, struct gw_error *err)
{
	struct gw_restore_result result;
	struct gw_toolstack toolstack;
	const struct gw_restore_args args = {
		.domain = h->domain,
		.in = h->io,
		.store = h->args.store,
		.console = h->args.console,
		.toolstack = &toolstack,
		.cancel = h->cancel,
		.stream_type = h->args.stream_type,
		.under_way = true,
		.owner = h,
		.header = check_header,
	};
	int rc;

	gw_helper_fill_toolstack(h, &toolstack);
	rc = gw_restore_image(&args, &result, err);
	*report = result.report;
	if (rc < 0)
		return gw_fail_in(err, "restoring domain %u", h->args.domid);
	if (result.failed_over)
		say_failover(h, &result);
	return gw_stand_in_restored(h->stand_in, err);
}
