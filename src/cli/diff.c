/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit diff: what differs in two stored domains. How it is shown is in diff_text.c and
 * diff_json.c.
 */
#include "cli/diff/diff.h"

#include <string.h>

#include "cli/args.h"
#include "cli/input.h"
#include "examine/describe.h"

const char *gw_diff_type_name(unsigned type)
{
	const char *name = gw_page_type_name(type);

	return name ? name : "reserved";
}

static int compare(struct gw_diff_run *run, const struct gw_diff_input *a,
		   const struct gw_diff_input *b)
{
	const struct gw_toolstack ts = {
		.opaque = &run->cli->out,
		.progress = gw_output_progress,
		.log = run->cli->out.log,
	};
	struct gw_diff_sink sink = run->json ? gw_diff_json : gw_diff_text;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_diffed found;
	int rc;

	sink.opaque = run;
	sink.page_details = run->details;
	if (run->json)
		gw_diff_json_begin(run);
	rc = gw_diff(a, b, &sink, &ts, &found, &err);
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
	int status;

	if (strcmp(run.file_a, "-") == 0 && strcmp(run.file_b, "-") == 0)
		return gw_cli_say(cli, GW_EXIT_USAGE, "A and B cannot both be standard input");
	if (open_image(cli, run.file_a, &a, &xend_a, &err) < 0 ||
	    open_image(cli, run.file_b, &b, &xend_b, &err) < 0)
		status = gw_cli_fail(cli, &err);
	else
		status = compare(&run, &a, &b);
	gw_channel_close(a.in);
	gw_channel_close(b.in);
	gw_xend_free(&xend_a);
	gw_xend_free(&xend_b);
	return status;
}

const struct gw_verb gw_verb_diff = {
	.name = "diff",
	.group = GW_GROUP_IMAGES,
	.summary = "show what differs between two stored images",
	.description =
		"Compares the domains that a restore of A and of B would give: pages, the CPU "
		"policy, "
		"HVM parameters, the state of vCPUs and platform field by field, the TSC, shared "
		"info "
		"and P2M of a PV guest, the config, the device model's state and its xenstore "
		"keys. "
		"Each difference is a line; fields have the names that inspect gives them.\n\n"
		"How an image was sent is no difference: its version, the order of its records, "
		"pages "
		"that were sent more than once, the layers around it but for what they bring "
		"(config, "
		"device model). An image with checkpoints (Remus, COLO) stands for its last "
		"complete "
		"one. An image that verify finds errors in is refused.\n\n"
		"Contents of pages are compared byte for byte. Where A or B is compressed or "
		"cannot be "
		"sought in, they wait in an unlinked file below $TMPDIR or /var/tmp.",
	.options =
		(const struct gw_option[]){
			{"json", 'j', GW_KIND_FLAG,
			 .help = "write one JSON object with everything"},
			{"all", 'a', GW_KIND_FLAG,
			 .help = "list all runs of pages that differ, not just the first"},
			{"pages", 'p', GW_KIND_FLAG,
			 .help = "list pages whose contents differ one by one, each with the first byte that does and how many do"},
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"A", GW_KIND_FILE,
			 "an image; \"-\" is standard input; zstd, xz and gzip are decompressed"},
			{"B", GW_KIND_FILE, "another, likewise; one of them may be \"-\""},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit diff before.save after.save",
			 "What the domain did between two \"xl save -c\"."},
			{"godwit diff --json a.save b.save.zst | jq .pages",
			 "How many pages differ, and how."},
			{0},
		},
	.bad = "The images differ, or one of them breaks a rule of level error",
	.run = run,
};
