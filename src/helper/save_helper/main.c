/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replaces Xen's libxl-save-helper (tools/libs/light/libxl_save_helper.c of Xen 4.14 and later).
 * libxl runs the program that LIBXL_SAVE_HELPER names. The engine does the work (migrate/save.h,
 * migrate/restore.h).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line.h"
#include "base/standard.h"
#include "base/util.h"
#include "config.h"
#include "helper/libxc.h"
#include "helper/save_helper/helper.h"
#include "helper/save_helper/report_file.h"
#include "helper/save_helper/stand_in.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"

#define PROGRAM "godwit-save-helper"

/* As Xen's helper; libxl takes any status but 0 for a failure of its own. */
enum { EXIT_OK = 0, EXIT_GONE = 254, EXIT_BROKEN = 255 };

static struct gw_cancel *terminated;

static void on_sigterm(int sig)
{
	gw_cancel_set(terminated);
}

/* A save ends by its own way back, because log-dirty must not stay on. */
static void catch_signals(struct gw_cancel *cancel)
{
	struct sigaction act = {.sa_handler = on_sigterm, .sa_flags = SA_RESTART};
	sigset_t set;

	terminated = cancel;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a full file is an error of its write, too */
	sigaction(SIGTERM, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void say(struct gw_helper *h, enum gw_libxl_level level, const char *text)
{
	gw_libxl_log(&h->pipe, level, -1, PROGRAM, text);
}

static int open_channels(struct gw_helper *h, struct gw_error *err)
{
	h->io = gw_channel_from_fd(h->args.io_fd, false, "the stream", err);
	if (!h->io)
		return -1;
	gw_channel_set_cancel(h->io, h->cancel);
	if (h->args.stream_type != GW_STREAM_COLO)
		return 0;
	h->back = gw_channel_from_fd(h->args.back_fd, false, "the back channel", err);
	if (!h->back)
		return -1;
	gw_channel_set_cancel(h->back, h->cancel);
	return 0;
}

static int open_domain(struct gw_helper *h, struct gw_error *err)
{
	h->host = gw_host_open(gw_stand_in_uri(), err);
	if (!h->host)
		return -1;
	h->domain = gw_host_attach(h->host, h->args.domid, 0, err);
	if (!h->domain)
		return -1;
	return gw_stand_in_new(h, &h->stand_in, err);
}

static int run(struct gw_helper *h, struct gw_report *report, struct gw_error *err)
{
	if (gw_helper_settings_load(&h->settings, err) < 0 || open_channels(h, err) < 0 ||
	    open_domain(h, err) < 0)
		return -1;
	h->start_ns = gw_clock_ns();
	return h->args.restore ? gw_helper_restore(h, report, err) : gw_helper_save(h, report, err);
}

/* Nobody reads why a report could not be written, unless it is said here: it fails nothing. */
static void write_report(struct gw_helper *h, const struct gw_report *report)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gw_report_file_append(h->settings.report, h->args.restore ? "restore" : "save",
				  h->args.domid, report, &err) < 0)
		say(h, GW_LIBXL_WARN, err.text);
}

static void say_failure(struct gw_helper *h, const struct gw_error *failure)
{
	say(h, GW_LIBXL_ERROR, failure->text);
	for (unsigned i = 0; i < failure->nr_reasons; i++)
		say(h, GW_LIBXL_ERROR, gw_error_reason(failure, i));
}

/* libxl reads no more after COMPLETE, and waits for the process to end. */
static int complete(struct gw_helper *h, int rc, const struct gw_error *failure)
{
	const uint32_t fields[] = {(uint32_t)rc, rc < 0 ? (uint32_t)gw_libxc_errno(failure) : 0};
	int32_t answer;

	if (rc < 0)
		say_failure(h, failure);
	if (h->args.restore)
		gw_libxl_restore_results(&h->pipe, rc < 0 ? 0 : h->store_gfn,
					 rc < 0 ? 0 : h->console_gfn);
	say(h, GW_LIBXL_DEBUG, rc < 0 ? "complete r=-1" : "complete r=0");
	gw_libxl_ask_finally(&h->pipe, GW_LIBXL_COMPLETE, 2, fields, &answer, NULL);
	return atomic_load(&h->pipe.gone) ? EXIT_GONE : EXIT_OK;
}

static int keep_domain(struct gw_helper *h, int status)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gw_stand_in_keep(h->stand_in, &err) == 0)
		return status;
	gw_line_warn(PROGRAM ": ", err.text);
	return EXIT_BROKEN;
}

static void release(struct gw_helper *h)
{
	gw_stand_in_free(h->stand_in);
	if (h->domain)
		gw_domain_close(h->domain);
	gw_host_close(h->host);
	gw_channel_close(h->back);
	gw_channel_close(h->io);
}

static int operate(struct gw_helper *h)
{
	struct gw_error failure = GW_ERROR_INIT;
	struct gw_report report = {0};
	int rc, status;

	say(h, GW_LIBXL_DEBUG, h->args.restore ? "starting restore" : "starting save");
	rc = run(h, &report, &failure);
	if (rc == 0 && *h->settings.report)
		write_report(h, &report);
	status = complete(h, rc, &failure);
	if (status == EXIT_GONE)
		gw_line_warn(rc < 0 ? PROGRAM ": libxl is gone; " : PROGRAM ": libxl is gone",
			     failure.text);
	status = keep_domain(h, status);
	release(h);
	return status;
}

static int serve(const struct gw_helper_arguments *args, struct gw_error *err)
{
	struct gw_helper h = {.args = *args};
	int status = EXIT_BROKEN;

	h.cancel = gw_cancel_new(err);
	if (!h.cancel)
		return EXIT_BROKEN;
	catch_signals(h.cancel);
	if (gw_libxl_pipe_init(&h.pipe, STDIN_FILENO, STDOUT_FILENO, h.cancel, err) == 0) {
		status = operate(&h);
		gw_libxl_pipe_fini(&h.pipe);
	}
	return status;
}

static const char usage[] =
	"Usage: LIBXL_SAVE_HELPER=PATH/" PROGRAM " xl save|restore|migrate|remus ...\n"
	"\n"
	"libxl starts this program in the place of its own libxl-save-helper; it is of no use by\n"
	"itself. See " PROGRAM "(8).\n";

int main(int argc, char **argv)
{
	struct gw_helper_arguments args;
	struct gw_error err = GW_ERROR_INIT;
	int status = EXIT_BROKEN;

	gw_standard_occupy(EXIT_BROKEN);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts(PROGRAM " of godwit " GW_VERSION);
		return EXIT_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (gw_helper_arguments_parse(&args, argc, argv, &err) == 0)
		status = serve(&args, &err);
	if (*err.text)
		gw_line_warn(PROGRAM ": ", err.text);
	return status;
}
