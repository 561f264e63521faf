/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests saves: live under a guest that writes, checkpointed, verified, paced, of a nearly empty
 * domain; and the state after any failure.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "channel/kind.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "lib/bytes.h"
#include "lib/random.h"
#include "lib/qemu_state.h"
#include "format/libxc/image.h"
#include "hypervisor/memory/memory.h"
#include "faulty.h"
#include "stored.h"

static void fill(void *page, uint64_t value)
{
	for (size_t i = 0; i < GW_PAGE_SIZE; i += 8)
		gw_put_le64((uint8_t *)page + i, value ^ i);
}

/* A restored real guest. max_pfns 0: as many as the guest has. */
static struct gw_domain *real_domain_of(const char *name, uint64_t max_pfns)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct stored s = stored_load(name);
	struct gw_domain *d;

	if (max_pfns)
		s.nr_pfns = max_pfns;
	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	stored_free(&s);
	return d;
}

static struct gw_domain *real_domain(const char *name)
{
	return real_domain_of(name, 0);
}

#define HVM "xen-code/v3_422_hvm_1024.xz"
#define PV  "xen-code/v3_422_pv64_1024.xz"

/* The guest writes a few ordinary pages at each step until it is suspended. */
struct guest {
	struct gw_domain *d;
	unsigned steps, per_step;
	uint64_t special; /* PV: the guest only writes pages from this pfn on */
};

static void guest_step(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain_info info;

	assert_ok(gw_domain_info(g->d, &info, &err), &err);
	if (info.shutdown != GW_SHUTDOWN_NONE)
		return;
	g->steps++;
	for (unsigned i = 0; i < g->per_step; i++) {
		uint64_t pfn = random64() % 1024;

		if (gw_memory_page_type(g->d, pfn) != GW_PAGE_NOTAB ||
		    (g->d->type == GW_GUEST_X86_PV && pfn < g->special))
			continue;
		fill(gw_memory_page(g->d, pfn), random64());
		gw_memory_touch(g->d, pfn);
	}
}

/* A channel during whose writes the guest runs. */
struct busy_channel {
	struct gw_channel ch;
	struct gw_channel *below;
	struct gw_buffer saved; /* the bytes written */
	struct guest *guest;
	unsigned writes;
};

static ssize_t busy_write(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	struct busy_channel *b = (struct busy_channel *)ch;
	struct iovec copy[1024];
	ssize_t total = 0;

	b->writes++;
	if (b->guest)
		guest_step(b->guest);
	assert_true(n <= 1024);
	for (int i = 0; i < n; i++) {
		copy[i] = iov[i];
		total += (ssize_t)iov[i].iov_len;
	}
	return gw_channel_writev(b->below, copy, n, err) < 0 ? -1 : total;
}

static ssize_t busy_read(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	return -1;
}

static int nothing(struct gw_channel *ch, struct gw_error *err)
{
	return 0;
}

static void busy_close(struct gw_channel *ch)
{
	gw_channel_close(((struct busy_channel *)ch)->below);
	gw_buffer_free(&((struct busy_channel *)ch)->saved);
}

static const struct gw_channel_ops busy_ops = {
	.read = busy_read,
	.write = busy_write,
	.skip = gw_channel_skip_by_reading,
	.drain = nothing,
	.finish = nothing,
	.close = busy_close,
};

static struct busy_channel *busy_channel(struct guest *guest)
{
	struct gw_error err = GW_ERROR_INIT;
	struct busy_channel *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_ok(gw_channel_init(&b->ch, &busy_ops, "busy", &err), &err);
	b->below = bytes_sink("saved", &b->saved);
	b->guest = guest;
	return b;
}

/* Gives the bytes to the caller. */
static struct gw_buffer saved_bytes(struct busy_channel *b)
{
	struct gw_buffer image = b->saved;

	b->saved = (struct gw_buffer){0};
	return image;
}

/* Each ordinary page of the suspended d is in the image with its present contents. */
static void check_against_domain(const struct gw_buffer *image, struct gw_domain *d)
{
	struct pages p = pages_of_image(image);

	for (uint64_t pfn = 0; pfn < p.nr; pfn++) {
		unsigned type = gw_memory_page_type(d, pfn);

		if (p.types[pfn] != type)
			fail_msg("pfn 0x%llx: type 0x%x in the image, 0x%x in the domain",
				 (unsigned long long)pfn, p.types[pfn], type);
		if (type == GW_PAGE_NOTAB &&
		    memcmp(p.data + pfn * GW_PAGE_SIZE, gw_memory_page(d, pfn), GW_PAGE_SIZE) != 0)
			fail_msg("pfn 0x%llx: the image is behind", (unsigned long long)pfn);
	}
	pages_free(&p);
}

