/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The libxl toolstack record of a legacy image, which lists QEMU's mappings
 * (libxl__toolstack_save() in tools/libxl/libxl_dom.c of Xen 4.2 to 4.5), and the xenstore keys
 * that it becomes.
 */
#include "format/legacy/map.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "format/libxl/stream.h"

#define RECORD_HEAD    8u /* version, count */
#define RECORD_VERSION 1u
#define ENTRY_HEAD     28u /* phys_offset, start_addr, size, namelen */

/*
 * The saver computed the entry size as sizeof(struct libxl__physmap_info) + namelen, but the name
 * begins after the 28 bytes of the fields. In 64-bit builds the struct is padded to 32, so four
 * stray bytes follow each name.
 */
static unsigned stray_bytes(unsigned width)
{
	return width == 8 ? 4 : 0;
}

struct entry {
	uint64_t phys, start, size;
	const char *name; /* "" if it has no name */
};

/* Reads the entry at *pos of record and moves *pos after it. */
static int take_entry(const uint8_t *record, size_t len, unsigned width, size_t *pos,
		      struct entry *entry, struct gw_error *err)
{
	const uint8_t *entry_bytes = record + *pos;
	size_t left = len - *pos;
	uint64_t need = (uint64_t)ENTRY_HEAD + stray_bytes(width);
	uint32_t namelen;

	if (left < need)
		return gw_fail(err, GW_INVALID, "%" PRIu64 " bytes are needed, %zu are left", need,
			       left);
	namelen = gw_get_le32(entry_bytes + 24);
	need += namelen;
	if (left < need)
		return gw_fail(err, GW_INVALID,
			       "a name of %" PRIu32 " bytes needs %" PRIu64 " bytes, %zu are left",
			       namelen, need, left);
	entry->phys = gw_get_le64(entry_bytes);
	entry->start = gw_get_le64(entry_bytes + 8);
	entry->size = gw_get_le64(entry_bytes + 16);
	entry->name = namelen ? (const char *)entry_bytes + ENTRY_HEAD : "";
	if (namelen && strnlen(entry->name, namelen) != namelen - 1)
		return gw_fail(err, GW_INVALID,
			       "its name of %" PRIu32 " bytes does not end with its only NUL",
			       namelen);
	*pos += (size_t)need;
	return 0;
}

static int append_pair(struct gw_buffer *out, uint64_t phys, const char *key, const char *value,
		       struct gw_error *err)
{
	if (gw_buffer_printf(out, err, "physmap/%" PRIx64 "/%s", phys, key) < 0 ||
	    gw_buffer_append(out, NULL, 1, err) < 0)
		return -1;
	return gw_buffer_append(out, value, strlen(value) + 1, err);
}

static int append_entry(struct gw_buffer *out, const struct entry *entry, struct gw_error *err)
{
	char start[24], size[24];

	snprintf(start, sizeof(start), "%" PRIx64, entry->start);
	snprintf(size, sizeof(size), "%" PRIx64, entry->size);
	if (append_pair(out, entry->phys, "start_addr", start, err) < 0 ||
	    append_pair(out, entry->phys, "size", size, err) < 0)
		return -1;
	/* Without a name the key has an empty value, because the next save needs all three keys. */
	return append_pair(out, entry->phys, "name", entry->name, err);
}

/* Takes all entries of a record with a valid head, as tools of that width wrote them. */
static int take_entries(const uint8_t *record, size_t len, unsigned width, struct gw_buffer *out,
			uint32_t *entries, struct gw_error *err)
{
	uint32_t count = gw_get_le32(record + 4);
	size_t pos = RECORD_HEAD, before = out->len;
	struct entry entry = {0};

	for (*entries = 0; *entries < count; ++*entries) {
		if (take_entry(record, len, width, &pos, &entry, err) < 0) {
			gw_fail_in(err, "entry %" PRIu32 " of %" PRIu32, *entries, count);
			return -1;
		}
		if (append_entry(out, &entry, err) < 0)
			return -1;
		if (out->len - before > GW_STREAM_BODY_MAX - 8)
			return gw_fail(err, GW_UNSUPPORTED,
				       "%" PRIu32 " entries exceed the limit for xenstore", count);
	}
	if (pos != len)
		return gw_fail(err, GW_INVALID, "%zu bytes after its %" PRIu32 " entries",
			       len - pos, count);
	return 0;
}

static bool fits_other_width(const uint8_t *record, size_t len, unsigned width)
{
	struct gw_buffer scratch = {0};
	uint32_t entries;
	int rc = take_entries(record, len, width == 8 ? 4 : 8, &scratch, &entries, NULL);

	gw_buffer_free(&scratch);
	return rc == 0;
}

int gw_legacy_map_xenstore(const void *toolstack, size_t len, unsigned width, struct gw_buffer *out,
			   uint32_t *entries, struct gw_error *err)
{
	const uint8_t *record = toolstack;
	struct gw_error why = GW_ERROR_INIT;
	size_t before = out->len;

	*entries = 0;
	if (len < RECORD_HEAD)
		return gw_fail(err, GW_INVALID,
			       "toolstack record: it has %zu bytes, at least %u expected", len,
			       RECORD_HEAD);
	if (gw_get_le32(record) != RECORD_VERSION)
		return gw_fail(err, GW_UNSUPPORTED,
			       "toolstack record: version %" PRIu32 ", only %u is known",
			       gw_get_le32(record), RECORD_VERSION);
	if (take_entries(record, len, width, out, entries, &why) == 0)
		return 0;
	out->len = before;
	*entries = 0;
	if (why.code == GW_INVALID && fits_other_width(record, len, width))
		return gw_fail(err, why.code,
			       "toolstack record, which fits %u-bit tools but not %u-bit tools: %s",
			       width == 8 ? 32 : 64, 8 * width, why.text);
	return gw_fail(err, why.code, "toolstack record: %s", why.text);
}
