/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lists of a savevm stream that was read.
 */
#include "format/qemu/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

void gw_savevm_stream_free(struct gw_savevm_stream *s)
{
	for (size_t i = 0; i < s->nr_device_bytes; i++)
		gw_buffer_free(&s->device_bytes[i]);
	free(s->device_bytes);
	free(s->sections);
	free(s->commands);
	gw_savevm_ram_free(&s->ram);
	gw_savevm_description_free(&s->description);
	*s = (struct gw_savevm_stream){0};
}

/* Fields of a section among which one is looked for. A vCPU has some thousand. */
#define LOOKED_AT 65536u

/* Room for one more element; *cap grows by half. */
static void *more_room(void *list, size_t nr, size_t *cap, size_t size, struct gw_error *err)
{
	size_t room = *cap ? *cap + *cap / 2 : 32;
	void *more;

	if (nr < *cap)
		return list;
	more = reallocarray(list, room, size);
	if (!more) {
		gw_fail(err, GW_NO_MEMORY, "no memory for the sections of a QEMU stream");
		return NULL;
	}
	*cap = room;
	return more;
}

const struct gw_savevm_section *gw_savevm_add_section(struct gw_savevm_stream *s,
						      const struct gw_savevm_section *section,
						      struct gw_error *err)
{
	struct gw_savevm_section *list;

	if (s->nr_sections == GW_SAVEVM_SECTIONS_MAX) {
		s->sections_left_out++;
		return section;
	}
	list = more_room(s->sections, s->nr_sections, &s->cap_sections, sizeof(*list), err);
	if (!list)
		return NULL;
	s->sections = list;
	list[s->nr_sections] = *section;
	return &list[s->nr_sections++];
}

int gw_savevm_add_command(struct gw_savevm_stream *s, const struct gw_savevm_command_at *command,
			  struct gw_error *err)
{
	struct gw_savevm_command_at *list;

	if (s->nr_commands == GW_SAVEVM_COMMANDS_MAX) {
		s->commands_left_out++;
		return 0;
	}
	list = more_room(s->commands, s->nr_commands, &s->cap_commands, sizeof(*list), err);
	if (!list)
		return -1;
	s->commands = list;
	list[s->nr_commands++] = *command;
	return 0;
}

int gw_savevm_keep_bytes(struct gw_savevm_stream *s, struct gw_buffer *buffer, struct gw_error *err)
{
	struct gw_buffer *list =
		reallocarray(s->device_bytes, s->nr_device_bytes + 1, sizeof(*list));

	if (!list) {
		gw_buffer_free(buffer);
		return gw_fail(err, GW_NO_MEMORY, "no memory for the devices of a QEMU stream");
	}
	s->device_bytes = list;
	list[s->nr_device_bytes++] = *buffer;
	s->device_bytes_total += buffer->len;
	*buffer = (struct gw_buffer){0};
	return 0;
}

static bool begins_device(const struct gw_savevm_section *section)
{
	return section->head.type == GW_SAVEVM_START || section->head.type == GW_SAVEVM_FULL;
}

const struct gw_savevm_section *gw_savevm_find_id(const struct gw_savevm_stream *s, uint32_t id)
{
	for (size_t i = s->nr_sections; i-- > 0;)
		if (begins_device(&s->sections[i]) && s->sections[i].head.id == id)
			return &s->sections[i];
	return NULL;
}

const struct gw_savevm_section *gw_savevm_find_section(const struct gw_savevm_stream *s,
						       const char *name, uint32_t instance)
{
	for (size_t i = 0; i < s->nr_sections; i++) {
		const struct gw_savevm_section *section = &s->sections[i];

		if (begins_device(section) && section->head.instance == instance &&
		    !strcmp(section->head.name, name))
			return section;
	}
	return NULL;
}

const struct gw_savevm_section *gw_savevm_find_short(const struct gw_savevm_stream *s,
						     const char *short_name, uint32_t instance)
{
	for (size_t i = 0; i < s->nr_sections; i++) {
		const struct gw_savevm_section *section = &s->sections[i];

		if (begins_device(section) && section->head.instance == instance &&
		    !strcmp(gw_savevm_short_name(section->head.name), short_name))
			return section;
	}
	return NULL;
}

struct wanted {
	const char *path;
	struct gw_savevm_value *value;
	bool found;
};

static bool is_wanted(void *opaque, const struct gw_savevm_value *value)
{
	struct wanted *w = opaque;

	if (!value->type || strcmp(value->path, w->path) != 0)
		return true;
	*w->value = *value;
	w->value->path = w->path;
	w->found = true;
	return false;
}

bool gw_savevm_field_get(const struct gw_savevm_section *section, const char *path,
			 struct gw_savevm_value *value)
{
	struct wanted wanted = {.path = path, .value = value};
	struct gw_savevm_walk walk = {
		.of_another = section->found == GW_SAVEVM_BY_LIKE,
		.visit = is_wanted,
		.opaque = &wanted,
		.steps = GW_SAVEVM_STEPS_MAX - LOOKED_AT,
	};

	if (section->layout && section->bytes)
		gw_savevm_walk(&walk, section->layout, section->bytes, (size_t)section->length);
	return wanted.found;
}
