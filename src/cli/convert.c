/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit convert: converts an older image to version 3.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/input.h"
#include "cli/verb.h"
#include "convert/convert.h"

static const char *source_text(const struct gw_conversion_result *done, char *text, size_t size)
{
	switch (done->from) {
	case GW_CONVERT_LEGACY:
		snprintf(text, size, "a legacy image of %u-bit tools, %s", done->legacy.width * 8,
			 done->legacy.guest == GW_GUEST_X86_PV ? "PV guest" : "HVM guest");
		return text;
	case GW_CONVERT_V2:
		return "version 2";
	default:
		return "version 3";
	}
}

static const char *form_text(enum gw_convert_form form)
{
	static const char *const texts[] = {
		[GW_CONVERT_SAME] = "nothing",
		[GW_CONVERT_LIBXC] = "libxc image",
		[GW_CONVERT_LIBXL] = "libxl stream",
		[GW_CONVERT_XL] = "xl file",
	};

	return texts[form];
}

static void summarize(struct gw_cli *cli, const struct gw_conversion_result *done)
{
	char text[80], checkpoints[60] = "";

	if (done->checkpoints)
		snprintf(checkpoints, sizeof(checkpoints), ", the last of %" PRIu64 " checkpoints",
			 done->checkpoints);
	gw_logf(&cli->out.log, GW_LOG_INFO,
		"from %s to a%s %s of version 3: %" PRIu64 " pages%s, %" PRIu64
		" bytes read, %" PRIu64 " written",
		source_text(done, text, sizeof(text)), done->to == GW_CONVERT_XL ? "n" : "",
		form_text(done->to), done->pages, checkpoints, done->in_bytes, done->out_bytes);
}

static enum gw_convert_form form_of(const struct gw_args *args)
{
	const char *to = gw_args_text(args, "to");

	if (!to)
		return GW_CONVERT_SAME;
	return !strcmp(to, "xl")      ? GW_CONVERT_XL
	       : !strcmp(to, "libxl") ? GW_CONVERT_LIBXL
				      : GW_CONVERT_LIBXC;
}

static enum gw_convert_source source_of(const struct gw_args *args)
{
	const char *from = gw_args_text(args, "from");

	if (!from || !strcmp(from, "auto"))
		return GW_CONVERT_ANY;
	return !strcmp(from, "legacy") ? GW_CONVERT_LEGACY
	       : !strcmp(from, "v2")   ? GW_CONVERT_V2
				       : GW_CONVERT_V3;
}

static struct gw_legacy_kind kind_of(const struct gw_args *args)
{
	const char *width = gw_args_text(args, "width"), *guest = gw_args_text(args, "guest");
	struct gw_legacy_kind kind = {0};

	if (width)
		kind.width = !strcmp(width, "32") ? 4 : 8;
	if (guest)
		kind.guest = !strcmp(guest, "pv") ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM;
	return kind;
}

/* An incomplete file never appears; other outputs keep what was written. */
static void tell_unfinished(struct gw_cli *cli, const struct gw_channel *out, const char *path,
			    const struct gw_conversion_result *done)
{
	if (done->out_bytes && !strcmp(path, "-"))
		gw_logf(&cli->out.log, GW_LOG_WARNING, "the output in %s is not a complete image",
			out->name);
}

static int convert_to(struct gw_cli *cli, const struct gw_args *args, struct gw_channel *in,
		      const char *path, struct gw_conversion_result *done, struct gw_error *err)
{
	const struct gw_observer observer = {
		.owner = &cli->out,
		.progress = gw_output_progress,
		.log = cli->out.log,
	};
	struct gw_convert_args convert = {
		.in = in,
		.out = gw_channel_create(path, err),
		.to = form_of(args),
		.from = source_of(args),
		.legacy = kind_of(args),
		.cancel = cli->cancel,
		.observer = &observer,
	};
	int rc;

	if (!convert.out)
		return -1;
	rc = gw_convert(&convert, done, err);
	if (rc == 0)
		rc = gw_channel_finish(convert.out, err);
	gw_output_erase(&cli->out);
	if (rc < 0)
		tell_unfinished(cli, convert.out, path, done);
	gw_channel_close(convert.out);
	return rc;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	const char *from = gw_args_positional(args, 0), *to = gw_args_positional(args, 1);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *in = gw_cli_open(cli, from, &err);
	struct gw_conversion_result done;
	int rc = in ? convert_to(cli, args, in, to, &done, &err) : -1;

	gw_channel_close(in);
	if (rc < 0)
		return gw_cli_fail(cli, &err);
	summarize(cli, &done);
	return GW_EXIT_OK;
}

