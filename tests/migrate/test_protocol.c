/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests a migration between two godwits, each side in a thread, with a relay between them: which
 * side owns the domain after success, refusals, cancels and failures, and after a cut at every
 * frame.
 */
#include "lib/gwtest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "format/x86/policy.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "faulty.h"
#include "lib/descriptors.h"
#include "migrate/frames.h"
#include "migrate/hello.h"
#include "migrate/preflight.h"
#include "migrate/protocol.h"
#include "relay.h"
#include "stored.h"

#define STREAM "xen-code/v3_422_hvm_1024.xz"

static const char config[] = "{\"c_info\":{\"type\":\"pvh\",\"name\":\"tiny\"}}";

/* A migration: both sides and their results. */
struct migration {
	bool waits;		 /* the receiver is busy until the sender knows that */
	bool cancelled_in_queue; /* then the sender cancels */
	bool waited;
	/* the plan */
	struct relay relay;
	bool live;
	int silence_ms;
	uint64_t bandwidth;
	const char *const *refuse; /* the receiver's reasons, up to a NULL */
	bool lack;		   /* its host lacks a feature of the guest */
	bool mine_fails, run_fails;
	unsigned receiver_call_fails; /* number + 1 of a call into its domain; 0: none */
	bool cancel_in_window;	      /* by both sides, when the receiver says MINE */
	bool sender_cancels_at_ready, receiver_cancels_before_yours;
	bool sender_cancelled;		    /* because of the former; of the receiving thread */
	useconds_t suspend_us, complete_us; /* how long these calls take at least */

	/* the sender */
	struct gw_domain *source;
	struct gw_operation *send_op, *receive_op;
	enum gw_outcome sent;
	int send_rc;
	struct gw_error send_err;
	struct gw_report report;
	bool source_suspended; /* at the end of gw_migrate_send() */

	/* the receiver */
	struct faulty *copy;
	enum gw_outcome received;
	int receive_rc;
	struct gw_error receive_err;
	bool accepted, noted, runs;
	enum gw_code cancel_code[2]; /* results of the cancels in the window */
	bool unpublished; /* the receiver's owner saw progress that its operation does not show */
};

static struct gw_domain *real_domain(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct stored s = stored_load(STREAM);
	struct gw_domain *d;

	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	stored_free(&s);
	return d;
}

/* Sets a guest's policy for the refusals, and for the host one that lacks a feature. */
static void set_policy(struct gw_domain *d)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cpu_feature feature;
	struct gw_policy policy = {0};

	assert_true(gw_cpu_feature_find("sse4_2", &feature));
	assert_ok(gw_policy_set_feature(&policy, &feature, true, &err), &err);
	assert_ok(gw_domain_set_policy(d, &policy, &err), &err);
	gw_policy_free(&policy);
}

static int lacking_policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *policy,
			  struct gw_error *err)
{
	struct gw_cpu_feature feature;

	*policy = (struct gw_policy){0};
	gw_cpu_feature_find("sse3", &feature);
	return gw_policy_set_feature(policy, &feature, true, err);
}

static unsigned all_types(struct gw_host *host)
{
	return ~0u;
}

static uint64_t much_room(struct gw_host *host)
{
	return 1 << 20;
}

static void refuse(const char *const *reasons, struct gw_error *err)
{
	gw_fail(err, GW_REFUSED, "it cannot be taken");
	for (; *reasons; reasons++)
		gw_fail_reason(err, "%s", *reasons);
}

