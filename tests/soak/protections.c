/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Protections with a fault on one side, the other being sound: what may run afterwards, and what
 * has been seen outside by then.
 */
#include "lib/gwtest.h"

#include <sys/socket.h>

#include "hypervisor/control.h"
#include "failing.h"
#include "migrate/protect.h"
#include "points.h"
#include "scenario.h"

#define CHECKPOINTS 3

static const char config[] = "{\"c_info\":{\"type\":\"pvh\",\"name\":\"beat\"}}";

struct protection {
	struct bench *b;
	bool at_primary; /* where the faults are */
	int fds[2];
	struct gw_toolstack inner;
	struct place copy;
	struct gw_protection_result result;
	enum gw_outcome outcome;
	uint64_t released; /* output up to this checkpoint has left the primary */
	uint64_t applied;  /* the last checkpoint that the copy has */
	bool fenced, runs, dropped;
};

static struct gw_channel *channel_on(int fd, bool faults)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, true, "connection", &err);

	assert_non_null(ch);
	return faults ? failing_channel(ch, true) : ch;
}

static bool is_over(void *opaque)
{
	const struct protection *p = opaque;

	return p->released >= CHECKPOINTS;
}

static int stored(void *opaque, const struct gw_checkpoint *c, struct gw_error *err)
{
	struct protection *p = opaque;

	p->released = c->number;
	if (point("letting output leave"))
		return gw_fail(err, GW_SYSTEM, "the output is stuck");
	return 0;
}

static int suspend_it(void *opaque, struct gw_error *err)
{
	struct protection *p = opaque;

	return p->inner.suspend(p->inner.owner, err);
}

static int resume_it(void *opaque, struct gw_error *err)
{
	struct protection *p = opaque;

	if (point("the toolstack's resume"))
		return gw_fail(err, GW_GUEST, "the toolstack cannot resume");
	return gw_control_resume(p->b->source.f->base.control, err);
}

static int decide_it(void *opaque, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	struct protection *p = opaque;

	return p->inner.precopy_policy(p->inner.owner, stats, err);
}

static int next_checkpoint(void *opaque, struct gw_error *err)
{
	if (point("the toolstack's checkpoint"))
		return gw_fail(err, GW_GUEST, "the toolstack wants no checkpoint");
	return is_over(opaque) ? GW_CHECKPOINT_STOP : GW_CHECKPOINT_GO_ON;
}

static int send_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct protection *p = opaque;
	const struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = p,
		.suspend = suspend_it,
		.postcopy = resume_it,
		.precopy_policy = decide_it,
		.checkpoint = next_checkpoint,
	};
	const struct gw_protector protector = {
		.opaque = p,
		.interval_ms = 10,
		.copy_limit = GW_PROTECT_COPY_LIMIT,
		.over = is_over,
		.stored = stored,
	};
	const struct gw_migration_offer offer = {
		.id = {{4, 2}},
		.config = config,
		.config_len = strlen(config),
		.silence_ms = 60000,
	};
	const struct gw_save_args save = {.domain = &p->b->source.f->base, .toolstack = &ts};
	struct gw_channel *ch = channel_on(p->fds[0], p->at_primary);
	struct gw_report report = {0};
	int rc;

	points_watch(p->at_primary);
	rc = gw_protect_send(ch, &offer, &save, &protector, op, &report, &p->result, err);
	points_watch(false);
	gw_channel_close(ch);
	return rc;
}

static struct gw_domain *accept_it(void *opaque, const struct gw_migration_id *id, const char *text,
				   size_t len, enum gw_guest_type type,
				   const struct gw_policy *policy, struct gw_error *err)
{
	struct protection *p = opaque;
	bool watched;

	if (point("the creation of the copy")) {
		gw_fail(err, GW_REFUSED, "the copy cannot be created");
		return NULL;
	}
	watched = points_watch(false);
	p->copy = place_empty(p->b->emu);
	points_watch(watched);
	return &p->copy.f->base;
}

static int complete_it(void *opaque, struct gw_error *err)
{
	struct protection *p = opaque;

	return gw_control_restored(p->copy.f->base.control, err);
}

static int applied_it(void *opaque, uint64_t number, struct gw_error *err)
{
	struct protection *p = opaque;

	if (point("the note of a checkpoint"))
		return gw_fail(err, GW_SYSTEM, "nothing can be noted");
	p->applied = number;
	return 0;
}

