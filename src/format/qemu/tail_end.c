/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finds the end of a device's section.
 */
#include "format/qemu/tail_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"

/* Bounds of values in a header that is only guessed to be one. */
#define LIKELY_ID_MAX	   0xffffu
#define LIKELY_VERSION_MAX 0xffu
#define LIKELY_NAME_MIN	   2u
static bool is_likely_name(const char *name)
{
	for (size_t i = 0; name[i]; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_-./:,@+ ", name[i]))
			return false;
	return strlen(name) >= LIKELY_NAME_MIN && (isalnum((unsigned char)*name) || *name == '/');
}

/* Do these bytes look like the header of a section? */
static bool is_likely_head(const uint8_t *p, size_t len)
{
	struct gw_savevm_head head;
	size_t need;

	if (len == 0 || (p[0] != GW_SAVEVM_FULL && p[0] != GW_SAVEVM_START) ||
	    !gw_savevm_head(p, len, &head, &need))
		return false;
	return head.id <= LIKELY_ID_MAX && head.instance <= LIKELY_ID_MAX &&
	       head.version <= LIKELY_VERSION_MAX && is_likely_name(head.name);
}

/* Can these bytes follow a section? */
static bool is_likely_next(const uint8_t *p, size_t len)
{
	struct gw_savevm_command command;
	size_t need;

	if (len == 0)
		return true;
	switch (p[0]) {
	case GW_SAVEVM_EOF:
		return true;
	case GW_SAVEVM_PART:
	case GW_SAVEVM_END:
		return len >= 5 && gw_get_be32(p + 1) <= LIKELY_ID_MAX;
	case GW_SAVEVM_COMMAND:
		return gw_savevm_command(p, len, &command, &need) &&
		       gw_savevm_command_length_is_good(&command);
	default:
		return is_likely_head(p, len);
	}
}

bool gw_savevm_find_footer(const uint8_t *p, size_t len, uint32_t id, size_t *at)
{
	size_t pos = *at;

	while (pos < len && len - pos >= GW_SAVEVM_FOOTER_SIZE) {
		const uint8_t *mark =
			memchr(p + pos, GW_SAVEVM_FOOTER, len - pos - GW_SAVEVM_FOOTER_SIZE + 1);

		if (!mark)
			return false;
		pos = (size_t)(mark - p);
		if (gw_get_be32(mark + 1) == id &&
		    is_likely_next(mark + GW_SAVEVM_FOOTER_SIZE,
				   len - pos - GW_SAVEVM_FOOTER_SIZE)) {
			*at = pos;
			return true;
		}
		pos++;
	}
	return false;
}

/* Can a section end at pos? Many bytes are 0, so EOF has to be where it belongs. */
static bool can_follow(const struct gw_savevm_tail *t, size_t pos)
{
	size_t left = t->len - pos;

	if (left && t->p[pos] == GW_SAVEVM_EOF)
		return t->stream->has_description
			       ? gw_savevm_offset_of(t, pos + 6) == t->stream->description_offset
			       : left == 1;
	return left && is_likely_next(t->p + pos, left);
}

/* How a section ends, where its data is taken to end at pos. */
static bool ends_at(struct gw_savevm_tail *t, size_t pos, uint32_t id)
{
	const uint8_t *p = t->p + pos;
	size_t left = t->len - pos;
	bool marked = left >= GW_SAVEVM_FOOTER_SIZE && p[0] == GW_SAVEVM_FOOTER;

	if (t->stream->footers != GW_SAVEVM_NO_FOOTERS && marked)
		return gw_get_be32(p + 1) == id;
	return t->stream->footers != GW_SAVEVM_FOOTERS && can_follow(t, pos);
}

/* The device that the description has for this section. */
static const struct gw_savevm_device *described(struct gw_savevm_tail *t,
						const struct gw_savevm_section *section)
{
	const struct gw_savevm_description *d = &t->stream->description;
	const struct gw_savevm_device *device;
	const char *name = section->head.name;

	/* PART and END belong to devices that the description leaves out. */
	if (!t->stream->has_description || !*name || section->head.type == GW_SAVEVM_PART ||
	    section->head.type == GW_SAVEVM_END)
		return NULL;
	device = gw_savevm_device_find(d, name, section->head.instance, t->next_device);
	if (!device) {
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_DESCRIPTION_DEVICE, section->offset,
				"section \"%s\" instance %" PRIu32
				": the description does not list it",
				name, section->head.instance);
		return NULL;
	}
	if (device != &d->devices[t->next_device % d->nr_devices])
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_DESCRIPTION_DEVICE, section->offset,
				"section \"%s\" instance %" PRIu32
				": the description lists \"%s\" in its place",
				name, section->head.instance,
				d->devices[t->next_device % d->nr_devices].name);
	t->next_device = (size_t)(device - d->devices) + 1;
	return device;
}

