/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests a failure at every call into the domain and at every place of the channel, and a cancel at
 * any time: each leaves nothing mapped, log-dirty off, no descriptor open, and a guest that can run
 * on.
 */
#include "lib/gwtest.h"

#include <poll.h>
#include <semaphore.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "hypervisor/control.h"
#include "guest/guest.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "lib/bytes.h"
#include "lib/descriptors.h"
#include "lib/random.h"
#include "channel/fault.h"
#include "format/libxc/image.h"
#include "migrate/operation.h"
#include "faulty.h"
#include "stored.h"

#define STREAM "xen-code/v3_422_hvm_1024.xz"
#define REMUS  "xen-code/v3_422_hvm_remus3_1024.xz"

/* A restored domain that is saved many times. */
struct bench {
	struct stored stored;
	struct faulty *f;
	int model_logging; /* times switched on minus times switched off */
	unsigned switched; /* how often */
	unsigned checkpoints;
	sem_t *reached,
		*answer; /* the suspend posts the one and waits for the other; NULL: neither */
};

static int ts_suspend(void *opaque, struct gw_error *err)
{
	struct bench *b = opaque;

	if (b->answer) {
		sem_post(b->reached);
		sem_wait(b->answer);
	}
	return gw_control_suspend(b->f->base.control, 100, NULL, err) < 0 ? -1 : 0;
}

static int ts_resume(void *opaque, struct gw_error *err)
{
	struct bench *b = opaque;

	return gw_control_resume(b->f->base.control, err);
}

static int ts_checkpoint(void *opaque, struct gw_error *err)
{
	struct bench *b = opaque;

	return ++b->checkpoints < 3 ? GW_CHECKPOINT_GO_ON : GW_CHECKPOINT_STOP;
}

static int ts_logdirty(void *opaque, int enable, struct gw_error *err)
{
	struct bench *b = opaque;

	b->model_logging += enable ? 1 : -1;
	b->switched++;
	return 0;
}

static struct bench open_bench(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct bench b = {.stored = stored_load(STREAM)};
	struct gw_domain *d;

	assert_ok(stored_restore(&b.stored, b.stored.file.len - b.stored.at, &d, &args, NULL, &err),
		  &err);
	b.f = faulty_new(d);
	return b;
}

static void close_bench(struct bench *b)
{
	faulty_free(b->f);
	stored_free(&b->stored);
}

/* Nothing is left mapped, open or switched on, and the guest can run. */
static void check_clean(struct bench *b, const char *what, uint64_t where)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *inner = b->f->inner;
	struct gw_domain_info info;

	if (b->f->mapped != 0 || b->f->logging || b->model_logging != 0)
		fail_msg("%s %llu: %d mappings open, log-dirty %s, the model's %d", what,
			 (unsigned long long)where, b->f->mapped, b->f->logging ? "on" : "off",
			 b->model_logging);
	assert_ok(gw_domain_info(inner, &info, &err), &err);
	if (info.shutdown == GW_SHUTDOWN_SUSPEND)
		assert_ok(gw_control_resume(inner->control, &err), &err);
}

static int save_through(struct bench *b, struct gw_channel *out, enum gw_stream_type type,
			bool live, const struct gw_cancel *cancel, struct gw_error *err)
{
	struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
				  .owner = b,
				  .suspend = ts_suspend,
				  .postcopy = ts_resume,
				  .checkpoint = ts_checkpoint,
				  .logdirty_switch = ts_logdirty};
	struct gw_save_args args = {.domain = &b->f->base,
				    .out = out,
				    .toolstack = &ts,
				    .live = live,
				    .verify = live,
				    .stream_type = type,
				    .cancel = cancel};

	b->checkpoints = 0;
	b->f->calls = b->f->failed = 0;
	return gw_save_stream(&args, NULL, err);
}

/* A channel that discards its output. */
static struct gw_channel *nowhere(void)
{
	return bytes_sink("saved", NULL);
}

static void every_call(struct bench *b, enum gw_stream_type type, bool live)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *out = nowhere();
	int fds = count_fds();
	unsigned calls;

	b->f->fail_at = FAULTY_NEVER;
	assert_ok(save_through(b, out, type, live, NULL, &err), &err);
	gw_channel_close(out);
	check_clean(b, "no failure", 0);
	calls = b->f->calls;
	assert_true(calls > 20);
	for (unsigned i = 0; i < calls; i++) {
		int rc;

		out = nowhere();
		b->f->fail_at = i;
		rc = save_through(b, out, type, live, NULL, &err);
		assert_int_equal(b->f->failed, 1);
		if (rc == 0 || !strstr(err.text, "planned failure of call"))
			fail_msg("call %u: %d, \"%s\"", i, rc, err.text);
		gw_error_clear(&err);
		gw_channel_close(out);
		check_clean(b, "call", i);
	}
	b->f->fail_at = FAULTY_NEVER;
	assert_int_equal(count_fds(), fds);
}

