/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A stream of QEMU as inspect shows it: for people in savevm.c, for programs in savevm_json.c.
 */
#ifndef GW_CLI_INSPECT_SAVEVM_H
#define GW_CLI_INSPECT_SAVEVM_H

#include "cli/inspect/inspect.h"

/* An entry of the list of sections and commands, when it is found. */
void gw_inspect_savevm_section(struct gw_inspect *inspect, const struct gw_savevm_section *section);
void gw_inspect_savevm_command(struct gw_inspect *inspect,
			       const struct gw_savevm_command_at *command);

/* The stream after the walk, or the parts of it that were asked for. */
void gw_inspect_savevm_text(const struct gw_inspect *inspect);
void gw_inspect_savevm_json(struct gw_inspect *inspect);

/* "description", "footer", ...: how the length of a section is known. */
const char *gw_inspect_savevm_found(enum gw_savevm_found found);
/* Is the section to be shown field by field? */
bool gw_inspect_savevm_wants(const struct gw_inspect *inspect,
			     const struct gw_savevm_section *section);

#endif
