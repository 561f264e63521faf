/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit restore: starts a domain from a saved image.
 */
#include "cli/domain.h"
#include "cli/xl.h"

static struct gw_channel *open_image(struct gw_cli *cli, const char *path, struct gw_error *err)
{
	struct gw_channel *ch = gw_channel_open(path, err);

	if (!ch)
		return NULL;
	gw_channel_set_cancel(ch, cli->cancel);
	return gw_channel_decompress(ch, err);
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_domain_verb dv = GW_DOMAIN_VERB_INIT(cli);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_process_args pa;
	struct gw_process *p;
	struct gw_channel *in;
	int status;

	if (gw_domain_verb_accept(&dv, args, &err) < 0)
		return gw_cli_fail(cli, &err);
	dv.own_log = gw_args_flag(args, "detach") > 0;
	if (dv.own_log && gw_background_split(cli, &dv.bg, &status))
		return status;
	dv.input = gw_args_positional(args, 0);
	in = open_image(cli, dv.input, &err);
	if (!in)
		return gw_cli_fail(cli, &err);
	gw_domain_verb_args(&dv, gw_args_text(args, "name"), gw_args_flag(args, "paused") > 0,
			    !dv.own_log, &pa);
	pa.console_raw = gw_args_flag(args, "raw") > 0;
	pa.new_genid = gw_args_flag(args, "new-genid") > 0;
	p = gw_process_new(&pa, &err);
	if (!p)
		gw_channel_close(in);
	if (!p || gw_process_restore(p, in, &err) < 0) {
		gw_process_free(p);
		gw_domain_name_input(&dv, &err);
		return gw_cli_fail(cli, &err);
	}
	return gw_domain_verb_run(&dv, p);
}

const struct gw_verb gw_verb_restore = {
	.name = "restore",
	.group = GW_GROUP_MOVING,
	.summary = "start a domain from a saved image",
	.description =
		"Restores the domain saved in FILE by \"godwit save\" or \"xl save\", and resumes it where it "
		"was suspended. FILE may be compressed (zstd, xz, gzip). A bare libxl stream or libxc "
		"image needs --name. An image of Xen 4.5 or older is converted while it is read "
		"(godwit-convert(1)). From a file of \"xm save\" the domain gets the name, uuid, memory and "
		"vCPUs of xend's config, but no devices.\n\n"
		"A guest of type hvm may have a VM generation id, by which it notices that it is a copy of its "
		"past. It keeps the id when the image is restored for the first time, as in a migration. "
		"Whenever an image is restored that was restored before in this runtime folder, the guest gets "
		"a new id, in its memory and its config, and a warning says so and names the uuid that "
		"both copies have. An image is recognised by its state, not by its file. The folder is "
		"usually empty after a reboot; --new-genid gives a new id in any case, and refuses a guest that "
		"has none.\n\n"
		"Console output goes to standard output, and the command ends when the domain does, as "
		"with \"godwit run\".\n\n"
		"With \"-c xen:\" libxl creates the domain, which is xl's from then on; the command ends when "
		"it runs. The CPU policy, the memory and the name are checked before.",
	.options =
		(const struct gw_option[]){
			{"name", 'n', GW_KIND_TEXT, "NAME",
			 "name the domain NAME, instead of the name it was saved with"},
			{"detach", 'd', GW_KIND_FLAG,
			 .help = "go to the background when the domain runs, and print its name"},
			{"paused", 0, GW_KIND_FLAG,
			 .help = "leave the domain paused until \"godwit resume\""},
			GW_OPTION_RAW,
			{"new-genid", 0, GW_KIND_FLAG,
			 .help = "give the guest a new VM generation id, also the first time"},
			GW_OPTION_ACCEPT,
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"FILE", GW_KIND_FILE, "the image; \"-\" is standard input"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit restore -d g1.save", "Restores a domain in the background."},
			{0},
		},
	.bad = "the image cannot be restored: it breaks a rule, is truncated, is of a generation that this host does not accept, or has no VM generation id for --new-genid",
	.connects = GW_CONNECTS_CREATES,
	.run = run,
	.run_xen = gw_xl_verb_restore,
};
