/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Prints errors, log messages and progress on stderr.
 */
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/estimate.h"
#include "base/limit.h"
#include "base/line.h"
#include "base/util.h"
#include "base/visible.h"
#include "cli/json.h"
#include "cli/width.h"
#include "migrate/progress_json.h"

#define SHOW_EVERY_NS	  UINT64_C(100000000)
#define LEFT_OUT_EVERY_NS UINT64_C(1000000000)

#define ERASE "\r\033[K"

/* The lock is held. */
static void erase_line(struct gw_output *out)
{
	if (!out->line_shown)
		return;
	fputs(ERASE, stderr);
	out->line_shown = false;
}

void gw_print_safe(FILE *to, const char *text)
{
	char shown[GW_VISIBLE_MAX];
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = gw_visible_next(text, left, shown);

		fputs(shown, to);
		text += n;
		left -= n;
	}
}

static void add_time(struct gw_line *line)
{
	time_t now = time(NULL);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	gw_line_add(line, "%s ", when);
}

void gw_output_to_log(struct gw_output *out, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&out->lock);
	va_start(ap, fmt);
	vsnprintf(out->subject, sizeof(out->subject), fmt, ap);
	va_end(ap);
	out->mode = GW_PROGRESS_NEVER;
	pthread_mutex_unlock(&out->lock);
}

void gw_output_peer(struct gw_output *out, const char *peer)
{
	pthread_mutex_lock(&out->lock);
	snprintf(out->peer, sizeof(out->peer), "%s", peer ? peer : "");
	pthread_mutex_unlock(&out->lock);
}

int gw_output_limit(struct gw_output *out, struct gw_error *err)
{
	out->limit = gw_limit_new(err);
	return out->limit ? 0 : -1;
}

/* The lock is held. peer: the line is about the peer, if there is one. */
static void write_line(struct gw_output *out, bool peer, const char *prefix, const char *text)
{
	struct gw_line line = {0};

	if (out->line_shown)
		gw_line_add(&line, ERASE);
	out->line_shown = false;
	if (out->subject[0]) {
		add_time(&line);
		gw_line_add_foreign(&line, out->subject);
	} else {
		gw_line_add(&line, "godwit%s%s", out->verb ? ": " : "", out->verb ? out->verb : "");
	}
	if (peer && out->peer[0]) {
		gw_line_add(&line, " (from ");
		gw_line_add_foreign(&line, out->peer);
		gw_line_add(&line, ")");
	}
	gw_line_add(&line, ": %s", prefix);
	gw_line_add_foreign(&line, text);
	gw_line_write(&line, STDERR_FILENO);
}

/* The lock is held. */
static void say_left_out(struct gw_output *out)
{
	unsigned n = out->limit ? gw_limit_left_out(out->limit) : 0;
	char text[120];

	if (n == 0)
		return;
	snprintf(text, sizeof(text),
		 "%u message%s about connections left out: at most %u a second are written", n,
		 n == 1 ? "" : "s", GW_LIMIT_A_SECOND);
	write_line(out, false, "", text);
}

void gw_output_left_out(struct gw_output *out)
{
	uint64_t now = gw_clock_ns();

	pthread_mutex_lock(&out->lock);
	if (now - out->left_out_ns >= LEFT_OUT_EVERY_NS) {
		out->left_out_ns = now;
		say_left_out(out);
	}
	pthread_mutex_unlock(&out->lock);
}

static void say(struct gw_output *out, const char *prefix, const char *text)
{
	bool limited = out->peer[0] && out->limit;

	pthread_mutex_lock(&out->lock);
	if (!limited || gw_limit_take(out->limit, gw_clock_ns())) {
		say_left_out(out);
		write_line(out, true, prefix, text);
	}
	pthread_mutex_unlock(&out->lock);
}

static void on_remark(void *opaque, enum gw_log_level level, const char *text)
{
	say(opaque, level == GW_LOG_WARNING ? "warning: " : "", text);
}

void gw_output_init(struct gw_output *out)
{
	*out = (struct gw_output){
		.log = {.fn = on_remark, .opaque = out, .max = GW_LOG_WARNING},
		.terminal = isatty(STDERR_FILENO),
	};
	pthread_mutex_init(&out->lock, NULL);
}