static struct gw_domain *accept_it(void *opaque, const struct gw_migration_id *id, const char *text,
				   size_t len, enum gw_guest_type type,
				   const struct gw_policy *policy, struct gw_error *err)
{
	static const struct gw_host_ops ops = {.name = "lacking",
					       .policy = lacking_policy,
					       .guest_types = all_types,
					       .free_pages = much_room};
	struct gw_host host = {.ops = &ops};
	struct gw_preflight wanted = {.type = type, .policy = policy};
	struct migration *m = opaque;

	if (len != strlen(config) || memcmp(text, config, len) != 0 || id->bytes[3] != 33)
		gw_fail(err, GW_INVALID, "the config did not arrive as it was sent");
	else if (m->refuse)
		refuse(m->refuse, err);
	else if (!m->lack || gw_preflight(&host, &wanted, err) == 0) {
		m->accepted = true;
		m->copy = faulty_new(stored_domain(type, 8192));
		if (m->receiver_call_fails)
			m->copy->fail_at = m->receiver_call_fails - 1;
		return &m->copy->base;
	}
	return NULL;
}

static int complete_it(void *opaque, struct gw_error *err)
{
	struct migration *m = opaque;

	usleep(m->complete_us);
	return gw_control_restored(m->copy->base.control, err);
}

static int take_it(void *opaque, struct gw_error *err)
{
	struct migration *m = opaque;
	struct gw_operation *ops[2] = {m->send_op, m->receive_op};

	for (int i = 0; i < 2 && m->cancel_in_window; i++) {
		struct gw_error answer = GW_ERROR_INIT;

		gw_operation_cancel(ops[i], &answer);
		m->cancel_code[i] = answer.code;
	}
	if (m->mine_fails)
		return gw_fail(err, GW_SYSTEM, "the runtime folder is full");
	m->noted = true;
	return 0;
}

static int run_it(void *opaque, struct gw_error *err)
{
	struct migration *m = opaque;

	if (m->run_fails)
		return gw_fail(err, GW_SYSTEM, "no vCPU thread");
	m->runs = true;
	return gw_control_unpause(m->copy->base.control, err);
}

static struct gw_channel *channel_of(int fd)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, true, "connection", &err);

	assert_non_null(ch);
	return ch;
}

static int suspend_it(void *opaque, struct gw_error *err)
{
	struct migration *m = opaque;
	struct gw_toolstack ts = stored_toolstack(m->source);

	usleep(m->suspend_us);
	return ts.suspend(ts.owner, err);
}

static int send_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct migration *m = opaque;
	struct gw_channel *ch = channel_of(m->relay.sender);
	struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = m, .suspend = suspend_it};
	struct gw_migration_offer offer = {
		.id = {.bytes = {9, 8, 7, 33}},
		.config = config,
		.config_len = strlen(config),
		.live = m->live,
		.silence_ms = m->silence_ms,
	};
	struct gw_save_args save = {
		.domain = m->source,
		.toolstack = &ts,
		.live = m->live,
		.precopy = {.bandwidth = m->bandwidth},
	};
	struct gw_domain_info info;
	int rc = gw_migrate_send(ch, &offer, &save, op, &m->report, &m->sent, err);

	gw_domain_info(m->source, &info, NULL);
	m->source_suspended = info.shutdown == GW_SHUTDOWN_SUSPEND;
	gw_channel_close(ch);
	return rc;
}

static void cancel_receiver(void *opaque, const struct gw_progress *progress)
{
	struct migration *m = opaque;
	struct gw_progress published;

	gw_operation_progress(m->receive_op, &published);
	m->unpublished |=
		published.bytes != progress->bytes || published.pages_done != progress->pages_done;
	if (m->receiver_cancels_before_yours && progress->stage == GW_STAGE_DEVICE_STATE)
		gw_operation_cancel(m->receive_op, NULL);
	/* Once: the sender's operation may be gone when the next progress comes. */
	if (m->sender_cancels_at_ready && !m->sender_cancelled &&
	    progress->stage == GW_STAGE_DEVICE_STATE) {
		m->sender_cancelled = true;
		gw_operation_cancel(m->send_op, NULL);
	}
}

/* It is, as soon as the sender has published that it waits. */
static int is_turn(void *opaque, struct gw_error *err)
{
	struct migration *m = opaque;
	struct gw_progress published;

	if (!m->waits)
		return 1;
	gw_operation_progress(m->send_op, &published);
	m->waited |= published.stage == GW_STAGE_WAITING;
	if (m->waited && m->cancelled_in_queue)
		gw_operation_cancel(m->send_op, NULL);
	return m->waited && !m->cancelled_in_queue;
}

