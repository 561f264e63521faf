/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The loop over the parts of a savevm stream.
 */
#include "read/savevm_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

/* The input ends where more of the stream was expected. */
static int cut(struct savevm_reading *r, const char *where)
{
	uint64_t end = gw_window_offset(&r->window) + gw_window_len(&r->window);

	gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_CUT, end, "the input ends %s", where);
	return 0;
}

static int read_header(struct savevm_reading *r, struct gw_error *err)
{
	uint64_t offset = gw_window_offset(&r->window);
	int rc = gw_window_want(&r->window, GW_SAVEVM_HEADER_SIZE, err);
	uint32_t magic;

	if (rc < 0)
		return -1;
	r->stream->offset = offset;
	if (rc == 0)
		return cut(r, "inside the header of the stream");
	gw_savevm_header(gw_window_bytes(&r->window), GW_SAVEVM_HEADER_SIZE, &magic,
			 &r->stream->version);
	if (magic != GW_SAVEVM_MAGIC) {
		gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_MAGIC, offset,
				"it begins with 0x%08" PRIx32 ", expected \"QEVM\"", magic);
		return 0;
	}
	if (r->stream->version != GW_SAVEVM_VERSION) {
		gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_VERSION, offset + 4,
				"its version is %" PRIu32 ", expected %u", r->stream->version,
				GW_SAVEVM_VERSION);
		return 0;
	}
	gw_window_take(&r->window, GW_SAVEVM_HEADER_SIZE);
	return 1;
}

static int read_configuration(struct savevm_reading *r, struct gw_error *err)
{
	struct gw_savevm_stream *s = r->stream;
	uint64_t offset = gw_window_offset(&r->window);
	size_t need = 1, taken;
	const char *bad;
	int rc;

	s->ram.page_bits = 12;
	do {
		rc = gw_window_want(&r->window, need, err);
		if (rc < 0)
			return -1;
		if (gw_window_len(&r->window) == 0)
			return cut(r, "after the header of the stream");
		if (*gw_window_bytes(&r->window) != GW_SAVEVM_CONFIGURATION)
			return 1;
		if (rc == 0)
			return cut(r, "inside the configuration");
		taken = gw_savevm_configuration(gw_window_bytes(&r->window),
						gw_window_len(&r->window), &s->configuration, &need,
						&bad);
	} while (!taken);
	s->has_configuration = true;
	s->ram.page_bits = s->configuration.page_bits;
	s->ram.ignore_shared = s->configuration.ignore_shared;
	s->ram.mapped_ram = s->configuration.mapped_ram;
	gw_window_take(&r->window, taken);
	if (!bad)
		return 1;
	gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_CONFIGURATION, offset, "the configuration: %s",
			bad);
	return 0;
}

/* The footer after a memory section. */
static int read_footer(struct savevm_reading *r, struct gw_savevm_section *section,
		       struct gw_error *err)
{
	struct gw_savevm_stream *s = r->stream;
	uint64_t offset = gw_window_offset(&r->window);
	const uint8_t *p;
	bool marked;
	int rc = gw_window_want(&r->window, 1, err);

	if (rc <= 0)
		return rc < 0 ? -1 : cut(r, "before the EOF of the stream");
	marked = *gw_window_bytes(&r->window) == GW_SAVEVM_FOOTER;
	if (s->footers == GW_SAVEVM_FOOTERS_UNKNOWN)
		s->footers = marked ? GW_SAVEVM_FOOTERS : GW_SAVEVM_NO_FOOTERS;
	if (!marked) {
		if (s->footers == GW_SAVEVM_FOOTERS)
			gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_FOOTER, offset,
					"section \"%s\" instance %" PRIu32
					": its footer is missing after its data",
					section->head.name, section->head.instance);
		return 1;
	}
	rc = gw_window_want(&r->window, GW_SAVEVM_FOOTER_SIZE, err);
	if (rc <= 0)
		return rc < 0 ? -1 : gw_savevm_cut(r, section);
	p = gw_window_bytes(&r->window);
	if (gw_get_be32(p + 1) != section->head.id)
		gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_FOOTER, offset,
				"section \"%s\" instance %" PRIu32
				": its footer names section id %" PRIu32 ", expected %" PRIu32,
				section->head.name, section->head.instance, gw_get_be32(p + 1),
				section->head.id);
	section->has_footer = true;
	gw_window_take(&r->window, GW_SAVEVM_FOOTER_SIZE);
	return 1;
}

/* A memory section whose header is in the window. */
static int read_memory(struct savevm_reading *r, struct gw_savevm_section *section,
		       struct gw_error *err)
{
	const struct gw_savevm_listener *l = r->listener;
	int rc;

