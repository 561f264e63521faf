/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Detects the formats of other programs by their magics.
 */
#include "format/foreign.h"

#include <string.h>

#include "base/util.h"

/* As QEMU, and the QEMU and Xen drivers of libvirt, write them. */
static const struct {
	const char *magic;
	enum gw_foreign format;
} magics[] = {
	{"QEVM", GW_FOREIGN_QEMU},
	{"LibvirtQemudSave", GW_FOREIGN_LIBVIRT},
	{"LibvirtQemudPart", GW_FOREIGN_LIBVIRT_PART},
	{"libvirt-xml\n", GW_FOREIGN_LIBVIRT_XEN},
	{"\177ELF", GW_FOREIGN_ELF},
};

enum gw_foreign gw_foreign_detect(const void *first, size_t len)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(magics); i++) {
		size_t n = strlen(magics[i].magic);

		if (len >= n && memcmp(first, magics[i].magic, n) == 0)
			return magics[i].format;
	}
	return GW_FOREIGN_NONE;
}

const char *gw_foreign_name(enum gw_foreign format)
{
	static const char *const names[] = {
		[GW_FOREIGN_QEMU] = "QEMU migration stream",
		[GW_FOREIGN_LIBVIRT] = "libvirt save file",
		[GW_FOREIGN_LIBVIRT_PART] = "incomplete libvirt save file",
		[GW_FOREIGN_LIBVIRT_XEN] = "libvirt save file of a Xen domain",
		[GW_FOREIGN_ELF] = "ELF file",
	};

	return names[format];
}

int gw_foreign_refuse(const void *first, size_t len, struct gw_error *err)
{
	enum gw_foreign format = gw_foreign_detect(first, len);

	if (format == GW_FOREIGN_NONE)
		return 0;
	return gw_fail(
		err, GW_INVALID,
		"%s: it cannot be converted or restored; expected a file of xl or xend, a libxl stream, a libxc image or a legacy image",
		gw_foreign_name(format));
}