/* A type that no specification knows is an error of the domain and is not sent. */
static void test_reserved_page_type(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct bench b = open_bench();
	struct gw_channel *out = nowhere();

	b.f->fail_at = FAULTY_NEVER;
	b.f->first_type = 6;
	assert_fails(save_through(&b, out, GW_STREAM_PLAIN, false, NULL, &err), &err, GW_INVALID,
		     "reserved page type 0x6");
	check_clean(&b, "reserved type", 6);
	gw_channel_close(out);
	close_bench(&b);
}

/* The device model writes guest memory as well: a live save of an HVM guest makes it log its
 * writes. */
static void test_model_logs(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct bench b = open_bench();

	b.f->fail_at = FAULTY_NEVER;
	for (int live = 0; live < 2; live++) {
		struct gw_channel *out = nowhere();

		b.switched = 0;
		assert_ok(save_through(&b, out, GW_STREAM_PLAIN, live, NULL, &err), &err);
		assert_int_equal(b.switched, live ? 2 : 0);
		check_clean(&b, "model", (uint64_t)live);
		gw_channel_close(out);
	}
	close_bench(&b);
}

static void test_domain_calls_of_a_save(void **state)
{
	struct bench b = open_bench();

	every_call(&b, GW_STREAM_PLAIN, false);
	every_call(&b, GW_STREAM_PLAIN, true);
	every_call(&b, GW_STREAM_REMUS, true);
	close_bench(&b);
}

/* Each kind of write failure at this byte. */
static void fault_at(struct bench *b, enum gw_stream_type type, uint64_t at)
{
	for (int kind = 0; kind < 3; kind++) {
		struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
		struct gw_error err = GW_ERROR_INIT;
		struct gw_channel *out;
		int rc;

		plan.seed = at;
		plan.write.most = kind == 2 ? 5000 : 0;
		*(kind == 0 ? &plan.write.error_at : &plan.write.end_at) = at;
		out = gw_channel_fault(nowhere(), &plan, &err);
		assert_non_null(out);
		rc = save_through(b, out, type, true, NULL, &err);
		if (rc == 0 || (kind == 0 ? err.code != GW_SYSTEM : err.code != GW_PEER))
			fail_msg("fault %d at byte %llu: %d, \"%s\"", kind, (unsigned long long)at,
				 rc, err.text);
		gw_channel_close(out);
		check_clean(b, "byte", at);
	}
}

static uint64_t length_of_save(struct bench *b, enum gw_stream_type type)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *out = nowhere();
	uint64_t len;

	assert_ok(save_through(b, out, type, true, NULL, &err), &err);
	len = out->write_pos;
	gw_channel_close(out);
	check_clean(b, "no failure", 0);
	return len;
}

static void test_channel_of_a_save(void **state)
{
	struct bench b = open_bench();
	int fds = count_fds();

	for (int type = GW_STREAM_PLAIN; type <= GW_STREAM_REMUS; type++) {
		uint64_t len = length_of_save(&b, (enum gw_stream_type)type);

		fault_at(&b, (enum gw_stream_type)type, 0);
		fault_at(&b, (enum gw_stream_type)type, len - 1);
		for (int i = 0; i < 25; i++)
			fault_at(&b, (enum gw_stream_type)type, random64() % len);
	}
	assert_int_equal(count_fds(), fds);
	close_bench(&b);
}

struct cancelled_save {
	struct bench *b;
	struct gw_channel *out;
};

static int run_save(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct cancelled_save *c = opaque;

	return save_through(c->b, c->out, GW_STREAM_PLAIN, true, gw_operation_cancel_token(op),
			    err);
}

/* The channel stops taking bytes at some place: only a cancel ends the save. */
static void test_cancel_a_blocked_save(void **state)
{
	struct bench b = open_bench();
	uint64_t len = length_of_save(&b, GW_STREAM_PLAIN);

	for (int i = 0; i < 8; i++) {
		struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
		struct gw_error err = GW_ERROR_INIT;
		struct cancelled_save c = {.b = &b};
		struct gw_operation *op;

		plan.write.stall_at = i == 0 ? 0 : random64() % len;
		c.out = gw_channel_fault(nowhere(), &plan, &err);
		op = gw_operation_start("save", run_save, &c, &err);
		assert_non_null(op);
		/* Whether the save has reached that place or not: the token stays set. */
		gw_cancel_wait(NULL, -1, 0, i % 3 * 5, NULL);
		assert_ok(gw_operation_cancel(op, &err), &err);
		assert_fails(gw_operation_wait(op, &err), &err, GW_CANCELLED, "");
		gw_channel_close(c.out);
		check_clean(&b, "cancelled at byte", plan.write.stall_at);
	}
	close_bench(&b);
}

