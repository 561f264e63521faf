/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replaces Xen's convert-legacy-stream (tools/python/scripts of Xen 4.6 and later), with the same
 * arguments and exit statuses. libxl runs the program that LIBXL_CONVERT_HELPER names. convert.h
 * does the work.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/line.h"
#include "base/standard.h"
#include "base/visible.h"
#include "config.h"
#include "convert/convert.h"
#include "format/xl/file.h"

/* As Xen's script: 1 for an invalid stream or a missing argument; 2 for a failed conversion or a
 * wrong argument. */
enum { EXIT_OK, EXIT_STREAM, EXIT_CANNOT };

struct options {
	const char *in, *out, *width, *guest, *format;
	bool verbose, xl, skip_qemu, syslog;
};

static const char usage[] =
	"Usage: convert-legacy-stream -i INPUT -o OUTPUT -w 32|64 -g pv|hvm [OPTIONS]\n"
	"\n"
	"Converts a legacy stream (Xen 4.5 or older) to the current format. It replaces Xen's script\n"
	"of the same name: set LIBXL_CONVERT_HELPER to its path.\n"
	"\n"
	"  -i, --in FD|FILE          the legacy stream\n"
	"  -o, --out FD|FILE         the converted stream\n"
	"  -w, --width 32|64         the expected word size of the tools that saved it\n"
	"  -g, --guest-type pv|hvm   the expected guest type; the stream decides, with a warning\n"
	"                            if it differs from this or from the width\n"
	"  -f, --format libxc|libxl  the format of the output (libxc unless given)\n"
	"  -x, --xl                  the input begins with an xl header\n"
	"      --skip-qemu           do not look for device model state\n"
	"  -v, --verbose             print more on standard error\n"
	"      --syslog              also log to the system's log\n"
	"      --version, -h, --help\n"
	"\n"
	"Exit status: 0 done, 1 the stream is invalid, 2 the conversion failed.\n";

static struct gw_cancel *interrupted;

static void on_signal(int sig)
{
	gw_cancel_set(interrupted);
}

/* The first asks to stop, the second ends the process. */
static void catch_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_RESETHAND};

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
}

static void say(void *opaque, enum gw_log_level level, const char *text)
{
	const struct options *o = opaque;
	char shown[2048];

	if (o->syslog)
		syslog(level == GW_LOG_ERROR	 ? LOG_ERR
		       : level == GW_LOG_WARNING ? LOG_WARNING
						 : LOG_INFO,
		       "%s", gw_visible(shown, sizeof(shown), text));
	gw_line_warn(level == GW_LOG_WARNING ? "convert-legacy-stream: warning: "
					     : "convert-legacy-stream: ",
		     text);
}

static int parse(struct options *o, int argc, char **argv)
{
	/* Unambiguous prefixes of a name are accepted: libxl passes --guest. */
	static const struct option options[] = {
		{"in", required_argument, NULL, 'i'},
		{"out", required_argument, NULL, 'o'},
		{"width", required_argument, NULL, 'w'},
		{"guest-type", required_argument, NULL, 'g'},
		{"format", required_argument, NULL, 'f'},
		{"verbose", no_argument, NULL, 'v'},
		{"xl", no_argument, NULL, 'x'},
		{"skip-qemu", no_argument, NULL, 'q'},
		{"syslog", no_argument, NULL, 's'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "i:o:w:g:f:vxh", options, NULL)) != -1) {
		switch (option) {
		case 'i':
			o->in = optarg;
			break;
		case 'o':
			o->out = optarg;
			break;
		case 'w':
			o->width = optarg;
			break;
		case 'g':
			o->guest = optarg;
			break;
		case 'f':
			o->format = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'x':
			o->xl = true;
			break;
		case 'q':
			o->skip_qemu = true;
			break;
		case 's':
			o->syslog = true;
			break;
		case 'V':
			puts("convert-legacy-stream of godwit " GW_VERSION);
			exit(EXIT_OK);
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_OK);
		default:
			return EXIT_CANNOT;
		}
	}
	return EXIT_OK;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static int check(const struct options *o)
{
	if (!o->in || !o->out || !o->width || !o->guest) {
		fputs(usage, stderr);
		return EXIT_STREAM;
	}
	if (is_one_of(o->width, "32", "64") && is_one_of(o->guest, "pv", "hvm") &&
	    is_one_of(o->format, "libxc", "libxl"))
		return EXIT_OK;
	fprintf(stderr,
		"convert-legacy-stream: expected --width 32 or 64, --guest-type pv or hvm, --format libxc or libxl\n");
	return EXIT_CANNOT;
}

/* A number is a descriptor, anything else a path. */
static bool is_descriptor(const char *text, int *fd)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	*fd = (int)number;
	return isdigit((unsigned char)text[0]) && !*end && !errno && number == *fd;
}

