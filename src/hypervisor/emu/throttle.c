/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The throttle of an emulated vCPU: a thread holds it back for a part of each period. This is no
 * pause: a paused domain stays paused, and a suspend request is answered, only later.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "hypervisor/emu/domain.h"

#define PERIOD_NS 20000000L

/* Called with lock: waits this long, or until the throttle ends. */
static void wait_ns(struct gw_emu *e, long ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ns;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	while (e->throttle.percent > 0 &&
	       pthread_cond_timedwait(&e->cond, &e->lock, &until) != ETIMEDOUT)
		;
}

static void *throttle_main(void *opaque)
{
	struct gw_emu *e = opaque;

	pthread_mutex_lock(&e->lock);
	while (e->throttle.percent > 0) {
		e->held_back = true;
		gw_emu_vcpu_wait_stopped(e);
		wait_ns(e, PERIOD_NS / 100 * (long)e->throttle.percent);
		e->held_back = false;
		pthread_cond_broadcast(&e->cond);
		wait_ns(e, PERIOD_NS / 100 * (long)(100 - e->throttle.percent));
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

static int start(struct gw_emu *e, struct gw_error *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&e->throttle.thread, NULL, throttle_main, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		errno = rc;
		return gw_fail_errno(err, "creating the thread that slows a vCPU");
	}
	e->throttle.has_thread = true;
	return 0;
}

static void set(struct gw_emu *e, unsigned percent)
{
	pthread_mutex_lock(&e->lock);
	e->throttle.percent = percent;
	pthread_cond_broadcast(&e->cond);
	pthread_mutex_unlock(&e->lock);
}

int gw_emu_throttle(struct gw_emu *e, unsigned percent, struct gw_error *err)
{
	if (percent > 99)
		return gw_fail(err, GW_USAGE, "a vCPU cannot be slowed by %u %%", percent);
	set(e, percent);
	if (percent > 0 && !e->throttle.has_thread && start(e, err) < 0) {
		set(e, 0);
		return -1;
	}
	if (percent == 0 && e->throttle.has_thread) {
		pthread_join(e->throttle.thread, NULL);
		e->throttle.has_thread = false;
	}
	return 0;
}
