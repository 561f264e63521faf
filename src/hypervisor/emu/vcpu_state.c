/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state that stops a vCPU: pauses, which nest; blocking; the guest's own shutdown or crash.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "hypervisor/emu/domain.h"

void gw_emu_vcpu_wait_stopped(struct gw_emu *e)
{
	/* Cleared only when the thread may run again, which the caller's pause or quit prevents. */
	__atomic_store_n(&e->kicked, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&e->cond);
	while (e->running)
		pthread_cond_wait(&e->cond, &e->lock);
}

void gw_emu_pause(struct gw_emu *e)
{
	pthread_mutex_lock(&e->lock);
	e->pauses++;
	gw_emu_vcpu_wait_stopped(e);
	pthread_mutex_unlock(&e->lock);
}

void gw_emu_release(struct gw_emu *e)
{
	pthread_mutex_lock(&e->lock);
	e->pauses--;
	pthread_cond_broadcast(&e->cond);
	pthread_mutex_unlock(&e->lock);
}

int gw_emu_need_stopped(struct gw_emu *e, const char *what, struct gw_error *err)
{
	bool stopped;

	pthread_mutex_lock(&e->lock);
	stopped = !e->running && (e->pauses || e->shutdown != GW_SHUTDOWN_NONE);
	pthread_mutex_unlock(&e->lock);
	if (!stopped)
		return gw_fail(err, GW_BUSY, "domain %u is running, but %s needs it paused",
			       e->d.domid, what);
	return 0;
}

void gw_emu_block(struct gw_emu *e)
{
	pthread_mutex_lock(&e->lock);
	e->blocked = true;
	pthread_mutex_unlock(&e->lock);
}

void gw_emu_shut_down(struct gw_emu *e, enum gw_shutdown_reason reason)
{
	pthread_mutex_lock(&e->lock);
	e->shutdown = reason;
	e->announced = false;
	pthread_mutex_unlock(&e->lock);
}

void gw_emu_crash(struct gw_emu *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->crash, sizeof(e->crash), fmt, ap);
	va_end(ap);
	gw_emu_shut_down(e, GW_SHUTDOWN_CRASH);
}

void gw_emu_vcpu_drain(struct gw_emu *e)
{
	uint64_t n;

	while (read(e->shutdown_fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

void gw_emu_vcpu_reset(struct gw_emu *e)
{
	pthread_mutex_lock(&e->lock);
	e->shutdown = GW_SHUTDOWN_NONE;
	e->blocked = false;
	e->crash[0] = '\0';
	gw_emu_vcpu_drain(e);
	pthread_mutex_unlock(&e->lock);
}
