/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domain of a process, from its creation to its release.
 */
#include "vmm/domain.h"

#include "base/clock.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"

static void on_console(void *opaque, const char *bytes, size_t len)
{
	struct gw_process *p = opaque;

	gw_console_put(p->console, bytes, len);
}

static void on_shutdown(void *opaque, enum gw_shutdown_reason reason)
{
	struct gw_process *p = opaque;

	atomic_store(&p->stopped_ns, gw_clock_ns());
	if (gw_shutdown_is_end(reason))
		atomic_store(&p->guest_ended, true);
	gw_process_wake(p);
}

int gw_process_open_host(struct gw_process *p, struct gw_error *err)
{
	struct gw_host *host;

	if (p->host)
		return 0;
	host = gw_host_open(p->args.connect, err);
	if (!host)
		return -1;
	pthread_mutex_lock(&p->lock);
	p->host = host;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static int claim_name(struct gw_process *p, struct gw_error *err)
{
	int ret;

	if (p->claim.name)
		return 0;
	pthread_mutex_lock(&p->lock);
	ret = gw_claim_take(&p->claim, &p->runtime, p->config.name, err);
	pthread_mutex_unlock(&p->lock);
	return ret;
}

static int create(struct gw_process *p, struct gw_error *err)
{
	const struct gw_control_events events = {
		.console = on_console, .shutdown = on_shutdown, .opaque = p};
	struct gw_domain_config config;
	struct gw_domain *domain;

	gw_config_to_hypervisor(&p->config, &config);
	domain = gw_host_create(p->host, &config, err);
	if (!domain)
		return -1;
	gw_control_set_events(domain->control, &events);
	pthread_mutex_lock(&p->lock);
	p->domain = domain;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int gw_process_create_domain(struct gw_process *p, struct gw_error *err)
{
	if (gw_process_open_host(p, err) < 0)
		return -1;
	if (claim_name(p, err) < 0 || create(p, err) < 0) {
		gw_process_release_domain(p);
		return -1;
	}
	gw_process_wake(p); /* the control socket exists now */
	return 0;
}

int gw_process_start_domain(struct gw_process *p, struct gw_error *err)
{
	if (!p->args.paused && gw_control_unpause(p->domain->control, err) < 0)
		return -1;
	pthread_mutex_lock(&p->lock);
	p->paused = p->args.paused;
	p->has_run = !p->paused && !p->host->ops->never_runs;
	p->started_ns = gw_clock_ns();
	pthread_mutex_unlock(&p->lock);
	atomic_store(&p->phase, GW_PHASE_LIVE);
	gw_process_wake(p);
	return 0;
}

void gw_process_release_domain(struct gw_process *p)
{
	pthread_mutex_lock(&p->lock);
	struct gw_domain *domain = GW_STEAL(p->domain);
	struct gw_host *host = GW_STEAL(p->host);

	gw_claim_release(&p->claim, &p->runtime);
	pthread_mutex_unlock(&p->lock);
	if (domain)
		gw_control_destroy(domain->control);
	gw_host_close(host);
	gw_reservation_release(&p->reservation);
}

void gw_process_refresh_info(struct gw_process *p)
{
	struct gw_domain_info info;

	/* While an operation runs, only its thread calls into the domain. */
	if (p->job || !p->domain)
		return;
	if (gw_domain_info(p->domain, &info, NULL) == 0)
		p->info = info;
}

bool gw_process_find_end(struct gw_process *p)
{
	const char *why;

	if (p->ended || !p->domain)
		return p->ended;
	gw_process_refresh_info(p);
	switch (p->info.shutdown) {
	case GW_SHUTDOWN_POWEROFF:
		gw_process_end(p, GW_END_POWEROFF);
		break;
	case GW_SHUTDOWN_REBOOT:
		gw_process_end(p, GW_END_REBOOT);
		break;
	case GW_SHUTDOWN_CRASH:
		why = gw_control_crash_text(p->domain->control);
		if (*why)
			gw_fail(&p->end_err, GW_GUEST, "%s", why);
		gw_process_end(p, GW_END_CRASHED);
		break;
	default:
		break;
	}
	return p->ended;
}

bool gw_process_is_gone(struct gw_process *p, struct gw_error *err)
{
	const char *name = p->claim.name ? p->claim.name : "the domain";

	if (gw_process_find_end(p)) {
		gw_error_clear(err);
		gw_fail(err, GW_GONE, "%s: the guest %s%s%s; it is gone", name,
			gw_shutdown_words(p->info.shutdown), p->end_err.code ? ": " : "",
			p->end_err.text);
		return true;
	}
	if (!p->destroy_wanted)
		return false;
	gw_process_end(p, GW_END_DESTROYED);
	gw_error_clear(err);
	gw_fail(err, GW_GONE, "%s was destroyed meanwhile; it is gone", name);
	return true;
}
