/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Telling formats apart by their first bytes.
 */
#include "examine/detect.h"

#include <stdint.h>
#include <string.h>

#include "format/legacy/legacy.h"
#include "format/xend/xend.h"
#include "format/xl/file.h"

static bool starts(const uint8_t *p, size_t len, const char *with)
{
	return len >= strlen(with) && !memcmp(p, with, strlen(with));
}

/* A legacy image has no magic; its first bytes can be understood or not. */
static bool is_legacy(const uint8_t *p, size_t len)
{
	struct gw_legacy_kind kind = {0};

	return gw_legacy_detect(p, len, &kind, NULL) == 0;
}

enum gw_file_format gw_detect(const void *first_bytes, size_t len)
{
	const uint8_t *p = first_bytes;

	if (len == 0)
		return GW_FILE_EMPTY;
	if (len >= 8 && gw_xlfile_is_magic(p, len))
		return GW_FILE_XL;
	if (gw_xend_is_magic(p, len))
		return GW_FILE_XEND;
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
		[GW_FILE_XEND] = "xend file",
		[GW_FILE_STREAM] = "libxl stream",
		[GW_FILE_IMAGE] = "libxc image",
		[GW_FILE_LEGACY] = "legacy image of Xen 4.5 or older",
		[GW_FILE_QEMU] = "QEMU migration stream",
		[GW_FILE_LIBVIRT] = "libvirt save file",
		[GW_FILE_ELF] = "ELF file",
	};

	return names[format];
}

bool gw_file_format_is_read(enum gw_file_format format)
{
	return format == GW_FILE_XL || format == GW_FILE_XEND || format == GW_FILE_STREAM ||
	       format == GW_FILE_IMAGE || format == GW_FILE_LEGACY;
}
