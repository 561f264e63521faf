/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the sections of the devices.
 */
#include "format/qemu/tail_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

/* Descriptions that are tried: hostile device data may look like one. */
#define DESCRIPTIONS_TRIED 4u

/* The description is the last part, and fills the stream to its end or has a few bytes after it. */
static void find_description(struct gw_savevm_tail *t)
{
	struct gw_savevm_stream *s = t->stream;
	unsigned tried = 0;

	for (size_t pos = t->len; pos-- > 1 && tried < DESCRIPTIONS_TRIED;) {
		const uint8_t *p = t->p + pos;
		size_t left = t->len - pos;
		uint32_t size;

		if (p[0] != GW_SAVEVM_DESCRIPTION || left < 6 || p[5] != '{' ||
		    p[-1] != GW_SAVEVM_EOF)
			continue;
		size = gw_get_be32(p + 1);
		if (size > left - 5)
			continue;
		tried++;
		if (gw_savevm_description_parse(&s->description, p + 5, size, NULL) < 0)
			continue;
		s->has_description = true;
		s->description_offset = gw_savevm_offset_of(t, pos + 5);
		s->description_size = size;
		return;
	}
}

static void take_footer(struct gw_savevm_tail *t, struct gw_savevm_section *section)
{
	const uint8_t *p = t->p + t->pos;
	bool marked = t->len - t->pos >= GW_SAVEVM_FOOTER_SIZE && p[0] == GW_SAVEVM_FOOTER;

	if (t->stream->footers == GW_SAVEVM_FOOTERS_UNKNOWN)
		t->stream->footers = marked ? GW_SAVEVM_FOOTERS : GW_SAVEVM_NO_FOOTERS;
	section->has_footer = marked;
	if (!marked) {
		if (t->stream->footers == GW_SAVEVM_FOOTERS)
			gw_savevm_blame(
				&t->faults, GW_SAVEVM_FAULT_FOOTER, gw_savevm_offset_of(t, t->pos),
				"section \"%s\" instance %" PRIu32
				": its footer is missing after its data, at offset 0x%" PRIx64,
				section->head.name, section->head.instance,
				gw_savevm_offset_of(t, t->pos));
		return;
	}
	t->pos += GW_SAVEVM_FOOTER_SIZE;
	if (gw_get_be32(p + 1) != section->head.id)
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_FOOTER,
				gw_savevm_offset_of(t, t->pos - GW_SAVEVM_FOOTER_SIZE),
				"section \"%s\" instance %" PRIu32
				": its footer names section id %" PRIu32 ", expected %" PRIu32,
				section->head.name, section->head.instance, gw_get_be32(p + 1),
				section->head.id);
}

static void judge_head(struct gw_savevm_tail *t, struct gw_savevm_section *section)
{
	struct gw_savevm_head *head = &section->head;
	const struct gw_savevm_section *started;

	if (head->type == GW_SAVEVM_PART || head->type == GW_SAVEVM_END) {
		started = gw_savevm_find_id(t->stream, head->id);
		if (!started) {
			gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_ID, section->offset,
					"a section continues id %" PRIu32
					", which no section began",
					head->id);
			return;
		}
		snprintf(head->name, sizeof(head->name), "%s", started->head.name);
		head->instance = started->head.instance;
		head->version = started->head.version;
		return;
	}
	if (!*head->name)
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_NAME, section->offset,
				"the section with id %" PRIu32 " has no name", head->id);
	if (gw_savevm_find_section(t->stream, head->name, head->instance))
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_TWICE, section->offset,
				"section \"%s\" instance %" PRIu32 ": the stream has it twice",
				head->name, head->instance);
}

/* The bytes that are left belong to a section whose end is not known. */
static int give_up(struct gw_savevm_tail *t, struct gw_savevm_section *section,
		   struct gw_error *err)
{
	bool cut = !t->stream->has_description;

