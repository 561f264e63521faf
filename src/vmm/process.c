/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The life of a domain's process: its main loop over signals, clients, the console and the
 * operation in progress, and the domain's beginning and end. It never waits for any one of them.
 */
#include "vmm/process_private.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/host.h"

#define TICK_MS	     200 /* progress events, and a look at the domain */
#define FAST_TICK_MS 10	 /* waiting for a name to become free */
#define COPY_CHUNK                                                                                 \
	4096 /* a pipe that polls writable takes this much at once (pipe(7), PIPE_BUF)             \
	      */
#define SESSIONS_POLLED 64

static int open_descriptors(struct gw_process *p, struct gw_error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	/* Before any thread is made, so that all of them leave these signals to the loop. */
	pthread_sigmask(SIG_BLOCK, &set, &p->old_mask);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->signal_fd < 0 || p->wake_fd < 0)
		return gw_fail_errno(err, "the descriptors of a domain's process");
	p->console = gw_console_new(err);
	return p->console ? 0 : -1;
}

struct gw_process *gw_process_new(const struct gw_process_args *args, struct gw_error *err)
{
	struct gw_process *p = calloc(1, sizeof(*p));

	if (!p) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a domain's process");
		return NULL;
	}
	p->args = *args;
	p->runtime.fd = p->signal_fd = p->wake_fd = -1;
	p->claim = (struct gw_claim)GW_CLAIM_NONE;
	p->info.shutdown = GW_SHUTDOWN_NONE;
	p->started_ns = gw_clock_ns();
	p->end = GW_END_NONE;
	pthread_mutex_init(&p->lock, NULL);
	if (open_descriptors(p, err) < 0 || gw_runtime_open(&p->runtime, err) < 0) {
		gw_process_free(p);
		return NULL;
	}
	return p;
}

void gw_process_free(struct gw_process *p)
{
	if (!p)
		return;
	gw_process_drop(p);
	gw_runtime_close(&p->runtime);
	gw_console_free(p->console);
	gw_config_free(&p->config);
	if (p->signal_fd >= 0)
		close(p->signal_fd);
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	pthread_sigmask(SIG_SETMASK, &p->old_mask, NULL);
	pthread_mutex_destroy(&p->lock);
	free(p->wanted_name);
	free(p);
}

const char *gw_process_name(const struct gw_process *p)
{
	return p->claim.name;
}

void gw_process_wake(struct gw_process *p)
{
	static const uint64_t one = 1;
	/* Fails only when the counter is full, and then it is readable already. */
	ssize_t n = write(p->wake_fd, &one, sizeof(one));

	(void)n;
}

static void on_console(void *opaque, const char *bytes, size_t len)
{
	struct gw_process *p = opaque;

	gw_console_put(p->console, bytes, len);
}

static void on_shutdown(void *opaque, enum gw_shutdown_reason reason)
{
	gw_process_wake(opaque);
}

int gw_process_create(struct gw_process *p, struct gw_error *err)
{
	const struct gw_control_events events = {
		.console = on_console, .shutdown = on_shutdown, .opaque = p};
	struct gw_domain_config dc;
	struct gw_domain *domain = NULL;

	if (!p->host) {
		struct gw_host *host = gw_host_open(p->args.connect, err);

		if (!host)
			return -1;
		pthread_mutex_lock(&p->lock);
		p->host = host;
		pthread_mutex_unlock(&p->lock);
	}
	pthread_mutex_lock(&p->lock);
	int ret = p->claim.name ? 0 : gw_claim_take(&p->claim, &p->runtime, p->config.name, err);
	pthread_mutex_unlock(&p->lock);
	if (ret == 0) {
		gw_config_to_hypervisor(&p->config, &dc);
		domain = gw_host_create(p->host, &dc, err);
	}
	if (!domain) {
		gw_process_drop(p);
		return -1;
	}
	gw_control_set_events(domain->control, &events);
	pthread_mutex_lock(&p->lock);
	p->domain = domain;
	pthread_mutex_unlock(&p->lock);
	gw_process_wake(p); /* there is a control socket now */
	return 0;
}

void gw_process_drop(struct gw_process *p)
{
	pthread_mutex_lock(&p->lock);
	struct gw_domain *domain = GW_STEAL(p->domain);
	struct gw_host *host = GW_STEAL(p->host);

	gw_claim_release(&p->claim, &p->runtime);
	pthread_mutex_unlock(&p->lock);
	if (domain)
		gw_control_destroy(domain->control);
	gw_host_close(host);
}

