/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The side under test, and the frames of its peer.
 */
#include "lib/gwtest.h"

#include <sys/socket.h>
#include <unistd.h>

#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "migrate/frames_internal.h"
#include "migrate/hello.h"
#include "../migrate/relay.h"
#include "../migrate/stored.h"
#include "side.h"

#define STREAM "xen-code/v3_422_hvm_1024.xz"

static const char config[] = "{\"c_info\":{\"type\":\"pvh\",\"name\":\"tiny\"}}";
static const struct gw_migration_id id = {.bytes = {1, 2, 3}};
/* What the peer sends in RUNNING, REFUSE and ERROR. */
static const uint8_t body[24] = "as the test says";

static bool fails(const struct side *s, const char *what, struct gw_error *err)
{
	if (!s->owner_fails || strcmp(s->owner_fails, what) != 0)
		return false;
	gw_fail(err, GW_REFUSED, "the owner fails at %s", what);
	return true;
}

static struct gw_domain *accept_it(void *opaque, const struct gw_migration_id *of, const char *text,
				   size_t len, enum gw_guest_type type,
				   const struct gw_policy *policy, struct gw_error *err)
{
	struct side *s = opaque;

	if (!fails(s, "OFFER!", err))
		s->copy = stored_domain(type, s->recorded->nr_pfns);
	return s->copy;
}

static int complete_it(void *opaque, struct gw_error *err)
{
	struct side *s = opaque;

	return fails(s, "STREAM!", err) ? -1 : gw_control_restored(s->copy->control, err);
}

static int take_it(void *opaque, struct gw_error *err)
{
	struct side *s = opaque;

	s->noted = !fails(s, "YOURS!", err);
	return s->noted ? 0 : -1;
}

static int run_it(void *opaque, struct gw_error *err)
{
	struct side *s = opaque;

	s->runs = !fails(s, "RELEASE!", err);
	return s->runs ? 0 : -1;
}

static int receive_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct side *s = opaque;
	struct gw_receiver receiver = {
		.opaque = s,
		.accept = accept_it,
		.complete = complete_it,
		.mine = take_it,
		.run = run_it,
		.silence_ms = s->silence_ms,
	};
	struct gw_channel *ch = gw_channel_from_fd(s->own_fd, true, "connection", err);
	int rc = gw_migrate_receive(ch, &receiver, op, NULL, &s->outcome, err);

	gw_channel_close(ch);
	return rc;
}

static int send_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct side *s = opaque;
	struct gw_toolstack ts = stored_toolstack(s->recorded->source);
	struct gw_migration_offer offer = {
		.id = id,
		.config = config,
		.config_len = strlen(config),
		.silence_ms = s->silence_ms,
	};
	struct gw_save_args save = {.domain = s->recorded->source, .toolstack = &ts};
	struct gw_channel *ch = gw_channel_from_fd(s->own_fd, true, "connection", err);
	int rc = gw_migrate_send(ch, &offer, &save, op, NULL, &s->outcome, err);

	gw_channel_close(ch);
	return rc;
}

static void start_on(struct side *s, int fd)
{
	s->own_fd = fd;
	s->err = (struct gw_error)GW_ERROR_INIT;
	s->op = gw_operation_start("the migration", s->sender ? send_it : receive_it, s, &s->err);
	assert_non_null(s->op);
}

void side_start(struct side *s)
{
	struct gw_error err = GW_ERROR_INIT;
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->fd = fds[0];
	s->ch = gw_channel_from_fd(fds[0], true, "peer", &err);
	assert_non_null(s->ch);
	gw_channel_set_silence(s->ch, 60000);
	s->frames = (struct gw_frames){.ch = s->ch, .peer = "the side"};
	start_on(s, fds[1]);
}

