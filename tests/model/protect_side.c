/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The side of a protection under test, and the frames of its peer.
 */
#include "lib/gwtest.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "migrate/frames_internal.h"
#include "migrate/hello.h"
#include "../migrate/stored.h"
#include "protect_side.h"

#define STREAM	  "xen-code/v3_422_hvm_1024.xz"
#define WINDOW_NS UINT64_C(60000000000)

static const char config[] = "{\"c_info\":{\"type\":\"pvh\",\"name\":\"tiny\"}}";
static const struct gw_migration_id id = {.bytes = {1, 2, 3}};

/* The backup's owner */

static struct gw_domain *accept_it(void *opaque, const struct gw_migration_id *of, const char *text,
				   size_t len, enum gw_guest_type type,
				   const struct gw_policy *policy, struct gw_error *err)
{
	struct protect_side *s = opaque;

	s->copy = stored_domain(type, s->rounds->nr_pfns);
	return s->copy;
}

static int complete_it(void *opaque, struct gw_error *err)
{
	struct protect_side *s = opaque;

	if (s->bad && s->next_round >= s->bad_number)
		return gw_fail(err, GW_INVALID, "the copy cannot run");
	return gw_control_restored(s->copy->control, err);
}

static int run_it(void *opaque, struct gw_error *err)
{
	struct protect_side *s = opaque;

	s->runs = true;
	return 0;
}

static int fence_it(void *opaque, struct gw_error *err)
{
	struct protect_side *s = opaque;

	assert_false(s->runs);
	s->fenced = true;
	return s->alive ? gw_fail(err, GW_SYSTEM, "the fence fails") : 0;
}

static void drop_it(void *opaque)
{
	struct protect_side *s = opaque;

	s->dropped = true;
}

static int receive_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct protect_side *s = opaque;
	const struct gw_backup backup = {
		.window_ns = s->late ? 0 : WINDOW_NS,
		.fence = fence_it,
		.drop = drop_it,
	};
	const struct gw_receiver receiver = {
		.opaque = s,
		.accept = accept_it,
		.complete = complete_it,
		.run = run_it,
		.silence_ms = s->silence_ms,
		.backup = &backup,
	};
	struct gw_channel *ch = gw_channel_from_fd(s->fd, true, "connection", err);
	int rc = gw_migrate_receive(ch, &receiver, op, NULL, &s->outcome, err);

	gw_channel_close(ch);
	return rc;
}

/* The primary's owner */

static bool is_over(void *opaque)
{
	struct protect_side *s = opaque;

	return atomic_load(&s->over);
}

static int stored(void *opaque, const struct gw_checkpoint *c, struct gw_error *err)
{
	struct protect_side *s = opaque;

	assert_int_equal(c->number, atomic_load(&s->stored) + 1);
	atomic_store(&s->stored, (unsigned)c->number);
	return 0;
}

static int suspend_it(void *opaque, struct gw_error *err)
{
	struct protect_side *s = opaque;
	struct gw_toolstack ts = stored_toolstack(s->rounds->source);

	return ts.suspend(ts.owner, err);
}

static int resume_it(void *opaque, struct gw_error *err)
{
	struct protect_side *s = opaque;
	struct gw_toolstack ts = stored_toolstack(s->rounds->source);

	return ts.postcopy(ts.owner, err);
}

static int next_checkpoint(void *opaque, struct gw_error *err)
{
	return is_over(opaque) ? GW_CHECKPOINT_STOP : GW_CHECKPOINT_GO_ON;
}

static int send_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct protect_side *s = opaque;
	const struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = s,
		.suspend = suspend_it,
		.postcopy = resume_it,
		.checkpoint = next_checkpoint,
	};
	const struct gw_protector protector = {.opaque = s,
					       .interval_ms = 10,
					       .copy_limit = GW_PROTECT_COPY_LIMIT,
					       .over = is_over,
					       .stored = stored};
	const struct gw_migration_offer offer = {
		.id = id,
		.config = config,
		.config_len = strlen(config),
		.silence_ms = s->silence_ms,
	};
	struct gw_save_args save = {.domain = s->rounds->source, .toolstack = &ts};
	struct gw_channel *ch = gw_channel_from_fd(s->fd, true, "connection", err);
	struct gw_report report = {0};
	int rc = gw_protect_send(ch, &offer, &save, &protector, op, &report, &s->result, err);

	gw_channel_close(ch);
	return rc;
}

