/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening the stored images that verbs read.
 */
#ifndef GW_CLI_INPUT_H
#define GW_CLI_INPUT_H

#include <godwit/channel.h>

#include "cli/verb.h"

/*
 * The file of that name ("-": standard input), decompressed if it is zstd, xz or gzip; reading it
 * stops when the command is cancelled. NULL with err.
 */
struct gw_channel *gw_cli_open(struct gw_cli *cli, const char *path, struct gw_error *err);

#endif
