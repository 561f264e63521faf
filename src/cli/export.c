/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit export: writes the memory of a stored image to a file.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/args.h"
#include "cli/input.h"
#include "cli/like.h"
#include "cli/verb.h"
#include "examine/export/export.h"

static int export_to(struct gw_cli *cli, struct gw_channel *in, const char *path,
		     enum gw_export_form form, const struct gw_savevm_description *like,
		     struct gw_export_result *exported, struct gw_error *err)
{
	const struct gw_observer observer = {
		.owner = &cli->out,
		.progress = gw_output_progress,
		.log = cli->out.log,
	};
	struct gw_channel *out = gw_channel_create(path, err);
	int rc;

	if (!out)
		return -1;
	gw_channel_set_cancel(out, cli->cancel);
	rc = gw_export(in, out, form, like, &observer, exported, err);
	gw_channel_close(out);
	return rc;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	const char *from = gw_args_positional(args, 0), *to = gw_args_positional(args, 1);
	bool core = gw_args_flag(args, "core"), raw = gw_args_flag(args, "raw");
	struct gw_error err = GW_ERROR_INIT;
	struct gw_export_result exported;
	struct gw_savevm_stream other = {0};
	const struct gw_savevm_description *like;
	struct gw_channel *in = NULL;
	int rc;

	if (core == raw)
		return gw_cli_error(cli, GW_EXIT_USAGE, "%s",
				    core ? "--raw and --core exclude each other"
					 : "one of --raw or --core is required");
	like = gw_cli_like(cli, args, &other, &err);
	if (!err.code)
		in = gw_cli_open_current(cli, from, NULL, &err);
	rc = in ? export_to(cli, in, to, core ? GW_EXPORT_CORE : GW_EXPORT_RAW, like, &exported,
			    &err)
		: -1;
	gw_channel_close(in);
	gw_savevm_stream_free(&other);
	gw_output_erase(&cli->out);
	if (rc < 0)
		return gw_cli_fail(cli, &err);
	gw_logf(&cli->out.log, GW_LOG_INFO,
		"%" PRIu64 " pages, %u vCPUs, %" PRIu64 " bytes including holes, %" PRIu64
		" complete checkpoints",
		exported.pages, exported.vcpus, exported.bytes, exported.checkpoints);
	return GW_EXIT_OK;
}

const struct gw_verb gw_verb_export = {
	.name = "export",
	.group = GW_GROUP_IMAGES,
	.summary = "write the memory of a stored image as a raw file or a core",
	.description =
		"Writes the memory of the guest in image IN to OUT, as raw pages or as an ELF core.\n\n"
		"--raw: the page of pfn n is at offset n times 4096. Page tables of a PV guest contain "
		"pfns, as in the image, not machine frames. Pfns without contents are holes, which take "
		"no disk space. The file ends with the highest populated pfn.\n\n"
		"--core: an ELF core for gdb with the registers of each vCPU (thread N+1 is vCPU N). Its "
		"addresses are pfn times 4096, physical and virtual alike: the guest's own page tables "
		"are not followed. If no vCPU is in 64-bit mode the core is a 32-bit one for i386, unless "
		"the guest has memory above 4 GiB.\n\n"
		"Of a stream of QEMU, alone or in a file of \"virsh save\", it takes the memory of a PC. What "
		"does not fit below 4 GiB lies from there on, as the machine type says and the RTC confirms. ROMs, "
		"video memory and plugged memory are left out: -v names them.\n\n"
		"An image with checkpoints (Remus, COLO) gives the state of its last complete checkpoint, "
		"even if the image is cut off after it. An image in which verify finds errors is refused. "
		"An image of Xen 4.5 or older is converted while it is read. OUT appears under its name, "
		"or replaces an existing file, only when it is complete.",
	.options =
		(const struct gw_option[]){
			{"raw", 0, GW_KIND_FLAG,
			 .help = "write each page at offset pfn * 4096, without a header"},
			{"core", 0, GW_KIND_FLAG,
			 .help = "write an ELF core with memory and registers"},
			GW_OPTION_LIKE,
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"IN", GW_KIND_FILE,
			 "the image; \"-\" is standard input; zstd, xz and gzip are decompressed"},
			{"OUT", GW_KIND_FILE, "the result; \"-\" is standard output"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit export --raw web1.save web1.raw",
			 "Exports the memory of a file of \"xl save\"."},
			{"godwit export --core web1.save web1.core && gdb -c web1.core",
			 "Opens registers and memory in gdb."},
			{0},
		},
	.bad = "The image breaks a rule of level error",
	.connects = GW_CONNECTS_NOTHING,
	.run = run,
};
