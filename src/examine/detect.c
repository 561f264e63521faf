/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Telling formats apart by their first bytes.
 */
#include "examine/detect.h"

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "format/xlfile.h"

static bool starts(const uint8_t *p, size_t len, const char *with)
{
	return len >= strlen(with) && !memcmp(p, with, strlen(with));
}

/*
 * A legacy image has no magic: it begins with p2m_size, at most 2^28 and of the saving toolstack's
 * width, and then has either the all-ones marker of a PV guest's extended info or the first chunk's
 * id: a batch of 1 to 1024 pages or one of the ids -1 to -21 (docs/specs/libxc-migration-stream,
 * "Legacy Images").
 */
static bool is_chunk_id(uint32_t id)
{
	return (id >= 1 && id <= 1024) || id >= (uint32_t)-21;
}

static bool is_legacy(const uint8_t *p, size_t len)
{
	uint32_t first;

	if (len < 16)
		return false;
	first = gw_get_le32(p);
	if (first == 0 || first > UINT32_C(0x0fffffff))
		return false;
	/* 64-bit tools: the upper half of p2m_size is zero. All ones is a chunk id of -1, too. */
	if (gw_get_le32(p + 4) == 0)
		return is_chunk_id(gw_get_le32(p + 8));
	return is_chunk_id(gw_get_le32(p + 4));
}

enum gw_file_format gw_detect(const void *first_bytes, size_t len)
{
	const uint8_t *p = first_bytes;

	if (len == 0)
		return GW_FILE_EMPTY;
	if (len >= 8 && gw_xlfile_is_magic(p, len))
		return GW_FILE_XL;
	if (starts(p, len, "LibxlFmt"))
		return GW_FILE_STREAM;
	if (starts(p, len, "\xff\xff\xff\xff\xff\xff\xff\xff"))
		return GW_FILE_IMAGE;
	if (starts(p, len, "QEVM"))
		return GW_FILE_QEMU;
	if (starts(p, len, "LibvirtQemudSave") || starts(p, len, "LibvirtQemudPart") ||
	    starts(p, len, "libvirt-xml\n"))
		return GW_FILE_LIBVIRT;
	if (starts(p, len, "\177ELF"))
		return GW_FILE_ELF;
	if (is_legacy(p, len))
		return GW_FILE_LEGACY;
	return GW_FILE_UNKNOWN;
}

const char *gw_file_format_name(enum gw_file_format format)
{
	static const char *const names[] = {
		[GW_FILE_EMPTY] = "empty file",
		[GW_FILE_UNKNOWN] = "unknown format",
		[GW_FILE_XL] = "xl file",
		[GW_FILE_STREAM] = "libxl stream",
		[GW_FILE_IMAGE] = "libxc image",
		[GW_FILE_LEGACY] = "legacy image of Xen 4.5 or before",
		[GW_FILE_QEMU] = "QEMU migration stream",
		[GW_FILE_LIBVIRT] = "libvirt save file",
		[GW_FILE_ELF] = "ELF file",
	};

	return names[format];
}

bool gw_file_format_is_read(enum gw_file_format format)
{
	return format == GW_FILE_XL || format == GW_FILE_STREAM || format == GW_FILE_IMAGE;
}
