/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An operation: runs one function in one thread, with a cancel token, published progress and a
 * descriptor that is readable when it is over. The caller supplies the function.
 */
#include "migrate/operation.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/estimate.h"
#include "base/util.h"

struct gw_operation {
	char *name;
	gw_operation_fn fn;
	void *opaque;
	struct gw_cancel *cancel;
	int done_fd;
	pthread_t thread;

	pthread_mutex_t lock; /* guards all members below */
	struct gw_progress progress;
	struct gw_estimate estimate;
	bool asked;	/* a cancel was requested */
	bool committed; /* inside the commit window */
	bool over;
	int result;
	struct gw_error err;
};

static void *run(void *arg)
{
	static const uint64_t one = 1;
	struct gw_operation *op = arg;
	struct gw_error err = GW_ERROR_INIT;
	int result = op->fn(op->opaque, op, &err);

	pthread_mutex_lock(&op->lock);
	op->result = result;
	op->err = err;
	op->over = true;
	pthread_mutex_unlock(&op->lock);
	/* A write of 1 to an eventfd with an empty counter does not wait. */
	ssize_t n = write(op->done_fd, &one, sizeof(one));
	(void)n;
	return NULL;
}

static void free_operation(struct gw_operation *op)
{
	gw_cancel_free(op->cancel);
	if (op->done_fd >= 0)
		close(op->done_fd);
	pthread_mutex_destroy(&op->lock);
	free(op->name);
	free(op);
}

struct gw_operation *gw_operation_start(const char *name, gw_operation_fn fn, void *opaque,
					struct gw_error *err)
{
	struct gw_operation *op = calloc(1, sizeof(*op));
	int rc;

	if (!op) {
		gw_fail(err, GW_NO_MEMORY, "starting %s: out of memory", name);
		return NULL;
	}
	pthread_mutex_init(&op->lock, NULL);
	op->fn = fn;
	op->opaque = opaque;
	op->name = strdup(name);
	op->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	op->cancel = gw_cancel_new(err);
	if (!op->name || op->done_fd < 0 || !op->cancel) {
		gw_fail_errno(err, "starting %s", name);
		free_operation(op);
		return NULL;
	}
	rc = pthread_create(&op->thread, NULL, run, op);
	if (rc != 0) {
		gw_fail(err, GW_SYSTEM, "starting the thread of %s: %s", name, strerror(rc));
		free_operation(op);
		return NULL;
	}
	return op;
}

int gw_operation_fd(const struct gw_operation *op)
{
	return op->done_fd;
}

/* Called with lock. Before the memory there are few bytes and long waits: no rate worth showing. */
static void estimate(struct gw_operation *op)
{
	if (op->progress.stage > GW_STAGE_STATIC_DATA && op->progress.stage != GW_STAGE_WAITING)
		gw_estimate(&op->estimate, &op->progress, gw_clock_ns());
}

void gw_operation_progress(struct gw_operation *op, struct gw_progress *progress)
{
	pthread_mutex_lock(&op->lock);
	/* The operation may wait, without anything to publish: its rate falls all the same. */
	estimate(op);
	*progress = op->progress;
	pthread_mutex_unlock(&op->lock);
}

void gw_operation_set_progress(struct gw_operation *op, const struct gw_progress *progress)
{
	if (!op)
		return;
	pthread_mutex_lock(&op->lock);
	op->progress = *progress;
	estimate(op);
	pthread_mutex_unlock(&op->lock);
}

const struct gw_cancel *gw_operation_cancel_token(struct gw_operation *op)
{
	return op ? op->cancel : NULL;
}

int gw_operation_cancel(struct gw_operation *op, struct gw_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&op->lock);
	if (op->over) {
		rc = gw_fail(err, GW_TOO_LATE, "too late to cancel %s: it has ended", op->name);
	} else if (op->committed) {
		rc = gw_fail(err, GW_TOO_LATE,
			     "too late to cancel %s: the domain is being handed over", op->name);
	} else {
		op->asked = true;
		gw_cancel_set(op->cancel);
	}
	pthread_mutex_unlock(&op->lock);
	return rc;
}

int gw_operation_commit_window(struct gw_operation *op, bool open, struct gw_error *err)
{
	int rc = 0;

	if (!op)
		return 0;
	pthread_mutex_lock(&op->lock);
	if (open && op->asked)
		rc = gw_fail(err, GW_CANCELLED, "%s was cancelled", op->name);
	else
		op->committed = open;
	pthread_mutex_unlock(&op->lock);
	return rc;
}

int gw_operation_wait(struct gw_operation *op, struct gw_error *err)
{
	int result;

	pthread_join(op->thread, NULL);
	result = op->result;
	if (result < 0) {
		if (op->err.code == GW_OK)
			gw_fail(&op->err, GW_SYSTEM, "%s failed", op->name);
		if (err && err->code == GW_OK)
			*err = op->err;
	}
	free_operation(op);
	return result;
}