int gw_process_go(struct gw_process *p, struct gw_error *err)
{
	if (!p->args.paused && gw_control_unpause(p->domain->control, err) < 0)
		return -1;
	p->paused = p->args.paused;
	p->started_ns = gw_clock_ns();
	atomic_store(&p->phase, GW_PHASE_LIVE);
	gw_process_wake(p);
	return 0;
}

void gw_process_finish(struct gw_process *p, enum gw_process_end end)
{
	if (p->ended)
		return;
	p->ended = true;
	p->end = end;
	if (!p->destroyer)
		return;
	if (end == GW_END_DESTROYED || end == GW_END_NONE) {
		gw_session_reply(p->destroyer, "destroy", NULL);
	} else {
		struct gw_error err = GW_ERROR_INIT;

		gw_fail(&err, GW_TOO_LATE, "the domain left this process by itself");
		gw_session_fail(p->destroyer, "destroy", &err);
	}
	p->destroyer = NULL;
}

/* A signal, or the caller's token: the domain is to go. */
static void asked_to_end(struct gw_process *p)
{
	struct gw_error err = GW_ERROR_INIT;

	if (p->job && gw_operation_cancel(p->job->op, &err) < 0) {
		gw_logf(&p->args.log, GW_LOG_WARNING, "%s", err.text);
		return;
	}
	p->destroy_wanted = true;
	if (!p->job)
		gw_process_finish(p, GW_END_DESTROYED);
}

