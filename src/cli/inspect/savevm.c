/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text output of inspect for a stream of QEMU.
 */
#include "cli/inspect/savevm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cli/inspect/line.h"
#include "vmm/config.h"

const char *gw_inspect_savevm_found(enum gw_savevm_found found)
{
	static const char *const names[] = {
		[GW_SAVEVM_NOT_FOUND] = "nothing",	    [GW_SAVEVM_BY_WORDS] = "words",
		[GW_SAVEVM_BY_DESCRIPTION] = "description", [GW_SAVEVM_BY_LIKE] = "like",
		[GW_SAVEVM_BY_FOOTER] = "footer",	    [GW_SAVEVM_BY_LOOK] = "look",
	};

	return names[found];
}

static bool is_memory(const struct gw_savevm_section *section)
{
	return section->found == GW_SAVEVM_BY_WORDS || !section->bytes;
}

/* The sections of a vCPU have its number as their instance. */
static bool is_of_vcpu(const struct gw_savevm_section *section)
{
	const char *name = section->head.name;

	return !strcmp(name, "cpu") || !strncmp(name, "cpu_", 4) || !strcmp(name, "apic");
}

bool gw_inspect_savevm_wants(const struct gw_inspect *inspect,
			     const struct gw_savevm_section *section)
{
	if (is_memory(section))
		return false;
	if (is_of_vcpu(section))
		return inspect->one_vcpu && section->head.instance == inspect->vcpu;
	return inspect->platform;
}

/* List of sections and commands */

static void section_text(const struct gw_savevm_section *section, uint64_t number)
{
	char type[16];

	printf("0x%08" PRIx64 "  qemu  %6" PRIu64 "  %-22s %10" PRIu64 "  ", section->offset,
	       number, gw_savevm_type_name(section->head.type, type), section->length);
	gw_print_safe(stdout, section->head.name);
	printf(" %" PRIu32 ", version %" PRIu32 "\n", section->head.instance,
	       section->head.version);
}

static void section_json(struct gw_inspect *inspect, const struct gw_savevm_section *s,
			 uint64_t number)
{
	char type[16];

	gw_json_element(&inspect->writer,
			json_pack("{s:s, s:I, s:I, s:i, s:s, s:I, s:I, s:o, s:I, s:I, s:s}",
				  "layer", "qemu", "number", (json_int_t)number, "offset",
				  (json_int_t)s->offset, "type", (int)s->head.type, "name",
				  gw_savevm_type_name(s->head.type, type), "length",
				  (json_int_t)s->length, "id", (json_int_t)s->head.id, "section",
				  gw_json_text(s->head.name, strlen(s->head.name)), "instance",
				  (json_int_t)s->head.instance, "version",
				  (json_int_t)s->head.version, "found_by",
				  gw_inspect_savevm_found(s->found)));
}

void gw_inspect_savevm_section(struct gw_inspect *inspect, const struct gw_savevm_section *section)
{
	uint64_t number = inspect->savevm_parts++;

	if (!inspect->list)
		return;
	gw_output_erase(&inspect->cli->out);
	if (inspect->json)
		section_json(inspect, section, number);
	else
		section_text(section, number);
}

void gw_inspect_savevm_command(struct gw_inspect *inspect,
			       const struct gw_savevm_command_at *command)
{
	const char *name = gw_savevm_command_name(command->number);
	uint64_t number = inspect->savevm_parts++;
	char text[32];

	if (!inspect->list)
		return;
	snprintf(text, sizeof(text), "command %u", command->number);
	gw_output_erase(&inspect->cli->out);
	if (inspect->json)
		gw_json_element(&inspect->writer,
				json_pack("{s:s, s:I, s:I, s:i, s:s, s:i, s:s}", "layer", "qemu",
					  "number", (json_int_t)number, "offset",
					  (json_int_t)command->offset, "type", GW_SAVEVM_COMMAND,
					  "name", "COMMAND", "length", (int)command->length,
					  "command", name ? name : text));
	else
		printf("0x%08" PRIx64 "  qemu  %6" PRIu64 "  %-22s %10u  %s\n", command->offset,
		       number, "COMMAND", command->length, name ? name : text);
}

/* The summary */

static const char *size_text(uint64_t bytes, char *buf, size_t size)
{
	if (bytes >= 1 << 20 && bytes % (1 << 20) == 0)
		snprintf(buf, size, "%" PRIu64 " MiB", bytes >> 20);
	else if (bytes % 1024 == 0)
		snprintf(buf, size, "%" PRIu64 " KiB", bytes >> 10);
	else
		snprintf(buf, size, "%" PRIu64 " bytes", bytes);
	return buf;
}

static void configuration(const struct gw_savevm_stream *s)
{
	const struct gw_savevm_configuration *c = &s->configuration;
	char uuid[37];

	if (!s->has_configuration) {
		line("Machine", "not in the stream: it has no configuration");
		return;
	}
	label("Machine");
	gw_print_safe(stdout, c->machine);
	putchar('\n');
	if (*c->capabilities) {
		label("Capabilities");
		gw_print_safe(stdout, c->capabilities);
		putchar('\n');
	}
	if (c->has_uuid) {
		gw_uuid_format(c->uuid, uuid);
		line("UUID", "%s", uuid);
	}
	if (c->has_page_bits)
		line("Page size", "%u bytes", 1u << c->page_bits);
}

static void block(const struct gw_savevm_block *b)
{
	char size[40];

	printf("    %-12s %8" PRIu64 " pages sent, %8" PRIu64 " zero",
	       size_text(b->length, size, sizeof(size)), b->pages + b->compressed, b->zeros);
	if (b->deltas)
		printf(", %" PRIu64 " changed", b->deltas);
	if (b->has_address)
		printf(", at 0x%" PRIx64, b->address);
	if (b->is_mapped)
		printf(", mapped at 0x%" PRIx64, b->pages_offset);
	printf("  ");
	gw_print_safe(stdout, b->name);
	putchar('\n');
}