/* P2M and start_info are low in the recorded PV guests: the simulated guest does not write
 * there. */
static struct guest guest_of(struct gw_domain *d, unsigned per_step)
{
	return (struct guest){.d = d, .per_step = per_step, .special = 256};
}

static void test_live(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = real_domain(*state);
	struct guest guest = guest_of(d, 40);
	struct busy_channel *out = busy_channel(&guest);
	struct gw_toolstack ts = stored_toolstack(d);
	struct gw_report report;
	struct gw_save_args args = {
		.domain = d,
		.out = &out->ch,
		.toolstack = &ts,
		.live = true,
		/* The guest never converges: five passes, with writes during each. */
		.precopy = {.max_rounds = 5},
	};
	struct gw_buffer image;

	/* With a downtime of 1 ms only an idle guest would fit. */
	args.precopy.downtime_ms = 1;
	args.precopy.bandwidth = 0;
	assert_ok(gw_save_image(&args, &report, &err), &err);
	image = saved_bytes(out);
	check_against_domain(&image, d);
	assert_true(guest.steps > 2);
	assert_true(report.rounds >= 2);
	assert_int_equal(report.bytes, image.len);
	assert_true(report.round_pages[report.rounds - 1] > 0);
	assert_true(report.downtime_ns >= report.final_round_ns);
	gw_buffer_free(&image);
	gw_channel_close(&out->ch);
	gw_control_destroy(d->control);
}

/* Later passes only send pages that the guest wrote. */
static void test_only_dirty_is_sent_again(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = real_domain(HVM);
	struct guest guest = guest_of(d, 3);
	struct busy_channel *out = busy_channel(&guest);
	struct gw_toolstack ts = stored_toolstack(d);
	struct gw_report report;
	struct gw_save_args args = {.domain = d, .out = &out->ch, .toolstack = &ts, .live = true};

	assert_ok(gw_save_image(&args, &report, &err), &err);
	assert_int_equal(report.stopped_by, GW_STOP_DOWNTIME);
	assert_int_equal(report.rounds, 2);
	assert_in_range(report.round_pages[0], 900, 1024);
	assert_in_range(report.round_pages[1], 1, 3 * out->writes);
	gw_channel_close(&out->ch);
	gw_control_destroy(d->control);
}

struct checkpoints {
	struct guest *guest;
	struct gw_toolstack inner;
	unsigned nr;
};

static int cp_suspend(void *opaque, struct gw_error *err)
{
	struct checkpoints *c = opaque;

	return c->inner.suspend(c->inner.owner, err);
}

static int cp_resume(void *opaque, struct gw_error *err)
{
	struct checkpoints *c = opaque;

	return c->inner.postcopy(c->inner.owner, err);
}

/* Four checkpoints; the guest writes between them and after the last. */
static int cp_checkpoint(void *opaque, struct gw_error *err)
{
	struct checkpoints *c = opaque;

	guest_step(c->guest);
	return ++c->nr < 4 ? GW_CHECKPOINT_GO_ON : GW_CHECKPOINT_STOP;
}

/* Keeps the guest's pages at its last suspend, for the comparison after it ran on. */
static void snapshot(struct gw_domain *d, struct pages *p)
{
	for (uint64_t pfn = 0; pfn < 1024; pfn++)
		if (gw_memory_page(d, pfn))
			memcpy(p->data + pfn * GW_PAGE_SIZE, gw_memory_page(d, pfn), GW_PAGE_SIZE);
}

struct last_state {
	struct checkpoints c;
	struct pages last;
};

static int snap_resume(void *opaque, struct gw_error *err)
{
	struct last_state *l = opaque;

	snapshot(l->c.guest->d, &l->last);
	return cp_resume(&l->c, err);
}

static int snap_suspend(void *opaque, struct gw_error *err)
{
	return cp_suspend(&((struct last_state *)opaque)->c, err);
}

static int snap_checkpoint(void *opaque, struct gw_error *err)
{
	return cp_checkpoint(&((struct last_state *)opaque)->c, err);
}

/* The device model's state at each suspend, numbered by the checkpoints before it. */
static int snap_model(void *owner, void **state, size_t *len, struct gw_error *err)
{
	struct last_state *l = owner;
	struct gw_domain_info info;

	assert_ok(gw_domain_info(l->c.guest->d, &info, err), err);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_SUSPEND);
	*len = QEMU_STATE_SIZE + 7;
	*state = calloc(1, *len);
	snprintf((char *)*state + QEMU_STATE_HEAD, 8, "model %u", l->c.nr);
	qemu_state_frame(*state, 7);
	return 0;
}

