/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The file of "virsh save" of a QEMU domain: a header, the domain's XML, an optional cookie, and a
 * stream of QEMU, which may be compressed. Source: the qemuSaveImage functions of libvirt.
 */
#ifndef GW_FORMAT_LIBVIRT_SAVE_H
#define GW_FORMAT_LIBVIRT_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"

#define GW_LIBVIRT_HEADER_SIZE 92u
#define GW_LIBVIRT_VERSION     2u
#define GW_LIBVIRT_XML_MAX     (1u << 20) /* bytes of XML and cookie that are kept */

/* How the stream is stored. */
enum gw_libvirt_format {
	GW_LIBVIRT_RAW,
	GW_LIBVIRT_GZIP,
	GW_LIBVIRT_BZIP2,
	GW_LIBVIRT_XZ,
	GW_LIBVIRT_LZOP,
	GW_LIBVIRT_ZSTD,
	GW_LIBVIRT_SPARSE, /* as it is, with the memory at fixed places (mapped-ram) */
	GW_LIBVIRT_NR_FORMATS,
};

/* Zeroed is empty. */
struct gw_libvirt_save {
	bool complete;		/* the save came to its end */
	bool big_endian;	/* the numbers of the header */
	uint32_t version;	/* 1 or 2 */
	uint32_t data_len;	/* bytes after the header, up to the stream */
	uint32_t was_running;	/* 0: the domain was paused */
	uint32_t format;	/* enum gw_libvirt_format, or a number that is not one */
	uint32_t cookie_offset; /* of the cookie in the data; 0: it has no cookie */
	struct gw_buffer data;	/* the data, up to GW_LIBVIRT_XML_MAX bytes */
};

/* Decodes GW_LIBVIRT_HEADER_SIZE bytes. The byte order is that of the host that saved; the version
 * shows it. GW_INVALID: the magic is another one. */
int gw_libvirt_header_decode(const uint8_t *raw, struct gw_libvirt_save *save,
			     struct gw_error *err);
/* "raw", "gzip", ...; NULL for a number that is not a format. */
const char *gw_libvirt_format_name(uint32_t format);
/* The text of the XML or the cookie, without its NUL, within the data. "" if there is none. */
const char *gw_libvirt_xml(const struct gw_libvirt_save *save, size_t *len);
const char *gw_libvirt_cookie(const struct gw_libvirt_save *save, size_t *len);
/*
 * The text of the first element of this name that has text: "name" gives "web1". false: there is
 * none. Cut to size; entities are not decoded.
 */
bool gw_libvirt_element(const struct gw_libvirt_save *save, const char *name, char *text,
			size_t size);
void gw_libvirt_free(struct gw_libvirt_save *save);

#endif