static int receive_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct migration *m = opaque;
	struct gw_channel *ch = channel_of(m->relay.receiver);
	struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
				  .owner = m,
				  .progress = cancel_receiver};
	struct gw_receiver receiver = {
		.opaque = m,
		.turn = is_turn,
		.accept = accept_it,
		.complete = complete_it,
		.mine = take_it,
		.run = run_it,
		.toolstack = &ts,
		.silence_ms = m->silence_ms,
	};
	int rc;

	/* Waits until both threads can see both operations. */
	while (!__atomic_load_n(&m->send_op, __ATOMIC_ACQUIRE) ||
	       !__atomic_load_n(&m->receive_op, __ATOMIC_ACQUIRE))
		gw_cancel_wait(NULL, -1, 0, 1, NULL);
	rc = gw_migrate_receive(ch, &receiver, op, NULL, &m->received, err);
	gw_channel_close(ch);
	return rc;
}

static void start(struct migration *m)
{
	struct gw_error err = GW_ERROR_INIT;

	if (!m->silence_ms)
		m->silence_ms = 5000;
	m->source = m->source ? m->source : real_domain();
	relay_start(&m->relay);
	__atomic_store_n(&m->receive_op, gw_operation_start("receive", receive_it, m, &err),
			 __ATOMIC_RELEASE);
	__atomic_store_n(&m->send_op, gw_operation_start("migration", send_it, m, &err),
			 __ATOMIC_RELEASE);
	assert_true(m->send_op && m->receive_op);
}

/* Waits for both sides; then each owner acts on its outcome, and at most one domain runs. */
static void finish(struct migration *m)
{
	m->send_rc = gw_operation_wait(m->send_op, &m->send_err);
	m->receive_rc = gw_operation_wait(m->receive_op, &m->receive_err);
	relay_join(&m->relay);
	/* The copy ran only if the receiver says so, and never while the source may run. */
	assert_int_equal(m->runs, m->received == GW_OUTCOME_MOVED);
	assert_false(m->runs && m->sent == GW_OUTCOME_SOURCE);
	assert_int_equal(m->send_rc == 0, m->sent == GW_OUTCOME_MOVED);
	if (m->copy)
		assert_int_equal(m->copy->mapped, 0);
	if (m->received != GW_OUTCOME_SOURCE)
		assert_true(m->noted);
	if (m->sent == GW_OUTCOME_SOURCE && m->source_suspended)
		assert_int_equal(gw_control_resume(m->source->control, NULL), 0);
}

static void discard(struct migration *m)
{
	gw_control_destroy(m->source->control);
	if (m->copy)
		faulty_free(m->copy);
}

static void check_same_memory(struct migration *m)
{
	for (uint64_t pfn = 0; pfn < 1000; pfn++) {
		void *a = gw_memory_page(m->source, pfn);
		void *b = gw_memory_page(m->copy->inner, pfn);

		assert_int_equal(a == NULL, b == NULL);
		if (a)
			assert_memory_equal(a, b, GW_PAGE_SIZE);
	}
}

static void test_success(void **state)
{
	for (int live = 0; live < 2; live++) {
		struct migration m = {.relay = {.cut_at = RELAY_NEVER}, .live = live};

		start(&m);
		finish(&m);
		if (m.send_rc < 0 || m.receive_rc < 0)
			fail_msg("\"%s\", \"%s\"", m.send_err.text, m.receive_err.text);
		assert_int_equal(m.sent, GW_OUTCOME_MOVED);
		assert_int_equal(m.received, GW_OUTCOME_MOVED);
		check_same_memory(&m);
		assert_true(m.report.transfer_ns > 0 && m.report.resume_ns > 0);
		assert_int_equal(m.report.downtime_ns, m.report.pause_ns + m.report.final_round_ns +
							       m.report.device_state_ns +
							       m.report.transfer_ns +
							       m.report.resume_ns);
		assert_false(m.unpublished);
		discard(&m);
	}
}

