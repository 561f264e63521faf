/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What verbs take beside a stream of QEMU: another stream of the same machine (--like), and the
 * schema of a QEMU (--schema).
 */
#ifndef GW_CLI_LIKE_H
#define GW_CLI_LIKE_H

#include "cli/args.h"
#include "format/qemu/schema.h"

/*
 * Reads the stream that --like names, for its description. *like is zeroed before; the caller frees
 * it in any case. Returns its description, NULL without err if the option is not given, or NULL
 * with err.
 */
const struct gw_savevm_description *gw_cli_like(struct gw_cli *cli, const struct gw_args *args,
						struct gw_savevm_stream *like,
						struct gw_error *err);

/* Reads the file of --schema. *schema is zeroed before; the caller frees it in any case. 0 also if
 * the option is not given (then it is empty), or -1. */
int gw_cli_schema(struct gw_cli *cli, const struct gw_args *args, struct gw_schema *schema,
		  struct gw_error *err);

#define GW_OPTION_SCHEMA                                                                           \
	{                                                                                          \
		"schema", 0, GW_KIND_FILE, "FILE",                                                 \
			"for a QEMU stream: judge the versions of its devices as the QEMU would "  \
			"whose -dump-vmstate wrote FILE"                                           \
	}

#define GW_OPTION_LIKE                                                                                                   \
	{                                                                                                                \
		"like", 0, GW_KIND_FILE, "FILE",                                                                         \
			"for a QEMU stream, or device model's state, without a description: another stream of the same " \
			"machine and QEMU, which has one"                                                                \
	}

#endif
