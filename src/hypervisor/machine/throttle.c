/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The throttle of a vCPU: a thread holds it back for a part of each period. This is no
 * pause: a paused domain stays paused, and a suspend request is answered, only later.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "hypervisor/machine/machine.h"

#define PERIOD_NS 20000000L

/* Called with lock: waits this long, or until the throttle ends. */
static void wait_ns(struct gw_machine *m, long ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ns;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	while (m->throttle.percent > 0 &&
	       pthread_cond_timedwait(&m->cond, &m->lock, &until) != ETIMEDOUT)
		;
}

static void *throttle_main(void *opaque)
{
	struct gw_machine *m = opaque;

	pthread_mutex_lock(&m->lock);
	while (m->throttle.percent > 0) {
		m->held_back = true;
		gw_machine_vcpu_wait_stopped(m);
		wait_ns(m, PERIOD_NS / 100 * (long)m->throttle.percent);
		m->held_back = false;
		pthread_cond_broadcast(&m->cond);
		wait_ns(m, PERIOD_NS / 100 * (long)(100 - m->throttle.percent));
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

static int start(struct gw_machine *m, struct gw_error *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&m->throttle.thread, NULL, throttle_main, m);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		errno = rc;
		return gw_fail_errno(err, "creating the thread that slows a vCPU");
	}
	m->throttle.has_thread = true;
	return 0;
}

static void set(struct gw_machine *m, unsigned percent)
{
	pthread_mutex_lock(&m->lock);
	m->throttle.percent = percent;
	pthread_cond_broadcast(&m->cond);
	pthread_mutex_unlock(&m->lock);
}

int gw_machine_throttle(struct gw_machine *m, unsigned percent, struct gw_error *err)
{
	if (percent > 99)
		return gw_fail(err, GW_USAGE, "a vCPU cannot be slowed by %u %%", percent);
	set(m, percent);
	if (percent > 0 && !m->throttle.has_thread && start(m, err) < 0) {
		set(m, 0);
		return -1;
	}
	if (percent == 0 && m->throttle.has_thread) {
		pthread_join(m->throttle.thread, NULL);
		m->throttle.has_thread = false;
	}
	return 0;
}
