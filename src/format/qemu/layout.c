/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parses the description of a savevm stream into layouts.
 */
#include "format/qemu/layout.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/util.h"
#include "format/qemu/savevm.h"

/* Adds sizes without leaving their range. */
static uint64_t plus(uint64_t a, uint64_t b)
{
	return GW_MIN(a + b, (uint64_t)GW_SAVEVM_SIZE_MAX);
}

/* A number that is no number of 32 bits counts as the largest. */
static uint32_t number(const json_t *object, const char *key, uint32_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return otherwise;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > UINT32_MAX)
		return UINT32_MAX;
	return (uint32_t)json_integer_value(value);
}

static int no_memory(struct gw_error *err)
{
	return gw_fail(err, GW_NO_MEMORY, "no memory for the description of a QEMU stream");
}

static char *text_of(const json_t *object, const char *key, const char *otherwise,
		     struct gw_error *err)
{
	const char *text = json_string_value(json_object_get(object, key));
	char *copy = strdup(text ? text : otherwise);

	if (!copy)
		no_memory(err);
	return copy;
}

static void free_layout(struct gw_savevm_layout *l)
{
	for (size_t i = 0; i < l->nr_fields; i++) {
		struct gw_savevm_field *f = &l->fields[i];

		if (f->of)
			free_layout(f->of);
		free(f->of);
		free(f->name);
		free(f->type);
	}
	for (size_t i = 0; i < l->nr_subsections; i++)
		free_layout(&l->subsections[i]);
	free(l->fields);
	free(l->subsections);
	free(l->name);
	*l = (struct gw_savevm_layout){0};
}

size_t gw_savevm_subsection_head_size(const struct gw_savevm_layout *subsection)
{
	return 1 + 1 + (subsection->name ? strlen(subsection->name) : 0) + 4;
}

/* A layout, and the layouts inside of it. Their depth is bounded. */
static int parse_layout(struct gw_savevm_layout *l, const json_t *json, unsigned depth,
			struct gw_error *err);

/* The parts of a struct are an object of their own, except those of type "tmp". */
static const json_t *parts_of(const json_t *json)
{
	const json_t *parts = json_object_get(json, "struct");

	if (json_is_object(parts))
		return parts;
	return json_is_array(json_object_get(json, "fields")) ? json : NULL;
}

static int parse_field(struct gw_savevm_field *f, const json_t *json, unsigned depth,
		       struct gw_error *err)
{
	const json_t *parts = parts_of(json);

	f->name = text_of(json, "name", "?", err);
	f->type = text_of(json, "type", "?", err);
	if (!f->name || !f->type)
		return -1;
	f->size = number(json, "size", 0);
	f->is_array = json_object_get(json, "array_len") != NULL;
	f->count = number(json, "array_len", 1);
	f->has_index = json_object_get(json, "index") != NULL;
	f->index = number(json, "index", 0);
	if (!parts)
		return 0;
	f->of = calloc(1, sizeof(*f->of));
	if (!f->of)
		return no_memory(err);
	return parse_layout(f->of, parts, depth + 1, err);
}

static int parse_fields(struct gw_savevm_layout *l, const json_t *fields, unsigned depth,
			struct gw_error *err)
{
	size_t n = json_array_size(fields);

	l->fields = calloc(n ? n : 1, sizeof(*l->fields));
	if (!l->fields)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		struct gw_savevm_field *f = &l->fields[l->nr_fields++];

		if (parse_field(f, json_array_get(fields, i), depth, err) < 0)
			return -1;
		l->size = plus(l->size, GW_MIN(f->size * f->count, (uint64_t)GW_SAVEVM_SIZE_MAX));
	}
	return 0;
}

static int parse_subsections(struct gw_savevm_layout *l, const json_t *list, unsigned depth,
			     struct gw_error *err)
{
	size_t n = json_array_size(list);

	l->subsections = calloc(n ? n : 1, sizeof(*l->subsections));
	if (!l->subsections)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		struct gw_savevm_layout *sub = &l->subsections[l->nr_subsections++];

