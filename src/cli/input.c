/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input files of the command.
 */
#include "cli/input.h"

#include "convert/convert.h"
#include "examine/detect.h"
#include "format/xlfile.h"

struct gw_channel *gw_cli_open(struct gw_cli *cli, const char *path, struct gw_error *err)
{
	struct gw_channel *in = gw_channel_open(path, err);

	if (!in)
		return NULL;
	gw_channel_set_cancel(in, cli->cancel);
	in = gw_channel_decompress(in, err);
	if (in)
		gw_channel_set_cancel(in, cli->cancel);
	return in;
}

/* Looks at the first bytes and gives them back: 1 a legacy image begins, with or without xl's
 * header; 0; -1. */
static int is_legacy(struct gw_channel *in, struct gw_error *err)
{
	uint8_t first[GW_DETECT_BYTES];
	struct gw_xlfile xl = {0};
	size_t have = 0;
	ssize_t n = 1;

	while (n > 0 && have < sizeof(first)) {
		n = gw_channel_read_some(in, first + have, sizeof(first) - have, err);
		if (n < 0)
			return -1;
		have += (size_t)n;
	}
	gw_channel_unread(in, first, have);
	switch (gw_detect(first, have)) {
	case GW_FILE_LEGACY:
		return 1;
	case GW_FILE_XL:
		return have >= GW_XLFILE_HEADER_SIZE &&
		       gw_xlfile_header_decode(first, &xl, NULL) == 0 &&
		       !(xl.mandatory_flags & GW_XLFILE_STREAM_V2);
	default:
		return 0;
	}
}

static struct gw_channel *converted(struct gw_cli *cli, struct gw_channel *in, struct gw_error *err)
{
	const struct gw_toolstack toolstack = {.log = cli->out.log};
	const struct gw_convert_args args = {
		.in = in,
		.from = GW_CONVERT_LEGACY,
		.to = GW_CONVERT_SAME,
		.cancel = cli->cancel,
		.toolstack = &toolstack,
	};
	struct gw_channel *ch = gw_convert_channel(&args, NULL, err);

	if (ch)
		gw_channel_set_cancel(ch, cli->cancel);
	return ch;
}

struct gw_channel *gw_cli_open_current(struct gw_cli *cli, const char *path, struct gw_error *err)
{
	struct gw_channel *in = gw_cli_open(cli, path, err), *ch = in;
	int legacy = in ? is_legacy(in, err) : -1;

	if (legacy > 0)
		ch = converted(cli, in, err);
	if (in && (legacy < 0 || !ch)) {
		gw_channel_close(in);
		return NULL;
	}
	return ch;
}
