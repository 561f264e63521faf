/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit pause.
 */
#include "cli/domain.h"
#include "cli/xl.h"

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	int status = GW_EXIT_OK;

	gw_domain_ask(cli, gw_args_positional(args, 0), json_pack("{s:s}", "request", "pause"),
		      NULL, &status);
	return status;
}

const struct gw_verb gw_verb_pause = {
	.name = "pause",
	.group = GW_GROUP_DOMAINS,
	.summary = "pause a domain",
	.description =
		"Pauses all vCPUs of the domain until \"godwit resume\". The guest does not notice.",
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit pause g1", "Pauses g1."},
			{0},
		},
	.run = run,
	.run_xen = gw_xl_verb_pause,
};