		if (parse_layout(sub, json_array_get(list, i), depth + 1, err) < 0)
			return -1;
		if (!sub->name || strlen(sub->name) > GW_SAVEVM_NAME_MAX)
			return gw_fail(err, GW_INVALID, "a subsection has no name");
		l->size = plus(l->size, plus(gw_savevm_subsection_head_size(sub), sub->size));
	}
	return 0;
}

static int parse_layout(struct gw_savevm_layout *l, const json_t *json, unsigned depth,
			struct gw_error *err)
{
	if (depth > GW_SAVEVM_DEPTH_MAX)
		return gw_fail(err, GW_INVALID, "it is nested more than %u deep",
			       GW_SAVEVM_DEPTH_MAX);
	if (json_is_string(json_object_get(json, "vmsd_name"))) {
		l->name = text_of(json, "vmsd_name", "", err);
		if (!l->name)
			return -1;
	}
	l->version = number(json, "version", 0);
	if (parse_fields(l, json_object_get(json, "fields"), depth, err) < 0)
		return -1;
	return parse_subsections(l, json_object_get(json, "subsections"), depth, err);
}

static int parse_device(struct gw_savevm_device *d, const json_t *json, struct gw_error *err)
{
	const char *name = json_string_value(json_object_get(json, "name"));

	if (!name || strlen(name) > GW_SAVEVM_NAME_MAX)
		return gw_fail(err, GW_INVALID, "a device has no name");
	d->name = strdup(name);
	if (!d->name)
		return no_memory(err);
	d->instance = number(json, "instance_id", 0);
	return parse_layout(&d->layout, json, 0, err);
}

static int parse(struct gw_savevm_description *d, const json_t *json, struct gw_error *err)
{
	const json_t *devices = json_object_get(json, "devices");
	size_t n = json_array_size(devices);

	if (!json_is_array(devices))
		return gw_fail(err, GW_INVALID, "it has no list of devices");
	if (n > GW_SAVEVM_DESCRIBED_MAX)
		return gw_fail(err, GW_INVALID, "it lists more than %u devices",
			       GW_SAVEVM_DESCRIBED_MAX);
	d->page_size = number(json, "page_size", 0);
	d->devices = calloc(n ? n : 1, sizeof(*d->devices));
	if (!d->devices)
		return no_memory(err);
	while (d->nr_devices < n) {
		struct gw_savevm_device *device = &d->devices[d->nr_devices];

		if (parse_device(device, json_array_get(devices, d->nr_devices++), err) < 0)
			return -1;
	}
	return 0;
}

int gw_savevm_description_parse(struct gw_savevm_description *d, const void *json, size_t len,
				struct gw_error *err)
{
	json_error_t why;
	json_t *root;
	int rc;

	*d = (struct gw_savevm_description){0};
	if (len > GW_SAVEVM_DESCRIPTION_MAX)
		return gw_fail(err, GW_INVALID, "it has %zu bytes, more than %u", len,
			       GW_SAVEVM_DESCRIPTION_MAX);
	root = json_loadb(json, len, 0, &why);
	if (!root)
		return gw_fail(err, GW_INVALID, "it is no JSON: %s", why.text);
	rc = parse(d, root, err);
	json_decref(root);
	if (rc < 0)
		gw_savevm_description_free(d);
	return rc;
}

void gw_savevm_description_free(struct gw_savevm_description *d)
{
	for (size_t i = 0; i < d->nr_devices; i++) {
		free_layout(&d->devices[i].layout);
		free(d->devices[i].name);
	}
	free(d->devices);
	*d = (struct gw_savevm_description){0};
}

const struct gw_savevm_device *gw_savevm_device_find(const struct gw_savevm_description *d,
						     const char *name, uint32_t instance,
						     size_t from)
{
	for (size_t n = 0; n < d->nr_devices; n++) {
		const struct gw_savevm_device *device = &d->devices[(from + n) % d->nr_devices];

		if (device->instance == instance && !strcmp(device->name, name))
			return device;
	}
	return NULL;
}