void side_join(struct side *s)
{
	struct gw_domain_info info;

	gw_channel_close(s->ch);
	s->ch = NULL;
	s->rc = gw_operation_wait(s->op, &s->err);
	if (s->copy)
		gw_control_destroy(s->copy->control);
	s->copy = NULL;
	/* The next side sends the same domain. */
	assert_int_equal(gw_domain_info(s->recorded->source, &info, NULL), 0);
	if (info.shutdown == GW_SHUTDOWN_SUSPEND)
		assert_int_equal(gw_control_resume(s->recorded->source->control, NULL), 0);
}

/* The side may have closed already: that is for the caller to find. */
static void put(struct side *s, const void *bytes, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	gw_channel_write(s->ch, bytes, len, &err);
}

void side_send_type(struct side *s, uint32_t type)
{
	gw_frames_send(&s->frames, type, NULL, 0, NULL);
}

static void send_alive(struct side *s)
{
	uint8_t head[GW_FRAME_HEADER_SIZE];

	gw_frame_header_encode(head, GW_FRAME_ALIVE, 0);
	head[4] = GW_FRAME_OPTIONAL;
	put(s, head, sizeof(head));
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

void side_send(struct side *s, const char *event)
{
	char frame[16];

	snprintf(frame, sizeof(frame), "%.*s", (int)strcspn(event, "!"), event);
	if (strcmp(frame, "OFFER") == 0)
		put(s, s->recorded->offer.data, s->recorded->offer.len);
	else if (strcmp(frame, "STREAM") == 0)
		put(s, s->recorded->stream.data, s->recorded->stream.len);
	else if (strcmp(frame, "HELLO") == 0)
		gw_hello_send(&s->frames, &id, 0, NULL);
	else if (strcmp(frame, "ALIVE") == 0)
		send_alive(s);
	else if (strcmp(frame, "RUNNING") == 0 || strcmp(frame, "REFUSE") == 0 ||
		 strcmp(frame, "ERROR") == 0)
		gw_frames_send(&s->frames, type_of(frame), body, sizeof(body), NULL);
	else
		side_send_type(s, type_of(frame));
}

/* The next frame but ALIVE: its type, 0 at the end. keep receives all its bytes; may be NULL. */
static uint32_t next_frame(struct side *s, struct gw_buffer *keep, uint64_t *data)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t head[GW_FRAME_HEADER_SIZE];
	struct gw_buffer text = {0};
	struct gw_frame frame;

	do {
		if (gw_frames_read_header(&s->frames, &frame, &err) <= 0 ||
		    gw_frames_read_body(&s->frames, &frame, &text, &err) < 0) {
			gw_buffer_free(&text);
			return 0;
		}
	} while (frame.type == GW_FRAME_ALIVE);
	gw_frame_header_encode(head, frame.type, frame.length);
	if (keep) {
		assert_ok(gw_buffer_append(keep, head, sizeof(head), &err), &err);
		assert_ok(gw_buffer_append(keep, text.data, text.len, &err), &err);
	}
	if (data && frame.type == GW_FRAME_DATA)
		*data += frame.length;
	gw_buffer_free(&text);
	return frame.type;
}

static bool expect(struct side *s, uint32_t wanted, struct gw_buffer *keep, uint64_t *data,
		   char *got, size_t size)
{
	uint32_t type = next_frame(s, keep, data);

	if (type == wanted)
		return true;
	snprintf(got, size, "%s", type ? gw_frame_name(type) : "its end");
	return false;
}

/* CONFIG, DATA..., STATIC_END */
static bool reads_offer(struct side *s, char *got, size_t size)
{
	struct gw_buffer keep = {0};
	uint64_t data = 0;
	uint32_t type;

	if (!expect(s, GW_FRAME_CONFIG, &keep, NULL, got, size))
		return false;
	do
		type = next_frame(s, &keep, &data);
	while (type == GW_FRAME_DATA);
	snprintf(got, size, "%s", type ? gw_frame_name(type) : "its end");
	gw_buffer_free(&s->recorded->offer);
	s->recorded->offer = keep;
	return type == GW_FRAME_STATIC_END;
}

