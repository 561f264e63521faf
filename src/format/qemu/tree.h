/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A savevm stream that was read: its configuration, RAM blocks, commands, and its sections with the
 * bytes and the layout of each device. Memory contents are not part of it.
 *
 * To see the fields of a section, walk its bytes by its layout (fields.h). Offsets count from the
 * first byte of the input.
 */
#ifndef GW_FORMAT_QEMU_TREE_H
#define GW_FORMAT_QEMU_TREE_H

#include "base/buffer.h"
#include "format/qemu/fields.h"
#include "format/qemu/layout.h"
#include "format/qemu/ram.h"
#include "format/qemu/savevm.h"

/* Most sections and commands that are kept; those that follow are counted. A device's section is
 * looked for among all of them, so their number also bounds the time that a stream takes. */
#define GW_SAVEVM_SECTIONS_MAX 16384u
#define GW_SAVEVM_COMMANDS_MAX 4096u
/* Most bytes of device data that are kept, in all. A stream with more is not read. */
#define GW_SAVEVM_DEVICES_MAX (UINT64_C(256) << 20)

/* How the length of a section is known. */
enum gw_savevm_found {
	GW_SAVEVM_NOT_FOUND, /* it is not known: the section was read no further */
	GW_SAVEVM_BY_WORDS,  /* memory: its words end it */
	GW_SAVEVM_BY_DESCRIPTION,
	GW_SAVEVM_BY_LIKE,   /* by the description of another stream of the same machine */
	GW_SAVEVM_BY_FOOTER, /* the first footer with its id before something that can follow it */
	GW_SAVEVM_BY_LOOK,   /* guessed: the next bytes that look like the header of a section */
};

struct gw_savevm_section {
	struct gw_savevm_head head; /* of PART and END also the name, as their START gave it */
	uint64_t offset;	    /* of its type byte */
	uint64_t data;		    /* of the byte after its header */
	uint64_t length;	    /* of its data, without header and footer */
	enum gw_savevm_found found;
	bool has_footer;
	bool packaged;	      /* it came inside of a PACKAGED command */
	const uint8_t *bytes; /* length bytes, owned by the stream; NULL: memory */
	/* Of the bytes; NULL: not known, or it contradicts them. Owned by the stream, or by the
	 * description that the caller gave. */
	const struct gw_savevm_layout *layout;
};

struct gw_savevm_command_at {
	uint64_t offset;
	uint16_t number, length;
	bool packaged;
};

enum gw_savevm_footers { GW_SAVEVM_FOOTERS_UNKNOWN, GW_SAVEVM_FOOTERS, GW_SAVEVM_NO_FOOTERS };

/* Zeroed is empty. */
struct gw_savevm_stream {
	uint64_t offset; /* of the stream in the input */
	uint32_t version;
	bool has_configuration;
	struct gw_savevm_configuration configuration;
	struct gw_savevm_ram ram; /* its blocks, and the numbers of pages */
	enum gw_savevm_footers footers;
	struct gw_savevm_section *sections; /* in the order of the stream */
	size_t nr_sections;
	uint64_t sections_left_out;
	struct gw_savevm_command_at *commands;
	size_t nr_commands;
	uint64_t commands_left_out;
	bool has_eof;
	uint64_t eof; /* its offset */
	bool has_description;
	uint64_t description_offset, description_size; /* of the JSON */
	struct gw_savevm_description description;
	uint64_t trailing; /* bytes after the end */
	uint64_t end;	   /* offset of the first byte that does not belong to the stream */

	/* private */
	size_t cap_sections, cap_commands;
	struct gw_buffer *device_bytes; /* what sections' bytes point into: never moved */
	size_t nr_device_bytes;
	uint64_t device_bytes_total;
};

void gw_savevm_stream_free(struct gw_savevm_stream *s);

/* Adds a copy to the list; with all of its room taken, it is counted. NULL with err: no memory.
 * Otherwise the section in the list, or the given one. */
const struct gw_savevm_section *gw_savevm_add_section(struct gw_savevm_stream *s,
						      const struct gw_savevm_section *section,
						      struct gw_error *err);
int gw_savevm_add_command(struct gw_savevm_stream *s, const struct gw_savevm_command_at *command,
			  struct gw_error *err);
/* Hands a buffer over to the stream. -1: no memory; it is freed then. */
int gw_savevm_keep_bytes(struct gw_savevm_stream *s, struct gw_buffer *buffer,
			 struct gw_error *err);

/* The START or FULL section with this id, the last one that is; NULL: none. */
const struct gw_savevm_section *gw_savevm_find_id(const struct gw_savevm_stream *s, uint32_t id);
/* The START or FULL section of that name and instance; NULL: none. */
const struct gw_savevm_section *gw_savevm_find_section(const struct gw_savevm_stream *s,
						       const char *name, uint32_t instance);
/* The same, by the last part of its name: "cpu" */
const struct gw_savevm_section *gw_savevm_find_short(const struct gw_savevm_stream *s,
						     const char *short_name, uint32_t instance);

/* The bytes of a section's field: false if it has none of that path or the layout is not known. */
bool gw_savevm_field_get(const struct gw_savevm_section *section, const char *path,
			 struct gw_savevm_value *value);

#endif
