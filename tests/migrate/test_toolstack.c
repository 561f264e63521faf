/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the toolstack table: sizes and defaults, the decision after each live pass, the state of
 * the device model, and an owner that refuses a restore.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "lib/bytes.h"
#include "lib/qemu_state.h"
#include "migrate/stored.h"
#include "migrate/toolstack.h"

#define HVM "xen-code/v3_422_hvm_1024.xz"
#define PV  "xen-code/v3_422_pv64_1024.xz"

/* An owner that suspends its domain and records the calls it got. */
struct owner {
	struct gw_domain *d;
	struct gw_toolstack suspender;
	unsigned suspended, asked;
	struct gw_precopy_stats stats[8];
	int decisions[8];
	unsigned models;
	const char *refusal;
	uint64_t store_gfn, console_gfn;
	size_t policy_leaves;
};

static struct gw_domain *real_domain(const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct stored s = stored_load(name);
	struct gw_domain *d;

	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	stored_free(&s);
	return d;
}

static struct owner owner_of(struct gw_domain *d)
{
	return (struct owner){.d = d, .suspender = stored_toolstack(d)};
}

static int suspend(void *owner, struct gw_error *err)
{
	struct owner *o = owner;

	o->suspended++;
	return o->suspender.suspend(o->suspender.owner, err);
}

static int decide(void *owner, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	struct owner *o = owner;

	assert_in_range(o->asked, 0, 7);
	assert_int_equal(o->suspended, 0);
	o->stats[o->asked] = *stats;
	return o->decisions[o->asked++];
}

static int save(const struct gw_toolstack *ts, struct gw_domain *d, bool live,
		struct gw_report *report, struct gw_buffer *out, struct gw_error *err)
{
	struct gw_channel *ch = bytes_sink("saved", out);
	struct gw_save_args args = {.domain = d, .out = ch, .toolstack = ts, .live = live};
	int rc = gw_save_stream(&args, report, err);

	gw_channel_close(ch);
	return rc;
}

static void test_decisions(void **state)
{
	static const struct {
		int decisions[3];
		int rc;
		unsigned asked, rounds;
		enum gw_stop_reason stopped_by;
	} cases[] = {
		/* By the library's own policy the save of this idle guest would stop after the
		 * first pass. */
		{{GW_PRECOPY_CONTINUE, GW_PRECOPY_CONTINUE, GW_PRECOPY_STOP},
		 0,
		 3,
		 4,
		 GW_STOP_DOWNTIME},
		{{GW_PRECOPY_STOP}, 0, 1, 2, GW_STOP_DOWNTIME},
		{{GW_PRECOPY_CONTINUE, GW_PRECOPY_ABORT}, -1, 2, 2, GW_STOP_NONE},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct owner o = owner_of(real_domain(HVM));
		const struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
						.owner = &o,
						.suspend = suspend,
						.precopy_policy = decide};
		struct gw_report report;

		memcpy(o.decisions, cases[i].decisions, sizeof(cases[i].decisions));
		assert_int_equal(save(&ts, o.d, true, &report, NULL, &err), cases[i].rc);
		assert_int_equal(o.asked, cases[i].asked);
		assert_int_equal(report.rounds, cases[i].rounds);
		assert_int_equal(report.stopped_by, cases[i].stopped_by);
		assert_int_equal(o.stats[0].iteration, 1);
		assert_int_equal(o.stats[0].total_written, report.round_pages[0]);
		assert_int_equal(o.stats[0].dirty_count, 0);
		assert_int_equal(o.stats[0].advice, GW_PRECOPY_STOP);
		assert_int_equal(o.stats[o.asked - 1].iteration, o.asked);
		/* A save that was given up did not suspend the guest. */
		assert_int_equal(o.suspended, cases[i].rc == 0);
		if (cases[i].rc < 0)
			assert_int_equal(err.code, GW_CANCELLED);
		gw_control_destroy(o.d->control);
	}
}

