/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The layout of device data, as the description at the end of a savevm stream (VMDESCRIPTION, JSON)
 * gives it: a tree of fields, nested structs and subsections for each device.
 *
 * QEMU writes the description and never reads it. So it may say anything: sizes and counts are
 * bounded here, and the user of a layout compares it with the bytes (fields.h).
 */
#ifndef GW_FORMAT_QEMU_LAYOUT_H
#define GW_FORMAT_QEMU_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

/* Longest description that is read. A machine with 300 devices has one of about 1 MiB. Parsing
 * takes up to 100 times as much memory for JSON made to be expensive. */
#define GW_SAVEVM_DESCRIPTION_MAX (8u << 20)
#define GW_SAVEVM_DESCRIBED_MAX	  16384u /* devices */
/* Most levels of structs and subsections; QEMU's own are nested less than ten deep. */
#define GW_SAVEVM_DEPTH_MAX 32u
/* No size is larger than this; a larger one in the description counts as this. */
#define GW_SAVEVM_SIZE_MAX UINT32_MAX

struct gw_savevm_field;

/* The data of a device, of a nested struct or of a subsection: first its fields, then its
 * subsections. Owned by the description. */
struct gw_savevm_layout {
	char *name; /* of the VMStateDescription; NULL: it saves itself with code of its own */
	uint32_t version;
	struct gw_savevm_field *fields;
	size_t nr_fields;
	struct gw_savevm_layout *subsections; /* those that the described stream has */
	size_t nr_subsections;
	uint64_t size; /* bytes of all fields and of the subsections with their heads */
};

struct gw_savevm_field {
	char *name;	/* "env.segs" */
	char *type;	/* "uint32", "buffer", "struct", "timer", "int32 equal", ... */
	uint64_t size;	/* bytes of one element, as described */
	uint32_t count; /* elements; 1 unless is_array */
	bool is_array;
	bool has_index; /* it is one element of an array, written by itself */
	uint32_t index;
	struct gw_savevm_layout *of; /* of a struct; NULL: a value without parts */
};

struct gw_savevm_device {
	char *name; /* as in the section's header */
	uint32_t instance;
	struct gw_savevm_layout layout;
};

/* Zeroed is empty. */
struct gw_savevm_description {
	uint64_t page_size;		  /* 0: not given */
	struct gw_savevm_device *devices; /* in the order of the stream */
	size_t nr_devices;
};

/*
 * Parses a description. GW_INVALID: it is not one; *d is then empty. The caller frees *d.
 */
int gw_savevm_description_parse(struct gw_savevm_description *d, const void *json, size_t len,
				struct gw_error *err);
void gw_savevm_description_free(struct gw_savevm_description *d);
/* The device of that name and instance, looked for from device number from on, then before it.
 * NULL: there is none. */
const struct gw_savevm_device *gw_savevm_device_find(const struct gw_savevm_description *d,
						     const char *name, uint32_t instance,
						     size_t from);

/* The bytes of a subsection's head: type, name, version. */
size_t gw_savevm_subsection_head_size(const struct gw_savevm_layout *subsection);

#endif
