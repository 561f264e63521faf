/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input files of the command.
 */
#include "cli/input.h"

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
