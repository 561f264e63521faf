/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The summary: what it takes of each layer as the walk hands it over. Records are in records.c,
 * pages and rounds in pages.c.
 */
#include "examine/summary/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static void keep_config(struct gw_summary *s, const void *config, size_t len)
{
	if (gw_buffer_append(&s->config, config, len, &s->err) < 0 ||
	    gw_buffer_append(&s->config, NULL, 1, &s->err) < 0)
		return;
	s->config.len--;
	s->has_config = true;
}

void gw_summary_xlfile(void *summary, uint64_t offset, const struct gw_xlfile *xl)
{
	struct gw_summary *s = summary;
	const char *config;
	size_t len;

	s->xl_offset = offset;
	s->mandatory_flags = xl->mandatory_flags;
	s->optional_flags = xl->optional_flags;
	s->config_is_json = xl->mandatory_flags & GW_XLFILE_JSON;
	config = gw_xlfile_config(xl, &len);
	if (config)
		keep_config(s, config, len);
}

void gw_summary_xend(void *summary, uint64_t offset, const struct gw_xend *xend)
{
	struct gw_summary *s = summary;

	s->xend_offset = offset;
	s->config_is_xend = true;
	if (xend->config.len)
		keep_config(s, xend->config.data, xend->config.len);
}

void gw_summary_stream(void *summary, uint64_t offset, const struct gw_stream_header *header)
{
	struct gw_summary *s = summary;

	s->stream_offset = offset;
}

void gw_summary_image(void *summary, uint64_t offset, const struct gw_image_header *header)
{
	struct gw_summary *s = summary;

	s->image_offset = offset;
}

static void count_type(struct gw_summary *s, const struct gw_examine_record *record)
{
	size_t i = 0;

	while (i < s->nr_types &&
	       (s->types[i].type != record->rec->type || s->types[i].layer != record->layer))
		i++;
	if (i == GW_SUMMARY_TYPES_MAX)
		return;
	if (i == s->nr_types)
		s->types[s->nr_types++] =
			(struct gw_type_count){.layer = record->layer, .type = record->rec->type};
	s->types[i].count++;
	s->types[i].bytes += record->rec->length;
}

void gw_summary_apply(struct gw_summary *s, const struct gw_examine_record *record)
{
	gw_summary_take_record(s, record->layer, record->rec, record->body_head);
}

void gw_summary_record(void *summary, const struct gw_examine_record *record)
{
	struct gw_summary *s = summary;

	count_type(s, record);
	if (s->err.code)
		return;
	s->checkpoints = *record->checkpoints;
	if (record->counts == GW_COUNTS_CHECKPOINT) {
		gw_summary_checkpoint(s);
		return;
	}
	gw_summary_begin_body(s, record);
	s->record = record->rec->number;
	s->record_offset = record->offset;
	if (s->rounds.aside)
		gw_summary_put_aside(s, record);
	else if (record->pages)
		gw_summary_take_pages(s, record->pages);
	else
		gw_summary_take_record(s, record->layer, record->rec, record->body_head);
}

void gw_summary_item(void *summary, const struct gw_examine_item *item)
{
	int32_t id = item->id > 0 ? 1 : item->id;
	struct gw_summary *s = summary;
	size_t i = 0;

	while (i < s->nr_items && s->items[i].id != id)
		i++;
	if (i == GW_SUMMARY_ITEMS_MAX)
		return;
	if (i == s->nr_items)
		s->items[s->nr_items++] = (struct gw_item_count){.id = id, .name = item->name};
	s->items[i].count++;
	s->items[i].bytes += item->length;
}

const char *gw_guest_type_title(uint32_t type)
{
	if (type == GW_GUEST_X86_PV)
		return "x86 PV";
	if (type == GW_GUEST_X86_HVM)
		return "x86 HVM";
	return "unknown guest type";
}

/* How much there is of it. */
static void title_counts(const struct gw_examination *e, char *buf, size_t size)
{
	uint64_t checkpoints = e->has_legacy && e->rounds > 1 ? e->rounds : e->facts.checkpoints;
	int n = 0;

	if (checkpoints)
		n = snprintf(buf, size, "%" PRIu64 " checkpoints, ", checkpoints);
	snprintf(buf + n, size - (size_t)n, "%" PRIu64 " %s, %" PRIu64 " pages",
		 e->has_legacy ? e->legacy_items : e->image_records,
		 e->has_legacy ? "chunks" : "records", e->pages);
}

char *gw_examination_title(const struct gw_examination *e, char *buf, size_t size)
{
	int n = 0;

	if (!gw_file_format_is_read(e->format)) {
		snprintf(buf, size, "%s", gw_file_format_name(e->format));
		return buf;
	}
	buf[0] = 0;
	if (e->has_libvirt)
		n = snprintf(buf, size, "libvirt save file, ");
	if (e->has_savevm) {
		snprintf(buf + n, size - (size_t)n,
			 "QEMU stream v%" PRIu32 ", %s%s%" PRIu64 " sections, %" PRIu64 " pages",
			 e->savevm_version, e->machine, *e->machine ? ", " : "", e->savevm_sections,
			 e->pages);
		return buf;
	}
	if (!gw_file_format_is_xen(e->format)) {
		snprintf(buf, size, "%s", gw_file_format_name(e->format));
		return buf;
	}
	if (e->has_xl)
		n = snprintf(buf, size, "xl file, ");
	else if (e->has_xend)
		n = snprintf(buf, size, "xend file, ");
	if (e->has_stream)
		n += snprintf(buf + n, size - (size_t)n, "libxl stream v%" PRIu32 ", ",
			      e->stream.version);
	if (e->has_legacy)
		n += snprintf(buf + n, size - (size_t)n, "legacy image, %u-bit tools, %s, ",
			      8 * e->legacy.kind.width, gw_guest_type_title(e->image.type));
	else if (e->has_image)
		n += snprintf(buf + n, size - (size_t)n, "libxc image v%" PRIu32 ", %s, ",
			      e->image.version, gw_guest_type_title(e->image.type));
	title_counts(e, buf + n, size - (size_t)n);
	return buf;
}

void gw_summary_free(struct gw_summary *summary)
{
	gw_buffer_free(&summary->config);
	gw_rounds_free(&summary->rounds);
	gw_qemu_sections_free(&summary->qemu);
	gw_qemu_sections_free(&summary->qemu_aside);
	gw_buffer_free(&summary->emulator_state);
	gw_buffer_free(&summary->emulator_aside);
	gw_memory_map_free(&summary->memory);
	gw_page_contents_free(&summary->contents);
	gw_page_tables_free(&summary->tables);
	gw_buffer_free(&summary->shared_info);
	gw_buffer_free(&summary->hvm_context);
	gw_buffer_free(&summary->p2m_frames);
	gw_buffer_free(&summary->xenabi);
	gw_buffer_free(&summary->kvm);
	gw_buffer_free(&summary->xenstore);
	gw_policy_free(&summary->policy);
	for (size_t i = 0; i < summary->nr_vcpus; i++)
		for (size_t k = 0; k < GW_VCPU_NR_BLOBS; k++)
			gw_buffer_free(&summary->vcpus[i].blobs[k]);
	free(summary->vcpus);
	*summary = (struct gw_summary){0};
}
