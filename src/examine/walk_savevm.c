/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk through a stream of QEMU: its faults become findings, its sections are handed to the
 * sink.
 */
#include <stdio.h>

#include "examine/walk.h"
#include "read/savevm.h"

struct savevm_walk {
	struct gw_walk *w;
	struct gw_savevm_rules *rules;
	struct gw_savevm_stream *stream;
};

static void on_fault(void *opaque, enum gw_savevm_fault fault, uint64_t offset, const char *text)
{
	struct savevm_walk *s = opaque;

	gw_savevm_rules_fault(s->rules, fault, offset, text, NULL);
}

static void on_section(void *opaque, const struct gw_savevm_section *section)
{
	struct savevm_walk *s = opaque;

	s->w->sum->savevm_sections++;
	if (s->w->sink->savevm_section)
		s->w->sink->savevm_section(s->w->sink->opaque, section);
}

static void on_command(void *opaque, const struct gw_savevm_command_at *command)
{
	struct savevm_walk *s = opaque;

	if (s->w->sink->savevm_command)
		s->w->sink->savevm_command(s->w->sink->opaque, command);
}

static int on_page(void *opaque, const struct gw_savevm_ram_item *item, struct gw_error *err)
{
	struct savevm_walk *s = opaque;

	return s->w->sink->savevm_page(s->w->sink->opaque, item, err);
}

static void on_progress(void *opaque)
{
	struct savevm_walk *s = opaque;

	s->w->sum->pages = s->stream->ram.pages;
	gw_walk_progress(s->w, GW_STAGE_READING);
}

static void sum_up(struct savevm_walk *s)
{
	const struct gw_savevm_ram *ram = &s->stream->ram;
	struct gw_examination *sum = s->w->sum;

	sum->has_savevm = true;
	sum->savevm_version = s->stream->version;
	snprintf(sum->machine, sizeof(sum->machine), "%.60s", s->stream->configuration.machine);
	sum->pages = ram->pages + ram->deltas + ram->compressed;
	sum->page_entries = sum->pages + ram->zeros;
}

enum gw_walk_outcome gw_walk_savevm(struct gw_walk *w, struct gw_error *err)
{
	struct gw_savevm_stream own = {0};
	struct savevm_walk s = {
		.w = w,
		.rules = gw_savevm_rules_new(&w->findings),
		.stream = w->sink->savevm ? w->sink->savevm : &own,
	};
	const struct gw_savevm_listener listener = {
		.opaque = &s,
		.fault = on_fault,
		.section = on_section,
		.command = on_command,
		.page = w->sink->savevm_page ? on_page : NULL,
		.progress = on_progress,
		.like = w->sink->like,
	};
	const struct gw_savevm_faults faults = {.report = on_fault, .opaque = &s};
	int rc;

	if (!s.rules) {
		gw_fail_errno(err, "the rules of a QEMU stream");
		return GW_WALK_FAILED;
	}
	rc = gw_savevm_read(&w->in, &listener, s.stream, err);
	if (rc >= 0 && w->sink->schema)
		gw_schema_judge(w->sink->schema, s.stream, &faults);
	sum_up(&s);
	if (rc > 0 && s.stream->trailing)
		gw_rules_report(&w->findings, "trailing-bytes", s.stream->end, NULL,
				"%llu bytes after the end", (unsigned long long)s.stream->trailing);
	gw_savevm_stream_free(&own);
	gw_savevm_rules_free(s.rules);
	return rc < 0 ? GW_WALK_FAILED : rc ? GW_WALK_OVER : GW_WALK_LOST;
}