void gw_output_set(struct gw_output *out, enum gw_progress_mode mode, bool quiet, unsigned verbose)
{
	/* --progress=json is for programs, so quiet does not disable it. */
	out->mode = quiet && mode == GW_PROGRESS_AUTO ? GW_PROGRESS_NEVER : mode;
	if (quiet)
		out->log.max = GW_LOG_ERROR;
	else
		out->log.max = verbose == 0   ? GW_LOG_WARNING
			       : verbose == 1 ? GW_LOG_INFO
					      : GW_LOG_DEBUG;
}

void gw_output_error(struct gw_output *out, const char *text)
{
	say(out, "", text);
}

/* "1.2 GiB" and the like. */
static const char *human(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	unsigned unit = 0;

	while (value >= 1000 && unit < 6) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, size, value < 10 && unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

/* Appends to a line of the terminal; what does not fit is left out. */
static void add(char *line, size_t size, const char *fmt, ...) GW_PRINTF(3, 4);
static void add(char *line, size_t size, const char *fmt, ...)
{
	size_t len = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + len, size - len, fmt, ap);
	va_end(ap);
}

/* ": 45% of 64 MiB". Without the bytes that are to come there may be the pages. */
static void add_share(char *line, size_t size, const struct gw_progress *p)
{
	char total[32];

	if (p->bytes_total)
		add(line, size, ": %u%% of %s", p->percent,
		    human(p->bytes_total, total, sizeof(total)));
	else if (p->pages_total)
		add(line, size, ": %u%% of %" PRIu64 " pages",
		    (unsigned)(p->pages_done * 100 / p->pages_total), p->pages_total);
}

static void show_line(struct gw_output *out, const struct gw_progress *p)
{
	char line[200], text[32];
	uint64_t seconds = gw_progress_seconds_left(p);

	snprintf(line, sizeof(line), "%s", gw_stage_name(p->stage));
	if (p->round)
		add(line, sizeof(line), ", round %u", p->round);
	add_share(line, sizeof(line), p);
	if (p->bytes)
		add(line, sizeof(line), ", %s", human(p->bytes, text, sizeof(text)));
	if (p->bytes_per_s)
		add(line, sizeof(line), ", %s/s", human(p->bytes_per_s, text, sizeof(text)));
	if (seconds != UINT64_MAX)
		add(line, sizeof(line), ", %" PRIu64 " s left", seconds);
	if (p->expected_downtime_ns)
		add(line, sizeof(line), ", downtime %.0f ms",
		    (double)p->expected_downtime_ns / 1e6);
	if (p->throttle)
		add(line, sizeof(line), ", vCPUs slowed by %u%%", p->throttle);
	/* A line that is wrapped could not be erased. */
	line[GW_MIN(sizeof(line), (size_t)gw_terminal_width(STDERR_FILENO)) - 1] = '\0';
	fprintf(stderr, "\r%s\033[K", line);
	fflush(stderr);
	out->line_shown = true;
}

static void show_json(const struct gw_progress *p)
{
	json_t *event = gw_progress_to_json(p);

	if (!event)
		return;
	gw_json_print(event, JSON_COMPACT, stderr);
	json_decref(event);
}

/* A new stage or round is shown at once, other progress at intervals. The lock is held. */
static bool is_due(struct gw_output *out, const struct gw_progress *p)
{
	uint64_t now = gw_clock_ns();
	bool is_new = p->round != out->last_round || !out->last_ns || p->stage != out->last_stage;

	if (!is_new && now - out->last_ns < SHOW_EVERY_NS)
		return false;
	out->last_ns = now;
	out->last_round = p->round;
	out->last_stage = p->stage;
	return true;
}

void gw_output_progress(void *opaque, const struct gw_progress *progress)
{
	struct gw_output *out = opaque;

	if (out->mode == GW_PROGRESS_NEVER || (out->mode == GW_PROGRESS_AUTO && !out->terminal))
		return;
	pthread_mutex_lock(&out->lock);
	if (is_due(out, progress)) {
		if (out->mode == GW_PROGRESS_JSON)
			show_json(progress);
		else
			show_line(out, progress);
	}
	pthread_mutex_unlock(&out->lock);
}

void gw_output_erase(struct gw_output *out)
{
	pthread_mutex_lock(&out->lock);
	erase_line(out);
	pthread_mutex_unlock(&out->lock);
}

int gw_output_finish(struct gw_output *out, struct gw_error *err)
{
	gw_output_erase(out);
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	/* ferror alone does not say why an earlier write failed. */
	if (errno)
		return gw_fail_errno(err, "the results could not be written to standard output");
	return gw_fail(err, GW_SYSTEM, "the results could not be written to standard output");
}