static void set_length(struct gw_savevm_tail *t, struct gw_savevm_section *section, size_t end,
		       enum gw_savevm_found found)
{
	section->length = gw_savevm_offset_of(t, end) - section->data;
	section->found = found;
}

/* By a layout. False: it does not lead to the end of a section. */
static bool end_by_layout(struct gw_savevm_tail *t, struct gw_savevm_section *section,
			  const struct gw_savevm_layout *layout, bool of_another)
{
	t->walk.of_another = of_another;
	if (!gw_savevm_walk(&t->walk, layout, t->p + t->pos, t->len - t->pos))
		return false;
	if (!ends_at(t, t->pos + t->walk.taken, section->head.id))
		return false;
	section->layout = layout;
	set_length(t, section, t->pos + t->walk.taken,
		   of_another ? GW_SAVEVM_BY_LIKE : GW_SAVEVM_BY_DESCRIPTION);
	return true;
}

/* By the footer of its id. */
static bool end_by_footer(struct gw_savevm_tail *t, struct gw_savevm_section *section)
{
	size_t at = t->pos;

	if (t->stream->footers == GW_SAVEVM_NO_FOOTERS ||
	    !gw_savevm_find_footer(t->p, t->len, section->head.id, &at))
		return false;
	set_length(t, section, at, GW_SAVEVM_BY_FOOTER);
	return true;
}

/* By the next bytes that look like a section's header, or by the end. */
static bool end_by_look(struct gw_savevm_tail *t, struct gw_savevm_section *section)
{
	size_t end = t->len;

	if (t->stream->footers == GW_SAVEVM_FOOTERS)
		return false;
	if (t->stream->has_description)
		end = (size_t)(t->stream->description_offset - t->offset) - 5;
	for (size_t at = t->pos; at < end; at++) {
		if (!is_likely_head(t->p + at, end - at) || t->p[at] != GW_SAVEVM_FULL ||
		    gw_get_be32(t->p + at + 1) <= section->head.id)
			continue;
		set_length(t, section, at, GW_SAVEVM_BY_LOOK);
		return true;
	}
	/* The last section ends before EOF. */
	if (end <= t->pos || t->p[end - 1] != GW_SAVEVM_EOF)
		return false;
	set_length(t, section, end - 1, GW_SAVEVM_BY_LOOK);
	return true;
}

static void blame_contradiction(struct gw_savevm_tail *t, const struct gw_savevm_section *section,
				bool of_another, const char *why, uint64_t described_size)
{
	const char *whose = of_another ? "the other stream's description" : "the description";
	enum gw_savevm_fault fault =
		of_another ? GW_SAVEVM_FAULT_LIKE : GW_SAVEVM_FAULT_DESCRIPTION_SIZE;

	if (*why)
		gw_savevm_blame(&t->faults, fault, section->offset,
				"section \"%s\" instance %" PRIu32 ": by %s, %s",
				section->head.name, section->head.instance, whose, why);
	else
		gw_savevm_blame(&t->faults, fault, section->offset,
				"section \"%s\" instance %" PRIu32 ": by %s its data has %" PRIu64
				" bytes, but %s does not end there",
				section->head.name, section->head.instance, whose, described_size,
				"the section");
}

/* What the stream has where a layout says that the data ends: a footer of another section, or the
 * next section, which come to the same. */
static bool ends_badly(struct gw_savevm_tail *t, struct gw_savevm_section *section, size_t end)
{
	const uint8_t *p = t->p + end;
	size_t left = t->len - end;

	if (left >= GW_SAVEVM_FOOTER_SIZE && p[0] == GW_SAVEVM_FOOTER)
		return can_follow(t, end + GW_SAVEVM_FOOTER_SIZE);
	return t->stream->footers == GW_SAVEVM_FOOTERS && can_follow(t, end);
}

bool gw_savevm_find_end(struct gw_savevm_tail *t, struct gw_savevm_section *section)
{
	const struct gw_savevm_device *device = described(t, section);
	bool of_another = false;
	size_t taken;

	if (!device && t->like) {
		device = gw_savevm_device_find(t->like, section->head.name, section->head.instance,
					       0);
		of_another = true;
	}
	if (!device)
		return end_by_footer(t, section) || end_by_look(t, section);
	if (end_by_layout(t, section, &device->layout, of_another))
		return true;
	taken = t->walk.taken;
	if (!*t->walk.fault && ends_badly(t, section, t->pos + taken) && !of_another) {
		/* The layout is right, and the footer is not. */
		section->layout = &device->layout;
		set_length(t, section, t->pos + taken, GW_SAVEVM_BY_DESCRIPTION);
		return true;
	}
	blame_contradiction(t, section, of_another, t->walk.fault, taken);
	return end_by_footer(t, section) || end_by_look(t, section);
}
