/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The relay of libxl's streams, alone and on both sides of the protocol between two godwits.
 */
#include "lib/gwtest.h"

#include <pthread.h>
#include <sys/socket.h>

#include "lib/bytes.h"
#include "lib/realdata.h"
#include "migrate/protocol.h"
#include "xl/relay.h"

/* Streams of stock Xen 4.17; the number of bytes that are static data is found in the test. */
static const char *const files[] = {"xen417/tiny-pvh.save.xz", "xen417/tiny-pv.save.xz",
				    "xen417/tiny-hvm.save.xz"};

struct stream {
	struct gw_buffer file;
	size_t at;
	bool pvh;
};

static struct stream load(const char *name)
{
	struct stream s = {.file = realdata_load(realdata_path(name))};
	uint8_t *at = memmem(s.file.data, s.file.len, "LibxlFmt", 8);

	assert_non_null(at);
	s.at = (size_t)(at - s.file.data);
	s.pvh = strstr(name, "pvh");
	return s;
}

struct watcher {
	struct gw_relay relay;
	struct gw_channel *late; /* where it goes once the static data is known; NULL: at once */
	struct gw_buffer *out;
	enum gw_code refuse;
	unsigned headers, static_data, states;
	size_t out_at_static, out_at_state;
	size_t leaves, kept;
};

static int on_header(void *owner, const struct gw_image_header *header, struct gw_error *err)
{
	struct watcher *w = owner;

	assert_int_equal(header->xen_major, 4);
	w->headers++;
	return 0;
}

static int on_static_data(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
			  struct gw_error *err)
{
	struct watcher *w = owner;

	w->static_data++;
	w->leaves = policy->nr_leaves;
	w->out_at_static = w->out->len;
	if (w->refuse)
		return gw_fail(err, w->refuse, "refused");
	if (w->late)
		w->relay.to = w->late;
	return 0;
}

static int on_state(void *owner, struct gw_error *err)
{
	struct watcher *w = owner;

	w->states++;
	w->out_at_state = w->out->len;
	return 0;
}

/* Relays the first len bytes of s. */
static int relay(struct watcher *w, const struct stream *s, size_t len, bool late,
		 struct gw_buffer *out, uint64_t *left, struct gw_error *err)
{
	struct gw_channel *from = bytes_source("libxl", s->file.data + s->at, len);
	struct gw_channel *to = bytes_sink("to", out);
	int rc;

	w->out = out;
	w->late = late ? to : NULL;
	w->relay = (struct gw_relay){
		.from = from,
		.to = late ? NULL : to,
		.pvh = s->pvh,
		.owner = w,
		.header = on_header,
		.static_data = on_static_data,
		.state = on_state,
	};
	rc = gw_relay_run(&w->relay, err);
	*left = len - from->read_pos;
	gw_channel_close(from);
	gw_channel_close(to);
	return rc;
}

/* All of a stream passes and not a byte more, whether or not the way was open from the start. */
static void test_passes(void **state)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		for (int late = 0; late < 2; late++) {
			struct stream s = load(files[i]);
			struct gw_error err = GW_ERROR_INIT;
			struct gw_buffer out = {0};
			struct watcher w = {0};
			uint64_t left;

			assert_int_equal(gw_buffer_append(&s.file, "more", 4, NULL), 0);
			assert_ok(relay(&w, &s, s.file.len - s.at, late, &out, &left, &err), &err);
			assert_int_equal(left, 4);
			assert_int_equal(out.len, s.file.len - s.at - 4);
			assert_memory_equal(out.data, s.file.data + s.at, out.len);
			assert_int_equal(w.headers, 1);
			assert_int_equal(w.static_data, 1);
			assert_int_equal(w.states, 1);
			assert_true(w.leaves > 10);
			assert_true(w.relay.pages > 900);
			assert_int_equal(w.relay.bytes, out.len);
			/* Before any memory; after all of it. */
			assert_true(late ? w.out_at_static == 0 : w.out_at_static < 65536);
			assert_true(w.out_at_state > 900 * 4096);
			gw_buffer_free(&out);
			gw_buffer_free(&s.file);
		}
	}
}

static void test_refusal(void **state)
{
	struct stream s = load(files[0]);
	struct watcher w = {.refuse = GW_REFUSED};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	uint64_t left;

	assert_fails(relay(&w, &s, s.file.len - s.at, true, &out, &left, &err), &err, GW_REFUSED,
		     "refused");
	assert_int_equal(out.len, 0);
	assert_int_equal(w.relay.pages, 0);
	gw_buffer_free(&s.file);
}

static void test_cuts(void **state)
{
	struct stream s = load(files[0]);
	size_t all = s.file.len - s.at;

	for (size_t len = 0; len < all; len += len < 4000 ? 97 : all / 7) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_buffer out = {0};
		struct watcher w = {0};
		uint64_t left;

		assert_true(relay(&w, &s, len, false, &out, &left, &err) < 0);
		assert_int_equal(err.code, GW_TRUNCATED);
		assert_int_equal(out.len, len);
		gw_buffer_free(&out);
	}
	gw_buffer_free(&s.file);
}

/* A record that no rule allows is not followed. */
static void test_invalid(void **state)
{
	struct stream s = load(files[0]);
	size_t image = realdata_image(&s.file);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	struct watcher w = {0};
	uint64_t left;

	memset(s.file.data + image + 40, 0x7f, 4);
	assert_true(relay(&w, &s, s.file.len - s.at, false, &out, &left, &err) < 0);
	assert_int_equal(err.code, GW_INVALID);
	gw_buffer_free(&out);
	gw_buffer_free(&s.file);
}

