/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the answers of a live save to a stall: the vCPUs are slowed through the toolstack and run
 * at full speed before the guest is asked to suspend; a toolstack that cannot slow them is refused
 * at the beginning; a save that gives up suspends nothing.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/memory/memory.h"
#include "lib/bytes.h"
#include "stored.h"

struct owner {
	struct gw_domain *d;
	unsigned asked[16], nr_asked; /* percentages */
	unsigned suspended, now;      /* now: the percentage in force */
	unsigned passes;	      /* that were decided */
	unsigned last_throttle;
	enum gw_precopy_action last_action;
};

static int throttle(void *opaque, unsigned percent, struct gw_error *err)
{
	struct owner *o = opaque;

	assert_true(o->nr_asked < GW_ARRAY_SIZE(o->asked));
	o->asked[o->nr_asked++] = percent;
	o->now = percent;
	return 0;
}

static int suspend(void *opaque, struct gw_error *err)
{
	struct owner *o = opaque;

	o->suspended++;
	assert_int_equal(o->now, 0);
	return gw_control_suspend(o->d->control, 1000, NULL, err) < 0 ? -1 : 0;
}

/* All pages are written in each pass. */
static void write_all(void *opaque, const struct gw_progress *progress)
{
	struct owner *o = opaque;

	for (uint64_t pfn = gw_memory_next(o->d, 0);
	     progress->stage == GW_STAGE_MEMORY && pfn != GW_INVALID_PFN;
	     pfn = gw_memory_next(o->d, pfn + 1))
		gw_memory_touch(o->d, pfn);
}

static void on_decided(void *opaque, unsigned number, const struct gw_precopy_round *pass,
		       const struct gw_precopy_verdict *verdict)
{
	struct owner *o = opaque;

	assert_int_equal(number, o->passes);
	o->passes++;
	o->last_throttle = pass->throttle;
	o->last_action = verdict->action;
}

static struct gw_domain *real_domain(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct stored s = stored_load("xen-code/v3_422_hvm_1024.xz");
	struct gw_domain *d;

	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	stored_free(&s);
	return d;
}

static int save(struct owner *o, enum gw_on_stall on_stall, bool can_throttle,
		struct gw_report *report, struct gw_error *err)
{
	const struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = o,
		.progress = write_all,
		.suspend = suspend,
		.throttle = can_throttle ? throttle : NULL,
	};
	struct gw_buffer image = {0};
	struct gw_save_args args = {
		.domain = o->d,
		.toolstack = &ts,
		.live = true,
		.precopy = {.downtime_ms = 1, .on_stall = on_stall},
		.decided = on_decided,
		.decided_opaque = o,
	};
	int rc;

	args.out = bytes_sink("saved", &image);
	rc = gw_save_image(&args, report, err);
	gw_channel_close(args.out);
	if (!can_throttle && on_stall == GW_ON_STALL_THROTTLE)
		assert_int_equal(image.len, 0);
	gw_buffer_free(&image);
	return rc;
}

static void test_steps(void **state)
{
	static const unsigned steps[] = {0, 25, 50, 75, 90, 97, 0};
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = {.d = real_domain()};
	struct gw_report report;

	assert_ok(save(&o, GW_ON_STALL_THROTTLE, true, &report, &err), &err);
	assert_int_equal(o.nr_asked, GW_ARRAY_SIZE(steps));
	assert_memory_equal(o.asked, steps, sizeof(steps));
	assert_int_equal(report.throttle, 97);
	assert_int_equal(report.stopped_by, GW_STOP_STALLED);
	assert_int_equal(o.passes, 6);
	assert_int_equal(o.last_throttle, 97);
	assert_int_equal(o.suspended, 1);
	gw_control_destroy(o.d->control);
}

static void test_switch(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = {.d = real_domain()};
	struct gw_report report;

	assert_ok(save(&o, GW_ON_STALL_SWITCH, true, &report, &err), &err);
	assert_int_equal(o.nr_asked, 0);
	assert_int_equal(report.throttle, 0);
	assert_int_equal(report.stopped_by, GW_STOP_STALLED);
	assert_int_equal(report.target_downtime_ns, 1000000);
	assert_int_equal(o.passes, 1);
	gw_control_destroy(o.d->control);
}

static void test_abort(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = {.d = real_domain()};
	struct gw_report report;

	assert_fails(save(&o, GW_ON_STALL_ABORT, false, &report, &err), &err, GW_GUEST,
		     "writes faster than its memory can be sent");
	assert_int_equal(o.suspended, 0);
	assert_int_equal(o.last_action, GW_PRECOPY_GIVE_UP);
	gw_control_destroy(o.d->control);
}

/* Before a byte is written. */
static void test_cannot(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = {.d = real_domain()};
	struct gw_report report;

	assert_fails(save(&o, GW_ON_STALL_THROTTLE, false, &report, &err), &err, GW_UNSUPPORTED,
		     "cannot slow");
	assert_int_equal(o.passes, 0);
	/* Nor can the memory backend. */
	assert_fails(gw_control_throttle(o.d->control, 0, &err), &err, GW_UNSUPPORTED,
		     "cannot slow its vCPUs");
	gw_control_destroy(o.d->control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_cannot),
	};

	return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
