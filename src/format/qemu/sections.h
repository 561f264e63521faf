/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sections of a QEMU savevm stream ("QEVM"), the state of Xen's device model. They are found
 * without knowing the contents of any device.
 *
 * A section does not record its length. The result names the method that found the sections:
 * - A description in JSON at the end (VMDESCRIPTION) lists every device with its sizes; QEMU writes
 *   it in a migration, never for Xen.
 * - A footer after each section (0x7e and the section's id), which streams for Xen do not have.
 * - Otherwise the first section follows the header, and all others are found by bytes that look
 * like a section header. Device data may look the same, so that list is a guess.
 *
 * The stream is scanned as it arrives; only some hundred bytes and the description are kept.
 * Numbers are big-endian. Source: migration/savevm.c of QEMU.
 */
#ifndef GW_FORMAT_QEMU_SECTIONS_H
#define GW_FORMAT_QEMU_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"

#define GW_QEMU_SECTIONS_MAX	1024u /* most sections that are listed; a machine has some dozens */
#define GW_QEMU_DESCRIPTION_MAX (4u << 20)
#define GW_QEMU_NAME_MAX	255u

enum gw_qemu_found_by {
	GW_QEMU_NOTHING, /* no section was found after the header */
	GW_QEMU_DESCRIPTION,
	GW_QEMU_FOOTERS,
	GW_QEMU_PATTERN, /* likely */
};

struct gw_qemu_section {
	char name[GW_QEMU_NAME_MAX + 1];
	uint32_t instance, version;
	bool placed; /* the members below are known */
	uint32_t id;
	uint32_t first_word; /* the first four bytes of its data, as a number; 0: it has fewer */
	uint64_t offset;     /* of its first byte, in the stream */
	uint64_t size;	     /* to the next section, or the end; 0: not known */
};

/* Bytes that look like a subsection of a device's data. */
struct gw_qemu_subsection {
	char name[GW_QEMU_NAME_MAX + 1];
	uint32_t version;
	uint64_t data; /* offset of the first byte after its header; 0: there is none */
};

/* Zeroed, then begin. */
struct gw_qemu_sections {
	bool is_qemu; /* the stream begins with "QEVM" */
	uint32_t version;
	char machine[GW_QEMU_NAME_MAX + 1]; /* from a CONFIGURATION section; "": it has none */
	enum gw_qemu_found_by found_by;
	struct gw_qemu_section *list; /* in the order of the stream */
	size_t nr;
	uint64_t left_out;		      /* sections for which the list had no room */
	struct gw_qemu_subsection subsection; /* the last one of the stream */
	uint64_t first_section;		      /* offset of the first section */
	uint64_t end;	 /* offset of EOF, after the last section; 0: it has none */
	uint64_t total;	 /* bytes of the stream */
	bool cut_header; /* its last bytes are the beginning of a section's header */
	bool is_empty;	 /* EOF comes where the first section should be */
	bool begun, ended;

	/* private */
	uint8_t window[4096];		      /* a part of the stream */
	uint64_t window_offset;		      /* its offset in the stream */
	size_t window_len;		      /* bytes in it */
	uint64_t scan_offset;		      /* the next byte to scan; 0: the header is not read */
	struct gw_qemu_candidate *candidates; /* bytes that look like the header of a section */
	size_t nr_candidates, cap_candidates;
	bool closed; /* the stream ends after the last footer, which has this id */
	uint32_t last_footer;
	bool described; /* the description comes next */
	struct gw_buffer description;
};

/* Begins a stream of total bytes; forgets the one before. */
void gw_qemu_sections_begin(struct gw_qemu_sections *q, uint64_t total);
/* Adds the next bytes. -1: no memory. */
int gw_qemu_sections_add(struct gw_qemu_sections *q, const uint8_t *data, size_t len,
			 struct gw_error *err);
/* The stream is over, complete or not: fills the list. -1: no memory. */
int gw_qemu_sections_end(struct gw_qemu_sections *q, struct gw_error *err);
void gw_qemu_sections_free(struct gw_qemu_sections *q);

#endif
