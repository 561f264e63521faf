/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Migrations with a fault on one side, the other being sound: who owns the domain afterwards.
 */
#include "lib/gwtest.h"

#include <sys/socket.h>
#include <unistd.h>

#include "hypervisor/control.h"
#include "failing.h"
#include "points.h"
#include "scenario.h"

static const char config[] = "{\"c_info\":{\"type\":\"pvh\",\"name\":\"beat\"}}";

struct migration {
	struct bench *b;
	bool at_sender; /* where the faults are */
	int fds[2];
	struct place copy;
	enum gw_outcome sent, received;
	bool noted, runs;
};

static struct gw_channel *channel_on(int fd, bool faults)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, true, "connection", &err);

	assert_non_null(ch);
	return faults ? failing_channel(ch, true) : ch;
}

static int send_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct migration *m = opaque;
	struct gw_toolstack ts = toolstack_of(&m->b->source);
	struct gw_migration_offer offer = {.id = {{4, 2}},
					   .config = config,
					   .config_len = strlen(config),
					   .live = true,
					   .silence_ms = 60000};
	struct gw_save_args save = {
		.domain = &m->b->source.f->base, .toolstack = &ts, .live = true};
	struct gw_channel *ch = channel_on(m->fds[0], m->at_sender);
	int rc;

	points_watch(m->at_sender);
	rc = gw_migrate_send(ch, &offer, &save, op, NULL, &m->sent, err);
	points_watch(false);
	gw_channel_close(ch);
	return rc;
}

static struct gw_domain *accept_it(void *opaque, const struct gw_migration_id *id, const char *text,
				   size_t len, enum gw_guest_type type,
				   const struct gw_policy *policy, struct gw_error *err)
{
	struct migration *m = opaque;
	bool watched;

	if (point("the creation of the domain")) {
		gw_fail(err, GW_REFUSED, "the domain cannot be created");
		return NULL;
	}
	watched = points_watch(false);
	m->copy = place_empty(m->b->emu);
	points_watch(watched);
	return &m->copy.f->base;
}

static int complete_it(void *opaque, struct gw_error *err)
{
	struct migration *m = opaque;

	return gw_control_restored(m->copy.f->base.control, err);
}

static int take_it(void *opaque, struct gw_error *err)
{
	struct migration *m = opaque;

	if (point("the note about MINE"))
		return gw_fail(err, GW_SYSTEM, "nothing can be noted");
	m->noted = true;
	return 0;
}

static int run_it(void *opaque, struct gw_error *err)
{
	struct migration *m = opaque;

	if (gw_control_unpause(m->copy.f->base.control, err) < 0)
		return -1;
	m->runs = true;
	return 0;
}

static int receive_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct migration *m = opaque;
	struct gw_receiver receiver = {.opaque = m,
				       .accept = accept_it,
				       .complete = complete_it,
				       .mine = take_it,
				       .run = run_it,
				       .silence_ms = 60000};
	struct gw_channel *ch = channel_on(m->fds[1], !m->at_sender);
	int rc;

	points_watch(!m->at_sender);
	rc = gw_migrate_receive(ch, &receiver, op, NULL, &m->received, err);
	points_watch(false);
	gw_channel_close(ch);
	return rc;
}

/* The rows of docs/protocol.md. */
static void check_owner(struct migration *m)
{
	struct bench *b = m->b;

	if (m->runs != (m->received == GW_OUTCOME_MOVED))
		broken(b, "the receiver's outcome is %d, and its copy %s", m->received,
		       m->runs ? "runs" : "does not run");
	if (m->sent == GW_OUTCOME_SOURCE && m->received != GW_OUTCOME_SOURCE)
		broken(b, "the source runs on, and the receiver's outcome is %d", m->received);
	if (m->sent == GW_OUTCOME_MOVED && m->received != GW_OUTCOME_MOVED)
		broken(b, "the source is gone, and the receiver's outcome is %d", m->received);
	if (m->received != GW_OUTCOME_SOURCE && !m->noted)
		broken(b, "MINE may have been sent without a note");
	if (place_leftover(&b->source))
		broken(b, "at the sender %s", place_leftover(&b->source));
	if (m->copy.f && place_leftover(&m->copy))
		broken(b, "at the receiver %s", place_leftover(&m->copy));
}

/* Each owner acts on its outcome, and the operator on what is undecided: then one runs. */
static void conclude(struct migration *m, unsigned number)
{
	struct bench *b = m->b;
	bool source = m->sent == GW_OUTCOME_SOURCE;
	struct gw_error err = GW_ERROR_INIT;

	if (m->sent == GW_OUTCOME_UNKNOWN && m->received == GW_OUTCOME_UNKNOWN && number % 2 == 0) {
		assert_ok(gw_control_unpause(m->copy.f->inner->control, &err), &err);
	} else if (m->sent == GW_OUTCOME_UNKNOWN && m->received != GW_OUTCOME_MOVED) {
		source = true;
	}
	if (source || !b->emu)
		place_resume(&b->source);
	if (!place_beats(source ? &b->source : &m->copy, b->seconds))
		broken(b, "the guest %s found its memory damaged",
		       source ? "at the source" : "at the destination");
	/* A guest that has moved is a new one for the next run. */
	if (!source && b->emu)
		place_free(&b->source);
	if (m->copy.f)
		place_free(&m->copy);
}

static void migrate(struct bench *b, bool at_sender, unsigned number)
{
	struct migration m = {.b = b, .at_sender = at_sender};
	struct gw_error err[2] = {GW_ERROR_INIT, GW_ERROR_INIT};
	struct gw_operation *ops[2];
	int rc[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m.fds), 0);
	ops[0] = gw_operation_start("the migration", send_it, &m, &err[0]);
	ops[1] = gw_operation_start("the reception", receive_it, &m, &err[1]);
	assert_true(ops[0] && ops[1]);
	for (int i = 0; i < 2; i++)
		rc[i] = gw_operation_wait(ops[i], &err[i]);
	b->failed = rc[at_sender ? 0 : 1] < 0;
	b->err = err[at_sender ? 0 : 1];
	b->moved = !at_sender && m.runs;
	check_owner(&m);
	conclude(&m, number);
}

void run_send(struct bench *b, unsigned number)
{
	migrate(b, true, number);
}

void run_receive(struct bench *b, unsigned number)
{
	migrate(b, false, number);
}