static void memory(const struct gw_savevm_stream *s)
{
	char size[40];

	if (!s->ram.has_list) {
		line("Memory", "none in the stream");
		return;
	}
	line("Memory", "%s in %zu RAM blocks: %" PRIu64 " pages sent, %" PRIu64 " zero",
	     size_text(s->ram.total, size, sizeof(size)), s->ram.nr_blocks,
	     s->ram.pages + s->ram.compressed + s->ram.deltas, s->ram.zeros);
	for (size_t i = 0; i < s->ram.nr_blocks; i++)
		block(&s->ram.blocks[i]);
}

static void device(const struct gw_savevm_section *s)
{
	printf("    0x%08" PRIx64 " %10" PRIu64 "  ", s->offset, s->length);
	gw_print_safe(stdout, s->head.name);
	printf(" %" PRIu32 ", version %" PRIu32 "%s\n", s->head.instance, s->head.version,
	       s->found == GW_SAVEVM_NOT_FOUND ? ", its end is not known"
	       : s->found == GW_SAVEVM_BY_LOOK ? ", its end is guessed"
	       : !s->layout		       ? ", its fields are not known"
					       : "");
}

static void devices(const struct gw_savevm_stream *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nr_sections; i++)
		n += !is_memory(&s->sections[i]);
	line("Devices", "%zu sections", n);
	for (size_t i = 0; i < s->nr_sections; i++)
		if (!is_memory(&s->sections[i]))
			device(&s->sections[i]);
}

static void description(const struct gw_savevm_stream *s)
{
	if (s->has_description)
		line("Description", "at 0x%" PRIx64 ", %" PRIu64 " bytes, %zu devices",
		     s->description_offset, s->description_size, s->description.nr_devices);
	else
		line("Description", "none");
}

/* Field by field */

static bool show_value(void *opaque, const struct gw_savevm_value *value)
{
	size_t n = strlen(value->path);
	char text[3 * GW_SAVEVM_BYTES_SHOWN];
	bool is_signed;

	if (!value->type) {
		printf("    ");
		gw_print_safe(stdout, value->path);
		printf(" (subsection, version %" PRIu32 ")\n", value->version);
		return true;
	}
	/* Elements of arrays that are 0 are left out. */
	if (n && value->path[n - 1] == ']' && gw_savevm_number_size(value->type, value->size) &&
	    gw_savevm_number(value, &is_signed) == 0)
		return true;
	printf("    ");
	gw_print_safe(stdout, value->path);
	printf("%*s %s", n < 34 ? (int)(34 - n) : 0, "",
	       gw_savevm_value_text(value, text, sizeof(text)));
	if (value->size > GW_SAVEVM_BYTES_SHOWN)
		printf(" (%zu bytes)", value->size);
	putchar('\n');
	return true;
}

void gw_inspect_savevm_fields_text(const struct gw_savevm_section *s)
{
	struct gw_savevm_walk walk = {
		.of_another = s->found == GW_SAVEVM_BY_LIKE,
		.visit = show_value,
	};

	gw_print_safe(stdout, s->head.name);
	printf(" %" PRIu32 ": version %" PRIu32 ", at 0x%" PRIx64 ", %" PRIu64 " bytes\n",
	       s->head.instance, s->head.version, s->offset, s->length);
	if (s->layout)
		gw_savevm_walk(&walk, s->layout, s->bytes, (size_t)s->length);
	else
		printf("    (its fields are not known)\n");
}

static void parts(const struct gw_inspect *inspect)
{
	const struct gw_savevm_stream *s = &inspect->savevm;

	if (inspect->memory)
		memory(s);
	for (size_t i = 0; i < s->nr_sections; i++)
		if (gw_inspect_savevm_wants(inspect, &s->sections[i]))
			gw_inspect_savevm_fields_text(&s->sections[i]);
}

static void element(const struct gw_libvirt_save *save, const char *title, const char *name)
{
	char text[256];

	if (!gw_libvirt_element(save, name, text, sizeof(text)))
		return;
	label(title);
	gw_print_safe(stdout, text);
	putchar('\n');
}

static void libvirt(const struct gw_inspect *inspect)
{
	const struct gw_libvirt_save *save = &inspect->libvirt;
	const char *format = gw_libvirt_format_name(save->format);
	size_t xml, cookie;

	gw_libvirt_xml(save, &xml);
	gw_libvirt_cookie(save, &cookie);
	line("libvirt file", "at 0x%" PRIx64 ", version %" PRIu32 ", domain was %s%s, stream %s",
	     inspect->libvirt_offset, save->version, save->was_running ? "running" : "paused",
	     save->complete ? "" : ", incomplete", format ? format : "of an unknown format");
	line("XML", "%zu bytes, cookie %zu bytes", xml, cookie);
	element(save, "Name", "name");
	element(save, "UUID", "uuid");
}

void gw_inspect_savevm_text(const struct gw_inspect *inspect)
{
	const struct gw_savevm_stream *s = &inspect->savevm;

	if (inspect->narrowed) {
		parts(inspect);
		return;
	}
	if (inspect->examination.has_libvirt)
		libvirt(inspect);
	if (!inspect->examination.has_savevm)
		return;
	line("QEMU stream", "at 0x%" PRIx64 ", version %" PRIu32 ", %s section footers", s->offset,
	     s->version, s->footers == GW_SAVEVM_FOOTERS ? "with" : "without");
	configuration(s);
	memory(s);
	devices(s);
	description(s);
}
