/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a device model: its writer and its devices, always with the reliability of the list.
 */
#include "cli/inspect/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cli/inspect/line.h"
#include "cli/inspect/savevm.h"
#include "examine/describe.h"
#include "format/libxl/stream.h"

/* Names in one line; --platform lists all. */
#define NAMES_SHOWN 8u

/* A legacy image has a signature instead of the id. */
static const char *emulator_name(const struct gw_inspect *inspect)
{
	if (inspect->examination.has_legacy_model)
		return gw_legacy_model_name(inspect->examination.legacy_model);
	return gw_emulator_name(inspect->summary.emulator_id);
}

static const char *how(enum gw_qemu_found_by found_by)
{
	static const char *const names[] = {
		[GW_QEMU_NOTHING] = "nothing",
		[GW_QEMU_DESCRIPTION] = "description",
		[GW_QEMU_FOOTERS] = "footers",
		[GW_QEMU_PATTERN] = "look",
	};

	return names[found_by];
}

static void names(const struct gw_qemu_sections *q)
{
	size_t n = GW_MIN(q->nr, (size_t)NAMES_SHOWN);

	printf("%zu section%s: ", q->nr, q->nr == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ", " : "", stdout);
		gw_print_safe(stdout, q->list[i].name);
	}
	printf("%s\n", n < q->nr ? ", ..." : "");
}

static void section(const struct gw_qemu_section *s)
{
	if (s->placed)
		printf("    0x%08" PRIx64, s->offset);
	else
		printf("    %-10s", "?");
	if (s->size)
		printf(" %10" PRIu64, s->size);
	else
		printf(" %10s", "?");
	printf("  ");
	gw_print_safe(stdout, s->name);
	printf(" %" PRIu32 ", version %" PRIu32 "\n", s->instance, s->version);
}

/* The reliability of the list. */
static void doubts(const struct gw_qemu_sections *q)
{
	switch (q->found_by) {
	case GW_QEMU_DESCRIPTION:
		line("", "(from the description at its end)");
		break;
	case GW_QEMU_FOOTERS:
		line("", "(from the section footers)");
		break;
	case GW_QEMU_PATTERN:
		line("",
		     "(guessed: section lengths are not recorded; these look like section starts)");
		break;
	default:
		break;
	}
	if (q->left_out)
		line("", "(%" PRIu64 " more possible sections are left out)", q->left_out);
}

void gw_inspect_emulator_text(const struct gw_inspect *inspect, bool in_full)
{
	const struct gw_summary *s = &inspect->summary;
	const struct gw_qemu_sections *q = &s->qemu;
	const char *name = emulator_name(inspect);

	if (!s->has_emulator)
		return;
	line("Device model", "%s, %" PRIu64 " bytes", name ? name : "of an unknown kind",
	     s->emulator_bytes);
	if (!q->is_qemu)
		return;
	label("");
	printf("QEMU stream version %" PRIu32 ", ", q->version);
	if (q->machine[0]) {
		printf("machine ");
		gw_print_safe(stdout, q->machine);
		printf(", ");
	}
	if (q->found_by == GW_QEMU_NOTHING)
		printf("no section begins after its header\n");
	else
		names(q);
	doubts(q);
	if (in_full && inspect->savevm.nr_sections) {
		for (size_t i = 0; i < inspect->savevm.nr_sections; i++)
			gw_inspect_savevm_fields_text(&inspect->savevm.sections[i]);
		return;
	}
	for (size_t i = 0; in_full && i < q->nr; i++)
		section(&q->list[i]);
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *stream_of(const struct gw_qemu_sections *q)
{
	json_t *sections = json_array();

	for (size_t i = 0; i < q->nr; i++) {
		const struct gw_qemu_section *s = &q->list[i];

		json_array_append_new(
			sections, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name",
					    gw_json_text(s->name, strlen(s->name)), "instance",
					    number(s->instance), "version", number(s->version),
					    "id", s->placed ? number(s->id) : json_null(), "offset",
					    s->placed ? number(s->offset) : json_null(), "size",
					    s->size ? number(s->size) : json_null()));
	}
	return json_pack("{s:o, s:o, s:s, s:o, s:o}", "version", number(q->version), "machine",
			 q->machine[0] ? gw_json_text(q->machine, strlen(q->machine)) : json_null(),
			 "found_by", how(q->found_by), "sections", sections, "left_out",
			 number(q->left_out));
}

void gw_inspect_emulator_json(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	json_t *object;

	if (!s->has_emulator)
		return;
	object = json_pack("{s:o, s:s?, s:o, s:o}", "id", number(s->emulator_id), "name",
			   gw_emulator_name(s->emulator_id), "bytes", number(s->emulator_bytes),
			   "stream", s->qemu.is_qemu ? stream_of(&s->qemu) : json_null());
	if (inspect->examination.has_legacy_model)
		json_object_set_new(
			object, "signature",
			json_string(gw_legacy_model_name(inspect->examination.legacy_model)));
	gw_json_member(&inspect->writer, "emulator", object);
	if (inspect->savevm.nr_sections)
		gw_inspect_savevm_sections_json(inspect, "emulator_sections");
}
