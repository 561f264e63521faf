/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parser of the command line. Unlike getopt it works directly on the verbs' tables, has no
 * global state, accepts no abbreviations (they would break when an option is added), and suggests
 * the nearest option.
 */
#include "cli/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* One walk over an argument vector. */
struct parser {
	struct gw_args *args;
	const struct gw_verb *verb; /* NULL: before the verb */
	int argc, next;
	char **argv;
};

static const struct gw_option *find_in(const struct gw_option *options, const char *name,
				       size_t len, char letter)
{
	for (; options && options->name; options++) {
		if (letter ? options->letter == letter
			   : strlen(options->name) == len && !memcmp(options->name, name, len))
			return options;
	}
	return NULL;
}

static const struct gw_option *find_option(const struct gw_verb *verb, const char *name, size_t len,
					   char letter)
{
	const struct gw_option *option = NULL;

	if (verb)
		option = find_in(verb->options, name, len, letter);
	return option ? option : find_in(gw_global_options, name, len, letter);
}

/* True if word is one of the words of "a|b|c". */
static bool is_choice(const char *choices, const char *word)
{
	size_t len = strlen(word);

	for (const char *c = choices; *c;) {
		size_t n = strcspn(c, "|");

		if (n == len && !memcmp(c, word, n))
			return true;
		c += n;
		c += *c == '|';
	}
	return false;
}

static int size_shift(const char *suffix)
{
	static const char units[] = "KMGT";
	const char *unit = *suffix ? strchr(units, *suffix) : NULL;

	if (!*suffix)
		return 0;
	if (!unit || (suffix[1] && strcmp(suffix + 1, "iB")))
		return -1;
	return 10 * ((int)(unit - units) + 1);
}

static int parse_number(const struct gw_option *option, struct gw_value *value,
			struct gw_error *err)
{
	const char *what =
		option->kind == GW_KIND_SIZE ? "a size (bytes, or with K, M, G, T)" : "a number";
	int shift = 0;
	char *end;

	errno = 0;
	value->number = strtoull(value->text, &end, 0);
	/* strtoull takes "-1" and " 1". */
	if (value->text[0] < '0' || value->text[0] > '9' || errno)
		return gw_fail(err, GW_USAGE, "--%s takes %s, not \"%s\"", option->name, what,
			       value->text);
	if (option->kind == GW_KIND_SIZE)
		shift = size_shift(end);
	if (shift < 0 || (option->kind == GW_KIND_NUMBER && *end) ||
	    gw_mul_overflows(value->number, UINT64_C(1) << shift, &value->number))
		return gw_fail(err, GW_USAGE, "--%s takes %s, not \"%s\"", option->name, what,
			       value->text);
	if (value->number < option->min || (option->max && value->number > option->max)) {
		if (option->max)
			return gw_fail(err, GW_USAGE, "--%s takes %llu to %llu, not %s",
				       option->name, (unsigned long long)option->min,
				       (unsigned long long)option->max, value->text);
		return gw_fail(err, GW_USAGE, "--%s takes at least %llu, not %s", option->name,
			       (unsigned long long)option->min, value->text);
	}
	return 0;
}

int gw_setting_number(const struct gw_option *option, const char *text, uint64_t *number,
		      struct gw_error *err)
{
	struct gw_value value = {.option = option, .text = text};

	if (parse_number(option, &value, err) < 0)
		return -1;
	*number = value.number;
	return 0;
}

static int add_value(struct gw_args *args, const struct gw_option *option, const char *text,
		     struct gw_error *err)
{
	struct gw_value value = {.option = option, .text = text};
	struct gw_value *values;

	if ((option->kind == GW_KIND_NUMBER || option->kind == GW_KIND_SIZE) &&
	    parse_number(option, &value, err) < 0)
		return -1;
	if (option->kind == GW_KIND_CHOICE && !is_choice(option->choices, text))
		return gw_fail(err, GW_USAGE, "--%s takes one of %s, not \"%s\"", option->name,
			       option->choices, text);
	values = reallocarray(args->values, args->nr_values + 1, sizeof(*values));
	if (!values)
		return gw_fail_errno(err, "the command line");
	args->values = values;
	values[args->nr_values++] = value;
	return 0;
}

static int add_positional(struct gw_args *args, const char *text, struct gw_error *err)
{
	const char **list =
		reallocarray(args->positionals, args->nr_positionals + 1, sizeof(*list));

	if (!list)
		return gw_fail_errno(err, "the command line");
	args->positionals = list;
	list[args->nr_positionals++] = text;
	return 0;
}

static int unknown_option(const struct gw_verb *verb, const char *name, struct gw_error *err)
{
	const char *near = gw_option_suggest(verb, name);

	if (near)
		return gw_fail(err, GW_USAGE, "there is no option --%s; did you mean --%s?", name,
			       near);
	return gw_fail(err, GW_USAGE, "there is no option --%s", name);
}

