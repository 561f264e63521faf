/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Formats help texts in the width of the terminal, at most 80 columns.
 */
#include "cli/help/usage.h"

#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/width.h"

#define WIDEST 80

/* A manual's width, or that of a narrower terminal. */
static int width(void)
{
	return GW_MIN(gw_terminal_width(STDOUT_FILENO), WIDEST);
}

/* Where the right column of a list begins: a narrow terminal has more room for the text. */
static int indent_of(int usual)
{
	return width() < WIDEST ? GW_MIN(usual, width() / 4) : usual;
}

/* Words from column on, continued at indent; paragraphs stay apart. Ends with a newline. */
static void wrap(FILE *to, const char *text, int column, int indent)
{
	while (*text) {
		int len = (int)strcspn(text, " \n");

		if (column > indent && column + 1 + len > width()) {
			fprintf(to, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', to);
			column++;
		}
		fprintf(to, "%.*s", len, text);
		column += len;
		text += len;
		if (!strncmp(text, "\n\n", 2)) {
			fprintf(to, "\n\n%*s", indent, "");
			column = indent;
		}
		text += strspn(text, " \n");
	}
	fputc('\n', to);
}

/* "  LEFT      right side, wrapped". */
static void entry(FILE *to, const char *left, const char *right, int indent)
{
	int n = fprintf(to, "  %s", left);

	indent = indent_of(indent);
	if (n + 2 > indent)
		fprintf(to, "\n%*s", indent, "");
	else
		fprintf(to, "%*s", indent - n, "");
	wrap(to, right, indent, indent);
}

const char *gw_option_argument(const struct gw_option *option)
{
	if (option->kind == GW_KIND_FLAG)
		return NULL;
	return option->kind == GW_KIND_CHOICE ? option->choices : option->arg;
}

static void options(FILE *to, const struct gw_option *list)
{
	for (const struct gw_option *o = list; o && o->name; o++) {
		const char *arg = gw_option_argument(o);
		char left[80];
		int n = 0;

		if (!o->help)
			continue;
		if (o->letter)
			n = snprintf(left, sizeof(left), "-%c, ", o->letter);
		else
			n = snprintf(left, sizeof(left), "    ");
		snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", o->name, arg ? "=" : "",
			 arg ? arg : "");
		entry(to, left, o->help, 28);
	}
}

static bool has_visible(const struct gw_option *list)
{
	for (; list && list->name; list++) {
		if (list->help)
			return true;
	}
	return false;
}

const char *gw_usage_synopsis(const struct gw_verb *verb, char *buf, size_t size)
{
	const struct gw_positional *pos = verb->positionals;
	size_t n = 0;

	if (verb->synopsis) {
		snprintf(buf, size, "%s", verb->synopsis);
		return buf;
	}
	buf[0] = 0;
	if (has_visible(verb->options))
		n = (size_t)snprintf(buf, size, " [OPTIONS]");
	for (; pos && pos->name && n < size; pos++)
		n += (size_t)snprintf(buf + n, size - n, pos->optional ? " [%s%s]" : " %s%s",
				      pos->kind == GW_KIND_CHOICE ? pos->choices : pos->name,
				      pos->many ? "..." : "");
	if (buf[0])
		memmove(buf, buf + 1, strlen(buf));
	return buf;
}

const char *gw_usage_json(const struct gw_verb *verb, char *buf, size_t size)
{
	snprintf(buf, size,
		 "The JSON is described in %s of godwit's documentation: docs/ of the source, "
		 "share/doc/godwit of an installation.",
		 verb->json);
	return buf;
}

void gw_usage_verb(FILE *to, const struct gw_verb *verb)
{
	char synopsis[400];

	fprintf(to, "Usage: godwit %s %s\n\n", verb->name,
		gw_usage_synopsis(verb, synopsis, sizeof(synopsis)));
	wrap(to, verb->description, 0, 0);
	if (verb->positionals) {
		fprintf(to, "\nArguments:\n");
		for (const struct gw_positional *p = verb->positionals; p->name; p++)
			entry(to, p->name, p->help, 28);
	}
	if (has_visible(verb->options)) {
		fprintf(to, "\nOptions:\n");
		options(to, verb->options);
	}
	fprintf(to, "\nGlobal options:\n");
	options(to, gw_global_options);
	if (verb->json) {
		fputc('\n', to);
		wrap(to, gw_usage_json(verb, synopsis, sizeof(synopsis)), 0, 0);
	}
	if (verb->examples) {
		fprintf(to, "\nExamples:\n");
		for (const struct gw_example *e = verb->examples; e->command; e++) {
			fprintf(to, "  %s\n      ", e->command);
			wrap(to, e->text, 6, 6);
		}
	}
}

void gw_usage_overview(FILE *to)
{
	fprintf(to, "Usage: godwit [GLOBAL OPTIONS] VERB ...\n\n");
	wrap(to,
	     "Saves, restores, migrates, verifies and explains virtual machines in the migration stream format of Xen.",
	     0, 0);
	for (int group = 0; group < GW_GROUP_HIDDEN; group++) {
		bool titled = false;

		for (size_t i = 0; i < gw_nr_verbs; i++) {
			if ((int)gw_verbs[i]->group != group)
				continue;
			if (!titled)
				fprintf(to, "\n%s:\n", gw_group_title((enum gw_group)group));
			titled = true;
			entry(to, gw_verbs[i]->name, gw_verbs[i]->summary, 14);
		}
	}
	fprintf(to, "\nGlobal options:\n");
	options(to, gw_global_options);
	fprintf(to, "\n\"godwit help VERB\" explains one verb.\n");
}
