/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saves and restores with a fault.
 */
#include "lib/gwtest.h"

#include <dirent.h>
#include <unistd.h>

#include "base/util.h"
#include "hypervisor/control.h"
#include "lib/descriptors.h"
#include "../migrate/stored.h"
#include "failing.h"
#include "points.h"
#include "scenario.h"
#include "../hypervisor/emu_bench.h"

#define SUSPEND_MS 10000

void broken(struct bench *b, const char *fmt, ...)
{
	va_list ap;

	if (b->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(b->why, sizeof(b->why), fmt, ap);
	va_end(ap);
}

static int suspend_it(void *opaque, struct gw_error *err)
{
	struct place *p = opaque;
	int rc;

	if (point("the toolstack's suspend"))
		return gw_fail(err, GW_GUEST, "the toolstack cannot suspend");
	rc = gw_control_suspend(p->f->base.control, SUSPEND_MS, NULL, err);
	if (rc == 0)
		gw_fail(err, GW_GUEST, "the guest announced no port");
	return rc == 1 ? 0 : -1;
}

static int decide_it(void *opaque, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	if (point("the toolstack's precopy policy"))
		return gw_fail(err, GW_GUEST, "the toolstack does not decide");
	return stats->iteration >= 2 ? GW_PRECOPY_STOP : GW_PRECOPY_CONTINUE;
}

static int switch_it(void *opaque, int enable, struct gw_error *err)
{
	if (enable && point("the toolstack's log-dirty switch"))
		return gw_fail(err, GW_GUEST, "the device model does not log");
	return 0;
}

struct gw_toolstack toolstack_of(struct place *p)
{
	return (struct gw_toolstack){
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = p,
		.suspend = suspend_it,
		.precopy_policy = decide_it,
		.logdirty_switch = switch_it,
	};
}

static int save_to(struct bench *b, const char *path)
{
	struct gw_toolstack ts = toolstack_of(&b->source);
	struct gw_save_args args = {.domain = &b->source.f->base, .toolstack = &ts, .live = true};
	int rc;

	args.out = gw_channel_create(path, &b->err);
	if (!args.out)
		return -1;
	args.out = failing_channel(args.out, false);
	rc = gw_save_stream(&args, NULL, &b->err);
	if (rc == 0)
		rc = gw_channel_finish(args.out, &b->err);
	gw_channel_close(args.out);
	return rc;
}

static void check_survivor(struct bench *b, struct place *p, const char *name)
{
	if (!place_beats(p, b->seconds))
		broken(b, "the guest of the %s found its memory damaged", name);
}

static void run_save(struct bench *b, unsigned number)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/saved", b->dir);
	points_watch(true);
	b->failed = save_to(b, path) < 0;
	points_watch(false);
	if (place_leftover(&b->source))
		broken(b, "after the save %s", place_leftover(&b->source));
	place_resume(&b->source);
	/* Under its name if and only if it is complete. */
	if ((access(path, F_OK) == 0) == b->failed)
		broken(b, "the file %s", b->failed ? "stays" : "is not there");
	unlink(path);
	check_survivor(b, &b->source, "source");
}

static int restore_from(struct bench *b, struct place *p)
{
	struct gw_restore_args args = {.domain = &p->f->base};
	int rc;

	args.in = gw_channel_open(b->image, &b->err);
	if (!args.in)
		return -1;
	args.in = failing_channel(args.in, false);
	rc = restore_as_owner(&args, true, NULL, &b->err);
	gw_channel_close(args.in);
	return rc == 0 ? gw_control_unpause(p->f->base.control, &b->err) : -1;
}

static void run_restore(struct bench *b, unsigned number)
{
	struct place p = place_empty(b->emu);

	points_watch(true);
	b->failed = restore_from(b, &p) < 0;
	points_watch(false);
	if (place_leftover(&p))
		broken(b, "after the restore %s", place_leftover(&p));
	if (!b->failed)
		check_survivor(b, &p, "restored domain");
	place_free(&p);
}

const struct scenario scenarios[] = {
	{"save", run_save},	  {"restore", run_restore}, {"send", run_send},
	{"receive", run_receive}, {"primary", run_primary}, {"backup", run_backup},
};
const unsigned nr_scenarios = GW_ARRAY_SIZE(scenarios);

void bench_open(struct bench *b, bool emu)
{
	struct gw_error err = GW_ERROR_INIT;
	const char *tmp = getenv("TMPDIR");

	*b = (struct bench){.emu = emu, .seconds = 2};
	if (emu)
		bench_require();
	snprintf(b->dir, sizeof(b->dir), "%.80s/godwit-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(b->dir));
	setenv("TMPDIR", b->dir, 1);
	b->source = place_source(emu);
	snprintf(b->image, sizeof(b->image), "%s.image", b->dir);
	if (save_to(b, b->image) < 0)
		fail_msg("%s", b->err.text);
	gw_error_clear(&err);
	place_resume(&b->source);
}

void bench_close(struct bench *b)
{
	place_free(&b->source);
	unlink(b->image);
	rmdir(b->dir);
}

static unsigned files_in(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
	closedir(dir);
	return n;
}

/*
 * Faults without which an operation can do: a buffer that only makes it faster, the drain before a
 * save gives back what it no longer needs, RUNNING of a domain that already runs here.
 */
static bool is_harmless(const struct bench *b)
{
	return strstr(points_failed(), "alloc") || strcmp(points_failed(), "draining") == 0 ||
	       (b->moved && strstr(points_failed(), "a write: ")) || b->survives;
}

void bench_run(struct bench *b, const struct scenario *s, unsigned number)
{
	int fds;

	b->why[0] = '\0';
	b->moved = b->survives = false;
	b->err = (struct gw_error)GW_ERROR_INIT;
	/* The test keeps only so much of what a guest prints. */
	if (!b->source.f || (b->source.guest && guest_console_len(b->source.guest) > 30000)) {
		place_free(&b->source);
		b->source = place_source(b->emu);
	}
	fds = count_fds();
	points_start(number);
	s->run(b, number);
	if (b->source.f && count_fds() != fds)
		broken(b, "%d descriptors before, %d after", fds, count_fds());
	if (files_in(b->dir) != 0)
		broken(b, "%u files are left", files_in(b->dir));
	if (b->failed && (b->err.code == GW_OK || !b->err.text[0]))
		broken(b, "it fails without a message");
	if (!b->failed && points_failed()[0] && !is_harmless(b))
		broken(b, "it succeeds although %s fails", points_failed());
	if (b->failed && !points_failed()[0])
		broken(b, "it fails without a fault: %s", b->err.text);
}
