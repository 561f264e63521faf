/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules about the state of a device model, which comes in pieces.
 */
#ifndef GW_FORMAT_RULES_EMULATOR_H
#define GW_FORMAT_RULES_EMULATOR_H

#include "format/qemu/sections.h"
#include "format/rules/internal.h"

/* The state of one EMULATOR_CONTEXT. Zeroed: none is being read. */
struct gw_emulator_rules {
	struct gw_qemu_sections *qemu; /* NULL: not QEMU's, so nothing is known about it */
	uint64_t left;		       /* bytes of the state that have not come */
};

/* The state of a record with the ids in head begins. -1: no memory. */
int gw_emulator_rules_begin(struct gw_emulator_rules *e, const struct gw_record *rec,
			    const uint8_t *head, const struct gw_config_facts *config,
			    struct gw_error *err);
/* Its next bytes; those after the state are the record's padding. */
int gw_emulator_rules_bytes(struct gw_emulator_rules *e, const uint8_t *data, size_t len,
			    struct gw_error *err);
/* It is complete: judges it. */
int gw_emulator_rules_end(struct gw_emulator_rules *e, struct gw_reporter *reporter,
			  const struct gw_record *rec, struct gw_error *err);
void gw_emulator_rules_free(struct gw_emulator_rules *e);

#endif