static void take_signals(struct gw_process *p)
{
	struct signalfd_siginfo info;

	while (read(p->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		asked_to_end(p);
	if (!p->cancel_seen && gw_cancel_is_set(p->args.cancel)) {
		p->cancel_seen = true;
		asked_to_end(p);
	}
}

/* The guest shut itself down, or the machine stopped it. */
static void check_guest(struct gw_process *p)
{
	if (p->job || atomic_load(&p->phase) != GW_PHASE_LIVE || p->ended)
		return;
	gw_process_look(p);
	switch (p->info.shutdown) {
	case GW_SHUTDOWN_POWEROFF:
		gw_process_finish(p, GW_END_POWEROFF);
		break;
	case GW_SHUTDOWN_REBOOT:
		gw_process_finish(p, GW_END_REBOOT);
		break;
	case GW_SHUTDOWN_CRASH:
		if (*gw_control_crash_text(p->domain->control))
			gw_fail(&p->end_err, GW_GUEST, "%s",
				gw_control_crash_text(p->domain->control));
		gw_process_finish(p, GW_END_CRASHED);
		break;
	default:
		break;
	}
}

/* Arrived beside its own source: takes the name over when that one is gone. */
static void try_wanted_name(struct gw_process *p)
{
	struct gw_claim claim = GW_CLAIM_NONE;
	struct gw_error err = GW_ERROR_INIT;

	if (!p->wanted_name || p->job || atomic_load(&p->phase) != GW_PHASE_LIVE)
		return;
	if (gw_claim_take(&claim, &p->runtime, p->wanted_name, &err) == 0) {
		pthread_mutex_lock(&p->lock);
		gw_claim_release(&p->claim, &p->runtime);
		p->claim = claim;
		pthread_mutex_unlock(&p->lock);
	} else if (gw_clock_ns() < p->wanted_until_ns) {
		return;
	} else {
		gw_logf(&p->args.log, GW_LOG_WARNING, "%s; this one stays %s", err.text,
			p->claim.name);
	}
	free(p->wanted_name);
	p->wanted_name = NULL;
}

/* The copy of the console: one piece at a time, when the descriptor said that it takes it. */
static void copy_console(struct gw_process *p)
{
	uint8_t chunk[COPY_CHUNK];
	size_t n = gw_console_peek(p->console, &p->console_pos, chunk, sizeof(chunk));
	ssize_t written = n ? write(p->args.console_fd, chunk, n) : 0;

	if (written > 0)
		p->console_pos += (uint64_t)written;
	else if (written < 0 && errno != EAGAIN && errno != EINTR)
		p->args.console_fd = -1; /* nobody reads it any more; the ring has it */
}

static bool copy_pending(const struct gw_process *p)
{
	return p->args.console_fd >= 0 && p->console_pos < gw_console_newest(p->console);
}

static void finish_copy(struct gw_process *p)
{
	uint64_t until = gw_clock_ms() + 1000;

	while (copy_pending(p) && gw_clock_ms() < until) {
		struct pollfd fd = {.fd = p->args.console_fd, .events = POLLOUT};

		if (poll(&fd, 1, 50) > 0)
			copy_console(p);
	}
}

enum { AT_SIGNAL, AT_CANCEL, AT_WAKE, AT_CONSOLE, AT_COPY, AT_JOB, AT_LISTEN, AT_SESSIONS };

static short session_events(struct gw_process *p, const struct gw_session *s)
{
	bool output = gw_conn_has_output(&s->conn) || s->closing ||
		      (s->console && s->console_pos < gw_console_newest(p->console));

	return (short)(POLLIN | (output ? POLLOUT : 0));
}

static nfds_t fill_polls(struct gw_process *p, struct pollfd *fds)
{
	nfds_t n = AT_SESSIONS;

	for (nfds_t i = 0; i < AT_SESSIONS; i++)
		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[AT_SIGNAL].fd = p->signal_fd;
	fds[AT_CANCEL].fd = p->cancel_seen ? -1 : gw_cancel_fd(p->args.cancel);
	fds[AT_WAKE].fd = p->wake_fd;
	fds[AT_CONSOLE].fd = gw_console_fd(p->console);
	if (copy_pending(p))
		fds[AT_COPY] = (struct pollfd){.fd = p->args.console_fd, .events = POLLOUT};
	fds[AT_JOB].fd = p->job ? gw_operation_fd(p->job->op) : -1;
	pthread_mutex_lock(&p->lock);
	fds[AT_LISTEN].fd = p->claim.listen_fd;
	pthread_mutex_unlock(&p->lock);
	for (struct gw_session *s = p->sessions; s && n < AT_SESSIONS + SESSIONS_POLLED;
	     s = s->next)
		fds[n++] = (struct pollfd){.fd = s->conn.fd, .events = session_events(p, s)};
	return n;
}

static void serve_sessions(struct gw_process *p, const struct pollfd *fds, nfds_t n)
{
	nfds_t i = AT_SESSIONS;

	for (struct gw_session *s = p->sessions; s && i < n; s = s->next, i++) {
		if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			gw_session_input(p, s);
		if (!s->gone)
			gw_session_output(p, s);
	}
	/* New ones last: they come in front of those that were polled. */
	if (fds[AT_LISTEN].revents && !p->ended)
		gw_session_accept(p);
	gw_session_reap(p);
}

static void turn(struct gw_process *p, uint64_t *last_tick)
{
	struct pollfd fds[AT_SESSIONS + SESSIONS_POLLED];
	nfds_t n = fill_polls(p, fds);
	uint64_t count;

	if (poll(fds, n, !p->job && p->wanted_name ? FAST_TICK_MS : TICK_MS) < 0)
		return;
	if (fds[AT_WAKE].revents && read(p->wake_fd, &count, sizeof(count)) < 0)
		return;
	if (fds[AT_CONSOLE].revents)
		gw_console_quiet(p->console);
	if (fds[AT_COPY].revents)
		copy_console(p);
	take_signals(p);
	if (p->job && fds[AT_JOB].revents)
		gw_job_done(p);
	serve_sessions(p, fds, n);
	try_wanted_name(p);
	check_guest(p);
	if (p->job && gw_clock_ms() - *last_tick >= TICK_MS) {
		*last_tick = gw_clock_ms();
		gw_job_report_progress(p);
	}
}

/* The domain is here for good, under the name that it keeps. */
static bool is_in_place(const struct gw_process *p)
{
	int phase = atomic_load(&p->phase);

	if (p->ended || p->job || phase == GW_PHASE_EMPTY)
		return false;
	return !p->wanted_name || phase == GW_PHASE_UNDECIDED;
}

enum gw_process_end gw_process_run(struct gw_process *p, struct gw_error *err)
{
	uint64_t last_tick = 0;

	while (!p->ended) {
		turn(p, &last_tick);
		if (!p->announced && is_in_place(p)) {
			p->announced = true;
			if (p->args.in_place)
				p->args.in_place(p->args.opaque, p->claim.name);
		}
	}
	finish_copy(p);
	/* The name is free, and the domain gone, before anybody reads that it is. */
	gw_process_drop(p);
	p->left = true;
	gw_session_close_all(p);
	if (p->end_err.code)
		*err = p->end_err;
	return p->end;
}