/* Makes every pass of a busy guest last 20 ms, and half of the pages of the pass before dirty. */
static void write_all(void *owner, const struct gw_progress *progress)
{
	struct owner *o = owner;

	if (progress->stage != GW_STAGE_MEMORY || progress->pages_done > 0)
		return;
	for (uint64_t pfn = 0; pfn < UINT64_C(512) >> o->asked; pfn++)
		if (gw_memory_page(o->d, pfn))
			gw_memory_touch(o->d, pfn);
	gw_cancel_wait(NULL, -1, 0, 20, NULL);
}

/* The library would go on: the owner is reported as the reason of the stop. */
static void test_owner_stops_first(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = owner_of(real_domain(HVM));
	const struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = &o,
		.progress = write_all,
		.suspend = suspend,
		.precopy_policy = decide,
	};
	struct gw_channel *ch = bytes_sink("saved", NULL);
	struct gw_save_args args = {.domain = o.d,
				    .out = ch,
				    .toolstack = &ts,
				    .live = true,
				    .precopy = {.downtime_ms = 1}};
	struct gw_report report;

	o.decisions[1] = GW_PRECOPY_STOP;
	assert_ok(gw_save_image(&args, &report, &err), &err);
	assert_int_equal(o.asked, 2);
	assert_int_equal(report.rounds, 3);
	assert_int_equal(report.stopped_by, GW_STOP_TOOLSTACK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(o.stats[i].advice, GW_PRECOPY_CONTINUE);
		assert_in_range(o.stats[i].dirty_count, 200, 512 >> i);
		assert_in_range(o.stats[i].expected_downtime_ns, 1000000, UINT64_MAX - 1);
	}
	assert_int_equal(o.stats[1].total_written, report.round_pages[0] + report.round_pages[1]);
	gw_channel_close(ch);
	gw_control_destroy(o.d->control);
}

/* Without the entry the library's own policy decides. */
static void test_default_decision(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = owner_of(real_domain(HVM));
	const struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = &o, .suspend = suspend};
	struct gw_report report;

	assert_ok(save(&ts, o.d, true, &report, NULL, &err), &err);
	assert_int_equal(report.rounds, 2);
	assert_int_equal(report.stopped_by, GW_STOP_DOWNTIME);
	gw_control_destroy(o.d->control);
}

static int model_state(void *owner, void **state, size_t *len, struct gw_error *err)
{
	struct owner *o = owner;

	if (o->refusal)
		return gw_fail(err, GW_GUEST, "%s", o->refusal);
	assert_int_equal(o->suspended, 1);
	o->models++;
	*len = QEMU_STATE_SIZE + strlen("the model");
	*state = calloc(1, *len);
	memcpy((uint8_t *)*state + QEMU_STATE_HEAD, "the model", strlen("the model"));
	qemu_state_frame(*state, strlen("the model"));
	return 0;
}

/* A plain stream has the state of the device model once, and only for HVM guests. */
static void test_device_model(void **state)
{
	static const char *const names[] = {HVM, PV};

	for (unsigned i = 0; i < 2; i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct owner o = owner_of(real_domain(names[i]));
		const struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
						.owner = &o,
						.suspend = suspend,
						.device_model_state = model_state};
		struct gw_restore_args restore = {0};
		struct gw_buffer stream = {0}, model = {0};
		bool hvm = o.d->type == GW_GUEST_X86_HVM;

		assert_ok(save(&ts, o.d, false, NULL, &stream, &err), &err);
		assert_int_equal(o.models, hvm);
		restore.domain = stored_domain(o.d->type, 0);
		restore.in = stored_bytes(stream.data, stream.len);
		assert_ok(gw_restore_stream(&restore, &model, NULL, &err), &err);
		assert_int_equal(model.len, hvm ? QEMU_STATE_SIZE + strlen("the model") : 0);
		if (hvm)
			assert_memory_equal(model.data + QEMU_STATE_HEAD, "the model",
					    strlen("the model"));
		gw_channel_close(restore.in);
		gw_control_destroy(restore.domain->control);
		gw_buffer_free(&stream);
		gw_buffer_free(&model);
		gw_control_destroy(o.d->control);
	}
}

