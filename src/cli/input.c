/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opens the input files of the command.
 */
#include "cli/input.h"

#include "convert/convert.h"
#include "convert/xend.h"
#include "examine/detect.h"
#include "format/xl/file.h"

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

static bool announces_legacy(const uint8_t *first, size_t have)
{
	struct gw_xlfile xl = {0};

	return have >= GW_XLFILE_HEADER_SIZE && gw_xlfile_header_decode(first, &xl, NULL) == 0 &&
	       !(xl.mandatory_flags & GW_XLFILE_STREAM_V2);
}

/* Detects by the first bytes whether the input needs a conversion (LEGACY, XL, XEND) or not
 * (UNKNOWN), and gives the bytes back. 0 or -1. */
static int detect_legacy(struct gw_channel *in, enum gw_file_format *format, struct gw_error *err)
{
	uint8_t first[GW_DETECT_BYTES];
	size_t have = 0;
	ssize_t n = 1;

	while (n > 0 && have < sizeof(first)) {
		n = gw_channel_read_some(in, first + have, sizeof(first) - have, err);
		if (n < 0)
			return -1;
		have += (size_t)n;
	}
	gw_channel_unread(in, first, have);
	*format = gw_detect(first, have);
	if (*format != GW_FILE_LEGACY && *format != GW_FILE_XEND &&
	    (*format != GW_FILE_XL || !announces_legacy(first, have)))
		*format = GW_FILE_UNKNOWN;
	return 0;
}

static struct gw_channel *converted(struct gw_cli *cli, struct gw_channel *in, struct gw_error *err)
{
	const struct gw_observer observer = {.log = cli->out.log};
	const struct gw_convert_args args = {
		.in = in,
		.from = GW_CONVERT_LEGACY,
		.to = GW_CONVERT_SAME,
		.cancel = cli->cancel,
		.observer = &observer,
	};
	struct gw_channel *ch = gw_convert_channel(&args, NULL, err);

	if (ch)
		gw_channel_set_cancel(ch, cli->cancel);
	return ch;
}

/* Returns the channel of the conversion, or in itself. NULL: in stays the caller's. */
static struct gw_channel *current(struct gw_cli *cli, struct gw_channel *in, struct gw_xend *xend,
				  struct gw_error *err)
{
	enum gw_file_format format;

	if (detect_legacy(in, &format, err) < 0)
		return NULL;
	if (format == GW_FILE_UNKNOWN)
		return in;
	if (format == GW_FILE_XEND && gw_xend_read(in, NULL, xend, err) < 0)
		return NULL;
	return converted(cli, in, err);
}

struct gw_channel *gw_cli_open_current(struct gw_cli *cli, const char *path, struct gw_xend *xend,
				       struct gw_error *err)
{
	struct gw_channel *in = gw_cli_open(cli, path, err), *ch;
	struct gw_xend unwanted = {0};

	if (!in)
		return NULL;
	ch = current(cli, in, xend ? xend : &unwanted, err);
	gw_xend_free(&unwanted);
	if (!ch)
		gw_channel_close(in);
	return ch;
}
