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
	if (kind == GW_KIND_FILE) {
		fputs("compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")",
		      to);
	} else if (kind == GW_KIND_DOMAIN) {
		fputs("_godwit_words \"$(\"${words[0]}\" list 2>/dev/null | sed '1d; s/ .*//')\"",
		      to);
	} else if (words) {
		fputs(kind == GW_KIND_LIST ? "_godwit_list \"" : "_godwit_words \"", to);
		choices(to, words, ' ');
		fputc('"', to);
	} else {
		fputc(':', to);
	}
}

/* "verify:--level" for each option that takes a value, with | between them. */
static void bash_value_options(FILE *to, const char *verb, const struct gw_option *list)
{
	for (const struct gw_option *o = list; o && o->name; o++) {
		if (o->kind == GW_KIND_FLAG || !o->help)
			continue;
		fprintf(to, "|%s:--%s", verb, o->name);
		if (o->letter)
			fprintf(to, "|%s:-%c", verb, o->letter);
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

static void bash_options_of(FILE *to, const struct gw_verb *verb)
{
	fprintf(to, "\t%s:*) _godwit_words \"", verb->name);
	option_names(to, verb->options);
	option_names(to, gw_global_options);
	fputs("\" ;;\n", to);
}

/* "save:0) ... ;;" for each positional argument. */
static void bash_positionals(FILE *to, const struct gw_verb *verb)
{
	int at = 0;

	if (!strcmp(verb->name, "help")) {
		fputs("\thelp:0) _godwit_words \"", to);
		verb_names(to);
		fputs("\" ;;\n", to);
		return;
	}
	for (const struct gw_positional *p = verb->positionals; p && p->name; p++) {
		if (p->many)
			fprintf(to, "\t%s:*) ", verb->name);
		else
			fprintf(to, "\t%s:%d) ", verb->name, at++);
		bash_values(to, p->kind, p->choices);
		fputs(" ;;\n", to);
	}
}

/* The line is split at white space: bash itself also splits "emu:" and "--name=value", and replaces
 * only the part after the last of these characters. */
static void bash_head(FILE *to)
{
	fputs("# Completion of godwit for bash, made by the build.\n"
	      "_godwit_words()\n{\n"
	      "\tlocal before=\n"
	      "\t[[ $cur == *:* ]] && before=${cur%\"${cur##*:}\"}\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
	      "\tCOMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n}\n"
	      "_godwit_list()\n{\n"
	      "\tlocal before=\n"
	      "\t[[ $cur == *,* ]] && before=${cur%,*},\n"
	      "\tmapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$1\" -- \"${cur##*,}\")\n}\n"
	      "_godwit()\n{\n"
	      "\tlocal line=${COMP_LINE:0:COMP_POINT} words cur prev= verb= n=0 i\n"
	      "\tread -ra words <<<\"$line\"\n"
	      "\t[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
	      "\tcur=${words[-1]}\n"
	      "\t((${#words[@]} > 1)) && prev=${words[-2]}\n"
	      "\t[[ $cur == --*=* ]] && prev=${cur%%=*} cur=${cur#*=}\n"
	      "\tCOMPREPLY=()\n"
	      "\tfor ((i = 1; i < ${#words[@]} - 1; i++)); do\n"
	      "\t\tcase $verb:${words[i]} in\n"
	      "\t\t-",
	      to);
	for (size_t i = 0; i < gw_nr_verbs; i++)
		bash_value_options(to, gw_verbs[i]->name, gw_verbs[i]->options);
	bash_value_options(to, "*", gw_global_options);
	fputs(") ((i++)) ;;\n"
	      "\t\t*:-*) ;;\n"
	      "\t\t:*) verb=${words[i]} ;;\n"
	      "\t\t*) ((n++)) ;;\n"
	      "\t\tesac\n"
	      "\tdone\n",
	      to);
}

void gw_completion_bash(FILE *to)
{
	bash_head(to);
	fputs("\tcase $verb:$prev in\n", to);
	for (size_t i = 0; i < gw_nr_verbs; i++)
		bash_option_values(to, gw_verbs[i]->name, gw_verbs[i]->options);
	bash_option_values(to, "*", gw_global_options);
	fputs("\tesac\n\tif [[ -z $verb ]]; then\n\t\t_godwit_words \"", to);
	verb_names(to);
	option_names(to, gw_global_options);
	fputs("\"\n\telif [[ $cur == -* ]]; then case $verb:$n in\n", to);
	for (size_t i = 0; i < gw_nr_verbs; i++) {
		if (gw_verbs[i]->group != GW_GROUP_HIDDEN)
			bash_options_of(to, gw_verbs[i]);
	}
	fputs("\tesac\n\telse case $verb:$n in\n", to);
	for (size_t i = 0; i < gw_nr_verbs; i++) {
		if (gw_verbs[i]->group != GW_GROUP_HIDDEN)
			bash_positionals(to, gw_verbs[i]);
	}
	fputs("\tesac\n\tfi\n}\ncomplete -F _godwit godwit\n", to);
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

/* "(emu\\: xen\\:)" */
static void zsh_words(FILE *to, const char *words)
{
	fputc('(', to);
	for (; *words; words++)
		if (*words == ':')
			fputs("\\:", to);
		else
			fputc(*words == '|' ? ' ' : *words, to);
	fputc(')', to);
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
	} else if (kind == GW_KIND_DOMAIN) {
		fputs("_godwit_domains", to);
	} else if (kind == GW_KIND_LIST && words) {
		fputs("_values -s , word ", to);
		choices(to, words, ' ');
	} else if (words) {
		zsh_words(to, words);
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
	      "_godwit_domains()\n{\n"
	      "\tlocal -a domains=(${(f)\"$(godwit list 2>/dev/null | sed '1d; s/ .*//')\"})\n"
	      "\t_describe domain domains\n}\n"
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