	if (cut)
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_CUT, gw_savevm_offset_of(t, t->len),
				"section \"%s\" instance %" PRIu32 ", which begins at 0x%" PRIx64
				": the input ends before the end of its data",
				section->head.name, section->head.instance, section->offset);
	else
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_UNREAD, section->offset,
				"section \"%s\" instance %" PRIu32
				": where it ends cannot be found; what follows is not read",
				section->head.name, section->head.instance);
	section->length = gw_savevm_offset_of(t, t->len) - section->data;
	t->pos = t->len;
	return gw_savevm_add_section(t->stream, section, err) ? 0 : -1;
}

/* 1: the next part can be read; 0: it cannot. */
static int take_section(struct gw_savevm_tail *t, struct gw_error *err)
{
	struct gw_savevm_section section = {
		.offset = gw_savevm_offset_of(t, t->pos),
		.bytes = t->p,
		.packaged = t->packaged,
	};
	size_t need, taken;

	if (t->stream->nr_sections == GW_SAVEVM_SECTIONS_MAX) {
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_UNREAD, section.offset,
				"more than %u sections; what follows is not read",
				GW_SAVEVM_SECTIONS_MAX);
		return 0;
	}
	taken = gw_savevm_head(t->p + t->pos, t->len - t->pos, &section.head, &need);
	if (!taken) {
		gw_savevm_blame(
			&t->faults, GW_SAVEVM_FAULT_CUT, gw_savevm_offset_of(t, t->len),
			"the input ends inside the header of a section, which begins at 0x%" PRIx64,
			section.offset);
		return 0;
	}
	judge_head(t, &section);
	t->pos += taken;
	section.data = gw_savevm_offset_of(t, t->pos);
	section.bytes = t->p + t->pos;
	if (!gw_savevm_find_end(t, &section))
		return give_up(t, &section, err);
	if (section.found == GW_SAVEVM_BY_LOOK && !t->guessed) {
		t->guessed = true;
		gw_savevm_blame(
			&t->faults, GW_SAVEVM_FAULT_GUESSED, section.offset,
			"section \"%s\" instance %" PRIu32
			": the stream has no description and no footers, so its end is guessed, and that of other sections",
			section.head.name, section.head.instance);
	}
	t->pos += (size_t)section.length;
	take_footer(t, &section);
	if (!gw_savevm_add_section(t->stream, &section, err))
		return -1;
	if (t->section)
		t->section(t->opaque, &section);
	return 1;
}

int gw_savevm_take_command(struct gw_savevm_stream *s, const struct gw_savevm_faults *faults,
			   const struct gw_savevm_command *c, struct gw_savevm_command_at *at,
			   struct gw_error *err)
{
	const char *name = gw_savevm_command_name(c->number);

	at->number = c->number;
	at->length = c->length;
	if (!name)
		gw_savevm_blame(faults, GW_SAVEVM_FAULT_COMMAND, at->offset,
				"command %u is not one that QEMU knows", c->number);
	else if (!gw_savevm_command_length_is_good(c))
		gw_savevm_blame(faults, GW_SAVEVM_FAULT_COMMAND, at->offset,
				"command %s has %u bytes, which is not its length", name,
				c->length);
	return gw_savevm_add_command(s, at, err);
}

static int take_command(struct gw_savevm_tail *t, struct gw_error *err)
{
	struct gw_savevm_command_at at = {
		.offset = gw_savevm_offset_of(t, t->pos),
		.packaged = t->packaged,
	};
	struct gw_savevm_command command;
	size_t need, taken;

	taken = gw_savevm_command(t->p + t->pos, t->len - t->pos, &command, &need);
	if (!taken) {
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_CUT, gw_savevm_offset_of(t, t->len),
				"the input ends inside a command, which begins at 0x%" PRIx64,
				at.offset);
		return 0;
	}
	t->pos += taken;
	if (gw_savevm_take_command(t->stream, &t->faults, &command, &at, err) < 0)
		return -1;
	if (t->command)
		t->command(t->opaque, &at);
	if (command.number != GW_SAVEVM_PACKAGED)
		return 1;
	/* QEMU sends none after its devices, nor inside of one. */
	gw_savevm_blame(
		&t->faults, GW_SAVEVM_FAULT_PACKAGE, at.offset,
		"command PACKAGED comes after sections of devices; what follows is not read");
	return 0;
}

