/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The verbs about domains with "-c xen:": the plugin xl does the work (xl/plugin.h).
 */
#ifndef GW_CLI_XL_H
#define GW_CLI_XL_H

#include "cli/args.h"
#include "cli/verb.h"

int gw_xl_verb_list(struct gw_cli *cli, const struct gw_args *args);
int gw_xl_verb_pause(struct gw_cli *cli, const struct gw_args *args);
int gw_xl_verb_resume(struct gw_cli *cli, const struct gw_args *args);
int gw_xl_verb_destroy(struct gw_cli *cli, const struct gw_args *args);
int gw_xl_verb_save(struct gw_cli *cli, const struct gw_args *args);
int gw_xl_verb_restore(struct gw_cli *cli, const struct gw_args *args);
int gw_xl_verb_migrate(struct gw_cli *cli, const struct gw_args *args);
int gw_xl_verb_receive(struct gw_cli *cli, const struct gw_args *args);
/* job and cancel: fails, because the operations are those of other commands. */
int gw_xl_verb_no_jobs(struct gw_cli *cli, const struct gw_args *args);
/* protect: fails. */
int gw_xl_verb_no_protect(struct gw_cli *cli, const struct gw_args *args);

#endif