/* The receiver is busy: the sender learns that, and waits. */
static void test_turn(void **state)
{
	struct migration m = {.relay = {.cut_at = RELAY_NEVER}, .live = true, .waits = true};

	start(&m);
	finish(&m);
	if (m.send_rc < 0 || m.receive_rc < 0)
		fail_msg("\"%s\", \"%s\"", m.send_err.text, m.receive_err.text);
	assert_true(m.waited && m.accepted);
	check_same_memory(&m);
	discard(&m);
}

/* A sender that cancels while it waits: the receiver notices, although it is not its turn. */
static void test_cancel_in_queue(void **state)
{
	struct migration m = {.relay = {.cut_at = RELAY_NEVER},
			      .live = true,
			      .waits = true,
			      .cancelled_in_queue = true};

	start(&m);
	finish(&m);
	assert_true(m.waited);
	assert_false(m.accepted);
	assert_int_equal(m.send_err.code, GW_CANCELLED);
	assert_int_equal(m.receive_err.code, GW_CANCELLED);
	assert_int_equal(m.sent, GW_OUTCOME_SOURCE);
	assert_int_equal(m.received, GW_OUTCOME_SOURCE);
	discard(&m);
}

static void check_reasons(const struct gw_error *err, const char *const *reasons)
{
	unsigned n = 0;

	for (; reasons[n]; n++) {
		assert_true(n < err->nr_reasons);
		assert_string_equal(gw_error_reason(err, n), reasons[n]);
	}
	assert_int_equal(err->nr_reasons, n);
	assert_int_equal(err->reasons_left_out, 0);
}

static void test_refused(void **state)
{
	static const char *const reasons[] = {"no room", "no name", NULL};
	struct migration m = {.relay = {.cut_at = RELAY_NEVER}, .live = true, .refuse = reasons};

	start(&m);
	finish(&m);
	assert_int_equal(m.sent, GW_OUTCOME_SOURCE);
	assert_false(m.source_suspended);
	check_reasons(&m.send_err, reasons);
	assert_fails(m.send_rc, &m.send_err, GW_REFUSED, "refuses the domain");
	check_reasons(&m.receive_err, reasons);
	assert_fails(m.receive_rc, &m.receive_err, GW_REFUSED, "it cannot be taken");
	/* Headers and static data, but no page. */
	assert_true(m.relay.data_bytes < GW_PAGE_SIZE);
	discard(&m);
}

static void test_refused_for_a_feature(void **state)
{
	struct migration m = {.relay = {.cut_at = RELAY_NEVER}, .lack = true};

	m.source = real_domain();
	set_policy(m.source);
	start(&m);
	finish(&m);
	assert_fails(m.send_rc, &m.send_err, GW_REFUSED,
		     "refuses: this host lacks CPU feature sse4_2");
	assert_false(m.source_suspended);
	assert_false(m.accepted);
	discard(&m);
}

/* The receiver fails in the middle: both sides report the cause, and the source has the domain. */
static void test_receiver_fails(void **state)
{
	static const unsigned calls[] = {1, 2, 5, 8, 12};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct migration m = {.relay = {.cut_at = RELAY_NEVER},
				      .live = i % 2,
				      .receiver_call_fails = calls[i]};

		start(&m);
		finish(&m);
		assert_int_equal(m.sent, GW_OUTCOME_SOURCE);
		assert_int_equal(m.received, GW_OUTCOME_SOURCE);
		assert_fails(m.receive_rc, &m.receive_err, GW_SYSTEM, "planned failure");
		assert_fails(m.send_rc, &m.send_err, GW_PEER, "the receiver: ");
		discard(&m);
	}
}