static int fence_it(void *opaque, struct gw_error *err)
{
	struct protection *p = opaque;

	if (point("the fence"))
		return gw_fail(err, GW_SYSTEM, "the fence fails");
	p->fenced = true;
	return 0;
}

static void drop_it(void *opaque)
{
	struct protection *p = opaque;

	p->dropped = true;
}

static int run_it(void *opaque, struct gw_error *err)
{
	struct protection *p = opaque;

	if (gw_control_unpause(p->copy.f->base.control, err) < 0)
		return -1;
	p->runs = true;
	return 0;
}

static int receive_it(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct protection *p = opaque;
	const struct gw_backup backup = {
		.window_ns = UINT64_C(60000000000),
		.applied = applied_it,
		.fence = fence_it,
		.drop = drop_it,
	};
	const struct gw_receiver receiver = {
		.opaque = p,
		.accept = accept_it,
		.complete = complete_it,
		.run = run_it,
		.silence_ms = 60000,
		.backup = &backup,
	};
	struct gw_channel *ch = channel_on(p->fds[1], !p->at_primary);
	int rc;

	points_watch(!p->at_primary);
	rc = gw_migrate_receive(ch, &receiver, op, NULL, &p->outcome, err);
	points_watch(false);
	gw_channel_close(ch);
	return rc;
}

/* The rows of docs/protocol.md, "Checkpoints". */
static void check_rows(struct protection *p, bool ended)
{
	struct bench *b = p->b;

	if (p->runs != (p->outcome == GW_OUTCOME_MOVED))
		broken(b, "the outcome is %d, and the copy %s", p->outcome,
		       p->runs ? "runs" : "does not run");
	if (p->runs && !p->fenced)
		broken(b, "the copy runs without a fence");
	if (p->result.end == GW_PROTECTION_OVER &&
	    (p->outcome == GW_OUTCOME_MOVED || p->outcome == GW_OUTCOME_UNKNOWN))
		broken(b, "the primary believes that there is no copy, and the outcome is %d",
		       p->outcome);
	if (ended && p->outcome != GW_OUTCOME_DROPPED && p->outcome != GW_OUTCOME_SOURCE)
		broken(b, "the protection ended well, and the copy was not destroyed");
	if ((p->outcome == GW_OUTCOME_MOVED || p->outcome == GW_OUTCOME_UNKNOWN) &&
	    p->applied < p->released)
		broken(b, "output of checkpoint %llu was seen, and the copy has checkpoint %llu",
		       (unsigned long long)p->released, (unsigned long long)p->applied);
	if (place_leftover(&b->source))
		broken(b, "at the primary %s", place_leftover(&b->source));
	if (p->copy.f && place_leftover(&p->copy))
		broken(b, "at the backup %s", place_leftover(&p->copy));
}

/* A primary whose copy runs was fenced: it is gone. */
static void conclude(struct protection *p)
{
	struct bench *b = p->b;

	if (!p->runs || !b->emu)
		place_resume(&b->source);
	if (!place_beats(p->runs ? &p->copy : &b->source, b->seconds))
		broken(b, "the guest %s found its memory damaged",
		       p->runs ? "at the backup" : "at the primary");
	if (p->runs && b->emu)
		place_free(&b->source);
	if (p->copy.f)
		place_free(&p->copy);
}

static void protect(struct bench *b, bool at_primary)
{
	struct protection p = {.b = b, .at_primary = at_primary, .inner = toolstack_of(&b->source)};
	struct gw_error err[2] = {GW_ERROR_INIT, GW_ERROR_INIT};
	struct gw_operation *ops[2];
	int rc[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p.fds), 0);
	ops[0] = gw_operation_start("the protection", send_it, &p, &err[0]);
	ops[1] = gw_operation_start("the copy", receive_it, &p, &err[1]);
	assert_true(ops[0] && ops[1]);
	for (int i = 0; i < 2; i++)
		rc[i] = gw_operation_wait(ops[i], &err[i]);
	b->failed = rc[at_primary ? 0 : 1] < 0;
	b->err = err[at_primary ? 0 : 1];
	/* A connection that fails is a reason to take over, or comes after the end. */
	b->survives = !at_primary && (p.runs || p.dropped);
	check_rows(&p, rc[0] == 0);
	conclude(&p);
}

void run_primary(struct bench *b, unsigned number)
{
	protect(b, true);
}

void run_backup(struct bench *b, unsigned number)
{
	protect(b, false);
}
