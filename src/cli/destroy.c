/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit destroy.
 */
#include "cli/domain.h"
#include "cli/xl.h"

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
		"Destroys the domain and ends its process, like pulling the plug. A running save or "
		"migration is cancelled first. A migration that is handing the domain over cannot be "
		"cancelled; the domain is then not destroyed. After a failed handover this gives up this "
		"side's copy.",
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
	.run_xen = gw_xl_verb_destroy,
};