static void test_window_failures(void **state)
{
	struct migration m = {.relay = {.cut_at = RELAY_NEVER}, .mine_fails = true};

	/* The receiver reports that it does not take the domain: the source keeps it. */
	start(&m);
	finish(&m);
	assert_int_equal(m.sent, GW_OUTCOME_SOURCE);
	assert_int_equal(m.received, GW_OUTCOME_SOURCE);
	assert_fails(m.send_rc, &m.send_err, GW_PEER, "the runtime folder is full");
	discard(&m);

	m = (struct migration){.relay = {.cut_at = RELAY_NEVER}, .run_fails = true};
	start(&m);
	finish(&m);
	assert_int_equal(m.sent, GW_OUTCOME_UNKNOWN);
	assert_int_equal(m.received, GW_OUTCOME_UNKNOWN);
	assert_fails(m.send_rc, &m.send_err, GW_PEER, "no vCPU thread");
	assert_fails(m.receive_rc, &m.receive_err, GW_SYSTEM, "no vCPU thread");
	discard(&m);
}

static void test_cancel_before(void **state)
{
	struct migration m = {.relay = {.cut_at = RELAY_NEVER}, .live = true, .bandwidth = 2 << 20};

	start(&m);
	gw_cancel_wait(NULL, -1, 0, 100, NULL);
	assert_int_equal(gw_operation_cancel(m.send_op, NULL), 0);
	finish(&m);
	assert_int_equal(m.sent, GW_OUTCOME_SOURCE);
	assert_int_equal(m.received, GW_OUTCOME_SOURCE);
	assert_false(m.source_suspended);
	assert_fails(m.send_rc, &m.send_err, GW_CANCELLED, "");
	/* CANCEL cannot be sent in the middle of a frame: the sender only closes. */
	assert_true(m.receive_err.code == GW_CANCELLED || m.receive_err.code == GW_PEER);
	assert_non_null(strstr(m.receive_err.text, "the sender "));
	discard(&m);
}

static void test_cancel_inside(void **state)
{
	struct migration m = {.relay = {.cut_at = RELAY_NEVER}, .cancel_in_window = true};

	start(&m);
	finish(&m);
	assert_int_equal(m.cancel_code[0], GW_TOO_LATE);
	assert_int_equal(m.cancel_code[1], GW_TOO_LATE);
	assert_int_equal(m.sent, GW_OUTCOME_MOVED);
	assert_int_equal(m.received, GW_OUTCOME_MOVED);
	discard(&m);
}

/* After the stream and before YOURS: a cancel by either side leaves the domain with the source. */
static void test_cancel_at_the_edge(void **state)
{
	for (int who = 0; who < 2; who++) {
		struct migration m = {.relay = {.cut_at = RELAY_NEVER},
				      .sender_cancels_at_ready = who == 0,
				      .receiver_cancels_before_yours = who == 1};

		start(&m);
		finish(&m);
		assert_int_equal(m.sent, GW_OUTCOME_SOURCE);
		assert_int_equal(m.received, GW_OUTCOME_SOURCE);
		assert_int_equal(m.send_err.code, GW_CANCELLED);
		assert_int_equal(m.receive_err.code, GW_CANCELLED);
		discard(&m);
	}
}

struct expected {
	enum gw_outcome sent, received;
};

/* The outcomes of docs/protocol.md, "Who owns the domain", by the frame that was lost. */
static struct expected expected_after(uint32_t type)
{
	switch (type) {
	case GW_FRAME_YOURS:
		return (struct expected){GW_OUTCOME_UNKNOWN, GW_OUTCOME_SOURCE};
	case GW_FRAME_MINE:
	case GW_FRAME_RELEASE:
		return (struct expected){GW_OUTCOME_UNKNOWN, GW_OUTCOME_UNKNOWN};
	case GW_FRAME_RUNNING:
		return (struct expected){GW_OUTCOME_UNKNOWN, GW_OUTCOME_MOVED};
	case 0:
		return (struct expected){GW_OUTCOME_MOVED, GW_OUTCOME_MOVED};
	default:
		return (struct expected){GW_OUTCOME_SOURCE, GW_OUTCOME_SOURCE};
	}
}