static void test_checkpointed(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = real_domain(HVM);
	struct guest guest = guest_of(d, 20);
	struct busy_channel *out = busy_channel(&guest);
	struct last_state l = {.c = {.guest = &guest, .inner = stored_toolstack(d)}};
	struct gw_buffer model = {0};
	struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
				  .owner = &l,
				  .suspend = snap_suspend,
				  .postcopy = snap_resume,
				  .checkpoint = snap_checkpoint,
				  .device_model_state = snap_model};
	struct gw_save_args args = {
		.domain = d, .out = &out->ch, .toolstack = &ts, .stream_type = GW_STREAM_REMUS};
	struct gw_restore_args restore = {0};
	struct gw_restore_result result;
	struct gw_buffer stream;

	l.last.data = calloc(1024, GW_PAGE_SIZE);
	assert_ok(gw_save_stream(&args, NULL, &err), &err);
	stream = saved_bytes(out);
	restore.domain = stored_domain(GW_GUEST_X86_HVM, 0);
	restore.in = stored_bytes(stream.data, stream.len);
	assert_ok(gw_restore_stream(&restore, &model, &result, &err), &err);
	assert_ok(gw_control_restored(restore.domain->control, &err), &err);
	assert_int_equal(result.checkpoints, 4);
	assert_true(result.failed_over);
	assert_int_equal(model.len, QEMU_STATE_SIZE + 7);
	assert_memory_equal(model.data + QEMU_STATE_HEAD, "model 3", 7);
	for (unsigned i = 0; i < 4; i++) {
		char text[] = {'m', 'o', 'd', 'e', 'l', ' ', (char)('0' + i)};

		assert_non_null(memmem(stream.data, stream.len, text, sizeof(text)));
	}
	for (uint64_t pfn = 0; pfn < 1000; pfn++) {
		void *page = gw_memory_page(restore.domain, pfn);

		if (page)
			assert_memory_equal(page, l.last.data + pfn * GW_PAGE_SIZE, GW_PAGE_SIZE);
	}
	free(l.last.data);
	gw_channel_close(restore.in);
	gw_control_destroy(restore.domain->control);
	gw_buffer_free(&stream);
	gw_buffer_free(&model);
	gw_channel_close(&out->ch);
	gw_control_destroy(d->control);
}

struct remarks {
	unsigned nr;
	char last[300];
};

static void take_remark(void *opaque, enum gw_log_level level, const char *text)
{
	struct remarks *r = opaque;

	r->nr++;
	snprintf(r->last, sizeof(r->last), "%s", text);
}

static uint64_t mismatches_of(const struct gw_buffer *image, enum gw_guest_type type,
			      struct remarks *remarks)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.log = {.fn = take_remark, .opaque = remarks, .max = GW_LOG_WARNING}};
	struct gw_restore_args args = {
		.domain = stored_domain(type, type == GW_GUEST_X86_PV ? 0 : 8192),
		.in = stored_bytes(image->data, image->len),
		.toolstack = &ts,
	};
	struct gw_restore_result result;

	assert_ok(restore_as_owner(&args, false, &result, &err), &err);
	gw_channel_close(args.in);
	gw_control_destroy(args.domain->control);
	return result.verify_mismatches;
}

/* Changes one byte of the last page before the device state. */
static void spoil_last_page(struct gw_buffer *image)
{
	size_t last = 0;

	for (size_t at = 40; at + 8 <= image->len;) {
		uint32_t len = gw_get_le32(image->data + at + 4);

		if (gw_get_le32(image->data + at) == GW_REC_PAGE_DATA && len > 8 + 8 * 1024)
			last = at + 8 + len;
		at += 8 + ((len + 7u) & ~7u);
	}
	image->data[last - 9] ^= 0x40;
}

static void test_verify(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = real_domain(*state);
	struct guest guest = guest_of(d, 10);
	struct busy_channel *out = busy_channel(&guest);
	struct gw_toolstack ts = stored_toolstack(d);
	struct gw_save_args args = {
		.domain = d, .out = &out->ch, .toolstack = &ts, .live = true, .verify = true};
	struct remarks remarks = {0};
	struct gw_buffer image;

	assert_ok(gw_save_image(&args, NULL, &err), &err);
	image = saved_bytes(out);
	assert_int_equal(mismatches_of(&image, d->type, &remarks), 0);
	assert_int_equal(remarks.nr, 0);
	spoil_last_page(&image);
	assert_int_equal(mismatches_of(&image, d->type, &remarks), 1);
	assert_int_equal(remarks.nr, 1);
	assert_non_null(strstr(remarks.last, "differs from byte 0xff7 on"));
	gw_buffer_free(&image);
	gw_channel_close(&out->ch);
	gw_control_destroy(d->control);
}

