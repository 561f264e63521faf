/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state that stops a vCPU: pauses, which nest; blocking; the guest's own shutdown or crash.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "hypervisor/machine/machine.h"

void gw_machine_vcpu_wait_stopped(struct gw_machine *m)
{
	/* Cleared only when the thread may run again, which the caller's pause or quit prevents. */
	__atomic_store_n(&m->kicked, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&m->cond);
	if (m->running && m->ops->kick)
		m->ops->kick(m);
	while (m->running)
		pthread_cond_wait(&m->cond, &m->lock);
}

void gw_machine_pause(struct gw_machine *m)
{
	pthread_mutex_lock(&m->lock);
	m->pauses++;
	gw_machine_vcpu_wait_stopped(m);
	pthread_mutex_unlock(&m->lock);
}

void gw_machine_release(struct gw_machine *m)
{
	pthread_mutex_lock(&m->lock);
	m->pauses--;
	pthread_cond_broadcast(&m->cond);
	pthread_mutex_unlock(&m->lock);
}

int gw_machine_need_stopped(struct gw_machine *m, const char *what, struct gw_error *err)
{
	bool stopped;

	pthread_mutex_lock(&m->lock);
	stopped = !m->running && (m->pauses || m->shutdown != GW_SHUTDOWN_NONE);
	pthread_mutex_unlock(&m->lock);
	if (!stopped)
		return gw_fail(err, GW_BUSY, "domain %u is running, but %s needs it paused",
			       m->d.domid, what);
	return 0;
}

void gw_machine_block(struct gw_machine *m)
{
	pthread_mutex_lock(&m->lock);
	m->blocked = true;
	pthread_mutex_unlock(&m->lock);
}

void gw_machine_shut_down(struct gw_machine *m, enum gw_shutdown_reason reason)
{
	pthread_mutex_lock(&m->lock);
	m->shutdown = reason;
	m->announced = false;
	pthread_mutex_unlock(&m->lock);
}

void gw_machine_crash(struct gw_machine *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->crash, sizeof(m->crash), fmt, ap);
	va_end(ap);
	gw_machine_shut_down(m, GW_SHUTDOWN_CRASH);
}

void gw_machine_vcpu_drain(struct gw_machine *m)
{
	uint64_t n;

	while (read(m->shutdown_fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

void gw_machine_vcpu_reset(struct gw_machine *m)
{
	pthread_mutex_lock(&m->lock);
	m->shutdown = GW_SHUTDOWN_NONE;
	m->blocked = false;
	m->crash[0] = '\0';
	gw_machine_vcpu_drain(m);
	pthread_mutex_unlock(&m->lock);
}