const struct gw_verb gw_verb_convert = {
	.name = "convert",
	.group = GW_GROUP_IMAGES,
	.summary = "convert an older image to version 3",
	.description =
		"Converts the image IN to version 3 and writes it to OUT. Xen 4.14 and later restore the "
		"result, and godwit does too.\n\n"
		"IN may be an xl file, a libxl stream or a libxc image, of version 2 (Xen 4.6 to 4.13) or "
		"3, or a \"legacy\" image of Xen 4.5 or older: bare, in an xl file, or in a file of \"xm "
		"save\". A legacy image does not state its guest type and the word size of the tools that "
		"saved it; both are detected from its content.\n\n"
		"An image in which verify finds errors is refused. So is a legacy image that contains "
		"what version 3 cannot represent. Data of IN that the result does not contain is reported "
		"on standard error.\n\n"
		"A file of \"xm save\" (xend, Xen 3.x to 4.4) becomes a libxl stream. Its config is "
		"dropped, because it is in xend's own language; \"godwit inspect\" prints it. \"xl restore\" "
		"accepts no stream without xl's header, so use --to xl, write a config for xl, and pass "
		"both: \"xl restore CONFIG OUT\". The header that --to xl writes contains no config, so \"xl "
		"restore OUT\" alone refuses it. xend ran HVM guests with qemu-dm, and only that device "
		"model reads its state: CONFIG must contain device_model_version=\"qemu-xen-traditional\".\n\n"
		"An image with checkpoints (Remus, COLO) becomes a plain image with the state of the last "
		"complete checkpoint, even if IN is cut off after it.\n\n"
		"The image is converted as it arrives, also from pipe to pipe, and IN is never read "
		"beyond the end of the image. Checkpoint rounds wait in an unlinked file in $TMPDIR, "
		"/var/tmp or /tmp, which is at most as large as the guest. Between pipes, the pages of a "
		"live legacy image wait there too, because later pages may be encoded as differences. OUT "
		"appears under its name, or replaces an existing file, only when it is complete.",
	.options =
		(const struct gw_option[]){
			{"from", 0, GW_KIND_CHOICE, .choices = "auto|legacy|v2|v3",
			 .help = "the format of IN; another one is refused. The default, auto, detects it"},
			{"width", 0, GW_KIND_CHOICE, .choices = "32|64",
			 .help = "legacy images: word size of the tools that saved IN; detected unless given"},
			{"guest", 0, GW_KIND_CHOICE, .choices = "pv|hvm",
			 .help = "legacy images: the guest type; detected unless given"},
			{"to", 0, GW_KIND_CHOICE, .choices = "xl|libxl|libxc",
			 .help = "the format of OUT: an xl file (needs a config in IN; from a file of xend it is written without one), a libxl stream, or a libxc image, which cannot contain device model state. The default is the format of IN, or a libxl stream for a bare legacy image or a file of xend"},
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
			{"godwit convert old.save new.save && xl restore new.save",
			 "Restores an image of Xen 4.4 on a current Xen."},
			{"godwit convert --to xl xm.save new.save && xl restore web1.cfg new.save",
			 "Restores a file of \"xm save\" (Xen 4.1) with a config written for xl."},
			{"ssh oldhost cat /srv/web1.save | godwit convert - - | ssh newhost \"cat >web1.save\"",
			 "Converts in a pipe between two hosts."},
			{"godwit convert --to libxc web1.save web1.image",
			 "Writes the libxc image without the xl and libxl layers."},
			{0},
		},
	.bad = "The image breaks a rule of level error, or has another format than --from",
	.connects = GW_CONNECTS_NOTHING,
	.run = run,
};