void protect_side_start(struct protect_side *s)
{
	struct gw_error err = GW_ERROR_INIT;
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->ch = gw_channel_from_fd(fds[0], true, "peer", &err);
	assert_non_null(s->ch);
	gw_channel_set_silence(s->ch, 60000);
	s->frames = (struct gw_frames){.ch = s->ch, .peer = "the side"};
	s->fd = fds[1];
	s->err = (struct gw_error)GW_ERROR_INIT;
	s->op = gw_operation_start("the protection", s->primary ? send_it : receive_it, s, &err);
	assert_non_null(s->op);
}

void protect_side_join(struct protect_side *s)
{
	struct gw_domain_info info;

	gw_channel_close(s->ch);
	s->rc = gw_operation_wait(s->op, &s->err);
	if (s->copy)
		gw_control_destroy(s->copy->control);
	assert_int_equal(gw_domain_info(s->rounds->source, &info, NULL), 0);
	if (info.shutdown == GW_SHUTDOWN_SUSPEND)
		assert_int_equal(gw_control_resume(s->rounds->source->control, NULL), 0);
}

/* The peer */

static void put(struct protect_side *s, const void *bytes, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	/* The side may have closed already: that is for the caller to find. */
	gw_channel_write(s->ch, bytes, len, &err);
}

/* The CHECKPOINT at its end gets another number. */
static void put_round(struct protect_side *s, int add, bool half)
{
	const struct gw_buffer *round = &s->rounds->round[s->next_round];
	uint8_t *copy = malloc(round->len);

	assert_non_null(copy);
	memcpy(copy, round->data, round->len);
	gw_put_le64(copy + round->len - 8, s->next_round + 1 + (uint64_t)(int64_t)add);
	if (!half)
		s->next_round++;
	put(s, copy, half ? round->len / 2 : round->len);
	free(copy);
}

static void put_numbers(struct protect_side *s, uint32_t type, uint64_t number, size_t n)
{
	uint8_t body[24];

	gw_put_le64(body, number);
	gw_put_le64(body + 8, 1000);
	gw_put_le64(body + 16, WINDOW_NS);
	gw_frames_send(&s->frames, type, body, n, NULL);
}

static uint32_t type_of(const char *frame)
{
	uint32_t type = 1;

	while (gw_frame_name(type) && strcmp(gw_frame_name(type), frame) != 0)
		type++;
	if (!gw_frame_name(type))
		fail_msg("no frame is called %s", frame);
	return type;
}

void protect_side_send(struct protect_side *s, const char *frame, int add, bool half)
{
	uint64_t number = s->next_round + (uint64_t)(int64_t)add;

	if (strcmp(frame, "OFFER") == 0)
		put(s, s->rounds->offer.data, s->rounds->offer.len);
	else if (strcmp(frame, "ROUND") == 0)
		put_round(s, add, half);
	else if (strcmp(frame, "HELLO") == 0)
		gw_hello_send(&s->frames, &id, 0, NULL);
	else if (strcmp(frame, "STORED") == 0)
		put_numbers(s, GW_FRAME_STORED, number, 24);
	else if (strcmp(frame, "NOTED") == 0)
		put_numbers(s, GW_FRAME_NOTED, number, 8);
	else if (strcmp(frame, "REFUSE") == 0 || strcmp(frame, "ERROR") == 0)
		gw_frames_send(&s->frames, type_of(frame), "for a reason", 12, NULL);
	else
		gw_frames_send(&s->frames, type_of(frame), NULL, 0, NULL);
}

/* The next frame but ALIVE: its type, 0 at the end. keep receives all its bytes; may be NULL. */
static uint32_t next_frame(struct protect_side *s, struct gw_buffer *keep)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t head[GW_FRAME_HEADER_SIZE];
	struct gw_buffer body = {0};
	struct gw_frame frame;

	do {
		if (gw_frames_read_header(&s->frames, &frame, &err) <= 0 ||
		    gw_frames_read_body(&s->frames, &frame, &body, &err) < 0) {
			gw_buffer_free(&body);
			return 0;
		}
	} while (frame.type == GW_FRAME_ALIVE);
	if (keep) {
		gw_frame_header_encode(head, frame.type, frame.length);
		assert_ok(gw_buffer_append(keep, head, sizeof(head), &err), &err);
		assert_ok(gw_buffer_append(keep, body.data, body.len, &err), &err);
	}
	gw_buffer_free(&body);
	return frame.type;
}