/* The machine, not the relay, kept a peer waiting: the limit on silence was too short for it. */
static bool was_slow(const struct migration *m)
{
	return m->relay.cut_type == 0 && (strstr(m->send_err.text, "silent for") ||
					  strstr(m->receive_err.text, "silent for"));
}

/* A run with a broken connection. Returns the type of the frame that was lost, 0 if there was
 * none. */
static uint32_t cut_run(struct relay relay, bool live, int silence_ms)
{
	struct migration m = {.relay = relay, .live = live, .silence_ms = silence_ms};
	struct expected e;

	start(&m);
	finish(&m);
	if (was_slow(&m) && silence_ms < 10000) {
		discard(&m);
		return cut_run(relay, live, 4 * silence_ms);
	}
	e = expected_after(m.relay.cut_type);
	if (m.sent != e.sent || m.received != e.received)
		fail_msg("frame %u (%s, half %d, live %d): sender %d \"%s\", receiver %d \"%s\"",
			 m.relay.frames, gw_frame_name(m.relay.cut_type), relay.half, live, m.sent,
			 m.send_err.text, m.received, m.receive_err.text);
	discard(&m);
	return m.relay.cut_type;
}

static void test_long_cut_at_every_frame(void **state)
{
	bool seen[GW_FRAME_ERROR + 1] = {0};
	int fds = count_fds();

	for (int variant = 0; variant < 4; variant++) {
		struct relay relay = {.half = variant / 2};
		uint32_t type;

		while ((type = cut_run(relay, variant % 2, 5000)) != 0) {
			seen[type] = true;
			relay.cut_at++;
		}
		assert_true(relay.cut_at > 12);
	}
	for (uint32_t type = GW_FRAME_HELLO; type <= GW_FRAME_RUNNING; type++)
		if (!seen[type] && type != GW_FRAME_REFUSE)
			fail_msg("%s was never cut", gw_frame_name(type));
	assert_int_equal(count_fds(), fds);
}

/* The other side gives up on a silent peer, with the same outcomes. */
static void test_long_silence(void **state)
{
	for (uint32_t type = GW_FRAME_HELLO; type <= GW_FRAME_RUNNING; type++) {
		struct relay relay = {.cut_at = RELAY_NEVER, .cut_on = type, .mute = true};

		assert_int_equal(cut_run(relay, true, 150), type == GW_FRAME_REFUSE ? 0 : type);
	}
}

static int end_at_static_end(void *opaque, const struct gw_frame *frame, struct gw_error *err)
{
	return frame->type == GW_FRAME_STATIC_END ? 1 : -1;
}

/* A receiver that accepts the domain and then reads no further. */
static void *accept_and_hang(void *opaque)
{
	struct gw_frames f = {
		.ch = opaque, .peer = "the sender", .control_frame = end_at_static_end};
	struct gw_channel *data = gw_frames_channel(&f, NULL);
	struct gw_buffer body = {0};
	struct gw_hello hello;
	uint8_t bytes[512];

	if (gw_hello_receive(&f, &hello, NULL) == 0 && gw_hello_send(&f, &hello.id, 0, NULL) == 0 &&
	    gw_frames_expect(&f, GW_FRAME_CONFIG, &body, NULL) == 0) {
		while (gw_channel_read_some(data, bytes, sizeof(bytes), NULL) > 0)
			continue;
		gw_frames_send(&f, GW_FRAME_ACCEPT, NULL, 0, NULL);
	}
	gw_buffer_free(&body);
	gw_channel_close(data);
	return NULL;
}

/* A side that works for longer than the other waits shows that it is alive. */
static void test_slow_is_not_silent(void **state)
{
	struct migration m = {.relay = {.cut_at = RELAY_NEVER},
			      .silence_ms = 1500,
			      .suspend_us = 3000000,
			      .complete_us = 3000000};

	start(&m);
	finish(&m);
	if (m.send_rc < 0 || m.receive_rc < 0)
		fail_msg("\"%s\", \"%s\"", m.send_err.text, m.receive_err.text);
	check_same_memory(&m);
	discard(&m);
}

