/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Drives the legacy reader, its rules and the decompression over bytes in memory.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/legacy/delta.h"
#include "format/rules/rules.h"

struct drive {
	const uint8_t *data;
	size_t len, pos;
	struct drive_result *result;
	struct gw_legacy_reader reader;
	struct gw_legacy_rules *rules;
	struct gw_legacy_delta delta;
	uint8_t page[4096]; /* base of the compressed pages; its contents do not matter */
};

/* Bytes that were read are stored here, so that no compiler leaves the reads out. */
static volatile uint64_t sink;

static void report(void *opaque, const struct gw_finding *finding)
{
	struct drive_result *result = opaque;

	if (finding->level == GW_LEVEL_WARNING)
		result->warnings++;
	if (finding->level == GW_LEVEL_ERROR && result->errors++ == 0)
		gw_finding_format(finding, result->first_error, sizeof(result->first_error));
}

/* Reads the first and the last byte of an event's data. */
static void touch(const uint8_t *data, size_t len)
{
	if (len)
		sink += data[0] + data[len - 1];
}

static void touch_vcpu(const struct gw_legacy_vcpu *v)
{
	touch(v->context, v->context_len);
	touch(v->ext, v->ext_len);
	touch(v->xsave, v->xsave_len);
}

static bool decompress(struct drive *d)
{
	uint64_t left = GW_MIN(d->reader.data_len, (uint64_t)(d->len - d->pos));
	const uint8_t *in = d->data + d->pos;

	while (left) {
		struct gw_error err = GW_ERROR_INIT;
		bool complete;
		long used;

		sink += (uint64_t)gw_legacy_delta_kind(&d->delta, in, (size_t)left);
		used = gw_legacy_delta_apply(&d->delta, in, (size_t)left, d->page, &complete, &err);
		if (used < 0) {
			gw_legacy_rules_framing(d->rules, &d->reader, err.text, NULL);
			return false;
		}
		/* Each call must use at least one byte. */
		if (used == 0)
			abort();
		in += used;
		left -= (uint64_t)used;
	}
	return true;
}

/* Reads the data after an event, as the caller must. False: the input ends in it. */
static bool take_data(struct drive *d, enum gw_legacy_event event)
{
	uint64_t len = d->reader.data_len;

	if (event == GW_LEGACY_COMPRESSED && !decompress(d))
		return false;
	if (len == UINT64_MAX)
		len = d->len - d->pos;
	if (len > d->len - d->pos)
		return false;
	d->pos += (size_t)len;
	gw_legacy_reader_data_done(&d->reader);
	return true;
}

static bool take_event(struct drive *d, enum gw_legacy_event event)
{
	struct gw_legacy_reader *r = &d->reader;

	gw_legacy_rules_event(d->rules, r, event, NULL);
	switch (event) {
	case GW_LEGACY_HEADER:
		if (r->header.p2m_frames)
			sink += gw_legacy_p2m_frame(r, r->header.p2m_frames - 1);
		return true;
	case GW_LEGACY_CHUNK:
		if (r->id == GW_LEG_TOOLSTACK)
			touch(r->data, r->len);
		sink += r->vcpu_map[r->max_vcpu_id / 64];
		return true;
	case GW_LEGACY_UNMAPPED:
		sink += r->entries[r->nr_entries - 1];
		return true;
	case GW_LEGACY_VCPU:
		touch_vcpu(&r->vcpu);
		return true;
	case GW_LEGACY_HVM_CONTEXT:
	case GW_LEGACY_SHARED_INFO:
		touch(r->data, r->len);
		return true;
	case GW_LEGACY_PAGES:
		sink += r->entries[r->nr_entries - 1];
		return take_data(d, event);
	case GW_LEGACY_COMPRESSED:
	case GW_LEGACY_DEVICE_MODEL:
		return take_data(d, event);
	default:
		return event != GW_LEGACY_DONE;
	}
}

static void walk(struct drive *d)
{
	struct gw_legacy_reader *r = &d->reader;
	struct gw_error err = GW_ERROR_INIT;
	enum gw_legacy_event event;
	size_t len;
	void *to;

	do {
		if (gw_legacy_reader_want(r, &to, &len, &err) < 0)
			return;
		d->result->most_memory =
			GW_MAX(d->result->most_memory, r->buf.cap + r->words.cap + r->map.cap);
		if (len > d->len - d->pos)
			break;
		if (len)
			memcpy(to, d->data + d->pos, len);
		d->pos += len;
		if (gw_legacy_reader_got(r, &event, &err) < 0) {
			gw_legacy_rules_framing(d->rules, r, err.text, NULL);
			return;
		}
	} while (take_event(d, event));
	gw_legacy_rules_end(d->rules, r, gw_legacy_reader_at_boundary(r), d->pos, NULL);
}

static size_t walk_as(const uint8_t *data, size_t len, enum gw_guest_type guest, bool bare,
		      struct drive_result *result)
{
	const struct gw_findings out = {report, result};
	const struct gw_legacy_kind forced = {.guest = guest};
	struct drive d = {.data = data, .len = len, .result = result};

	d.rules = gw_legacy_rules_new(&out, 0);
	if (!d.rules)
		return 0;
	gw_legacy_reader_init(&d.reader, &forced);
	d.reader.bare = bare;
	walk(&d);
	gw_legacy_reader_free(&d.reader);
	gw_legacy_rules_free(d.rules);
	return d.pos;
}

size_t drive_legacy_at(const uint8_t *data, size_t len, struct drive_result *result)
{
	return walk_as(data, len, GW_GUEST_NONE, false, result);
}

void drive_legacy(const uint8_t *data, size_t len, struct drive_result *result)
{
	struct drive_result other = {0};

	memset(result, 0, sizeof(*result));
	result->consumed = drive_legacy_at(data, len, result);
	/* The same bytes again as the type that was not detected. */
	walk_as(data, len, GW_GUEST_X86_PV, false, &other);
	walk_as(data, len, GW_GUEST_X86_HVM, true, &other);
	result->most_memory = GW_MAX(result->most_memory, other.most_memory);
}
