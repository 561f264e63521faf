/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit destroy.
 */
#include "cli/domain.h"

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	int status = GW_EXIT_OK;

	gw_domain_ask(cli, gw_args_positional(args, 0), json_pack("{s:s}", "request", "destroy"),
		      NULL, &status);
	return status;
}

const struct gw_verb gw_verb_destroy = {
	.name = "destroy",
	.group = GW_GROUP_DOMAINS,
	.summary = "end a domain at once",
	.description =
		"Ends the domain and its process, as pulling the plug would. A running save or migration is cancelled first; one that is just handing the domain over cannot be, and the domain is then not destroyed. After a handover that broke it gives this side's copy up.",
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit destroy g1", "Ends g1."},
			{0},
		},
	.run = run,
};
