/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Detects the format of a stored image by its first bytes. It also recognises formats that godwit
 * does not read, so that the message can name them.
 */
#ifndef GW_EXAMINE_DETECT_H
#define GW_EXAMINE_DETECT_H

#include <stdbool.h>
#include <stddef.h>

enum gw_file_format {
	GW_FILE_EMPTY, /* no byte at all */
	GW_FILE_UNKNOWN,
	GW_FILE_XL,	/* xl header: xl save, xl migrate */
	GW_FILE_XEND,	/* xend header: xm save of Xen 3.x to 4.4 */
	GW_FILE_STREAM, /* libxl stream v2 */
	GW_FILE_IMAGE,	/* libxc image v2, v3 */
	GW_FILE_LEGACY, /* libxc image of Xen 4.5 and before; not of 3.0 (format/legacy/legacy.h) */
	GW_FILE_QEMU,	/* QEMU's savevm stream ("QEVM") */
	GW_FILE_LIBVIRT,      /* virsh save */
	GW_FILE_LIBVIRT_PART, /* virsh save that did not come to its end */
	GW_FILE_LIBVIRT_XEN,  /* virsh save of a Xen domain */
	GW_FILE_ELF,	      /* a core or a kernel */
};

#define GW_DETECT_BYTES 48 /* more are not looked at; fewer may be given */

enum gw_file_format gw_detect(const void *first_bytes, size_t len);

/* "xl file", "libxl stream", "legacy image of Xen 4.5 or older", ... */
const char *gw_file_format_name(enum gw_file_format format);

/* True for those that gw_examine walks. */
bool gw_file_format_is_read(enum gw_file_format format);
/* True for images of Xen domains, which can be restored. */
bool gw_file_format_is_xen(enum gw_file_format format);

#endif
