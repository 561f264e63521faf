/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit resume.
 */
#include "cli/domain.h"
#include "cli/xl.h"

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	int status = GW_EXIT_OK;
	json_t *request = json_pack("{s:s, s:b}", "request", "resume", "claim",
				    gw_args_flag(args, "claim") > 0);

	gw_domain_ask(cli, gw_args_positional(args, 0), request, NULL, &status);
	return status;
}

const struct gw_verb gw_verb_resume = {
	.name = "resume",
	.group = GW_GROUP_DOMAINS,
	.summary = "resume a paused domain",
	.description =
		"Resumes a domain that was paused, or started with --paused.\n\n"
		"If the connection of a migration fails during the handover, both copies stay paused, "
		"because neither side can know which of them may run. --claim resumes this copy: make "
		"sure first that the other one is gone, or is listed as undecided and is never claimed.",
	.options =
		(const struct gw_option[]){
			{"claim", 0, GW_KIND_FLAG,
			 .help = "make this side's copy the domain after a failed handover"},
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit resume g1", "Resumes g1."},
			{0},
		},
	.run = run,
	.run_xen = gw_xl_verb_resume,
};