static void take_eof(struct gw_savevm_tail *t)
{
	struct gw_savevm_stream *s = t->stream;
	const uint8_t *p;
	size_t left;

	s->has_eof = true;
	s->eof = gw_savevm_offset_of(t, t->pos++);
	p = t->p + t->pos;
	left = t->len - t->pos;
	if (s->has_description && gw_savevm_offset_of(t, t->pos + 5) == s->description_offset) {
		t->pos += 5 + (size_t)s->description_size;
	} else if (left && p[0] == GW_SAVEVM_DESCRIPTION) {
		uint32_t size = left >= 5 ? gw_get_be32(p + 1) : 0;

		gw_savevm_blame(
			&t->faults, GW_SAVEVM_FAULT_DESCRIPTION, gw_savevm_offset_of(t, t->pos),
			left < 5 || size > left - 5 ? "the input ends inside the description"
						    : "the description cannot be read");
		t->pos += GW_MIN(left, (size_t)5 + size);
	}
	s->trailing = t->len - t->pos;
	s->end = gw_savevm_offset_of(t, t->pos);
}

/* What the description lists after the last section. */
static void blame_missing_devices(struct gw_savevm_tail *t)
{
	const struct gw_savevm_description *d = &t->stream->description;

	for (size_t i = 0; i < d->nr_devices; i++)
		if (!gw_savevm_find_section(t->stream, d->devices[i].name, d->devices[i].instance))
			gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_DESCRIPTION_DEVICE,
					t->stream->description_offset,
					"the description lists \"%s\" instance %" PRIu32
					", of which the stream has no section",
					d->devices[i].name, d->devices[i].instance);
}

static void blame_end(struct gw_savevm_tail *t)
{
	struct gw_savevm_stream *s = t->stream;
	uint32_t page = UINT32_C(1) << s->ram.page_bits;

	if (!s->has_eof)
		return;
	if (!s->has_description) {
		gw_savevm_blame(
			&t->faults, GW_SAVEVM_FAULT_NO_DESCRIPTION, s->eof,
			"the stream has no description: the fields of its devices are not known%s",
			t->like ? ", except by that of the other stream" : "");
		return;
	}
	blame_missing_devices(t);
	if (s->description.page_size && s->ram.has_list && s->description.page_size != page)
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_DESCRIPTION_PAGE, s->description_offset,
				"the description says pages of %" PRIu64
				" bytes, the memory has pages of %" PRIu32,
				s->description.page_size, page);
}

/* 1: go on, 0: the end, or what follows cannot be read; -1: no memory. */
static int take_part(struct gw_savevm_tail *t, struct gw_error *err)
{
	char name[16];

	switch (t->p[t->pos]) {
	case GW_SAVEVM_EOF:
		take_eof(t);
		return 0;
	case GW_SAVEVM_START:
	case GW_SAVEVM_PART:
	case GW_SAVEVM_END:
	case GW_SAVEVM_FULL:
		return take_section(t, err);
	case GW_SAVEVM_COMMAND:
		return take_command(t, err);
	default:
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_TYPE, gw_savevm_offset_of(t, t->pos),
				"%s begins no section; what follows is not read",
				gw_savevm_type_name(t->p[t->pos], name));
		return 0;
	}
}

int gw_savevm_tail_read(struct gw_savevm_tail *t, const uint8_t *p, size_t len, uint64_t offset,
			bool whole, struct gw_error *err)
{
	int rc = 1;

	t->p = p;
	t->len = len;
	t->pos = 0;
	t->offset = offset;
	t->stream->end = offset + len;
	if (whole)
		find_description(t);
	while (rc > 0 && t->pos < t->len)
		rc = take_part(t, err);
	if (rc > 0 && whole)
		gw_savevm_blame(&t->faults, GW_SAVEVM_FAULT_CUT, gw_savevm_offset_of(t, t->len),
				"the input ends before the EOF of the stream");
	if (rc >= 0 && whole)
		blame_end(t);
	return rc < 0 ? -1 : 0;
}