	gw_window_take(&r->window, gw_savevm_head_size(&section->head));
	section->data = gw_window_offset(&r->window);
	if (section->head.type == GW_SAVEVM_START) {
		if (r->ram_started)
			gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_TWICE, section->offset,
					"section \"ram\" instance %" PRIu32
					": the stream has it twice",
					section->head.instance);
		r->ram_head = section->head;
		r->ram_started = true;
		if (section->head.version != GW_SAVEVM_RAM_VERSION)
			gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_RAM_VERSION, section->offset,
					"section \"ram\" instance %" PRIu32
					": its version is %" PRIu32 ", expected %u",
					section->head.instance, section->head.version,
					GW_SAVEVM_RAM_VERSION);
	} else {
		enum gw_savevm_type type = section->head.type;

		section->head = r->ram_head;
		section->head.type = type;
	}
	r->ram_ended |= section->head.type == GW_SAVEVM_END;
	rc = gw_savevm_read_ram(r, section, err);
	if (rc > 0)
		rc = read_footer(r, section, err);
	if (rc < 0 || !gw_savevm_add_section(r->stream, section, err))
		return -1;
	if (rc > 0 && l->section)
		l->section(l->opaque, section);
	return rc;
}

static void on_section(void *opaque, const struct gw_savevm_section *section)
{
	struct savevm_reading *r = opaque;

	if (r->listener->section)
		r->listener->section(r->listener->opaque, section);
}

static void on_command(void *opaque, const struct gw_savevm_command_at *command)
{
	struct savevm_reading *r = opaque;

	if (r->listener->command)
		r->listener->command(r->listener->opaque, command);
}

/* Hands device data that is in memory to its reader. whole: up to the input's end. */
static int read_devices(struct savevm_reading *r, struct gw_buffer *bytes, uint64_t offset,
			bool whole, bool packaged, struct gw_error *err)
{
	struct gw_savevm_tail tail = {
		.packaged = packaged,
		.stream = r->stream,
		.like = r->listener->like,
		.faults = r->faults,
		.section = on_section,
		.command = on_command,
		.opaque = r,
	};
	const uint8_t *p = bytes->data;
	size_t len = bytes->len;

	if (gw_savevm_keep_bytes(r->stream, bytes, err) < 0)
		return -1;
	return gw_savevm_tail_read(&tail, p, len, offset, whole, err);
}

/* 0 if there is no more room for device data. */
static uint64_t room(const struct savevm_reading *r)
{
	return GW_SAVEVM_DEVICES_MAX - GW_MIN(r->stream->device_bytes_total, GW_SAVEVM_DEVICES_MAX);
}

/* All that is left: the devices, EOF, the description. */
static int read_tail(struct savevm_reading *r, struct gw_error *err)
{
	uint64_t offset = gw_window_offset(&r->window);
	struct gw_buffer bytes = {0};
	int rc = gw_window_append(&r->window, &bytes, room(r), err);

	if (rc < 0) {
		gw_buffer_free(&bytes);
		return -1;
	}
	if (rc > 0) {
		rc = gw_window_want(&r->window, 1, err);
		if (rc < 0) {
			gw_buffer_free(&bytes);
			return -1;
		}
	}
	if (rc > 0) {
		gw_buffer_free(&bytes);
		gw_savevm_blame(
			&r->faults, GW_SAVEVM_FAULT_UNREAD, offset,
			"more than %u MiB follow, which is no device data of any machine; they are not read",
			(unsigned)(GW_SAVEVM_DEVICES_MAX >> 20));
		return 0;
	}
	rc = read_devices(r, &bytes, offset, true, false, err);
	return rc < 0 ? -1 : 0;
}

static int read_package(struct savevm_reading *r, uint64_t command_at, uint32_t length,
			struct gw_error *err)
{
	uint64_t offset = gw_window_offset(&r->window);
	struct gw_buffer bytes = {0};
	int rc;

	if (length > room(r)) {
		gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_PACKAGE, command_at,
				"command PACKAGED: its %" PRIu32
				" bytes are more than the %u MiB of device data that are read",
				length, (unsigned)(GW_SAVEVM_DEVICES_MAX >> 20));
		return 0;
	}
	rc = gw_window_append(&r->window, &bytes, length, err);
	if (rc < 0) {
		gw_buffer_free(&bytes);
		return -1;
	}
	if (rc == 0)
		gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_CUT, offset + bytes.len,
				"command PACKAGED at offset 0x%" PRIx64
				": the input ends after %zu of "
				"its %" PRIu32 " bytes",
				command_at, bytes.len, length);
	return read_devices(r, &bytes, offset, false, true, err) < 0 ? -1 : rc;
}

static int read_command(struct savevm_reading *r, struct gw_error *err)
{
	struct gw_savevm_command_at at = {.offset = gw_window_offset(&r->window)};
	struct gw_savevm_command command;
	size_t need = 1, taken = 0;
	uint32_t length = 0;
	bool good;

	while (!taken) {
		int rc = gw_window_want(&r->window, need, err);

		if (rc <= 0)
			return rc < 0 ? -1 : cut(r, "inside a command");
		taken = gw_savevm_command(gw_window_bytes(&r->window), gw_window_len(&r->window),
					  &command, &need);
	}
	good = gw_savevm_command_length_is_good(&command);
	if (gw_savevm_take_command(r->stream, &r->faults, &command, &at, err) < 0)
		return -1;
	if (good && command.number == GW_SAVEVM_POSTCOPY_ADVISE && command.length == 16)
		r->stream->ram.advised = gw_get_be64(command.payload);
	if (good && command.number == GW_SAVEVM_PACKAGED)
		length = gw_get_be32(command.payload);
	gw_window_take(&r->window, taken);
	on_command(r, &at);
	return good && command.number == GW_SAVEVM_PACKAGED
		       ? read_package(r, at.offset, length, err)
		       : 1;
}

