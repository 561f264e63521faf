/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A save or restore by libxl (xl.h). libxl and its helper get a pipe: a descriptor that is theirs,
 * so that a call of libxl's ends when our end of it is closed.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "migrate/operation.h"
#include "xl/xl.h"

static int save(struct gw_xl_run *run)
{
	return libxl_domain_suspend(run->xl->ctx, run->domid, run->theirs,
				    run->live ? LIBXL_SUSPEND_LIVE : 0, NULL);
}

static int restore(struct gw_xl_run *run)
{
	libxl_domain_restore_params params;
	int rc;

	libxl_domain_restore_params_init(&params);
	params.checkpointed_stream = LIBXL_CHECKPOINTED_STREAM_NONE;
	params.stream_version = 2;
	rc = libxl_domain_create_restore(run->xl->ctx, run->config, &run->domid, run->theirs, -1,
					 &params, NULL, NULL);
	libxl_domain_restore_params_dispose(&params);
	return rc;
}

/* libxl's helper inherits the mask: Ctrl-C is for this process, which ends the helper's work. */
static void *call_libxl(void *opaque)
{
	struct gw_xl_run *run = opaque;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	run->rc = run->config ? restore(run) : save(run);
	close(run->theirs);
	return NULL;
}

int gw_xl_run_start(struct gw_xl_run *run, struct gw_error *err)
{
	int fds[2], ours, rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return gw_fail_errno(err, "a pipe to libxl");
	ours = run->config ? fds[1] : fds[0];
	run->theirs = run->config ? fds[0] : fds[1];
	run->ours = gw_channel_from_fd(ours, true, "libxl", err);
	if (!run->ours) {
		close(ours);
		close(run->theirs);
		return -1;
	}
	gw_channel_set_cancel(run->ours, run->xl->req->cancel);
	if (run->config)
		run->domid = (uint32_t)INVALID_DOMID;
	gw_xl_forget(run->xl);
	rc = pthread_create(&run->thread, NULL, call_libxl, run);
	if (rc == 0) {
		run->started = true;
		return 0;
	}
	gw_channel_close(run->ours);
	run->ours = NULL;
	close(run->theirs);
	return gw_fail(err, GW_SYSTEM, "a thread for libxl cannot be started");
}

int gw_xl_run_end(struct gw_xl_run *run, int carried, const struct gw_error *failure,
		  bool libxl_first, struct gw_error *err)
{
	if (!run->started)
		return carried < 0 ? gw_fail_as(err, failure) : 0;
	gw_channel_close(run->ours);
	run->ours = NULL;
	pthread_join(run->thread, NULL);
	run->started = false;
	if (carried < 0 && (run->rc == 0 || !libxl_first))
		return gw_fail_as(err, failure);
	if (run->rc == 0)
		return 0;
	return gw_xl_fail(run->xl, run->rc, err, run->config ? "the restore" : "the save");
}

int gw_xl_follow(struct gw_operation *op, const struct gw_cancel *cancel, const struct gw_log *log,
		 struct gw_error *err)
{
	struct gw_error late = GW_ERROR_INIT;

	if (gw_cancel_wait(cancel, gw_operation_fd(op), POLLIN, -1, &late) < 0) {
		gw_error_clear(&late);
		if (gw_operation_cancel(op, &late) < 0)
			gw_logf(log, GW_LOG_WARNING, "%s", late.text);
	}
	return gw_operation_wait(op, err);
}
