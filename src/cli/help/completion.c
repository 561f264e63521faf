/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes completions for bash (no library needed) and zsh (_arguments).
 */
#include "cli/help/completion.h"

#include <string.h>

#include "cli/help/usage.h"
#include "cli/verb.h"

static void choices(FILE *to, const char *list, char separator)
{
	for (; *list; list++)
		fputc(*list == '|' ? separator : *list, to);
}

static void verb_names(FILE *to)
{
	const char *space = "";

	for (size_t i = 0; i < gw_nr_verbs; i++) {
		if (gw_verbs[i]->group == GW_GROUP_HIDDEN)
			continue;
		fprintf(to, "%s%s", space, gw_verbs[i]->name);
		space = " ";
	}
}

static void option_names(FILE *to, const struct gw_option *list)
{
	for (; list && list->name; list++) {
		if (list->help)
			fprintf(to, " --%s", list->name);
	}
}

/* The bash command that offers the values of such an argument. */
static void bash_values(FILE *to, enum gw_kind kind, const char *words)
{
	if (kind == GW_KIND_CHOICE) {
		fputs("COMPREPLY=($(compgen -W \"", to);
		choices(to, words, ' ');
		fputs("\" -- \"$cur\"))", to);
	} else if (kind == GW_KIND_FILE) {
		fputs("compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")", to);
	} else {
		fputs(":", to);
	}
}

/* "verify:--level) ...; return ;;" for each option that takes a value. */
static void bash_option_values(FILE *to, const char *verb, const struct gw_option *list)
{
	for (const struct gw_option *o = list; o && o->name; o++) {
		if (o->kind == GW_KIND_FLAG || !o->help)
			continue;
		fprintf(to, "\t%s:--%s", verb, o->name);
		if (o->letter)
			fprintf(to, "|%s:-%c", verb, o->letter);
		fputs(") ", to);
		bash_values(to, o->kind, o->choices);
		fputs("; return ;;\n", to);
	}
}

static void bash_verb(FILE *to, const struct gw_verb *verb)
{
	const struct gw_positional *pos = verb->positionals;

	fprintf(to, "\t%s)\n\t\tif [[ $cur == -* ]]; then\n\t\t\tCOMPREPLY=($(compgen -W \"",
		verb->name);
	option_names(to, verb->options);
	option_names(to, gw_global_options);
	fputs("\" -- \"$cur\"))\n\t\telse\n\t\t\t", to);
	if (!strcmp(verb->name, "help")) {
		fputs("COMPREPLY=($(compgen -W \"", to);
		verb_names(to);
		fputs("\" -- \"$cur\"))", to);
	} else {
		/* Completes files if any positional is one, whichever the cursor is in. */
		while (pos && pos->name && pos[1].name && pos->kind != GW_KIND_FILE)
			pos++;
		bash_values(to, pos && pos->name ? pos->kind : GW_KIND_TEXT,
			    pos ? pos->choices : NULL);
	}
	fputs("\n\t\tfi ;;\n", to);
}

void gw_completion_bash(FILE *to)
{
	fputs("# Completion of godwit for bash, made by the build.\n"
	      "_godwit()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= i\n"
	      "\tCOMPREPLY=()\n"
	      "\t# bash takes --name=value for three words\n"
	      "\tif [[ $cur == = ]]; then cur=\n"
	      "\telif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t-c|--connect|--progress)\n"
	      "\t\t\t[[ ${COMP_WORDS[i+1]} == = ]] && ((i++)); ((i++)) ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tcase $verb:$prev in\n",
	      to);
	for (size_t i = 0; i < gw_nr_verbs; i++)
		bash_option_values(to, gw_verbs[i]->name, gw_verbs[i]->options);
	bash_option_values(to, "*", gw_global_options);
	fputs("\tesac\n\tcase $verb in\n\t\"\") COMPREPLY=($(compgen -W \"", to);
	verb_names(to);
	option_names(to, gw_global_options);
	fputs("\" -- \"$cur\")) ;;\n", to);
	for (size_t i = 0; i < gw_nr_verbs; i++) {
		if (gw_verbs[i]->group != GW_GROUP_HIDDEN)
			bash_verb(to, gw_verbs[i]);
	}
	fputs("\tesac\n}\ncomplete -F _godwit godwit\n", to);
}

/* Text inside single quotes in an _arguments specification. */
static void zsh_text(FILE *to, const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", to);
		else if (strchr("[]:\\", *s))
			fprintf(to, "\\%c", *s);
		else
			fputc(*s, to);
	}
}

static void zsh_values(FILE *to, const char *name, enum gw_kind kind, const char *words)
{
	fputc(':', to);
	zsh_text(to, name);
	fputc(':', to);
	if (kind == GW_KIND_CHOICE) {
		fputc('(', to);
		choices(to, words, ' ');
		fputc(')', to);
	} else if (kind == GW_KIND_FILE) {
		fputs("_files", to);
	}
}

static void zsh_options(FILE *to, const struct gw_option *list)
{
	for (const struct gw_option *o = list; o && o->name; o++) {
		if (!o->help)
			continue;
		for (int is_short = 0; is_short <= (o->letter ? 1 : 0); is_short++) {
			fputs(" \\\n\t\t'", to);
			if (is_short)
				fprintf(to, "-%c%s", o->letter, o->kind == GW_KIND_FLAG ? "" : "+");
			else
				fprintf(to, "--%s%s", o->name, o->kind == GW_KIND_FLAG ? "" : "=");
			fputc('[', to);
			zsh_text(to, o->help);
			fputc(']', to);
			if (o->kind != GW_KIND_FLAG)
				zsh_values(to, gw_option_argument(o), o->kind, o->choices);
			fputc('\'', to);
		}
	}
}

static void zsh_verb(FILE *to, const struct gw_verb *verb)
{
	fprintf(to, "\t%s)\n\t\t_arguments -s", verb->name);
	zsh_options(to, verb->options);
	zsh_options(to, gw_global_options);
	for (const struct gw_positional *p = verb->positionals; p && p->name; p++) {
		fprintf(to, " \\\n\t\t'%s", p->many ? "*" : p->optional ? ":" : "");
		zsh_values(to, p->name, p->kind, p->choices);
		fputc('\'', to);
	}
	fputs(" ;;\n", to);
}

void gw_completion_zsh(FILE *to)
{
	fputs("#compdef godwit\n# Completion of godwit for zsh, made by the build.\n"
	      "_godwit_verbs()\n{\n\tlocal -a verbs=(",
	      to);
	for (size_t i = 0; i < gw_nr_verbs; i++) {
		if (gw_verbs[i]->group == GW_GROUP_HIDDEN)
			continue;
		fprintf(to, "\n\t\t'%s:", gw_verbs[i]->name);
		zsh_text(to, gw_verbs[i]->summary);
		fputc('\'', to);
	}
	fputs("\n\t)\n\t_describe verb verbs\n}\n"
	      "_godwit()\n{\n\tlocal state line\n\t_arguments -C -s",
	      to);
	zsh_options(to, gw_global_options);
	fputs(" \\\n\t\t':verb:_godwit_verbs' '*::argument:->verb'\n"
	      "\t[[ $state == verb ]] || return\n\tcase $line[1] in\n",
	      to);
	for (size_t i = 0; i < gw_nr_verbs; i++) {
		if (gw_verbs[i]->group != GW_GROUP_HIDDEN)
			zsh_verb(to, gw_verbs[i]);
	}
	fputs("\tesac\n}\n_godwit \"$@\"\n", to);
}
