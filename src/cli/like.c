/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the stream of --like.
 */
#include "cli/like.h"

#include "cli/input.h"
#include "read/savevm.h"

const struct gw_savevm_description *gw_cli_like(struct gw_cli *cli, const struct gw_args *args,
						struct gw_savevm_stream *like, struct gw_error *err)
{
	const struct gw_savevm_listener listener = {0};
	const char *path = gw_args_text(args, "like");
	struct gw_channel *ch;
	struct gw_input in = {0};
	int rc;

	if (!path)
		return NULL;
	ch = gw_cli_open(cli, path, err);
	if (!ch)
		return NULL;
	in.ch = ch;
	rc = gw_savevm_read(&in, &listener, like, err);
	gw_channel_close(ch);
	if (rc < 0)
		return NULL;
	if (like->has_description)
		return &like->description;
	gw_fail(err, GW_INVALID,
		"%s: it is no QEMU stream with a description of its devices, which --like needs",
		path);
	return NULL;
}
