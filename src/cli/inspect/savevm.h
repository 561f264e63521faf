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

/* The device model's state in an image of Xen: lists the sections of the one that came last; after
 * the walk, with --like, reads the one that counts into inspect->savevm. */
int gw_inspect_emulator_list(struct gw_inspect *inspect, struct gw_error *err);
int gw_inspect_emulator_read(struct gw_inspect *inspect, struct gw_error *err);
/* Shows a section field by field. */
void gw_inspect_savevm_fields_text(const struct gw_savevm_section *section);
/* The list of sections with their fields, as a member of this name; if wanted says so of it. */
void gw_inspect_savevm_sections_json(struct gw_inspect *inspect, const char *name);

/* The stream after the walk, or the parts of it that were asked for. */
void gw_inspect_savevm_text(const struct gw_inspect *inspect);
void gw_inspect_savevm_json(struct gw_inspect *inspect);

/* "description", "footer", ...: how the length of a section is known. */
const char *gw_inspect_savevm_found(enum gw_savevm_found found);
/* Is the section to be shown field by field? */
bool gw_inspect_savevm_wants(const struct gw_inspect *inspect,
			     const struct gw_savevm_section *section);

#endif
