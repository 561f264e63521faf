/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Formats of other programs, known by their first bytes. None can be converted or restored, but a
 * message can name them.
 */
#ifndef GW_FORMAT_FOREIGN_H
#define GW_FORMAT_FOREIGN_H

#include <stddef.h>

#include <godwit/error.h>

enum gw_foreign {
	GW_FOREIGN_NONE,
	GW_FOREIGN_QEMU,	 /* QEMU's savevm stream */
	GW_FOREIGN_LIBVIRT,	 /* virsh save of a QEMU domain */
	GW_FOREIGN_LIBVIRT_PART, /* the same, but virsh save did not come to its end */
	GW_FOREIGN_LIBVIRT_XEN,	 /* virsh save of a Xen domain */
	GW_FOREIGN_ELF,		 /* a core or a kernel */
};

#define GW_FOREIGN_BYTES 16 /* more are not looked at; fewer may be given */

enum gw_foreign gw_foreign_detect(const void *first, size_t len);
/* "QEMU migration stream", "incomplete libvirt save file", ... ; NULL for GW_FOREIGN_NONE. */
const char *gw_foreign_name(enum gw_foreign format);
/* For a conversion or a restore: fails with GW_INVALID and the name, if the input that begins with
 * these bytes is of another program; else returns 0. */
int gw_foreign_refuse(const void *first, size_t len, struct gw_error *err);

#endif
