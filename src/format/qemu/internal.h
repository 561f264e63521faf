/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Declarations that the files about savevm streams share. Other files include sections.h.
 */
#ifndef GW_FORMAT_QEMU_INTERNAL_H
#define GW_FORMAT_QEMU_INTERNAL_H

#include "format/qemu/sections.h"

/* Bytes that look like the header of a section, in the order of the stream. */
struct gw_qemu_candidate {
	uint64_t offset;
	uint32_t id, instance, version;
	uint32_t first_word; /* of the data after it; 0: there is none */
	bool behind_footer;  /* it is after the footer of section footer_id */
	uint32_t footer_id;
	char name[GW_QEMU_NAME_MAX + 1];
};

/* Bytes of a section's header, for a name of this length. */
size_t gw_qemu_header_size(size_t name_len);

/* A new section of the list, for the caller to fill; NULL if there is no room. */
struct gw_qemu_section *gw_qemu_add_section(struct gw_qemu_sections *q, const char *name);
/* Fills in the values of its header, and its offset. */
void gw_qemu_place_section(struct gw_qemu_section *s, const struct gw_qemu_candidate *candidate);

/* Lists the sections of the description. False, with an empty list, if it is not a description. */
bool gw_qemu_describe(struct gw_qemu_sections *q);

#endif
