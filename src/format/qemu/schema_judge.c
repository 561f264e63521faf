/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Judges the versions of a stream by the schema of a QEMU.
 */
#include "format/qemu/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

struct judge {
	const struct gw_schema *schema;
	const struct gw_savevm_faults *faults;
	const struct gw_savevm_section *section;
};

static bool loads(const struct gw_schema_state *s, uint32_t version)
{
	return s->minimum <= version && version <= s->version;
}

static const struct gw_schema_state *find_subsection(const struct gw_schema_state *s,
						     const char *name)
{
	for (size_t i = 0; i < s->nr_subsections; i++)
		if (!strcmp(s->subsections[i].name, name))
			return &s->subsections[i];
	return NULL;
}

/* The state of a field with parts, by its name. */
static const struct gw_schema_state *find_struct(const struct gw_schema_state *s, const char *name)
{
	for (size_t i = 0; i < s->nr_fields; i++)
		if (s->fields[i].of && !strcmp(s->fields[i].name, name))
			return s->fields[i].of;
	return NULL;
}

static void judge_subsection(const struct judge *j, const struct gw_savevm_layout *sub,
			     const struct gw_schema_state *state)
{
	if (!state)
		gw_savevm_blame(j->faults, GW_SAVEVM_FAULT_SCHEMA_SUBSECTION, j->section->offset,
				"section \"%s\" instance %" PRIu32
				": the schema does not know its subsection %s",
				j->section->head.name, j->section->head.instance, sub->name);
	else if (!loads(state, sub->version))
		gw_savevm_blame(j->faults, GW_SAVEVM_FAULT_SCHEMA_VERSION, j->section->offset,
				"section \"%s\" instance %" PRIu32
				": subsection %s has version %" PRIu32 ", the schema loads %" PRIu32
				" to %" PRIu32,
				j->section->head.name, j->section->head.instance, sub->name,
				sub->version, state->minimum, state->version);
}

/* The subsections of a layout, and of the structs in it. Both depths are bounded. */
static void judge_layout(const struct judge *j, const struct gw_savevm_layout *l,
			 const struct gw_schema_state *s)
{
	for (size_t i = 0; i < l->nr_subsections; i++) {
		const struct gw_savevm_layout *sub = &l->subsections[i];
		const struct gw_schema_state *state = find_subsection(s, sub->name);

		judge_subsection(j, sub, state);
		if (state)
			judge_layout(j, sub, state);
	}
	for (size_t i = 0; i < l->nr_fields; i++) {
		const struct gw_savevm_layout *of = l->fields[i].of;
		const struct gw_schema_state *state = of ? find_struct(s, l->fields[i].name) : NULL;

		if (state)
			judge_layout(j, of, state);
	}
}

/* False: the schema does not list the device. */
static bool judge_section(const struct judge *j)
{
	const struct gw_savevm_section *section = j->section;
	const struct gw_schema_state *s = gw_schema_of_section(j->schema, section);

	if (!s)
		return false;
	if (!loads(s, section->head.version))
		gw_savevm_blame(j->faults, GW_SAVEVM_FAULT_SCHEMA_VERSION, section->offset,
				"section \"%s\" instance %" PRIu32 ": its version is %" PRIu32
				", the schema loads %" PRIu32 " to %" PRIu32,
				section->head.name, section->head.instance, section->head.version,
				s->minimum, s->version);
	/* By another stream's description subsections may be listed that this one has not. */
	if (section->layout && section->found != GW_SAVEVM_BY_LIKE)
		judge_layout(j, section->layout, s);
	return true;
}

static void add_name(char *text, size_t size, const char *name)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
}

void gw_schema_judge(const struct gw_schema *schema, const struct gw_savevm_stream *stream,
		     const struct gw_savevm_faults *faults)
{
	size_t unlisted = 0, devices = 0;
	char names[300] = "";

	for (size_t i = 0; i < stream->nr_sections; i++) {
		const struct gw_savevm_section *section = &stream->sections[i];
		const struct judge j = {schema, faults, section};

		if (!section->bytes || section->head.type == GW_SAVEVM_PART ||
		    section->head.type == GW_SAVEVM_END)
			continue;
		devices++;
		if (!judge_section(&j)) {
			unlisted++;
			add_name(names, sizeof(names), section->head.name);
		}
	}
	if (unlisted)
		gw_savevm_blame(
			faults, GW_SAVEVM_FAULT_SCHEMA_DEVICE, stream->offset,
			"the schema does not list %zu of %zu devices, which are not judged: %s",
			unlisted, devices, names);
}