static void test_device_model_fails(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = owner_of(real_domain(HVM));
	const struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
					.owner = &o,
					.suspend = suspend,
					.device_model_state = model_state};

	o.refusal = "it hangs";
	assert_fails(save(&ts, o.d, false, NULL, NULL, &err), &err, GW_GUEST, "it hangs");
	gw_control_destroy(o.d->control);
}

/* A table that ends before some entries; the memory after its end is not part of it. */
static void test_older_table(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = owner_of(real_domain(HVM));
	struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
				  .owner = &o,
				  .suspend = suspend,
				  .precopy_policy = decide};
	struct gw_toolstack full;

	memset((char *)&ts + offsetof(struct gw_toolstack, precopy_policy), 0xa5,
	       sizeof(ts) - offsetof(struct gw_toolstack, precopy_policy));
	ts.head.size = offsetof(struct gw_toolstack, precopy_policy);
	assert_ok(save(&ts, o.d, true, NULL, NULL, &err), &err);
	assert_int_equal(o.suspended, 1);
	assert_int_equal(o.asked, 0);
	assert_ok(gw_toolstack_complete(&full, &ts, 0, &err), &err);
	assert_int_equal(full.head.size, sizeof(full));
	assert_ptr_equal(full.suspend, suspend);
	assert_null(full.back_channel);
	/* A newer table: entries that this library does not know are ignored. */
	ts = (struct gw_toolstack){
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = &o, .suspend = suspend};
	ts.head.size += 64;
	assert_ok(gw_toolstack_complete(&full, &ts, 0, &err), &err);
	assert_int_equal(full.head.size, sizeof(full));
	gw_control_destroy(o.d->control);
}

static void test_bad_table(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_toolstack full, ts = {.suspend = suspend};

	assert_fails(gw_toolstack_complete(&full, &ts, 0, &err), &err, GW_USAGE, "size 0");
	ts.head.size = offsetof(struct gw_toolstack, progress) - 1;
	assert_fails(gw_toolstack_complete(&full, &ts, 0, &err), &err, GW_USAGE, "at least");
	ts.head.size = sizeof(ts);
	ts.head.version = GW_TABLE_VERSION + 1;
	assert_fails(gw_toolstack_complete(&full, &ts, 0, &err), &err, GW_UNSUPPORTED, "version 2");
}

