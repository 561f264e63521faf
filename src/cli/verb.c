/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The global options, suggestions for a mistyped name, and failures of verbs.
 */
#include "cli/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

const struct gw_option gw_global_options[] = {
	{"connect", 'c', GW_KIND_TEXT, "URI",
	 "the hypervisor: emu: is the built-in machine (the default), kvm: the KVM of this host, xen: the Xen of this "
	 "host, with the domains of xl, memory: holds a restored domain and runs none; a verb that cannot "
	 "honour it refuses it",
	 .choices = "emu:|kvm:|memory:|xen:"},
	{"verbose", 'v', GW_KIND_FLAG,
	 .help = "print more on stderr; give it twice for everything"},
	{"quiet", 'q', GW_KIND_FLAG,
	 .help = "print only errors on stderr, and no summary of what was done on stdout"},
	{"progress", 0, GW_KIND_CHOICE, .choices = "auto|never|json",
	 .help = "progress of long work on stderr: one line on a terminal (auto, the default), none (never), or one JSON object per line (json); docs/control.md has its members"},
	{"help", 'h', GW_KIND_FLAG, .help = "show this help"},
	{"version", 0, GW_KIND_FLAG, .help = "show godwit's version"},
	{0},
};

const char *gw_group_title(enum gw_group group)
{
	static const char *const titles[] = {
		[GW_GROUP_IMAGES] = "Stored images",
		[GW_GROUP_DOMAINS] = "Domains of this host",
		[GW_GROUP_MOVING] = "Saving and moving domains",
		[GW_GROUP_QEMU] = "QEMU streams",
		[GW_GROUP_OTHER] = "Other",
		[GW_GROUP_HIDDEN] = "",
	};

	return titles[group];
}

#define LONGEST_NAME 31

/* The edit distance: letters added, removed, changed or swapped with a neighbour. */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[LONGEST_NAME + 1][LONGEST_NAME + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > LONGEST_NAME || lb > LONGEST_NAME)
		return ~0u;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = GW_MIN(best, d[i - 1][j] + 1);
			best = GW_MIN(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = GW_MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[la][lb];
}

/* A word with more than a third of its letters wrong is another word. */
void gw_name_consider(const char *typed, const char *name, const char **best,
		      unsigned *best_distance)
{
	unsigned d = distance(typed, name);

	if (d <= GW_MAX(strlen(name), (size_t)3) / 3 && d < *best_distance) {
		*best = name;
		*best_distance = d;
	}
}

const char *gw_option_suggest(const struct gw_verb *verb, const char *name)
{
	const struct gw_option *lists[] = {verb ? verb->options : NULL, gw_global_options};
	const char *best = NULL;
	unsigned best_distance = ~0u;

	for (size_t i = 0; i < GW_ARRAY_SIZE(lists); i++) {
		for (const struct gw_option *o = lists[i]; o && o->name; o++) {
			if (o->help)
				gw_name_consider(name, o->name, &best, &best_distance);
		}
	}
	return best;
}

static void print_reasons(struct gw_cli *cli, const struct gw_error *err)
{
	char more[40];

	for (unsigned i = 0; i < err->nr_reasons; i++)
		gw_output_error(&cli->out, gw_error_reason(err, i));
	if (err->reasons_left_out == 0)
		return;
	snprintf(more, sizeof(more), "and %u more", err->reasons_left_out);
	gw_output_error(&cli->out, more);
}

int gw_cli_fail(struct gw_cli *cli, const struct gw_error *err)
{
	gw_output_error(&cli->out, err->text);
	print_reasons(cli, err);
	switch (err->code) {
	case GW_INVALID:
	case GW_TRUNCATED:
	case GW_REFUSED:
		return GW_EXIT_BAD;
	case GW_USAGE:
		return GW_EXIT_USAGE;
	case GW_CANCELLED:
		return GW_EXIT_CANCELLED;
	default:
		return GW_EXIT_FAILED;
	}
}

int gw_cli_error(struct gw_cli *cli, enum gw_exit status, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gw_output_error(&cli->out, text);
	return (int)status;
}
