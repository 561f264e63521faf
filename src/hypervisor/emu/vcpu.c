/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The vCPU of an emulated domain: its thread, and the calls that let it run: unpause, suspend,
 * resume. vcpu_state.c has the state that stops it, engine.c the execution.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "hypervisor/domain.h"
#include "hypervisor/emu/domain.h"

/* How often a request to suspend is repeated that the guest has not answered. */
#define ASK_AGAIN_MS 200

static bool may_run(const struct gw_emu *e)
{
	return !e->pauses && !e->held_back && e->shutdown == GW_SHUTDOWN_NONE &&
	       (!e->blocked || gw_emu_evtchn_pending(e));
}

/* Reports a shutdown after the vCPU has stopped. Called with lock, which is released for the
 * callback. */
static void announce(struct gw_emu *e)
{
	const uint64_t one = 1;
	enum gw_shutdown_reason reason = e->shutdown;

	e->announced = true;
	while (write(e->shutdown_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	if (!e->events.shutdown)
		return;
	pthread_mutex_unlock(&e->lock);
	e->events.shutdown(e->events.opaque, reason);
	pthread_mutex_lock(&e->lock);
}

static void *vcpu_main(void *opaque)
{
	struct gw_emu *e = opaque;

	pthread_mutex_lock(&e->lock);
	while (!e->quit) {
		if (may_run(e)) {
			e->running = true;
			e->blocked = false;
			__atomic_store_n(&e->kicked, false, __ATOMIC_RELEASE);
			pthread_mutex_unlock(&e->lock);
			gw_emu_engine_run(e);
			pthread_mutex_lock(&e->lock);
			continue;
		}
		e->running = false;
		pthread_cond_broadcast(&e->cond);
		if (e->shutdown != GW_SHUTDOWN_NONE && !e->announced)
			announce(e);
		else
			pthread_cond_wait(&e->cond, &e->lock);
	}
	e->running = false;
	pthread_cond_broadcast(&e->cond);
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

int gw_emu_vcpu_start(struct gw_emu *e, struct gw_error *err)
{
	sigset_t all, before;
	int rc;

	pthread_mutex_init(&e->lock, NULL);
	init_cond(&e->cond);
	e->pauses = 1;
	e->shutdown = GW_SHUTDOWN_NONE;
	e->shutdown_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->shutdown_fd < 0)
		return gw_fail_errno(err, "creating a domain's event descriptor");
	/* Signals are for the threads of the program that uses the library. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&e->thread, NULL, vcpu_main, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		errno = rc;
		return gw_fail_errno(err, "creating the thread of a vCPU");
	}
	e->thread_started = true;
	return 0;
}

void gw_emu_vcpu_end(struct gw_emu *e)
{
	if (e->thread_started)
		gw_emu_throttle(e, 0, NULL);
	pthread_mutex_lock(&e->lock);
	e->quit = true;
	if (e->thread_started)
		gw_emu_vcpu_wait_stopped(e);
	pthread_mutex_unlock(&e->lock);
	if (e->thread_started)
		pthread_join(e->thread, NULL);
	if (e->shutdown_fd >= 0)
		close(e->shutdown_fd);
	pthread_cond_destroy(&e->cond);
	pthread_mutex_destroy(&e->lock);
}

int gw_emu_unpause(struct gw_emu *e, struct gw_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&e->lock);
	if (!e->pauses)
		rc = gw_fail(err, GW_USAGE, "domain %u is not paused", e->d.domid);
	else if (e->pauses == 1 && e->shutdown == GW_SHUTDOWN_NONE)
		/* The thread does not run, so this one may use the processor. */
		rc = gw_emu_engine_prepare(e, err);
	if (!rc)
		e->pauses--;
	pthread_cond_broadcast(&e->cond);
	pthread_mutex_unlock(&e->lock);
	return rc;
}

/* A guest that clears the event of an earlier request late clears this one with it. */
static void ask_again(struct gw_emu *e, unsigned port)
{
	pthread_mutex_lock(&e->lock);
	if (e->shutdown == GW_SHUTDOWN_NONE) {
		gw_emu_evtchn_raise(e, port);
		pthread_cond_broadcast(&e->cond);
	}
	pthread_mutex_unlock(&e->lock);
}

/* As gw_cancel_wait() for the domain's shutdown. */
static int wait_shutdown(struct gw_emu *e, unsigned port, int timeout_ms,
			 const struct gw_cancel *cancel, struct gw_error *err)
{
	int rc;

	for (; timeout_ms > ASK_AGAIN_MS; timeout_ms -= ASK_AGAIN_MS) {
		rc = gw_cancel_wait(cancel, e->shutdown_fd, POLLIN, ASK_AGAIN_MS, err);
		if (rc)
			return rc;
		ask_again(e, port);
	}
	return gw_cancel_wait(cancel, e->shutdown_fd, POLLIN, timeout_ms, err);
}

/* Fails: the guest has shut down, and not to be saved. The vCPU has stopped. */
static int fail_ended(const struct gw_emu *e, enum gw_shutdown_reason reason, struct gw_error *err)
{
	return gw_fail(err, GW_GONE, "the guest %s instead of suspending%s%s",
		       gw_shutdown_words(reason), e->crash[0] ? ": " : "", e->crash);
}

static int wait_suspended(struct gw_emu *e, unsigned port, int timeout_ms,
			  const struct gw_cancel *cancel, struct gw_error *err)
{
	int rc = wait_shutdown(e, port, timeout_ms, cancel, err);
	enum gw_shutdown_reason reason;

	pthread_mutex_lock(&e->lock);
	/* A guest that suspends at the moment of the timeout has still answered. */
	if (rc <= 0)
		gw_emu_evtchn_withdraw(e, port);
	else
		gw_emu_evtchn_clear(e, port);
	while (e->shutdown != GW_SHUTDOWN_NONE && e->running)
		pthread_cond_wait(&e->cond, &e->lock);
	reason = e->shutdown;
	pthread_mutex_unlock(&e->lock);
	if (reason == GW_SHUTDOWN_SUSPEND) {
		/* Even if the wait was cancelled: the caller has to resume the domain. */
		gw_error_clear(err);
		return 1;
	}
	if (reason != GW_SHUTDOWN_NONE) {
		/* Even if the wait was cancelled: the domain has ended. */
		gw_error_clear(err);
		return fail_ended(e, reason, err);
	}
	if (rc < 0)
		return -1;
	return gw_fail(err, GW_GUEST, "domain %u did not suspend within %d ms of being asked",
		       e->d.domid, timeout_ms);
}

int gw_emu_suspend(struct gw_emu *e, int timeout_ms, const struct gw_cancel *cancel,
		   struct gw_error *err)
{
	unsigned port;
	int rc = 0;

	pthread_mutex_lock(&e->lock);
	port = e->xen.suspend_port;
	if (e->shutdown == GW_SHUTDOWN_SUSPEND && !e->running)
		rc = 1;
	else if (e->shutdown != GW_SHUTDOWN_NONE)
		rc = fail_ended(e, e->shutdown, err);
	else if (port && e->pauses)
		rc = gw_fail(err, GW_BUSY, "domain %u is paused and cannot answer", e->d.domid);
	else if (port)
		gw_emu_evtchn_raise(e, port);
	pthread_cond_broadcast(&e->cond);
	pthread_mutex_unlock(&e->lock);
	if (rc || !port)
		return rc;
	return wait_suspended(e, port, timeout_ms, cancel, err);
}

int gw_emu_resume(struct gw_emu *e, struct gw_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&e->lock);
	if (e->shutdown != GW_SHUTDOWN_SUSPEND || e->running) {
		rc = gw_fail(err, GW_USAGE, "domain %u is not suspended: nothing to resume",
			     e->d.domid);
	} else {
		/* The suspend call has not returned yet; Xen's result for "cancelled" is 1. */
		if (e->cpu_in_uc)
			gw_emu_set_reg(e, GW_HVM_RAX, 1);
		else
			e->cpu.gpr[GW_HVM_RAX] = 1;
		e->ran = true;
		gw_emu_vcpu_drain(e);
		rc = e->pauses ? 0 : gw_emu_engine_prepare(e, err);
		if (!rc)
			e->shutdown = GW_SHUTDOWN_NONE;
	}
	pthread_cond_broadcast(&e->cond);
	pthread_mutex_unlock(&e->lock);
	return rc;
}