static struct gw_channel *open_in(const char *text, struct gw_error *err)
{
	struct gw_channel *in;
	int fd;

	if (is_descriptor(text, &fd))
		in = gw_channel_from_fd(fd, false, "the legacy stream", err);
	else
		in = gw_channel_open(text, err);
	if (!in)
		return NULL;
	gw_channel_set_cancel(in, interrupted);
	in = gw_channel_decompress(in, err);
	if (in)
		gw_channel_set_cancel(in, interrupted);
	return in;
}

static struct gw_channel *open_out(const char *text, struct gw_error *err)
{
	int fd;

	if (is_descriptor(text, &fd))
		return gw_channel_from_fd(fd, false, "the converted stream", err);
	return gw_channel_create(text, err);
}

/* With --xl there has to be a header; 0 or -1. */
static int check_xl(const struct options *o, struct gw_channel *in, struct gw_error *err)
{
	uint8_t first[8];
	int rc;

	if (!o->xl)
		return 0;
	rc = gw_channel_read(in, first, sizeof(first), err);
	if (rc < 0)
		return -1;
	if (rc == 0 || !gw_xlfile_is_magic(first, sizeof(first)))
		return gw_fail(err, GW_INVALID, "the input has no xl header");
	gw_channel_unread(in, first, sizeof(first));
	return 0;
}

static enum gw_convert_form form_of(const struct options *o, const struct gw_log *log)
{
	if (strcmp(o->format, "libxl") == 0)
		return o->xl ? GW_CONVERT_SAME : GW_CONVERT_LIBXL;
	if (o->xl)
		gw_logf(log, GW_LOG_WARNING,
			"the xl header is dropped: no reader accepts a libxc image after one (see --format)");
	return GW_CONVERT_LIBXC;
}

static int convert(const struct options *o, struct gw_channel *in, struct gw_channel *out,
		   struct gw_error *err)
{
	const struct gw_observer observer = {
		.log = {.fn = say,
			.opaque = (void *)(uintptr_t)o,
			.max = o->verbose ? GW_LOG_INFO : GW_LOG_WARNING},
	};
	const struct gw_convert_args args = {
		.in = in,
		.out = out,
		.from = GW_CONVERT_LEGACY,
		.to = form_of(o, &observer.log),
		.legacy = {.width = strcmp(o->width, "32") == 0 ? 4 : 8,
			   .guest = strcmp(o->guest, "pv") == 0 ? GW_GUEST_X86_PV
								: GW_GUEST_X86_HVM},
		.legacy_is_guess = true,
		.bare = o->skip_qemu,
		.cancel = interrupted,
		.observer = &observer,
	};
	struct gw_conversion_result done;

	if (check_xl(o, in, err) < 0 || gw_convert(&args, &done, err) < 0 ||
	    gw_channel_finish(out, err) < 0)
		return -1;
	gw_logf(&observer.log, GW_LOG_INFO, "%llu pages of %s guest, saved by %u-bit tools",
		(unsigned long long)done.pages,
		done.legacy.guest == GW_GUEST_X86_PV ? "a PV" : "an HVM", done.legacy.width * 8);
	return 0;
}

static int status_of(const struct gw_error *err)
{
	return err->code == GW_UNSUPPORTED || err->code == GW_NO_MEMORY ? EXIT_CANNOT : EXIT_STREAM;
}

/* Ends by the signal, as libxl expects. */
static void end_by_signal(void)
{
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
}

static int run(const struct options *o)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *in = NULL, *out = NULL;
	int rc = -1;

	interrupted = gw_cancel_new(&err);
	if (interrupted) {
		catch_signals();
		in = open_in(o->in, &err);
	}
	if (in)
		out = open_out(o->out, &err);
	if (out)
		rc = convert(o, in, out, &err);
	/* An unfinished output file is removed. */
	gw_channel_close(out);
	gw_channel_close(in);
	if (rc == 0)
		return EXIT_OK;
	if (err.code == GW_CANCELLED)
		end_by_signal();
	say((void *)(uintptr_t)o, GW_LOG_ERROR, err.text);
	return status_of(&err);
}

int main(int argc, char **argv)
{
	struct options o = {.format = "libxc"};
	int status;

	gw_standard_occupy(EXIT_CANNOT);
	status = parse(&o, argc, argv);
	/* A file that may grow no more is an error of its write (EFBIG): the file is removed. */
	signal(SIGXFSZ, SIG_IGN);
	if (status == EXIT_OK)
		status = check(&o);
	if (status != EXIT_OK)
		return status;
	if (o.syslog)
		openlog("convert-legacy-stream", LOG_PID, LOG_DAEMON);
	return run(&o);
}