static void read_until(struct protect_side *s, uint32_t last, struct gw_buffer *keep)
{
	uint32_t type;

	do
		type = next_frame(s, keep);
	while (type == GW_FRAME_CONFIG || type == GW_FRAME_DATA || type == GW_FRAME_SWITCHOVER);
	if (type != last)
		fail_msg("it sends %s, expected %s", type ? gw_frame_name(type) : "its end",
			 gw_frame_name(last));
}

static void read_round(struct protect_side *s)
{
	struct gw_buffer *keep =
		s->rounds && s->next_round < ROUNDS && s->rounds->round[s->next_round].len == 0
			? &s->rounds->round[s->next_round]
			: NULL;

	read_until(s, GW_FRAME_CHECKPOINT, keep);
	s->next_round++;
}

void protect_side_read(struct protect_side *s, const char *after)
{
	if (!after && s->primary)
		read_until(s, GW_FRAME_HELLO, NULL);
	else if (!after || strcmp(after, "NOTED") == 0)
		return;
	else if (strcmp(after, "HELLO") == 0 && s->primary)
		read_until(s, GW_FRAME_STATIC_END, s->rounds->offer.len ? NULL : &s->rounds->offer);
	else if (strcmp(after, "HELLO") == 0)
		read_until(s, GW_FRAME_HELLO, NULL);
	else if (strcmp(after, "OFFER") == 0)
		read_until(s, GW_FRAME_ACCEPT, NULL);
	else if (strcmp(after, "ROUND") == 0)
		read_until(s, GW_FRAME_STORED, NULL);
	else if (strcmp(after, "ACCEPT") == 0)
		read_round(s);
	else if (strcmp(after, "STORED") == 0) {
		read_until(s, GW_FRAME_NOTED, NULL);
		read_round(s);
	} else {
		fail_msg("%s cannot lead to a state", after);
	}
}

void protect_side_read_rest(struct protect_side *s, char *got, size_t size)
{
	uint32_t type;
	size_t n = 0;

	snprintf(got, size, "-");
	while ((type = next_frame(s, NULL)) != 0 && n < size) {
		if (type == GW_FRAME_DATA || type == GW_FRAME_SWITCHOVER)
			continue;
		/* It may have been on its way when the event came. */
		if (s->primary && (type == GW_FRAME_CHECKPOINT || type == GW_FRAME_NOTED))
			continue;
		n += (size_t)snprintf(got + n, size - n, "%s%s", n ? "," : "", gw_frame_name(type));
		/* A primary that is alone waits for this. */
		if (type == GW_FRAME_STOP)
			gw_frames_send(&s->frames, GW_FRAME_STOPPED, NULL, 0, NULL);
	}
}

void rounds_make(struct rounds *r)
{
	struct stored stored = stored_load(STREAM);
	struct gw_restore_args args = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct protect_side s = {.primary = true, .rounds = r, .silence_ms = 60000};
	char got[100];

	*r = (struct rounds){.nr_pfns = stored.nr_pfns};
	assert_ok(
		stored_restore(&stored, stored.file.len - stored.at, &r->source, &args, NULL, &err),
		&err);
	stored_free(&stored);
	protect_side_start(&s);
	protect_side_read(&s, NULL);
	protect_side_send(&s, "HELLO", 0, false);
	protect_side_read(&s, "HELLO");
	protect_side_send(&s, "ACCEPT", 0, false);
	protect_side_read(&s, "ACCEPT");
	while (s.next_round < ROUNDS) {
		protect_side_send(&s, "STORED", 0, false);
		protect_side_read(&s, "STORED");
	}
	atomic_store(&s.over, true);
	protect_side_send(&s, "STORED", 0, false);
	protect_side_read_rest(&s, got, sizeof(got));
	protect_side_join(&s);
	assert_ok(s.rc, &s.err);
}

void rounds_free(struct rounds *r)
{
	gw_control_destroy(r->source->control);
	gw_buffer_free(&r->offer);
	for (int i = 0; i < ROUNDS; i++)
		gw_buffer_free(&r->round[i]);
}
