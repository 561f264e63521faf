/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The godwit command: finds the verb, reads its command line, runs it. It does not know the verbs.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/standard.h"
#include "cli/args.h"
#include "cli/connect.h"
#include "cli/interrupt.h"
#include "cli/help/usage.h"
#include "cli/title.h"
#include "cli/verb.h"
#include "config.h"

static int usage_error(struct gw_cli *cli, const struct gw_error *err)
{
	int status = gw_cli_fail(cli, err);

	if (status == GW_EXIT_USAGE)
		fprintf(stderr, "Try \"godwit %s%s--help\".\n", cli->verb ? cli->verb->name : "",
			cli->verb ? " " : "");
	return status;
}

static int unknown_verb(struct gw_cli *cli, const char *name)
{
	const char *near = gw_verb_suggest(name);
	struct gw_error err = GW_ERROR_INIT;

	if (near)
		gw_fail(&err, GW_USAGE, "there is no verb \"%s\"; did you mean \"%s\"?", name,
			near);
	else
		gw_fail(&err, GW_USAGE, "there is no verb \"%s\"", name);
	return usage_error(cli, &err);
}

static void apply_globals(struct gw_cli *cli, const struct gw_args *args)
{
	const char *connect = gw_args_text(args, "connect");
	const char *progress = gw_args_text(args, "progress");
	enum gw_progress_mode mode = GW_PROGRESS_AUTO;

	if (progress && !strcmp(progress, "never"))
		mode = GW_PROGRESS_NEVER;
	else if (progress && !strcmp(progress, "json"))
		mode = GW_PROGRESS_JSON;
	cli->connect = connect ? connect : "emu:";
	cli->connect_given = connect;
	cli->verbose = gw_args_flag(args, "verbose");
	cli->quiet = gw_args_flag(args, "quiet");
	gw_output_set(&cli->out, mode, cli->quiet, cli->verbose);
}

/* Handles --help and --version, before or after the verb. True if one was given. */
static bool answer(const struct gw_cli *cli, const struct gw_args *args)
{
	if (gw_args_flag(args, "version"))
		printf("godwit %s\n", GW_VERSION);
	else if (gw_args_flag(args, "help") && cli->verb)
		gw_usage_verb(stdout, cli->verb);
	else if (gw_args_flag(args, "help"))
		gw_usage_overview(stdout);
	else
		return false;
	return true;
}

static int run_verb(struct gw_cli *cli, struct gw_args *args, int argc, char **argv)
{
	struct gw_error err = GW_ERROR_INIT;

	cli->out.verb = cli->verb->name;
	if (gw_args_parse(args, cli->verb, argc, argv, &err) < 0)
		return usage_error(cli, &err);
	if (answer(cli, args))
		return GW_EXIT_OK;
	if (gw_args_check(args, &err) < 0)
		return usage_error(cli, &err);
	apply_globals(cli, args);
	if (cli->connect_given && gw_connect_check(cli->verb, cli->connect, &err) < 0)
		return gw_cli_fail(cli, &err);
	cli->cancel = gw_cancel_new(&err);
	if (!cli->cancel || gw_interrupt_start(cli->cancel, &err) < 0)
		return gw_cli_fail(cli, &err);
	if (cli->verb->run_xen && gw_connect_is(cli, "xen"))
		return cli->verb->run_xen(cli, args);
	return cli->verb->run(cli, args);
}

static int dispatch(struct gw_cli *cli, struct gw_args *args, int argc, char **argv)
{
	struct gw_error err = GW_ERROR_INIT;
	int first = gw_args_globals(args, argc, argv, &err);

	if (first < 0)
		return usage_error(cli, &err);
	if (first == argc && answer(cli, args))
		return GW_EXIT_OK;
	if (first == argc) {
		gw_usage_overview(stderr);
		return GW_EXIT_USAGE;
	}
	cli->verb = gw_verb_find(argv[first]);
	if (!cli->verb)
		return unknown_verb(cli, argv[first]);
	return run_verb(cli, args, argc - first - 1, argv + first + 1);
}

/* A request of migrate has the keys of the sender: no copy of them stays in freed memory. */
static void wipe_and_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

int main(int argc, char **argv)
{
	struct gw_cli cli = {0};
	struct gw_args args = {0};
	struct gw_error err = GW_ERROR_INIT;
	int status;

	gw_standard_occupy(GW_EXIT_FAILED);
	gw_title_init(argc, argv);
	json_set_alloc_funcs(malloc, wipe_and_free);
	/* A closed reader is a failed write, with a message and a status. */
	signal(SIGPIPE, SIG_IGN);
	/* So is a file that may grow no more (EFBIG): the process may hold a running guest. */
	signal(SIGXFSZ, SIG_IGN);
	gw_output_init(&cli.out);
	status = dispatch(&cli, &args, argc - 1, argv + 1);
	if (gw_output_finish(&cli.out, &err) < 0)
		status = gw_cli_fail(&cli, &err);
	gw_args_free(&args);
	return status;
}
