/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The framing of a QEMU savevm stream ("QEVM"): its header, the configuration, the headers of
 * sections, commands. All numbers are big-endian. Source: migration/savevm.c of QEMU.
 *
 * A stream is a header, an optional configuration, sections and commands, EOF, and an optional
 * description (layout.h). No section records its length. That of a memory section follows from its
 * words (ram.h), that of a device from the description; tail.h puts the two together.
 *
 * Each decoder gets the bytes that are there. It returns the number of bytes that it took, or 0
 * with *need set: then it wants at least that many bytes from the same place. A decoder never asks
 * for more than GW_SAVEVM_HEAD_MAX bytes.
 */
#ifndef GW_FORMAT_QEMU_SAVEVM_H
#define GW_FORMAT_QEMU_SAVEVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#define GW_SAVEVM_MAGIC	      UINT32_C(0x5145564d) /* "QEVM" */
#define GW_SAVEVM_HEADER_SIZE 8u
#define GW_SAVEVM_VERSION     3u
#define GW_SAVEVM_NAME_MAX    255u
/* The longest piece that is decoded at once: a configuration with all of its capabilities. */
#define GW_SAVEVM_HEAD_MAX    (64u << 10)
#define GW_SAVEVM_FOOTER_SIZE 5u

/* The byte that begins each part of a stream. */
enum gw_savevm_type {
	GW_SAVEVM_EOF = 0x00,
	GW_SAVEVM_START = 0x01, /* the first section of a device that has several */
	GW_SAVEVM_PART = 0x02,
	GW_SAVEVM_END = 0x03,
	GW_SAVEVM_FULL = 0x04,	     /* the only section of a device */
	GW_SAVEVM_SUBSECTION = 0x05, /* inside a device's data */
	GW_SAVEVM_DESCRIPTION = 0x06,
	GW_SAVEVM_CONFIGURATION = 0x07,
	GW_SAVEVM_COMMAND = 0x08,
	GW_SAVEVM_FOOTER = 0x7e,
};

enum gw_savevm_command_number {
	GW_SAVEVM_OPEN_RETURN_PATH = 1,
	GW_SAVEVM_PING,
	GW_SAVEVM_POSTCOPY_ADVISE,
	GW_SAVEVM_POSTCOPY_LISTEN,
	GW_SAVEVM_POSTCOPY_RUN,
	GW_SAVEVM_POSTCOPY_RAM_DISCARD,
	GW_SAVEVM_PACKAGED, /* a stream of sections of the given length follows the command */
	GW_SAVEVM_ENABLE_COLO,
	GW_SAVEVM_POSTCOPY_RESUME,
	GW_SAVEVM_RECV_BITMAP,
	GW_SAVEVM_SWITCHOVER_START,
	GW_SAVEVM_NR_COMMANDS,
};

/* The CONFIGURATION section. */
struct gw_savevm_configuration {
	char machine[GW_SAVEVM_NAME_MAX + 1]; /* the machine type */
	bool has_page_bits, has_uuid;
	uint32_t page_bits; /* a page of the target has 1 << page_bits bytes; default: 12 */
	uint8_t uuid[16];
	/* Capabilities of the migration that change the stream's layout. */
	bool ignore_shared, mapped_ram;
	char capabilities[512]; /* all names, with ", " between them; "": none are given */
};

/* The header of a section. PART and END have only type and id. */
struct gw_savevm_head {
	enum gw_savevm_type type;
	uint32_t id;
	char name[GW_SAVEVM_NAME_MAX + 1]; /* "0000:00:02.0/virtio-net", "ram" */
	uint32_t instance, version;
};

struct gw_savevm_command {
	uint16_t number;	/* enum gw_savevm_command_number, or one that is not known */
	uint16_t length;	/* of its payload */
	const uint8_t *payload; /* borrowed from the input */
};

/* The stream's header; 0 bytes: fewer than 8 are there. The caller compares magic and version. */
size_t gw_savevm_header(const uint8_t *p, size_t len, uint32_t *magic, uint32_t *version);

/*
 * A CONFIGURATION section with its subsections, from its type byte on. *bad is NULL, or says what
 * cannot be read in it; the section is then taken up to there.
 */
size_t gw_savevm_configuration(const uint8_t *p, size_t len, struct gw_savevm_configuration *c,
			       size_t *need, const char **bad);

/* The header of a section of type START, PART, END or FULL, from its type byte on. A byte of the
 * name that is 0 becomes '?'. */
size_t gw_savevm_head(const uint8_t *p, size_t len, struct gw_savevm_head *head, size_t *need);
/* The bytes of the header of a section with this name. */
size_t gw_savevm_head_size(const struct gw_savevm_head *head);

/* A command with its payload, from its type byte on. */
size_t gw_savevm_command(const uint8_t *p, size_t len, struct gw_savevm_command *c, size_t *need);
/* "PACKAGED", or NULL. */
const char *gw_savevm_command_name(unsigned number);
/* Is this the length that the command's payload has? Unknown commands: false. */
bool gw_savevm_command_length_is_good(const struct gw_savevm_command *c);

/* "FULL", "PART", ...; "type 0x99" for others, written into buf. */
const char *gw_savevm_type_name(unsigned type, char buf[16]);
/* Can this byte begin a part of a stream after its header? */
bool gw_savevm_is_type(unsigned type);
/* The last part of a section's name: "virtio-net" of "0000:00:02.0/virtio-net". */
const char *gw_savevm_short_name(const char *name);

#endif