/* One side of a migration that carries a stream. */
struct side {
	struct stream s;
	struct gw_channel *ch;
	bool refuse;
	int rc;
	enum gw_outcome outcome;
	struct gw_error err;
	const struct gw_save_layer *layer;
	const struct gw_restore_args *args;
	struct gw_relay relay;
	struct gw_buffer out;
	unsigned mine, runs;
	size_t pages_before_answer;
};

static int sent_static(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
		       struct gw_error *err)
{
	struct side *side = owner;

	return side->layer->static_data_written(side->layer->opaque, err);
}

static int sent_memory(void *owner, struct gw_error *err)
{
	struct side *side = owner;

	return side->layer->switchover(side->layer->opaque, err);
}

static int write_stream(void *opaque, struct gw_channel *out, const struct gw_save_layer *layer,
			struct gw_report *report, struct gw_error *err)
{
	struct side *side = opaque;
	struct gw_channel *from = bytes_source("libxl", side->s.file.data + side->s.at,
					       side->s.file.len - side->s.at);
	int rc;

	side->layer = layer;
	side->relay = (struct gw_relay){
		.from = from,
		.to = out,
		.pvh = side->s.pvh,
		.owner = side,
		.static_data = sent_static,
		.state = sent_memory,
	};
	rc = gw_relay_run(&side->relay, err);
	gw_channel_close(from);
	return rc;
}

static void *send_side(void *opaque)
{
	struct side *side = opaque;
	const struct gw_stream_writer writer = {.opaque = side, .write = write_stream};
	const struct gw_migration_offer offer = {
		.id = {{7}}, .config = "{}", .config_len = 2, .live = true, .stream = &writer};
	const struct gw_save_args none = {0};
	struct gw_report report = {0};

	side->rc =
		gw_migrate_send(side->ch, &offer, &none, NULL, &report, &side->outcome, &side->err);
	gw_channel_close(side->ch);
	return NULL;
}

static int check(void *opaque, const struct gw_migration_id *id, const char *config, size_t len,
		 enum gw_guest_type type, const struct gw_policy *policy, struct gw_error *err)
{
	const struct side *side = opaque;

	assert_int_equal(id->bytes[0], 7);
	assert_int_equal(len, 2);
	assert_true(policy->nr_leaves > 10);
	assert_int_equal(side->relay.pages, 0);
	return side->refuse ? gw_fail(err, GW_REFUSED, "no room here") : 0;
}

static int received_static(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
			   struct gw_error *err)
{
	struct side *side = owner;
	struct gw_domain *none = NULL;

	if (side->args->static_data(side->args->owner, &none, type, policy, err) < 0)
		return -1;
	side->relay.to = bytes_sink("libxl", &side->out);
	return 0;
}

static int read_stream(void *opaque, struct gw_channel *in, const struct gw_restore_args *args,
		       struct gw_error *err)
{
	struct side *side = opaque;
	int rc;

	side->args = args;
	side->relay = (struct gw_relay){
		.from = in, .pvh = true, .owner = side, .static_data = received_static};
	rc = gw_relay_run(&side->relay, err);
	gw_channel_close(side->relay.to);
	return rc;
}

static int mine(void *opaque, struct gw_error *err)
{
	((struct side *)opaque)->mine++;
	return 0;
}

static int run(void *opaque, struct gw_error *err)
{
	((struct side *)opaque)->runs++;
	return 0;
}

static void migrate(struct side *from, struct side *to)
{
	const struct gw_receiver receiver = {
		.opaque = to, .check = check, .stream = read_stream, .mine = mine, .run = run};
	pthread_t thread;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	from->s = load(files[0]);
	from->ch = gw_channel_from_fd(fds[0], true, "out", NULL);
	to->ch = gw_channel_from_fd(fds[1], true, "in", NULL);
	assert_int_equal(pthread_create(&thread, NULL, send_side, from), 0);
	to->rc = gw_migrate_receive(to->ch, &receiver, NULL, NULL, &to->outcome, &to->err);
	gw_channel_close(to->ch);
	pthread_join(thread, NULL);
}

static void test_migration(void **state)
{
	struct side from = {0}, to = {0};

	migrate(&from, &to);
	assert_ok(from.rc, &from.err);
	assert_ok(to.rc, &to.err);
	assert_int_equal(from.outcome, GW_OUTCOME_MOVED);
	assert_int_equal(to.outcome, GW_OUTCOME_MOVED);
	assert_int_equal(to.mine, 1);
	assert_int_equal(to.runs, 1);
	assert_int_equal(to.out.len, from.s.file.len - from.s.at);
	assert_memory_equal(to.out.data, from.s.file.data + from.s.at, to.out.len);
	gw_buffer_free(&to.out);
	gw_buffer_free(&from.s.file);
}

static void test_refused_migration(void **state)
{
	struct side from = {0}, to = {.refuse = true};

	migrate(&from, &to);
	assert_fails(from.rc, &from.err, GW_REFUSED, "the receiver refuses: no room here");
	assert_int_equal(from.outcome, GW_OUTCOME_SOURCE);
	assert_int_equal(to.outcome, GW_OUTCOME_SOURCE);
	assert_int_equal(from.relay.pages, 0);
	assert_int_equal(to.runs, 0);
	gw_buffer_free(&from.s.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passes),	  cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_cuts),	  cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_migration), cmocka_unit_test(test_refused_migration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
