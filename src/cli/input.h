/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening the stored images that verbs read.
 */
#ifndef GW_CLI_INPUT_H
#define GW_CLI_INPUT_H

#include <godwit/channel.h>

#include "cli/verb.h"
#include "format/xend/xend.h"

/*
 * The file of that name ("-": standard input), decompressed if it is zstd, xz or gzip; reading it
 * stops when the command is cancelled. NULL with err.
 */
struct gw_channel *gw_cli_open(struct gw_cli *cli, const char *path, struct gw_error *err);

/*
 * The same for verbs that know current images only: a legacy one (Xen 4.5 and before) comes as what
 * "godwit convert" makes of it, layer for layer. What the conversion drops is told as it is there,
 * but for a header of xend: that is kept in *xend (zeroed before; the caller's to free either way),
 * unless xend is NULL.
 */
struct gw_channel *gw_cli_open_current(struct gw_cli *cli, const char *path, struct gw_xend *xend,
				       struct gw_error *err);

#endif
