/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A parsed command line: the values of a verb's options and its positional arguments,
 * already checked against the verb's table. Options are looked up by their long name.
 */
#ifndef GW_CLI_ARGS_H
#define GW_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "cli/verb.h"

struct gw_value {
	const struct gw_option *option;
	const char *text; /* NULL for flags */
	uint64_t number;  /* GW_KIND_NUMBER and GW_KIND_SIZE */
};

/* Zeroed is empty. The texts are those of argv. */
struct gw_args {
	const struct gw_verb *verb;
	struct gw_value *values; /* in the order given */
	size_t nr_values;
	const char **positionals;
	size_t nr_positionals;
};

/*
 * Takes the global options before the verb. Returns how many of argv[0..argc-1] they are, so that
 * argv[result] is the verb's name if result < argc; or -1 with GW_USAGE.
 */
int gw_args_globals(struct gw_args *args, int argc, char **argv, struct gw_error *err);

/* Parses the arguments after the verb's name: its options, global options and positionals, in any
 * order. 0, or -1 with GW_USAGE. */
int gw_args_parse(struct gw_args *args, const struct gw_verb *verb, int argc, char **argv,
		  struct gw_error *err);

/* The number of positionals fits, and so do their choices. 0, or -1 with GW_USAGE. */
int gw_args_check(const struct gw_args *args, struct gw_error *err);

void gw_args_free(struct gw_args *args);

/* The verb has this option. The functions below abort for one that it does not have. */
bool gw_args_takes(const struct gw_args *args, const char *name);
/*
 * Values, by long name. A name that neither the verb nor the global options have is a mistake
 * of the program: it aborts. When an option was given more than once the last one counts.
 */
unsigned gw_args_flag(const struct gw_args *args, const char *name);	/* how often it was given */
const char *gw_args_text(const struct gw_args *args, const char *name); /* NULL: not given */
uint64_t gw_args_number(const struct gw_args *args, const char *name, uint64_t otherwise);
/* The value of an option of kind NUMBER or SIZE that stands elsewhere. 0, or -1 with GW_USAGE. */
int gw_setting_number(const struct gw_option *option, const char *text, uint64_t *number,
		      struct gw_error *err);

/* Positional number i, NULL if there are fewer. */
const char *gw_args_positional(const struct gw_args *args, size_t i);

#endif
