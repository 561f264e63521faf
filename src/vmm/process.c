/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The main loop of a domain's process, over signals, clients, the console and the operation in
 * progress. It never waits for a single one of them.
 */
#include "vmm/process.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "vmm/domain.h"
#include "vmm/job.h"
#include "vmm/logs.h"
#include "vmm/request.h"

#define TICK_MS	     200 /* interval of progress events and of checks of the guest's shutdown */
#define FAST_TICK_MS 10	 /* of waiting for a name to become free, or for a cancelled operation */
/* A pipe that polls writable takes this much at once (pipe(7), PIPE_BUF). */

static int open_descriptors(struct gw_process *p, struct gw_error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	/* Before any thread starts, so that all of them leave these signals to the loop. */
	pthread_sigmask(SIG_BLOCK, &set, &p->old_mask);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->signal_fd < 0 || p->wake_fd < 0)
		return gw_fail_errno(err, "the descriptors of a domain's process");
	p->console = gw_console_new(err);
	return p->console ? 0 : -1;
}

static void on_message(void *opaque, struct gw_session *s, const json_t *message)
{
	gw_request(opaque, s, message);
}

static void on_gone(void *opaque, struct gw_session *s)
{
	gw_request_abandon(opaque, s);
}

struct gw_process *gw_process_new(const struct gw_process_args *args, struct gw_error *err)
{
	struct gw_process *p = calloc(1, sizeof(*p));

	if (!p) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a domain's process");
		return NULL;
	}
	p->args = *args;
	gw_console_copy_begin(&p->copy, args->console_fd, args->console_raw);
	p->runtime.fd = p->signal_fd = p->wake_fd = -1;
	p->claim = (struct gw_claim)GW_CLAIM_NONE;
	p->reservation = (struct gw_reservation)GW_RESERVATION_NONE;
	p->info.shutdown = GW_SHUTDOWN_NONE;
	p->started_ns = gw_clock_ns();
	p->end = GW_END_NONE;
	pthread_mutex_init(&p->lock, NULL);
	if (open_descriptors(p, err) < 0 || gw_runtime_open(&p->runtime, err) < 0) {
		gw_process_free(p);
		return NULL;
	}
	p->sessions = (struct gw_sessions){
		.console = p->console, .on_message = on_message, .on_gone = on_gone, .opaque = p};
	return p;
}

void gw_process_free(struct gw_process *p)
{
	if (!p)
		return;
	gw_process_release_domain(p);
	gw_runtime_close(&p->runtime);
	gw_console_free(p->console);
	gw_config_free(&p->config);
	gw_buffer_free(&p->emulator.records);
	if (p->signal_fd >= 0)
		close(p->signal_fd);
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	pthread_sigmask(SIG_SETMASK, &p->old_mask, NULL);
	pthread_mutex_destroy(&p->lock);
	free(p->wanted_name);
	free(p->output_hook);
	free(p);
}

/* Called after a signal, or when the caller's token is set: the domain is to end. */
static void request_end(struct gw_process *p)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gw_job_cancel(p, &err) < 0) {
		gw_logf(&p->args.log, GW_LOG_WARNING, "%s", err.text);
		return;
	}
	p->destroy_wanted = true;
	if (!p->job)
		gw_process_end(p, GW_END_DESTROYED);
}

