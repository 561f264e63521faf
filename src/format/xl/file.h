/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The header that xl puts before a saved or migrated domain, with the domain's config. The config
 * itself is parsed elsewhere.
 */
#ifndef GW_FORMAT_XL_FILE_H
#define GW_FORMAT_XL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"

#define GW_XLFILE_MAGIC_SIZE  32
#define GW_XLFILE_HEADER_SIZE 48
#define GW_XLFILE_BYTEORDER   UINT32_C(0x01020304)
#define GW_XLFILE_JSON	      UINT32_C(1) /* mandatory flag: the config is JSON */
#define GW_XLFILE_STREAM_V2                                                                        \
	UINT32_C(2) /* mandatory flag: a libxl stream follows, else a legacy libxc stream */
#define GW_XLFILE_CONFIG_MAX (256u << 10) /* of optional data; larger is refused */

extern const uint8_t gw_xlfile_magic[GW_XLFILE_MAGIC_SIZE];

/* Zeroed is empty. */
struct gw_xlfile {
	uint32_t byteorder, mandatory_flags, optional_flags;
	uint32_t optional_len; /* length in the header */
	struct gw_buffer
		optional; /* the optional data: u32 config_len, config, anything after it */
};

bool gw_xlfile_is_magic(const void *first_bytes, size_t len); /* at least 8 bytes decide */

/* Header only; fails only if the magic is wrong. */
int gw_xlfile_header_decode(const uint8_t raw[GW_XLFILE_HEADER_SIZE], struct gw_xlfile *xl,
			    struct gw_error *err);
void gw_xlfile_header_encode(const struct gw_xlfile *xl, uint8_t raw[GW_XLFILE_HEADER_SIZE]);
/*
 * The config's text inside optional; NULL if there is none or it is cut. *len: up to its first NUL,
 * or to its end if it has none (the text is then not terminated: never treat it as a C string).
 */
const char *gw_xlfile_config(const struct gw_xlfile *xl, size_t *len);
/* Header and optional data for a config, as current xl writes it (JSON | STREAM_V2). config_len
 * without NUL; config NULL: none. */
int gw_xlfile_append(struct gw_buffer *buf, uint32_t mandatory_flags, const char *config,
		     size_t config_len, struct gw_error *err);
/* The bytes that gw_xlfile_append() writes for a config of config_len bytes. */
static inline size_t gw_xlfile_size(size_t config_len)
{
	return GW_XLFILE_HEADER_SIZE + 4 + config_len + 1;
}
void gw_xlfile_free(struct gw_xlfile *xl);

#endif
