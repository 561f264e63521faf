/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes manual pages with the macros of man(7).
 */
#include "cli/help/manual.h"

#include <ctype.h>
#include <string.h>

#include "cli/help/usage.h"
#include "config.h"

/* Text of a page: dashes as they are typed, no line that a macro could begin, paragraphs apart. */
static void text(FILE *to, const char *s)
{
	bool line_start = true;

	for (; *s; s++) {
		if (!strncmp(s, "\n\n", 2)) {
			fputs("\n.PP\n", to);
			s++;
			line_start = true;
			continue;
		}
		if (line_start && (*s == '.' || *s == '\''))
			fputs("\\&", to);
		if (*s == '-')
			fputs("\\-", to);
		else if (*s == '\\')
			fputs("\\e", to);
		else if (*s == '~')
			fputs("\\(ti", to);
		else if (*s == '^')
			fputs("\\(ha", to);
		else
			fputc(*s, to);
		line_start = *s == '\n';
	}
}

static void line(FILE *to, const char *s)
{
	text(to, s);
	fputc('\n', to);
}

static void title(FILE *to, const char *name)
{
	fputs(".TH ", to);
	for (const char *c = name; *c; c++)
		fputc(toupper((unsigned char)*c), to);
	fprintf(to, " 1 \"\" \"godwit %s\" \"Godwit\"\n", GW_VERSION);
}

static void options(FILE *to, const struct gw_option *list)
{
	for (const struct gw_option *o = list; o && o->name; o++) {
		const char *arg = gw_option_argument(o);

		if (!o->help)
			continue;
		fputs(".TP\n", to);
		if (o->letter)
			fprintf(to, "\\fB\\-%c\\fR, ", o->letter);
		fputs("\\fB\\-\\-", to);
		text(to, o->name);
		fputs("\\fR", to);
		if (arg) {
			fputs("=\\fI", to);
			text(to, arg);
			fputs("\\fR", to);
		}
		fputc('\n', to);
		text(to, o->help);
		fputs(".\n", to);
	}
}

static void status(FILE *to, int number, const char *s)
{
	fprintf(to, ".TP\n\\fB%d\\fR\n", number);
	line(to, s);
}

static void exit_statuses(FILE *to, const char *bad)
{
	fputs(".SH EXIT STATUS\n", to);
	status(to, GW_EXIT_OK, "Done.");
	if (bad) {
		fprintf(to, ".TP\n\\fB%d\\fR\n", GW_EXIT_BAD);
		text(to, bad);
		fputs(".\n", to);
	}
	status(to, GW_EXIT_USAGE, "The command line is invalid.");
	status(to, GW_EXIT_FAILED,
	       "The operation failed. The message gives the state of the domain, if there is one.");
	status(to, GW_EXIT_CANCELLED,
	       "Cancelled with SIGINT, SIGTERM or SIGHUP. The domain runs on where it was.");
}

static void examples(FILE *to, const struct gw_example *list)
{
	if (!list)
		return;
	fputs(".SH EXAMPLES\n", to);
	for (const struct gw_example *e = list; e->command; e++) {
		fputs(".TP\n\\fB", to);
		text(to, e->command);
		fputs("\\fR\n", to);
		line(to, e->text);
	}
}

void gw_manual_verb(FILE *to, const struct gw_verb *verb)
{
	char buf[400];

	snprintf(buf, sizeof(buf), "godwit-%s", verb->name);
	title(to, buf);
	fputs(".SH NAME\n", to);
	text(to, buf);
	fputs(" \\- ", to);
	line(to, verb->summary);
	fprintf(to, ".SH SYNOPSIS\n\\fBgodwit %s\\fR ", verb->name);
	line(to, gw_usage_synopsis(verb, buf, sizeof(buf)));
	fputs(".SH DESCRIPTION\n", to);
	line(to, verb->description);
	for (const struct gw_positional *p = verb->positionals; p && p->name; p++) {
		fputs(".TP\n\\fI", to);
		text(to, p->name);
		fputs("\\fR\n", to);
		text(to, p->help);
		fputs(".\n", to);
	}
	fputs(".SH OPTIONS\n", to);
	options(to, verb->options);
	options(to, gw_global_options);
	if (verb->json) {
		fputs(".SH JSON\n", to);
		line(to, gw_usage_json(verb, buf, sizeof(buf)));
	}
	exit_statuses(to, verb->bad);
	examples(to, verb->examples);
	fputs(".SH SEE ALSO\n.BR godwit (1)\n", to);
}

void gw_manual_overview(FILE *to)
{
	title(to, "godwit");
	fputs(".SH NAME\n", to);
	line(to, "godwit - save, restore, migrate, verify and explain virtual machines");
	fputs(".SH SYNOPSIS\n\\fBgodwit\\fR [\\fIGLOBAL OPTIONS\\fR] \\fIVERB\\fR ...\n", to);
	fputs(".SH DESCRIPTION\n", to);
	line(to, "Godwit saves, restores, migrates, verifies and explains virtual machines in the "
		 "migration stream format of Xen: the files of \"xl save\" and the streams inside "
		 "them.\n\nResults go to standard output, everything else to standard "
		 "error. An input FILE may be \"-\", standard input, and zstd, xz and gzip are "
		 "detected and decompressed.");
	for (int group = 0; group < GW_GROUP_HIDDEN; group++) {
		bool titled = false;

		for (size_t i = 0; i < gw_nr_verbs; i++) {
			const struct gw_verb *verb = gw_verbs[i];

			if ((int)verb->group != group)
				continue;
			if (!titled)
				fprintf(to, ".SS %s\n", gw_group_title((enum gw_group)group));
			titled = true;
			fprintf(to, ".TP\n.BR godwit\\-%s (1)\n", verb->name);
			line(to, verb->summary);
		}
	}
	fputs(".SH OPTIONS\n", to);
	options(to, gw_global_options);
	exit_statuses(
		to,
		"A negative answer: the image breaks a rule, the preflight refuses, or the images differ");
	fputs(".SH SEE ALSO\n.BR xl (1)\n", to);
}