/* Every entry of an empty table can be called. */
static void test_defaults(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	const struct gw_precopy_stats stats = {.advice = GW_PRECOPY_STOP};
	struct gw_toolstack ts;
	void *model = &ts;
	size_t len = 1;

	assert_ok(gw_toolstack_complete(&ts, NULL, 0, &err), &err);
	ts.progress(ts.owner, NULL);
	assert_fails(ts.suspend(ts.owner, &err), &err, GW_USAGE, "cannot suspend");
	assert_fails(ts.postcopy(ts.owner, &err), &err, GW_USAGE, "cannot suspend");
	assert_int_equal(ts.checkpoint(ts.owner, &err), GW_CHECKPOINT_GO_ON);
	assert_int_equal(ts.wait_checkpoint(ts.owner, &err), 1);
	assert_int_equal(ts.precopy_policy(ts.owner, &stats, &err), GW_PRECOPY_STOP);
	assert_fails(ts.throttle(ts.owner, 0, &err), &err, GW_UNSUPPORTED, "cannot slow");
	assert_int_equal(ts.logdirty_switch(ts.owner, 1, &err), 0);
	assert_int_equal(ts.device_model_state(ts.owner, &model, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_null(model);
	assert_int_equal(ts.static_data(ts.owner, GW_GUEST_X86_PV, NULL, &err), 0);
	assert_int_equal(ts.static_data_done(ts.owner, 3, &err), 0);
	assert_int_equal(ts.restore_results(ts.owner, 0, 0, &err), 0);
	assert_fails(gw_toolstack_complete(&ts, NULL, GW_TOOLSTACK_SUSPENDS, &err), &err, GW_USAGE,
		     "can suspend");
}

static int see_policy(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
		      struct gw_error *err)
{
	struct owner *o = owner;

	assert_int_equal(type, GW_GUEST_X86_HVM);
	o->asked++;
	o->policy_leaves = policy->nr_leaves;
	return o->refusal ? gw_fail(err, GW_REFUSED, "%s", o->refusal) : 0;
}

static int take_results(void *owner, uint64_t store_gfn, uint64_t console_gfn, struct gw_error *err)
{
	struct owner *o = owner;

	o->store_gfn = store_gfn;
	o->console_gfn = console_gfn;
	return o->refusal ? gw_fail(err, GW_SYSTEM, "%s", o->refusal) : 0;
}

static int restore(struct owner *o, const struct gw_toolstack *ts, struct gw_error *err)
{
	struct stored s = stored_load(HVM);
	struct gw_restore_args args = {.toolstack = ts};
	int rc = stored_restore(&s, s.file.len - s.at, &o->d, &args, NULL, err);

	stored_free(&s);
	return rc;
}

/* The owner sees the policies before its domain has any state of the image, and may refuse. */
static void test_static_data(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = {0};
	const struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = &o, .static_data = see_policy};
	struct gw_domain_info info;

	assert_ok(restore(&o, &ts, &err), &err);
	assert_int_equal(o.asked, 1);
	assert_true(o.policy_leaves > 0);
	gw_control_destroy(o.d->control);
	o.refusal = "no AVX here";
	assert_fails(restore(&o, &ts, &err), &err, GW_REFUSED, "no AVX here");
	assert_ok(gw_domain_info(o.d, &info, &err), &err);
	assert_int_equal(info.nr_pages, 0);
	gw_control_destroy(o.d->control);
}

static void test_restore_results(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct owner o = {0};
	const struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
					.owner = &o,
					.restore_results = take_results};

	assert_ok(restore(&o, &ts, &err), &err);
	assert_non_null(gw_memory_page(o.d, o.store_gfn));
	/* This guest has no console. */
	assert_int_equal(o.console_gfn, GW_INVALID_PFN);
	gw_control_destroy(o.d->control);
	o.refusal = "xenstore is gone";
	assert_fails(restore(&o, &ts, &err), &err, GW_SYSTEM, "xenstore is gone");
	gw_control_destroy(o.d->control);
}

static void test_stage_names(void **state)
{
	for (unsigned i = 0; i < GW_NR_STAGES; i++)
		assert_int_equal(gw_stage_from_name(gw_stage_name((enum gw_stage)i)), i);
	assert_string_equal(gw_stage_name(GW_STAGE_FINAL_ROUND), "final round");
	assert_int_equal(gw_stage_from_name("unheard of"), GW_STAGE_NONE);
	for (unsigned i = 1; i < GW_NR_STOP_REASONS; i++)
		assert_non_null(gw_stop_reason_name((enum gw_stop_reason)i));
	assert_null(gw_stop_reason_name(GW_STOP_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions),	   cmocka_unit_test(test_owner_stops_first),
		cmocka_unit_test(test_default_decision),   cmocka_unit_test(test_device_model),
		cmocka_unit_test(test_device_model_fails), cmocka_unit_test(test_older_table),
		cmocka_unit_test(test_bad_table),	   cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_static_data),	   cmocka_unit_test(test_restore_results),
		cmocka_unit_test(test_stage_names),
	};

	return cmocka_run_group_tests_name("toolstack", tests, NULL, NULL);
}