/*
 * A device's section before the memory's, which has state that the memory needs (virtio-mem), or
 * between those of the memory. Its length is given by its footer; the window has to hold it.
 */
static int read_early(struct savevm_reading *r, const struct gw_savevm_head *head,
		      struct gw_error *err)
{
	size_t at = gw_savevm_head_size(head);
	struct gw_buffer bytes = {0};
	uint64_t offset = gw_window_offset(&r->window);

	if (gw_window_want(&r->window, GW_WINDOW_SIZE, err) < 0)
		return -1;
	if (!gw_savevm_find_footer(gw_window_bytes(&r->window), gw_window_len(&r->window), head->id,
				   &at))
		return read_tail(r, err);
	if (gw_window_append(&r->window, &bytes, at + GW_SAVEVM_FOOTER_SIZE, err) < 0) {
		gw_buffer_free(&bytes);
		return -1;
	}
	return read_devices(r, &bytes, offset, false, false, err) < 0 ? -1 : 1;
}

/* Is the next section one after whose devices the memory comes? */
static bool memory_follows(const struct savevm_reading *r)
{
	const uint8_t *p = gw_window_bytes(&r->window);
	size_t len = gw_window_len(&r->window);
	static const uint8_t name[] = {3, 'r', 'a', 'm', 0, 0, 0, 0, 0, 0, 0, 4};

	return !r->ram_started && memmem(p, len, name, sizeof(name)) != NULL;
}

static int read_section(struct savevm_reading *r, struct gw_error *err)
{
	struct gw_savevm_section section = {.offset = gw_window_offset(&r->window)};
	size_t need = 1, taken = 0;

	while (!taken) {
		int rc = gw_window_want(&r->window, need, err);

		if (rc <= 0)
			return rc < 0 ? -1 : cut(r, "inside the header of a section");
		taken = gw_savevm_head(gw_window_bytes(&r->window), gw_window_len(&r->window),
				       &section.head, &need);
	}
	if (section.head.type == GW_SAVEVM_START && !strcmp(section.head.name, "ram"))
		return read_memory(r, &section, err);
	if ((section.head.type == GW_SAVEVM_PART || section.head.type == GW_SAVEVM_END) &&
	    r->ram_started && section.head.id == r->ram_head.id)
		return read_memory(r, &section, err);
	/* Other devices that are sent in rounds, such as dirty bitmaps, have sections between those
	 * of the memory. */
	if (section.head.type != GW_SAVEVM_FULL && !r->ram_ended)
		return read_early(r, &section.head, err);
	if (section.head.type == GW_SAVEVM_FULL && !r->ram_started) {
		if (gw_window_want(&r->window, GW_WINDOW_SIZE, err) < 0)
			return -1;
		if (memory_follows(r))
			return read_early(r, &section.head, err);
	}
	return read_tail(r, err);
}

static int read_part(struct savevm_reading *r, struct gw_error *err)
{
	int rc = gw_window_want(&r->window, 1, err);
	char name[16];
	unsigned type;

	if (rc <= 0)
		return rc < 0 ? -1 : cut(r, "before the EOF of the stream");
	type = *gw_window_bytes(&r->window);
	switch (type) {
	case GW_SAVEVM_START:
	case GW_SAVEVM_PART:
	case GW_SAVEVM_END:
	case GW_SAVEVM_FULL:
		return read_section(r, err);
	case GW_SAVEVM_COMMAND:
		return read_command(r, err);
	case GW_SAVEVM_EOF:
		return read_tail(r, err);
	default:
		gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_TYPE, gw_window_offset(&r->window),
				"%s begins no section; what follows is not read",
				gw_savevm_type_name(type, name));
		return 0;
	}
}

int gw_savevm_read(struct gw_input *in, const struct gw_savevm_listener *listener,
		   struct gw_savevm_stream *stream, struct gw_error *err)
{
	struct savevm_reading r = {
		.listener = listener,
		.stream = stream,
		.faults = {.report = listener->fault, .opaque = listener->opaque},
	};
	int rc;

	if (gw_window_open(&r.window, in, err) < 0)
		return -1;
	r.window.refilled = listener->progress;
	r.window.opaque = listener->opaque;
	rc = read_header(&r, err);
	if (rc > 0)
		rc = read_configuration(&r, err);
	while (rc > 0)
		rc = read_part(&r, err);
	gw_window_close(&r.window);
	return rc < 0 ? -1 : stream->has_eof;
}
