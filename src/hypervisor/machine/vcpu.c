/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The vCPU of a machine: its thread, and the calls that let it run: unpause, suspend,
 * resume. vcpu_state.c has the state that stops it, the backend the execution.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "hypervisor/domain.h"
#include "hypervisor/machine/machine.h"

/* How often a request to suspend is repeated that the guest has not answered. */
#define ASK_AGAIN_MS 200

static bool may_run(const struct gw_machine *m)
{
	return !m->pauses && !m->held_back && m->shutdown == GW_SHUTDOWN_NONE &&
	       (!m->blocked || gw_machine_evtchn_pending(m));
}

/* Reports a shutdown after the vCPU has stopped. Called with lock, which is released for the
 * callback. */
static void announce(struct gw_machine *m)
{
	const uint64_t one = 1;
	enum gw_shutdown_reason reason = m->shutdown;

	m->announced = true;
	while (write(m->shutdown_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	if (!m->events.shutdown)
		return;
	pthread_mutex_unlock(&m->lock);
	m->events.shutdown(m->events.opaque, reason);
	pthread_mutex_lock(&m->lock);
}

static void *vcpu_main(void *opaque)
{
	struct gw_machine *m = opaque;

	pthread_mutex_lock(&m->lock);
	while (!m->quit) {
		if (may_run(m)) {
			m->running = true;
			m->blocked = false;
			__atomic_store_n(&m->kicked, false, __ATOMIC_RELEASE);
			pthread_mutex_unlock(&m->lock);
			m->ops->run(m);
			pthread_mutex_lock(&m->lock);
			continue;
		}
		m->running = false;
		pthread_cond_broadcast(&m->cond);
		if (m->shutdown != GW_SHUTDOWN_NONE && !m->announced)
			announce(m);
		else
			pthread_cond_wait(&m->cond, &m->lock);
	}
	m->running = false;
	pthread_cond_broadcast(&m->cond);
	pthread_mutex_unlock(&m->lock);
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

int gw_machine_vcpu_start(struct gw_machine *m, struct gw_error *err)
{
	sigset_t all, before;
	int rc;

	pthread_mutex_init(&m->lock, NULL);
	init_cond(&m->cond);
	m->pauses = 1;
	m->shutdown = GW_SHUTDOWN_NONE;
	m->shutdown_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->shutdown_fd < 0)
		return gw_fail_errno(err, "creating a domain's event descriptor");
	/* Signals are for the threads of the program that uses the library. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&m->thread, NULL, vcpu_main, m);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		errno = rc;
		return gw_fail_errno(err, "creating the thread of a vCPU");
	}
	m->thread_started = true;
	return 0;
}

void gw_machine_vcpu_end(struct gw_machine *m)
{
	if (m->thread_started)
		gw_machine_throttle(m, 0, NULL);
	pthread_mutex_lock(&m->lock);
	m->quit = true;
	if (m->thread_started)
		gw_machine_vcpu_wait_stopped(m);
	pthread_mutex_unlock(&m->lock);
	if (m->thread_started)
		pthread_join(m->thread, NULL);
	if (m->shutdown_fd >= 0)
		close(m->shutdown_fd);
	pthread_cond_destroy(&m->cond);
	pthread_mutex_destroy(&m->lock);
}

int gw_machine_unpause(struct gw_machine *m, struct gw_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (!m->pauses)
		rc = gw_fail(err, GW_USAGE, "domain %u is not paused", m->d.domid);
	else if (m->pauses == 1 && m->shutdown == GW_SHUTDOWN_NONE)
		/* The thread does not run, so this one may use the processor. */
		rc = m->ops->prepare(m, err);
	if (!rc)
		m->pauses--;
	pthread_cond_broadcast(&m->cond);
	pthread_mutex_unlock(&m->lock);
	return rc;
}

/* A guest that clears the event of an earlier request late clears this one with it. */
static void ask_again(struct gw_machine *m, unsigned port)
{
	pthread_mutex_lock(&m->lock);
	if (m->shutdown == GW_SHUTDOWN_NONE) {
		gw_machine_evtchn_raise(m, port);
		pthread_cond_broadcast(&m->cond);
	}
	pthread_mutex_unlock(&m->lock);
}

/* As gw_cancel_wait() for the domain's shutdown. */
static int wait_shutdown(struct gw_machine *m, unsigned port, int timeout_ms,
			 const struct gw_cancel *cancel, struct gw_error *err)
{
	int rc;

	for (; timeout_ms > ASK_AGAIN_MS; timeout_ms -= ASK_AGAIN_MS) {
		rc = gw_cancel_wait(cancel, m->shutdown_fd, POLLIN, ASK_AGAIN_MS, err);
		if (rc)
			return rc;
		ask_again(m, port);
	}
	return gw_cancel_wait(cancel, m->shutdown_fd, POLLIN, timeout_ms, err);
}

/* Fails: the guest has shut down, and not to be saved. The vCPU has stopped. */
static int fail_ended(const struct gw_machine *m, enum gw_shutdown_reason reason,
		      struct gw_error *err)
{
	return gw_fail(err, GW_GONE, "the guest %s instead of suspending%s%s",
		       gw_shutdown_words(reason), m->crash[0] ? ": " : "", m->crash);
}

static int wait_suspended(struct gw_machine *m, unsigned port, int timeout_ms,
			  const struct gw_cancel *cancel, struct gw_error *err)
{
	int rc = wait_shutdown(m, port, timeout_ms, cancel, err);
	enum gw_shutdown_reason reason;

	pthread_mutex_lock(&m->lock);
	/* A guest that suspends at the moment of the timeout has still answered. */
	if (rc <= 0)
		gw_machine_evtchn_withdraw(m, port);
	else
		gw_machine_evtchn_clear(m, port);
	while (m->shutdown != GW_SHUTDOWN_NONE && m->running)
		pthread_cond_wait(&m->cond, &m->lock);
	reason = m->shutdown;
	pthread_mutex_unlock(&m->lock);
	if (reason == GW_SHUTDOWN_SUSPEND) {
		/* Even if the wait was cancelled: the caller has to resume the domain. */
		gw_error_clear(err);
		return 1;
	}
	if (reason != GW_SHUTDOWN_NONE) {
		/* Even if the wait was cancelled: the domain has ended. */
		gw_error_clear(err);
		return fail_ended(m, reason, err);
	}
	if (rc < 0)
		return -1;
	return gw_fail(err, GW_GUEST, "domain %u did not suspend within %d ms of being asked",
		       m->d.domid, timeout_ms);
}

int gw_machine_suspend(struct gw_machine *m, int timeout_ms, const struct gw_cancel *cancel,
		       struct gw_error *err)
{
	unsigned port;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	port = m->xen.suspend_port;
	if (m->shutdown == GW_SHUTDOWN_SUSPEND && !m->running)
		rc = 1;
	else if (m->shutdown != GW_SHUTDOWN_NONE)
		rc = fail_ended(m, m->shutdown, err);
	else if (port && m->pauses)
		rc = gw_fail(err, GW_BUSY, "domain %u is paused and cannot answer", m->d.domid);
	else if (port)
		gw_machine_evtchn_raise(m, port);
	pthread_cond_broadcast(&m->cond);
	pthread_mutex_unlock(&m->lock);
	if (rc || !port)
		return rc;
	return wait_suspended(m, port, timeout_ms, cancel, err);
}

int gw_machine_resume(struct gw_machine *m, struct gw_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (m->shutdown != GW_SHUTDOWN_SUSPEND || m->running) {
		rc = gw_fail(err, GW_USAGE, "domain %u is not suspended: nothing to resume",
			     m->d.domid);
	} else {
		/* The suspend call has not returned yet; Xen's result for "cancelled" is 1. */
		if (m->cpu_loaded)
			m->ops->set_reg(m, GW_HVM_RAX, 1);
		else
			m->cpu.gpr[GW_HVM_RAX] = 1;
		m->ran = true;
		gw_machine_own_hypercall_page(m);
		gw_machine_vcpu_drain(m);
		rc = m->pauses ? 0 : m->ops->prepare(m, err);
		if (!rc)
			m->shutdown = GW_SHUTDOWN_NONE;
	}
	pthread_cond_broadcast(&m->cond);
	pthread_mutex_unlock(&m->lock);
	return rc;
}
