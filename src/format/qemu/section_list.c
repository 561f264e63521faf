/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of a savevm stream's sections: adds a section and fills in its place.
 */
#include "format/qemu/internal.h"

#include <stdio.h>

size_t gw_qemu_header_size(size_t name_len)
{
	return 1 + 4 + 1 + name_len + 4 + 4;
}

struct gw_qemu_section *gw_qemu_add_section(struct gw_qemu_sections *q, const char *name)
{
	struct gw_qemu_section *s = &q->list[q->nr];

	if (q->nr == GW_QEMU_SECTIONS_MAX) {
		q->left_out++;
		return NULL;
	}
	q->nr++;
	*s = (struct gw_qemu_section){0};
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

void gw_qemu_place_section(struct gw_qemu_section *s, const struct gw_qemu_candidate *candidate)
{
	s->instance = candidate->instance;
	s->version = candidate->version;
	s->id = candidate->id;
	s->first_word = candidate->first_word;
	s->offset = candidate->offset;
	s->placed = true;
}
