/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Suspends and resumes a domain that this process holds.
 */
#include "vmm/toolstack.h"

#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "hypervisor/control.h"

#define ANNOUNCE_MS	3000 /* time for a guest to announce how to ask it */
#define ANNOUNCE_ASK_MS 20

static int force_pause(struct gw_domain_toolstack *ts, struct gw_error *err)
{
	if (gw_control_pause(ts->domain->control, err) < 0)
		return -1;
	ts->forced = true;
	return 0;
}

/* As gw_control_suspend(). A guest that has just been started or restored may still be about to
 * announce how to ask it. */
static int ask_to_suspend(struct gw_domain_toolstack *ts, struct gw_error *err)
{
	uint64_t until = gw_clock_ms() + GW_MIN(ts->suspend_timeout_ms, ANNOUNCE_MS);

	for (;;) {
		int answer = gw_control_suspend(ts->domain->control, ts->suspend_timeout_ms,
						ts->cancel, err);

		if (answer != 0 || gw_clock_ms() >= until)
			return answer;
		if (gw_cancel_wait(ts->cancel, -1, 0, ANNOUNCE_ASK_MS, err) < 0)
			return -1;
	}
}

static int do_suspend(void *opaque, struct gw_error *err)
{
	struct gw_domain_toolstack *ts = opaque;
	int answer;

	if (ts->force)
		return force_pause(ts, err);
	answer = ask_to_suspend(ts, err);
	if (answer < 0)
		return -1;
	if (answer == 1) {
		ts->suspended = true;
		return 0;
	}
	if (ts->domain->type == GW_GUEST_X86_PV)
		return gw_fail(
			err, GW_GUEST,
			"the guest never announced how to ask it to suspend, and a PV guest cannot be paused by force");
	if (!ts->may_force)
		return gw_fail(
			err, GW_REFUSED,
			"the guest never announced how to ask it to suspend, and of a guest that is paused by force only godwit could restore the image: --allow-forced saves it all the same");
	gw_logf(&ts->log, GW_LOG_WARNING,
		"the guest never announced how to ask it to suspend: it is paused by force, and only godwit can restore the image");
	return force_pause(ts, err);
}

static int do_resume(void *opaque, struct gw_error *err)
{
	return gw_domain_toolstack_undo(opaque, err);
}

static int do_throttle(void *opaque, unsigned percent, struct gw_error *err)
{
	const struct gw_domain_toolstack *ts = opaque;

	return gw_control_throttle(ts->domain->control, percent, err);
}

int gw_domain_toolstack_undo(struct gw_domain_toolstack *ts, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();

	if (!ts->suspended && !ts->forced)
		return 0;
	if (ts->suspended && gw_control_resume(ts->domain->control, err) < 0)
		return -1;
	if (ts->forced && gw_control_unpause(ts->domain->control, err) < 0)
		return -1;
	ts->suspended = false;
	ts->forced = false;
	ts->resume_ns = gw_clock_ns() - start;
	return 0;
}

int gw_domain_toolstack_pause(struct gw_domain_toolstack *ts, struct gw_error *err)
{
	return ts->suspended || ts->forced ? 0 : force_pause(ts, err);
}

void gw_domain_toolstack_init(struct gw_domain_toolstack *ts, struct gw_toolstack *table)
{
	*table = (struct gw_toolstack){
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = ts,
		.log = ts->log,
		.suspend = do_suspend,
		.postcopy = do_resume,
		.throttle = do_throttle,
	};
}

void gw_domain_error_add_state(struct gw_error *err, bool paused)
{
	gw_fail_more(err, "; the domain %s here", paused ? "stays paused" : "runs on");
}
