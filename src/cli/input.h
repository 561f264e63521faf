/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opens the stored images that verbs read.
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
 * The same for verbs that read only current images: a legacy image (Xen 4.5 or older) is read as
 * "godwit convert" converts it, layer by layer. Dropped data is logged as by convert, except a xend
 * header: it is kept in *xend (zeroed before; the caller frees it in any case), unless xend is
 * NULL.
 */
struct gw_channel *gw_cli_open_current(struct gw_cli *cli, const char *path, struct gw_xend *xend,
				       struct gw_error *err);

#endif
