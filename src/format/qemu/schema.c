/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parses the schema of a QEMU.
 */
#include "format/qemu/schema.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static int no_memory(struct gw_error *err)
{
	return gw_fail(err, GW_NO_MEMORY, "no memory for the schema of a QEMU");
}

static uint32_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_is_integer(value) ? json_integer_value(value) : 0;

	return n < 0 || n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static int copy_text(char **to, const char *text, struct gw_error *err)
{
	*to = strdup(text ? text : "?");
	return *to ? 0 : no_memory(err);
}

static void free_state(struct gw_schema_state *s)
{
	for (size_t i = 0; i < s->nr_fields; i++) {
		if (s->fields[i].of)
			free_state(s->fields[i].of);
		free(s->fields[i].of);
		free(s->fields[i].name);
	}
	for (size_t i = 0; i < s->nr_subsections; i++)
		free_state(&s->subsections[i]);
	free(s->fields);
	free(s->subsections);
	free(s->name);
}

void gw_schema_free(struct gw_schema *schema)
{
	for (size_t i = 0; i < schema->nr_classes; i++) {
		free_state(&schema->classes[i].state);
		free(schema->classes[i].type);
	}
	free(schema->classes);
	free(schema->machine);
	*schema = (struct gw_schema){0};
}

/* A state, and the states inside of it. Their depth is bounded. */
static int parse_state(struct gw_schema_state *s, const json_t *json, unsigned depth,
		       struct gw_error *err);

static int parse_field(struct gw_schema_field *f, const json_t *json, unsigned depth,
		       struct gw_error *err)
{
	const json_t *of = json_object_get(json, "Description");

	if (copy_text(&f->name, json_string_value(json_object_get(json, "field")), err) < 0)
		return -1;
	f->version = number(json, "version_id");
	f->has_condition = json_is_true(json_object_get(json, "field_exists"));
	f->size = number(json, "size");
	if (!json_is_object(of))
		return 0;
	f->of = calloc(1, sizeof(*f->of));
	return f->of ? parse_state(f->of, of, depth + 1, err) : no_memory(err);
}

static int parse_state(struct gw_schema_state *s, const json_t *json, unsigned depth,
		       struct gw_error *err)
{
	const json_t *fields = json_object_get(json, "Fields");
	const json_t *subsections = json_object_get(json, "Subsections");
	size_t n = json_array_size(fields), subs = json_array_size(subsections);

	if (depth > GW_SAVEVM_DEPTH_MAX)
		return gw_fail(err, GW_INVALID, "it is nested more than %u deep",
			       GW_SAVEVM_DEPTH_MAX);
	if (copy_text(&s->name, json_string_value(json_object_get(json, "name")), err) < 0)
		return -1;
	s->version = number(json, "version_id");
	s->minimum = number(json, "minimum_version_id");
	s->fields = calloc(n ? n : 1, sizeof(*s->fields));
	s->subsections = calloc(subs ? subs : 1, sizeof(*s->subsections));
	if (!s->fields || !s->subsections)
		return no_memory(err);
	while (s->nr_fields < n) {
		size_t i = s->nr_fields++;

		if (parse_field(&s->fields[i], json_array_get(fields, i), depth, err) < 0)
			return -1;
	}
	while (s->nr_subsections < subs) {
		size_t i = s->nr_subsections++;

		if (parse_state(&s->subsections[i], json_array_get(subsections, i), depth + 1,
				err) < 0)
			return -1;
	}
	return 0;
}

static int parse(struct gw_schema *schema, json_t *json, struct gw_error *err)
{
	const json_t *machine = json_object_get(json, "vmschkmachine");
	const char *type;
	json_t *value;

	if (!json_is_object(machine))
		return gw_fail(err, GW_INVALID, "it is no schema of QEMU's -dump-vmstate");
	if (json_object_size(json) > GW_SCHEMA_CLASSES_MAX)
		return gw_fail(err, GW_INVALID, "it has more than %u classes",
			       GW_SCHEMA_CLASSES_MAX);
	if (copy_text(&schema->machine, json_string_value(json_object_get(machine, "Name")), err) <
	    0)
		return -1;
	schema->classes = calloc(json_object_size(json), sizeof(*schema->classes));
	if (!schema->classes)
		return no_memory(err);
	json_object_foreach (json, type, value) {
		const json_t *state = json_object_get(value, "Description");
		struct gw_schema_class *class = &schema->classes[schema->nr_classes];

		if (!json_is_object(state))
			continue;
		schema->nr_classes++;
		if (copy_text(&class->type, type, err) < 0 ||
		    parse_state(&class->state, state, 0, err) < 0)
			return -1;
	}
	return 0;
}

int gw_schema_parse(struct gw_schema *schema, const void *json, size_t len, struct gw_error *err)
{
	json_error_t why;
	json_t *root;
	int rc;

	*schema = (struct gw_schema){0};
	root = json_loadb(json, len, 0, &why);
	if (!root)
		return gw_fail(err, GW_INVALID, "it is no JSON: line %d: %s", why.line, why.text);
	rc = parse(schema, root, err);
	json_decref(root);
	if (rc < 0)
		gw_schema_free(schema);
	return rc;
}

const struct gw_schema_state *gw_schema_find(const struct gw_schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->nr_classes; i++)
		if (!strcmp(schema->classes[i].state.name, name))
			return &schema->classes[i].state;
	return NULL;
}

const struct gw_schema_state *gw_schema_of_section(const struct gw_schema *schema,
						   const struct gw_savevm_section *section)
{
	if (section->layout && section->layout->name)
		return gw_schema_find(schema, section->layout->name);
	return gw_schema_find(schema, gw_savevm_short_name(section->head.name));
}
