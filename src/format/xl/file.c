/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The header of xl: magic, flags, the optional data with the config.
 */
#include "format/xl/file.h"

#include "base/bytes.h"
#include "base/util.h"

const uint8_t gw_xlfile_magic[GW_XLFILE_MAGIC_SIZE] = {
	'X', 'e', 'n', ' ', 's', 'a', 'v', 'e', 'd', ' ', 'd', 'o',  'm', 'a', 'i', 'n',
	',', ' ', 'x', 'l', ' ', 'f', 'o', 'r', 'm', 'a', 't', '\n', ' ', 0,   ' ', '\r',
};

bool gw_xlfile_is_magic(const void *first_bytes, size_t len)
{
	return len >= 8 &&
	       !memcmp(first_bytes, gw_xlfile_magic, GW_MIN(len, (size_t)GW_XLFILE_MAGIC_SIZE));
}

/*
 * xl writes its integers in its own byte order and refuses any other, by the byteorder field. The
 * other fields are read as little-endian, because all existing files are.
 */
int gw_xlfile_header_decode(const uint8_t raw[GW_XLFILE_HEADER_SIZE], struct gw_xlfile *xl,
			    struct gw_error *err)
{
	if (memcmp(raw, gw_xlfile_magic, GW_XLFILE_MAGIC_SIZE) != 0)
		return gw_fail(err, GW_INVALID,
			       "xl header: the first 32 bytes are not those of a saved domain");
	xl->byteorder = gw_get_le32(raw + 32);
	xl->mandatory_flags = gw_get_le32(raw + 36);
	xl->optional_flags = gw_get_le32(raw + 40);
	xl->optional_len = gw_get_le32(raw + 44);
	return 0;
}

void gw_xlfile_header_encode(const struct gw_xlfile *xl, uint8_t raw[GW_XLFILE_HEADER_SIZE])
{
	memcpy(raw, gw_xlfile_magic, GW_XLFILE_MAGIC_SIZE);
	gw_put_le32(raw + 32, xl->byteorder);
	gw_put_le32(raw + 36, xl->mandatory_flags);
	gw_put_le32(raw + 40, xl->optional_flags);
	gw_put_le32(raw + 44, xl->optional_len);
}

const char *gw_xlfile_config(const struct gw_xlfile *xl, size_t *len)
{
	if (xl->optional.len < 4)
		return NULL;

	uint32_t config_len = gw_get_le32(xl->optional.data);
	const char *config = (const char *)xl->optional.data + 4;

	if (config_len == 0 || config_len > xl->optional.len - 4)
		return NULL;
	*len = strnlen(config, config_len);
	return config;
}

int gw_xlfile_append(struct gw_buffer *buf, uint32_t mandatory_flags, const char *config,
		     size_t config_len, struct gw_error *err)
{
	if (config_len > GW_XLFILE_CONFIG_MAX - 5)
		return gw_fail(err, GW_INVALID, "a config of %zu bytes, at most %u fit", config_len,
			       GW_XLFILE_CONFIG_MAX - 5);

	const struct gw_xlfile xl = {
		.byteorder = GW_XLFILE_BYTEORDER,
		.mandatory_flags = mandatory_flags,
		.optional_len = config ? (uint32_t)config_len + 5 : 0,
	};
	uint8_t *raw = gw_buffer_reserve(buf, GW_XLFILE_HEADER_SIZE + (size_t)xl.optional_len, err);

	if (!raw)
		return -1;
	gw_xlfile_header_encode(&xl, raw);
	buf->len += GW_XLFILE_HEADER_SIZE;
	if (!config)
		return 0;
	/* xl parses the config as a C string, so its NUL is written and counted. */
	gw_put_le32(raw + GW_XLFILE_HEADER_SIZE, (uint32_t)config_len + 1);
	buf->len += 4;
	if (gw_buffer_append(buf, config, config_len, err) < 0)
		return -1;
	return gw_buffer_append(buf, NULL, 1, err);
}

void gw_xlfile_free(struct gw_xlfile *xl)
{
	gw_buffer_free(&xl->optional);
	*xl = (struct gw_xlfile){0};
}