/* A suspend that does not answer: the cancel itself is answered, the save ends when the call does,
 * and nothing it uses is closed before. */
static void test_cancel_during_a_callback(void **state)
{
	struct bench b = open_bench();
	struct gw_error err = GW_ERROR_INIT;
	struct cancelled_save c = {.b = &b, .out = nowhere()};
	struct gw_operation *op;
	struct pollfd over;
	sem_t reached, answer;
	uint64_t began;

	sem_init(&reached, 0, 0);
	sem_init(&answer, 0, 0);
	b.reached = &reached;
	b.answer = &answer;
	op = gw_operation_start("save", run_save, &c, &err);
	assert_non_null(op);
	sem_wait(&reached);
	began = gw_clock_ms();
	assert_ok(gw_operation_cancel(op, &err), &err);
	/* 50 ms, and some for a busy machine. */
	assert_true(gw_clock_ms() - began < 250);
	over = (struct pollfd){.fd = gw_operation_fd(op), .events = POLLIN};
	assert_int_equal(poll(&over, 1, 100), 0);
	sem_post(&answer);
	assert_fails(gw_operation_wait(op, &err), &err, GW_CANCELLED, "");
	gw_channel_close(c.out);
	check_clean(&b, "cancelled in a callback", 0);
	close_bench(&b);
	sem_destroy(&reached);
	sem_destroy(&answer);
}

/* Restores into a domain with planned faults. Returns the number of calls, or -1 if the restore
 * failed. */
static int restore_into(struct faulty *f, const struct stored *s, struct gw_error *err)
{
	struct gw_restore_args args = {
		.domain = &f->base,
		.in = stored_bytes(s->file.data + s->at, s->file.len - s->at),
	};
	int rc = restore_as_owner(&args, false, NULL, err);

	gw_channel_close(args.in);
	if (f->mapped != 0)
		fail_msg("call %u failed, %d mappings open", f->fail_at, f->mapped);
	return rc < 0 ? -1 : (int)f->calls;
}

static void test_domain_calls_of_a_restore(void **state)
{
	struct stored s = stored_load(*state);
	struct gw_error err = GW_ERROR_INIT;
	struct faulty *f = faulty_new(stored_domain(s.type, s.nr_pfns));
	int calls = restore_into(f, &s, &err), fds;

	assert_ok(calls, &err);
	faulty_free(f);
	fds = count_fds();
	for (int i = 0; i < calls; i++) {
		f = faulty_new(stored_domain(s.type, s.nr_pfns));
		f->fail_at = (unsigned)i;
		assert_fails(restore_into(f, &s, &err), &err, GW_SYSTEM, "planned failure");
		faulty_free(f);
	}
	assert_int_equal(count_fds(), fds);
	stored_free(&s);
}

/* Images that only the rules refuse; without them the restore would succeed. */
static void test_rules_are_obeyed(void **state)
{
	static const struct {
		size_t at; /* from the image's first byte, or from its first PAGE_DATA */
		bool in_pages;
		uint8_t value;
		const char *text;
	} breaks[] = {
		{15, false, 9, "version 9"},
		{29, false, 1, "page shift"},
		{8 + 8 + 7, true, 0x50, "PAGE_DATA"},
		{4, true, 0x10, "need"},
	};
	struct stored s = stored_load(STREAM);
	size_t pages = s.image + 40;

	while (gw_get_le32(s.file.data + pages) != GW_REC_PAGE_DATA)
		pages += 8 + ((gw_get_le32(s.file.data + pages + 4) + 7u) & ~7u);
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct faulty *f = faulty_new(stored_domain(s.type, s.nr_pfns));
		uint8_t *byte = s.file.data + (breaks[i].in_pages ? pages : s.image) + breaks[i].at;
		uint8_t was = *byte;
		struct gw_domain_info info;

		*byte = breaks[i].value;
		if (restore_into(f, &s, &err) >= 0)
			fail_msg("not refused: %s", breaks[i].text);
		assert_fails(-1, &err, GW_INVALID, breaks[i].text);
		*byte = was;
		/* Before anything is applied. */
		assert_ok(gw_domain_info(f->inner, &info, &err), &err);
		assert_int_equal(info.nr_pages, 0);
		faulty_free(f);
	}
	stored_free(&s);
}

/* Whichever byte of a stream is damaged: the restore ends, leaves nothing mapped and writes nothing
 * outside the guest. */
