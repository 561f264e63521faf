/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The schema that "qemu-system-X -dump-vmstate FILE" writes: the VMStateDescription of each device
 * class of one QEMU. It has names and versions. Its sizes are those of C structs, not of the
 * stream, and devices without a class of their own (timer, globalstate, ...) are not in it.
 */
#ifndef GW_FORMAT_QEMU_SCHEMA_H
#define GW_FORMAT_QEMU_SCHEMA_H

#include "format/qemu/faults.h"
#include "format/qemu/tree.h"

#define GW_SCHEMA_MAX (16u << 20) /* bytes of a schema that is read; QEMU's have about 1 MiB */

#define GW_SCHEMA_CLASSES_MAX 16384u

struct gw_schema_field;

/* A VMStateDescription. Owned by the schema. */
struct gw_schema_state {
	char *name;
	uint32_t version, minimum; /* the versions that it loads: minimum to version */
	struct gw_schema_field *fields;
	size_t nr_fields;
	struct gw_schema_state *subsections;
	size_t nr_subsections;
};

struct gw_schema_field {
	char *name;
	uint32_t version;	    /* the first version of the state that has it */
	bool has_condition;	    /* whether it is there depends on the device (field_exists) */
	uint64_t size;		    /* in C */
	struct gw_schema_state *of; /* of a struct; NULL: none */
};

struct gw_schema_class {
	char *type; /* QOM type: "fw_cfg_io" */
	struct gw_schema_state state;
};

/* Zeroed is empty. */
struct gw_schema {
	char *machine; /* the machine type for which it was written; NULL: not given */
	struct gw_schema_class *classes;
	size_t nr_classes;
};

/* Parses a schema. GW_INVALID: it is not one; *schema is then empty. The caller frees it. */
int gw_schema_parse(struct gw_schema *schema, const void *json, size_t len, struct gw_error *err);
void gw_schema_free(struct gw_schema *schema);
/* The state of this name, of the first class that has it; NULL: none. */
const struct gw_schema_state *gw_schema_find(const struct gw_schema *schema, const char *name);
/* The state that a section belongs to, by its layout's name or the last part of its own. */
const struct gw_schema_state *gw_schema_of_section(const struct gw_schema *schema,
						   const struct gw_savevm_section *section);

/* Judges the versions of all sections and subsections of a stream: does the QEMU of the schema load
 * them? */
void gw_schema_judge(const struct gw_schema *schema, const struct gw_savevm_stream *stream,
		     const struct gw_savevm_faults *faults);

#endif
