/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The description after a savevm stream (VMDESCRIPTION): JSON with the name, instance, version and
 * the size of every field of each device.
 */
#include "format/qemu/internal.h"

#include <string.h>

#include <jansson.h>

#include "base/util.h"

/* Limit of nested fields; QEMU's own are nested less than ten deep. */
#define DEPTH_MAX 64

/* An invalid number counts as larger than any size. */
static uint64_t number(const json_t *object, const char *key, uint64_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return otherwise;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > UINT32_MAX)
		return UINT32_MAX;
	return (uint64_t)json_integer_value(value);
}

/* Bytes of the fields of a device or subsection; the size of a field includes that of nested
 * fields. */
static uint64_t size_of_fields(const json_t *fields)
{
	uint64_t size = 0;
	size_t i;
	json_t *field;

	json_array_foreach (fields, i, field) {
		uint64_t one = number(field, "size", 0);

		size += GW_MIN(one * number(field, "array_len", 1), (uint64_t)UINT32_MAX);
		size = GW_MIN(size, (uint64_t)UINT32_MAX);
	}
	return size;
}

/* The size of a device's data, or of a subsection's data after its head. */
static uint64_t size_of(const json_t *what, unsigned depth)
{
	const json_t *subsections = json_object_get(what, "subsections");
	uint64_t size = size_of_fields(json_object_get(what, "fields"));
	size_t i;
	json_t *sub;

	if (depth > DEPTH_MAX)
		return UINT32_MAX;
	json_array_foreach (subsections, i, sub) {
		const char *name = json_string_value(json_object_get(sub, "vmsd_name"));

		/* 0x05, length and name, version */
		size += 1 + 1 + (name ? strlen(name) : 0) + 4 + size_of(sub, depth + 1);
		size = GW_MIN(size, (uint64_t)UINT32_MAX);
	}
	return size;
}

/* Bytes of the whole section. */
static uint64_t size_of_section(const struct gw_qemu_sections *q, const json_t *device)
{
	const char *name = json_string_value(json_object_get(device, "name"));

	return gw_qemu_header_size(name ? strlen(name) : 0) + size_of(device, 0) +
	       (q->closed ? 5 : 0);
}

/*
 * The header of a device. The sizes of the devices before it give its offset. But old QEMUs
 * describe wrong sizes where a pointer is NULL: then it is the next header with that name.
 */
static const struct gw_qemu_candidate *find(const struct gw_qemu_sections *q,
					    const struct gw_qemu_section *s, uint64_t expected,
					    size_t *from)
{
	const struct gw_qemu_candidate *next = NULL;

	for (size_t i = *from; i < q->nr_candidates; i++) {
		if (q->candidates[i].instance != s->instance ||
		    strcmp(q->candidates[i].name, s->name) != 0)
			continue;
		if (!next || q->candidates[i].offset == expected) {
			next = &q->candidates[i];
			*from = i + 1;
		}
		if (q->candidates[i].offset >= expected)
			break;
	}
	return next;
}

static bool list_device(struct gw_qemu_sections *q, const json_t *device, size_t *from,
			uint64_t *expected)
{
	const char *name = json_string_value(json_object_get(device, "name"));
	const struct gw_qemu_candidate *candidate;
	struct gw_qemu_section *s;

	if (!name || strlen(name) > GW_QEMU_NAME_MAX)
		return false;
	s = gw_qemu_add_section(q, name);
	if (!s)
		return true;
	s->instance = (uint32_t)number(device, "instance_id", 0);
	s->version = (uint32_t)number(device, "version", 0);
	candidate = find(q, s, *expected, from);
	if (!candidate)
		return true;
	/* The version comes from the section's header: the description has none for a device that
	 * saves itself with its own code. */
	gw_qemu_place_section(s, candidate);
	*expected = candidate->offset + size_of_section(q, device);
	return true;
}

bool gw_qemu_describe(struct gw_qemu_sections *q)
{
	json_t *json = json_loadb((const char *)q->description.data, q->description.len, 0, NULL);
	const json_t *devices = json_object_get(json, "devices");
	bool good = json_is_array(devices) && json_array_size(devices) > 0;
	uint64_t expected = q->end;
	size_t from = 0, i;
	json_t *device;

	/* The devices are the last sections; memory, which is not described, comes before them. */
	json_array_foreach (devices, i, device) {
		uint64_t size = size_of_section(q, device);

		expected = expected > size ? expected - size : 0;
	}
	json_array_foreach (devices, i, device) {
		good = good && list_device(q, device, &from, &expected);
	}
	json_decref(json);
	if (!good)
		q->nr = 0;
	return good;
}