static void test_corrupt_bytes(void **state)
{
	struct stored s = stored_load(*state);
	unsigned refused = 0;

	for (int i = 0; i < 150; i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct faulty *f = faulty_new(stored_domain(s.type, s.nr_pfns));
		/* Mostly in the first and last 16 KiB, where headers and records other than pages
		 * are. */
		size_t len = s.file.len - s.at, near = random64() % 16384;
		size_t at = s.at +
			    (i % 3 == 0 ? random64() % len : (i % 3 == 1 ? near : len - 1 - near));
		uint8_t flip = (uint8_t)(1u << random64() % 8);

		s.file.data[at] ^= flip;
		if (restore_into(f, &s, &err) < 0) {
			refused++;
			assert_true(err.code != GW_OK && err.text[0]);
		}
		s.file.data[at] ^= flip;
		faulty_free(f);
	}
	assert_in_range(refused, 2, 140);
	stored_free(&s);
}

/* The HVM restore hooks with a domain whose new pages hold old contents. */
static struct gw_restore_guest hooks_over(struct faulty *f)
{
	struct gw_restore_guest g = {.ops = &gw_x86_hvm_restore, .domain = &f->base};
	struct gw_error err = GW_ERROR_INIT;
	unsigned missing;

	f->dirties = true;
	assert_ok(g.ops->setup(&g, &err), &err);
	assert_ok(g.ops->static_data_complete(&g, &missing, &err), &err);
	return g;
}

static void assert_filled(struct faulty *f, uint64_t pfn, int byte)
{
	const uint8_t *page = gw_memory_page(f->inner, pfn);

	assert_non_null(page);
	for (size_t i = 0; i < GW_PAGE_SIZE; i++)
		assert_int_equal(page[i], byte);
}

/* A page that nobody fills reads as zero; a page that will be filled is not zeroed first. */
static void test_populate_does_not_zero(void **state)
{
	static const uint64_t pfns[] = {9, 4, 7, 4};
	static const uint8_t types[] = {GW_PAGE_NOTAB, GW_PAGE_XALLOC, GW_PAGE_XALLOC,
					GW_PAGE_NOTAB};
	struct faulty *f = faulty_new(stored_domain(GW_GUEST_X86_HVM, 100));
	struct gw_restore_guest g = hooks_over(f);
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_restore_populate(&g, 4, pfns, types, &err), &err);
	assert_filled(f, 9, 0xd1);
	assert_filled(f, 7, 0);
	assert_filled(f, 4, 0xd1);
	assert_ok(gw_restore_populate(&g, 2, (uint64_t[]){9, 20}, NULL, &err), &err);
	assert_filled(f, 9, 0xd1);
	assert_filled(f, 20, 0);
	g.ops->cleanup(&g);
	faulty_free(f);
}

/* Only some pfns got their pages: the hooks know which. */
static void test_populate_gives_a_part(void **state)
{
	struct faulty *f = faulty_new(stored_domain(GW_GUEST_X86_HVM, 100));
	struct gw_restore_guest g = hooks_over(f);
	uint64_t pfns[10];
	struct gw_error err = GW_ERROR_INIT;

	for (unsigned i = 0; i < 10; i++)
		pfns[i] = i;
	f->fail_at = f->calls;
	assert_fails(gw_restore_populate(&g, 10, pfns, NULL, &err), &err, GW_SYSTEM, "populate");
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(g.ops->pfn_to_gfn(&g, i) != GW_INVALID_PFN, i < 5);
		assert_int_equal(gw_memory_page(f->inner, i) != NULL, i < 5);
	}
	/* A later call can go on from there. */
	assert_ok(gw_restore_populate(&g, 10, pfns, NULL, &err), &err);
	assert_filled(f, 9, 0);
	g.ops->cleanup(&g);
	faulty_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reserved_page_type),
		cmocka_unit_test(test_model_logs),
		cmocka_unit_test(test_domain_calls_of_a_save),
		cmocka_unit_test(test_channel_of_a_save),
		cmocka_unit_test(test_cancel_a_blocked_save),
		cmocka_unit_test(test_cancel_during_a_callback),
		cmocka_unit_test_prestate(test_domain_calls_of_a_restore,
					  (void *)(uintptr_t)STREAM),
		cmocka_unit_test_prestate(test_domain_calls_of_a_restore, (void *)(uintptr_t)REMUS),
		cmocka_unit_test(test_rules_are_obeyed),
		cmocka_unit_test(test_populate_does_not_zero),
		cmocka_unit_test(test_populate_gives_a_part),
		cmocka_unit_test_prestate(test_corrupt_bytes, (void *)(uintptr_t)STREAM),
		cmocka_unit_test_prestate(test_corrupt_bytes, (void *)(uintptr_t)REMUS),
	};

	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