static void read_signals(struct gw_process *p)
{
	struct signalfd_siginfo info;

	while (read(p->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		request_end(p);
	if (!p->cancel_seen && gw_cancel_is_set(p->args.cancel)) {
		p->cancel_seen = true;
		request_end(p);
	}
}

/* Checks whether the guest shut itself down, or the hypervisor stopped it. An operation that sends
 * its memory has no purpose any more. */
static void check_guest(struct gw_process *p)
{
	if (p->job && atomic_load(&p->guest_ended))
		gw_job_cancel(p, NULL);
	if (p->job || atomic_load(&p->phase) != GW_PHASE_LIVE || p->ended)
		return;
	gw_process_find_end(p);
}

/* For a domain that arrived on its source's host: claims its name when the source has released
 * it. */
static void claim_wanted_name(struct gw_process *p)
{
	struct gw_claim claim = GW_CLAIM_NONE;
	struct gw_error err = GW_ERROR_INIT;

	if (!p->wanted_name || p->job || atomic_load(&p->phase) != GW_PHASE_LIVE)
		return;
	if (gw_claim_take(&claim, &p->runtime, p->wanted_name, &err) == 0) {
		gw_process_set_claim(p, &claim);
	} else if (gw_clock_ns() < p->wanted_until_ns) {
		return;
	} else {
		gw_logf(&p->args.log, GW_LOG_WARNING, "%s; this one stays %s", err.text,
			p->claim.name);
	}
	free(p->wanted_name);
	p->wanted_name = NULL;
}

/* The guest's output waits while the progress of a restore is shown. */
static bool copy_pending(const struct gw_process *p)
{
	return !p->arriving && gw_console_copy_pending(&p->copy, p->console);
}

static void finish_copy(struct gw_process *p)
{
	uint64_t until = gw_clock_ms() + 1000;

	while (copy_pending(p) && gw_clock_ms() < until) {
		struct pollfd fd = {.fd = p->copy.fd, .events = POLLOUT};

		if (poll(&fd, 1, 50) > 0)
			gw_console_copy_step(&p->copy, p->console);
	}
	gw_console_copy_end(&p->copy);
}

enum { AT_SIGNAL, AT_CANCEL, AT_WAKE, AT_CONSOLE, AT_COPY, AT_JOB, AT_LISTEN, AT_SESSIONS };

static nfds_t fill_polls(struct gw_process *p, struct pollfd *fds)
{
	for (nfds_t i = 0; i < AT_SESSIONS; i++)
		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[AT_SIGNAL].fd = p->signal_fd;
	fds[AT_CANCEL].fd = p->cancel_seen ? -1 : gw_cancel_fd(p->args.cancel);
	fds[AT_WAKE].fd = p->wake_fd;
	fds[AT_CONSOLE].fd = gw_console_fd(p->console);
	if (copy_pending(p))
		fds[AT_COPY] = (struct pollfd){.fd = p->copy.fd, .events = POLLOUT};
	fds[AT_JOB].fd = p->job ? gw_operation_fd(p->job->op) : -1;
	pthread_mutex_lock(&p->lock);
	fds[AT_LISTEN].fd = gw_clock_ms() < p->accept_after_ms ? -1 : p->claim.listen_fd;
	pthread_mutex_unlock(&p->lock);
	return AT_SESSIONS + gw_sessions_fill_poll(&p->sessions, fds + AT_SESSIONS);
}

/* The socket is looked up each time, because an operation's thread may have released the name. */
static void accept_client(struct gw_process *p)
{
	pthread_mutex_lock(&p->lock);
	if (!gw_sessions_accept(&p->sessions, p->claim.listen_fd))
		p->accept_after_ms = gw_clock_ms() + TICK_MS;
	pthread_mutex_unlock(&p->lock);
}

static void finish_job(struct gw_process *p)
{
	gw_job_finish(p);
	if (!p->arriving)
		return;
	p->arriving = false;
	if (p->args.progress_over)
		p->args.progress_over(p->args.opaque);
}

static int tick_ms(const struct gw_process *p)
{
	return (!p->job && p->wanted_name) || gw_job_owes_answer(p) ? FAST_TICK_MS : TICK_MS;
}

static void run_once(struct gw_process *p, uint64_t *last_tick)
{
	struct pollfd fds[AT_SESSIONS + GW_SESSIONS_MAX];
	nfds_t n = fill_polls(p, fds);
	uint64_t count;

	if (poll(fds, n, tick_ms(p)) < 0)
		return;
	if (fds[AT_WAKE].revents && read(p->wake_fd, &count, sizeof(count)) < 0)
		return;
	if (fds[AT_CONSOLE].revents)
		gw_console_quiet(p->console);
	if (fds[AT_COPY].revents)
		gw_console_copy_step(&p->copy, p->console);
	read_signals(p);
	if (p->job && fds[AT_JOB].revents)
		finish_job(p);
	gw_job_answer_cancel(p);
	gw_sessions_serve(&p->sessions, fds + AT_SESSIONS, n - AT_SESSIONS);
	if (fds[AT_LISTEN].revents && !p->ended)
		accept_client(p);
	claim_wanted_name(p);
	check_guest(p);
	if (p->job && gw_clock_ms() - *last_tick >= TICK_MS) {
		*last_tick = gw_clock_ms();
		gw_job_report_progress(p);
	}
}

/* True if the domain has arrived and has its final name. */
static bool is_in_place(const struct gw_process *p)
{
	int phase = atomic_load(&p->phase);

	if (p->ended)
		return false;
	/* A copy has the name that it runs under only after a failover. */
	if (atomic_load(&p->backs_up))
		return true;
	if (p->job || phase == GW_PHASE_EMPTY)
		return false;
	return !p->wanted_name || phase == GW_PHASE_UNDECIDED;
}

/* Who ended the domain knows why; of any other end the log says more. */
static bool is_commanded(enum gw_process_end end)
{
	return end == GW_END_DESTROYED || end == GW_END_SAVED || end == GW_END_MOVED ||
	       end == GW_END_DROPPED;
}

enum gw_process_end gw_process_run(struct gw_process *p, struct gw_error *err)
{
	uint64_t last_tick = 0;

	while (!p->ended) {
		run_once(p, &last_tick);
		if (!p->announced && is_in_place(p)) {
			p->announced = true;
			if (p->args.in_place)
				p->args.in_place(p->args.opaque, p->claim.name);
		}
	}
	finish_copy(p);
	if (p->claim.name && is_commanded(p->end))
		gw_log_remove(&p->runtime, p->claim.name);
	/* Releases the domain and its name before any client reads that it is gone. */
	gw_process_release_domain(p);
	p->sessions.hold_output = false;
	gw_sessions_close(&p->sessions);
	if (p->end_err.code)
		*err = p->end_err;
	return p->end;
}