/* DATA... with one SWITCHOVER, to the last byte. */
static bool reads_stream(struct side *s, char *got, size_t size)
{
	uint64_t data = s->recorded->data_bytes, done = 0;
	struct gw_buffer keep = {0};
	unsigned switchovers = 0;
	uint32_t type;

	do {
		type = next_frame(s, &keep, &done);
		switchovers += type == GW_FRAME_SWITCHOVER;
	} while (done < data && (type == GW_FRAME_DATA || type == GW_FRAME_SWITCHOVER));
	snprintf(got, size, "%s, %u SWITCHOVER, %llu of %llu bytes",
		 type ? gw_frame_name(type) : "its end", switchovers, (unsigned long long)done,
		 (unsigned long long)data);
	gw_buffer_free(&s->recorded->stream);
	s->recorded->stream = keep;
	return type == GW_FRAME_DATA && switchovers == 1 && done == data;
}

bool side_reads(struct side *s, const char *frame, char *got, size_t size)
{
	if (strcmp(frame, "OFFER") == 0)
		return reads_offer(s, got, size);
	if (strcmp(frame, "STREAM") == 0)
		return reads_stream(s, got, size);
	return expect(s, type_of(frame), NULL, NULL, got, size);
}

void side_read_rest(struct side *s, char *got, size_t size)
{
	uint32_t type;
	size_t n = 0;

	snprintf(got, size, "-");
	while ((type = next_frame(s, NULL, NULL)) != 0 && n < size)
		n += (size_t)snprintf(got + n, size - n, "%s%s", n ? "," : "", gw_frame_name(type));
}

/* How many bytes of DATA follow ACCEPT: a relay counts them between two real sides. */
static void count_data(struct recorded *r)
{
	struct relay relay = {.cut_at = RELAY_NEVER};
	struct side sides[2] = {{.sender = true, .recorded = r, .silence_ms = 60000},
				{.recorded = r, .silence_ms = 60000}};

	relay_start(&relay);
	start_on(&sides[0], relay.sender);
	start_on(&sides[1], relay.receiver);
	for (int i = 0; i < 2; i++)
		side_join(&sides[i]);
	relay_join(&relay);
	assert_int_equal(sides[0].outcome, GW_OUTCOME_MOVED);
	assert_int_equal(sides[1].outcome, GW_OUTCOME_MOVED);
	r->data_bytes = relay.data_bytes;
}

/* Of the bytes so counted, those of the offer are no part of the stream. */
static uint64_t data_in(const struct gw_buffer *frames)
{
	uint64_t n = 0;

	for (size_t at = 0; at < frames->len;) {
		uint64_t len;

		memcpy(&len, frames->data + at + 8, sizeof(len));
		n += frames->data[at] == GW_FRAME_DATA ? len : 0;
		at += GW_FRAME_HEADER_SIZE + len;
	}
	return n;
}

void recorded_make(struct recorded *r)
{
	struct stored stored = stored_load(STREAM);
	struct gw_restore_args args = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct side s = {.sender = true, .recorded = r, .silence_ms = 60000};
	char got[100];

	*r = (struct recorded){.nr_pfns = stored.nr_pfns};
	assert_ok(
		stored_restore(&stored, stored.file.len - stored.at, &r->source, &args, NULL, &err),
		&err);
	stored_free(&stored);
	count_data(r);
	side_start(&s);
	assert_true(side_reads(&s, "HELLO", got, sizeof(got)));
	side_send(&s, "HELLO");
	assert_true(side_reads(&s, "OFFER", got, sizeof(got)));
	r->data_bytes -= data_in(&r->offer);
	side_send(&s, "ACCEPT");
	if (!side_reads(&s, "STREAM", got, sizeof(got)))
		fail_msg("the stream: %s", got);
	side_join(&s);
}

void recorded_free(struct recorded *r)
{
	gw_control_destroy(r->source->control);
	gw_buffer_free(&r->offer);
	gw_buffer_free(&r->stream);
}
