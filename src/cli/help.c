/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit help: the help texts. The build calls it with its hidden options for the manual pages
 * and the shell completions.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/help/completion.h"
#include "cli/help/manual.h"
#include "cli/help/usage.h"
#include "cli/verb.h"

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	const char *name = gw_args_positional(args, 0);
	const char *shell = gw_args_text(args, "completion");
	const struct gw_verb *verb = name ? gw_verb_find(name) : NULL;

	if (name && !verb)
		return gw_cli_error(cli, GW_EXIT_USAGE, "there is no verb \"%s\"", name);
	if (shell && !strcmp(shell, "bash"))
		gw_completion_bash(stdout);
	else if (shell)
		gw_completion_zsh(stdout);
	else if (gw_args_flag(args, "man") && verb)
		gw_manual_verb(stdout, verb);
	else if (gw_args_flag(args, "man"))
		gw_manual_overview(stdout);
	else if (verb)
		gw_usage_verb(stdout, verb);
	else
		gw_usage_overview(stdout);
	return GW_EXIT_OK;
}

const struct gw_verb gw_verb_help = {
	.name = "help",
	.group = GW_GROUP_OTHER,
	.summary = "explain a verb and its options",
	.description =
		"Explains VERB with its arguments, options and examples. Without VERB it lists all verbs. "
		"\"godwit VERB --help\" does the same.",
	.options =
		(const struct gw_option[]){
			{"man", 0, GW_KIND_FLAG},
			{"completion", 0, GW_KIND_CHOICE, .choices = "bash|zsh"},
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"VERB", GW_KIND_TEXT, "the verb to explain", .optional = true},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit help verify", "Explains the verb verify."},
			{0},
		},
	.run = run,
};
