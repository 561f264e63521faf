/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Decodes the header of a libvirt save file, and finds the texts after it.
 */
#include "format/libvirt/save.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

#define MAGIC_SIZE 16u

static uint32_t word(const struct gw_libvirt_save *save, const uint8_t *raw, unsigned i)
{
	const uint8_t *p = raw + MAGIC_SIZE + 4 * (size_t)i;

	return save->big_endian ? gw_get_be32(p) : gw_get_le32(p);
}

int gw_libvirt_header_decode(const uint8_t *raw, struct gw_libvirt_save *save, struct gw_error *err)
{
	*save = (struct gw_libvirt_save){0};
	save->complete = memcmp(raw, "LibvirtQemudSave", MAGIC_SIZE) == 0;
	if (!save->complete && memcmp(raw, "LibvirtQemudPart", MAGIC_SIZE) != 0)
		return gw_fail(err, GW_INVALID, "it does not begin with \"LibvirtQemudSave\"");
	/* A version above the last is one in the other byte order. */
	save->big_endian = gw_get_le32(raw + MAGIC_SIZE) > GW_LIBVIRT_VERSION;
	if (save->big_endian && gw_get_be32(raw + MAGIC_SIZE) > GW_LIBVIRT_VERSION)
		save->big_endian = false;
	save->version = word(save, raw, 0);
	save->data_len = word(save, raw, 1);
	save->was_running = word(save, raw, 2);
	save->format = word(save, raw, 3);
	save->cookie_offset = word(save, raw, 4);
	/* Only version 2 has compressed streams. */
	if (save->version < 2)
		save->format = GW_LIBVIRT_RAW;
	return 0;
}

const char *gw_libvirt_format_name(uint32_t format)
{
	static const char *const names[GW_LIBVIRT_NR_FORMATS] = {"raw",	 "gzip", "bzip2", "xz",
								 "lzop", "zstd", "sparse"};

	return format < GW_LIBVIRT_NR_FORMATS ? names[format] : NULL;
}

static const char *text_at(const struct gw_libvirt_save *save, size_t from, size_t to, size_t *len)
{
	from = GW_MIN(from, save->data.len);
	to = GW_MIN(to, save->data.len);
	*len = from < to ? strnlen((const char *)save->data.data + from, to - from) : 0;
	return *len ? (const char *)save->data.data + from : "";
}

const char *gw_libvirt_xml(const struct gw_libvirt_save *save, size_t *len)
{
	return text_at(save, 0, save->cookie_offset ? save->cookie_offset : save->data_len, len);
}

const char *gw_libvirt_cookie(const struct gw_libvirt_save *save, size_t *len)
{
	return text_at(save, save->cookie_offset ? save->cookie_offset : save->data_len,
		       save->data_len, len);
}

bool gw_libvirt_element(const struct gw_libvirt_save *save, const char *name, char *text,
			size_t size)
{
	const char *begin, *end;
	size_t len, n;
	char tag[64];
	const char *xml = gw_libvirt_xml(save, &len);

	snprintf(tag, sizeof(tag), "<%s>", name);
	begin = memmem(xml, len, tag, strlen(tag));
	if (!begin)
		return false;
	begin += strlen(tag);
	end = memchr(begin, '<', len - (size_t)(begin - xml));
	n = end ? (size_t)(end - begin) : 0;
	n = GW_MIN(n, size - 1);
	memcpy(text, begin, n);
	text[n] = 0;
	return n > 0;
}

void gw_libvirt_free(struct gw_libvirt_save *save)
{
	gw_buffer_free(&save->data);
	*save = (struct gw_libvirt_save){0};
}