static int long_option(struct parser *p, const char *arg, struct gw_error *err)
{
	const char *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
	const struct gw_option *option = find_option(p->verb, arg, len, 0);

	if (!option) {
		GW_FREE_ON_EXIT char *name = strndup(arg, len);

		return unknown_option(p->verb, name ? name : "", err);
	}
	if (option->kind == GW_KIND_FLAG) {
		if (equals)
			return gw_fail(err, GW_USAGE, "--%s takes no value", option->name);
		return add_value(p->args, option, NULL, err);
	}
	if (equals)
		return add_value(p->args, option, equals + 1, err);
	if (p->next >= p->argc)
		return gw_fail(err, GW_USAGE, "--%s needs a value", option->name);
	return add_value(p->args, option, p->argv[p->next++], err);
}

/* "-vq", "-cemu:", "-c emu:". */
static int short_options(struct parser *p, const char *arg, struct gw_error *err)
{
	for (; *arg; arg++) {
		const struct gw_option *option = find_option(p->verb, NULL, 0, *arg);

		if (!option)
			return gw_fail(err, GW_USAGE, "there is no option -%c", *arg);
		if (option->kind == GW_KIND_FLAG) {
			if (add_value(p->args, option, NULL, err) < 0)
				return -1;
			continue;
		}
		if (arg[1])
			return add_value(p->args, option, arg + 1, err);
		if (p->next >= p->argc)
			return gw_fail(err, GW_USAGE, "-%c needs a value", *arg);
		return add_value(p->args, option, p->argv[p->next++], err);
	}
	return 0;
}

int gw_args_globals(struct gw_args *args, int argc, char **argv, struct gw_error *err)
{
	struct parser p = {.args = args, .argc = argc, .argv = argv};

	while (p.next < argc && argv[p.next][0] == '-' && argv[p.next][1]) {
		const char *arg = argv[p.next++];

		if ((arg[1] == '-' ? long_option(&p, arg + 2, err)
				   : short_options(&p, arg + 1, err)) < 0)
			return -1;
	}
	return p.next;
}

int gw_args_parse(struct gw_args *args, const struct gw_verb *verb, int argc, char **argv,
		  struct gw_error *err)
{
	struct parser p = {.args = args, .verb = verb, .argc = argc, .argv = argv};
	bool options_over = false;

	args->verb = verb;
	while (p.next < argc) {
		const char *arg = argv[p.next++];
		int rc;

		if (options_over || arg[0] != '-' || !arg[1])
			rc = add_positional(args, arg, err);
		else if (!strcmp(arg, "--"))
			options_over = true, rc = 0;
		else if (arg[1] == '-')
			rc = long_option(&p, arg + 2, err);
		else
			rc = short_options(&p, arg + 1, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int gw_args_check(const struct gw_args *args, struct gw_error *err)
{
	const struct gw_positional *pos = args->verb->positionals;
	size_t i = 0;

	for (; pos && pos->name; pos++) {
		if (i >= args->nr_positionals) {
			if (pos->optional)
				return 0;
			return gw_fail(err, GW_USAGE, "%s is missing", pos->name);
		}
		for (bool more = true; more && i < args->nr_positionals; more = pos->many) {
			const char *text = args->positionals[i++];

			if (pos->kind == GW_KIND_CHOICE && !is_choice(pos->choices, text))
				return gw_fail(err, GW_USAGE, "%s is one of %s, not \"%s\"",
					       pos->name, pos->choices, text);
			if (!*text)
				return gw_fail(err, GW_USAGE, "%s is empty", pos->name);
		}
	}
	if (i < args->nr_positionals)
		return gw_fail(err, GW_USAGE, "\"%s\" is one argument too many",
			       args->positionals[i]);
	return 0;
}

void gw_args_free(struct gw_args *args)
{
	free(args->values);
	free(args->positionals);
	*args = (struct gw_args){0};
}

bool gw_args_takes(const struct gw_args *args, const char *name)
{
	return find_option(args->verb, name, strlen(name), 0) != NULL;
}

/* The last value of the option, NULL if it was not given. */
static const struct gw_value *last_value(const struct gw_args *args, const char *name)
{
	const struct gw_option *option = find_option(args->verb, name, strlen(name), 0);

	if (!option)
		abort();
	for (size_t i = args->nr_values; i > 0; i--) {
		if (args->values[i - 1].option == option)
			return &args->values[i - 1];
	}
	return NULL;
}

unsigned gw_args_flag(const struct gw_args *args, const char *name)
{
	const struct gw_value *last = last_value(args, name);
	unsigned n = 0;

	for (size_t i = 0; last && i < args->nr_values; i++)
		n += args->values[i].option == last->option;
	return n;
}

const char *gw_args_text(const struct gw_args *args, const char *name)
{
	const struct gw_value *value = last_value(args, name);

	return value ? value->text : NULL;
}

uint64_t gw_args_number(const struct gw_args *args, const char *name, uint64_t otherwise)
{
	const struct gw_value *value = last_value(args, name);

	return value ? value->number : otherwise;
}

const char *gw_args_positional(const struct gw_args *args, size_t i)
{
	return i < args->nr_positionals ? args->positionals[i] : NULL;
}
