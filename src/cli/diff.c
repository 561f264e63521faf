/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit diff: compares two stored domains. diff/text.c and diff/json.c print the result.
 */
#include "cli/diff/diff.h"

#include <string.h>

#include "cli/args.h"
#include "cli/input.h"
#include "cli/like.h"

static int compare(struct gw_diff_run *run, const struct gw_diff_input *a,
		   const struct gw_diff_input *b)
{
	const struct gw_observer observer = {
		.owner = &run->cli->out,
		.progress = gw_output_progress,
		.log = run->cli->out.log,
	};
	struct gw_diff_sink sink = run->json ? gw_diff_json : gw_diff_text;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_comparison found;
	int rc;

	sink.opaque = run;
	sink.page_details = run->details;
	if (run->json)
		gw_diff_json_begin(run);
	rc = gw_diff(a, b, &sink, &observer, &found, &err);
	gw_output_erase(&run->cli->out);
	if (run->json)
		gw_diff_json_end(run, &found, rc < 0 ? err.text : NULL);
	if (rc < 0)
		return gw_cli_fail(run->cli, &err);
	if (!run->json)
		gw_diff_text_end(run, &found);
	return gw_diff_is_equal(&found) ? GW_EXIT_OK : GW_EXIT_BAD;
}

static int open_image(struct gw_cli *cli, const char *path, struct gw_diff_input *image,
		      struct gw_xend *xend, struct gw_error *err)
{
	image->in = gw_cli_open_current(cli, path, xend, err);
	if (xend->has_header)
		image->xend = xend;
	return image->in ? 0 : -1;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_diff_run run = {
		.cli = cli,
		.file_a = gw_args_positional(args, 0),
		.file_b = gw_args_positional(args, 1),
		.json = gw_args_flag(args, "json"),
		.all = gw_args_flag(args, "all"),
		.details = gw_args_flag(args, "pages"),
	};
	struct gw_xend xend_a = {0}, xend_b = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_diff_input a = {0}, b = {0};
	struct gw_savevm_stream like = {0};
	int status;

	if (strcmp(run.file_a, "-") == 0 && strcmp(run.file_b, "-") == 0)
		return gw_cli_error(cli, GW_EXIT_USAGE, "A and B cannot both be standard input");
	a.like = b.like = gw_cli_like(cli, args, &like, &err);
	if (err.code || open_image(cli, run.file_a, &a, &xend_a, &err) < 0 ||
	    open_image(cli, run.file_b, &b, &xend_b, &err) < 0)
		status = gw_cli_fail(cli, &err);
	else
		status = compare(&run, &a, &b);
	gw_channel_close(a.in);
	gw_channel_close(b.in);
	gw_savevm_stream_free(&like);
	gw_xend_free(&xend_a);
	gw_xend_free(&xend_b);
	return status;
}

const struct gw_verb gw_verb_diff = {
	.name = "diff",
	.group = GW_GROUP_IMAGES,
	.summary = "compare the domains in two images",
	.description =
		"Compares the domains that a restore of A and of B would create: pages, the CPU policy, "
		"HVM parameters, vCPU and platform state field by field, the TSC, shared info and P2M of "
		"a PV guest, the config, the device model's state and its xenstore keys. Each difference "
		"is one line; fields have the names that inspect uses.\n\n"
		"The encoding of an image is no difference: its version, the order of its records, pages "
		"sent more than once, and the layers around it, apart from the config and device model "
		"state that they carry. An image with checkpoints (Remus, COLO) counts as its last "
		"complete checkpoint. An image in which verify finds errors is refused.\n\n"
		"Two streams of QEMU, alone or in files of \"virsh save\", are compared by the machine type, "
		"the RAM blocks and the devices' sections field by field.\n\n"
		"Page contents are compared byte for byte. If A or B is compressed or a pipe, its page "
		"contents wait in an unlinked file in $TMPDIR or /var/tmp.",
	.options =
		(const struct gw_option[]){
			{"json", 'j', GW_KIND_FLAG,
			 .help = "write one JSON object with all differences"},
			GW_OPTION_LIKE,
			{"all", 'a', GW_KIND_FLAG,
			 .help = "list all runs of differing pages, not only the first"},
			{"pages", 'p', GW_KIND_FLAG,
			 .help = "list every page whose contents differ, with its first differing byte and their number"},
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"A", GW_KIND_FILE,
			 "an image; \"-\" is standard input; zstd, xz and gzip are decompressed"},
			{"B", GW_KIND_FILE,
			 "another image, likewise; only one of them may be \"-\""},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit diff before.save after.save",
			 "Shows what changed in the domain between two \"xl save -c\"."},
			{"godwit diff --json a.save b.save.zst | jq .pages",
			 "Prints how many pages differ, and how."},
			{0},
		},
	.bad = "The images differ, or one of them breaks a rule of level error",
	.connects = GW_CONNECTS_NOTHING,
	.json = "inspect-json.md",
	.run = run,
};