/* As accept_and_hang(), with an ERROR after a while. */
static void *accept_and_fail(void *opaque)
{
	struct gw_frames f = {.ch = opaque, .peer = "the sender"};
	static const char why[] = "the disk is on fire";

	accept_and_hang(opaque);
	usleep(200000);
	gw_frames_send(&f, GW_FRAME_ERROR, why, strlen(why), NULL);
	return NULL;
}

/* The limit on silence holds while memory is sent. An ERROR is seen before that. */
static void receiver_hangs(void *(*receiver)(void *opaque), int silence_ms, const char *why)
{
	struct gw_domain *source = real_domain();
	struct gw_migration_offer offer = {
		.config = config, .config_len = strlen(config), .silence_ms = silence_ms};
	struct gw_toolstack ts = stored_toolstack(source);
	struct gw_save_args save = {.domain = source, .toolstack = &ts};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch, *far;
	enum gw_outcome outcome;
	pthread_t thread;
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ch = channel_of(fds[0]);
	far = channel_of(fds[1]);
	gw_channel_set_silence(ch, 7);
	assert_int_equal(pthread_create(&thread, NULL, receiver, far), 0);
	assert_fails(gw_migrate_send(ch, &offer, &save, NULL, NULL, &outcome, &err), &err, GW_PEER,
		     why);
	assert_int_equal(outcome, GW_OUTCOME_SOURCE);
	assert_int_equal(ch->silence_ms, 7);
	pthread_join(thread, NULL);
	gw_channel_close(ch);
	gw_channel_close(far);
	gw_control_destroy(source->control);
}

static void test_receiver_hangs(void **state)
{
	uint64_t began = gw_clock_ms();

	receiver_hangs(accept_and_hang, 300, "the other side has taken nothing for 300 ms");
	receiver_hangs(accept_and_fail, 20000, "the receiver: the disk is on fire");
	/* Seen when it came, not when the limit had passed. */
	assert_true(gw_clock_ms() - began < 15000);
}

static void test_no_godwit(void **state)
{
	static const char *const words[] = {
		"GET / HTTP/1.0\r\n\r\n", "xl migration receiver ready, send binary domain data.\n",
		"\x7f\x45LF", ""};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct gw_receiver receiver = {.silence_ms = 50};
		struct gw_error err = GW_ERROR_INIT;
		enum gw_outcome outcome;
		struct gw_channel *ch;
		int fds[2];

		assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		assert_int_equal(write(fds[0], words[i], strlen(words[i])), strlen(words[i]));
		shutdown(fds[0], SHUT_WR);
		ch = channel_of(fds[1]);
		assert_fails(gw_migrate_receive(ch, &receiver, NULL, NULL, &outcome, &err), &err,
			     GW_INVALID, "no godwit hello");
		assert_int_equal(outcome, GW_OUTCOME_SOURCE);
		close(fds[0]);
		gw_channel_close(ch);
	}
}

/* "cuts": the long matrices; "words": all other tests; no argument: everything. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_cancel_in_queue),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_for_a_feature),
		cmocka_unit_test(test_receiver_fails),
		cmocka_unit_test(test_window_failures),
		cmocka_unit_test(test_slow_is_not_silent),
		cmocka_unit_test(test_cancel_before),
		cmocka_unit_test(test_cancel_inside),
		cmocka_unit_test(test_cancel_at_the_edge),
		cmocka_unit_test(test_long_cut_at_every_frame),
		cmocka_unit_test(test_long_silence),
		cmocka_unit_test(test_receiver_hangs),
		cmocka_unit_test(test_no_godwit),
	};

	if (argc > 1 && strcmp(argv[1], "cuts") == 0)
		cmocka_set_test_filter("test_long_*");
	else if (argc > 1)
		cmocka_set_skip_filter("test_long_*");
	return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