/* 4 MiB at 40 MiB/s: 0.1 s, minus the credit; there is no upper limit on the time. */
static void test_bandwidth(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = real_domain(HVM);
	struct busy_channel *out = busy_channel(NULL);
	struct gw_toolstack ts = stored_toolstack(d);
	struct gw_report report;
	struct gw_save_args args = {.domain = d,
				    .out = &out->ch,
				    .toolstack = &ts,
				    .live = true,
				    .precopy = {.bandwidth = 10 << 20}};
	uint64_t start = gw_clock_ms();

	assert_ok(gw_save_image(&args, &report, &err), &err);
	assert_true(gw_clock_ms() - start >= 250);
	assert_true(report.round_ns[0] >= 250000000);
	assert_true(report.final_round_ns < report.round_ns[0]);
	gw_channel_close(&out->ch);
	gw_control_destroy(d->control);
}

/* A million pfns, a thousand pages: only those are in the image, written in few calls. */
static void test_mostly_absent(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = real_domain_of(HVM, 1 << 20);
	struct busy_channel *out = busy_channel(NULL);
	struct gw_toolstack ts = stored_toolstack(d);
	struct gw_report report;
	struct gw_save_args args = {.domain = d, .out = &out->ch, .toolstack = &ts};
	uint64_t entries = 0, last = (1 << 20) - 1;
	struct gw_buffer image;

	/* As in real guests: one page below 4 GiB, far from the others. */
	assert_ok(gw_domain_populate(d, 1, &last, &last, &err), &err);
	assert_ok(gw_save_image(&args, &report, &err), &err);
	image = saved_bytes(out);
	for (size_t at = 40; at + 8 <= image.len;) {
		if (gw_get_le32(image.data + at) == GW_REC_PAGE_DATA)
			entries += gw_get_le32(image.data + at + 8);
		at += 8 + ((gw_get_le32(image.data + at + 4) + 7u) & ~7u);
	}
	assert_in_range(report.pages, 900, 1025);
	assert_int_equal(entries, report.pages);
	assert_int_equal(report.stopped_by, GW_STOP_NOT_LIVE);
	assert_true(out->writes < 20);
	gw_buffer_free(&image);
	gw_channel_close(&out->ch);
	gw_control_destroy(d->control);
}

static int refuse_to_suspend(void *opaque, struct gw_error *err)
{
	return gw_fail(err, GW_GUEST, "it does not answer");
}

static int pretend_to_suspend(void *opaque, struct gw_error *err)
{
	struct gw_domain *d = opaque;

	return gw_control_unpause(d->control, err);
}

static void test_no_suspend(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = real_domain(HVM);
	struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
				  .owner = d,
				  .suspend = refuse_to_suspend};
	struct busy_channel *out = busy_channel(NULL);
	struct gw_save_args args = {.domain = d, .out = &out->ch, .toolstack = &ts, .live = true};

	assert_fails(gw_save_image(&args, NULL, &err), &err, GW_GUEST, "it does not answer");
	ts.suspend = pretend_to_suspend;
	assert_fails(gw_save_image(&args, NULL, &err), &err, GW_GUEST, "still runs");
	gw_channel_close(&out->ch);
	gw_control_destroy(d->control);
}

static int never_called(void *owner, struct gw_error *err)
{
	fail();
	return -1;
}

static void test_usage(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = real_domain(HVM);
	struct gw_toolstack ts = stored_toolstack(d);
	struct busy_channel *out = busy_channel(NULL);
	struct gw_save_args args = {.domain = d, .out = &out->ch};

	assert_fails(gw_save_image(&args, NULL, &err), &err, GW_USAGE, "toolstack");
	args.toolstack = &ts;
	args.stream_type = GW_STREAM_REMUS;
	assert_fails(gw_save_image(&args, NULL, &err), &err, GW_USAGE, "checkpoint");
	ts.postcopy = never_called;
	ts.checkpoint = never_called;
	args.stream_type = GW_STREAM_COLO;
	assert_fails(gw_save_image(&args, NULL, &err), &err, GW_USAGE, "back channel");
	gw_channel_close(&out->ch);
	gw_control_destroy(d->control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_live, (void *)(uintptr_t)HVM),
		cmocka_unit_test_prestate(test_live, (void *)(uintptr_t)PV),
		cmocka_unit_test(test_only_dirty_is_sent_again),
		cmocka_unit_test(test_checkpointed),
		cmocka_unit_test_prestate(test_verify, (void *)(uintptr_t)HVM),
		cmocka_unit_test_prestate(test_verify, (void *)(uintptr_t)PV),
		cmocka_unit_test(test_bandwidth),
		cmocka_unit_test(test_mostly_absent),
		cmocka_unit_test(test_no_suspend),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests_name("save", tests, NULL, NULL);
}
