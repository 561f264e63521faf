/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Telling formats apart by their first bytes.
 */
#include "examine/detect.h"

#include <stdint.h>
#include <string.h>

#include "format/foreign.h"
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
	switch (gw_foreign_detect(p, len)) {
	case GW_FOREIGN_NONE:
		break;
	case GW_FOREIGN_QEMU:
		return GW_FILE_QEMU;
	case GW_FOREIGN_LIBVIRT:
		return GW_FILE_LIBVIRT;
	case GW_FOREIGN_LIBVIRT_PART:
		return GW_FILE_LIBVIRT_PART;
	case GW_FOREIGN_LIBVIRT_XEN:
		return GW_FILE_LIBVIRT_XEN;
	case GW_FOREIGN_ELF:
		return GW_FILE_ELF;
	}
	if (is_legacy(p, len))
		return GW_FILE_LEGACY;
	return GW_FILE_UNKNOWN;
}

const char *gw_file_format_name(enum gw_file_format format)
{
	switch (format) {
	case GW_FILE_EMPTY:
		return "empty file";
	case GW_FILE_UNKNOWN:
		return "unknown format";
	case GW_FILE_XL:
		return "xl file";
	case GW_FILE_XEND:
		return "xend file";
	case GW_FILE_STREAM:
		return "libxl stream";
	case GW_FILE_IMAGE:
		return "libxc image";
	case GW_FILE_LEGACY:
		return "legacy image of Xen 4.5 or older";
	case GW_FILE_QEMU:
		return gw_foreign_name(GW_FOREIGN_QEMU);
	case GW_FILE_LIBVIRT:
		return gw_foreign_name(GW_FOREIGN_LIBVIRT);
	case GW_FILE_LIBVIRT_PART:
		return gw_foreign_name(GW_FOREIGN_LIBVIRT_PART);
	case GW_FILE_LIBVIRT_XEN:
		return gw_foreign_name(GW_FOREIGN_LIBVIRT_XEN);
	case GW_FILE_ELF:
		return gw_foreign_name(GW_FOREIGN_ELF);
	}
	return "unknown format";
}

bool gw_file_format_is_read(enum gw_file_format format)
{
	return gw_file_format_is_xen(format) || format == GW_FILE_QEMU ||
	       format == GW_FILE_LIBVIRT || format == GW_FILE_LIBVIRT_PART;
}

bool gw_file_format_is_xen(enum gw_file_format format)
{
	return format == GW_FILE_XL || format == GW_FILE_XEND || format == GW_FILE_STREAM ||
	       format == GW_FILE_IMAGE || format == GW_FILE_LEGACY;
}
