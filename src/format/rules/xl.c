/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for the header of xl. The config itself is not read here.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "format/rules/internal.h"

/* Offsets in the header. */
#define AT_BYTEORDER 32
#define AT_FLAGS     36
#define AT_OPTIONAL  40
#define AT_LENGTH    44
#define AT_DATA	     48

static int check_config(struct gw_reporter *r, const struct gw_xlfile *xl, struct gw_error *err)
{
	uint32_t config_len, room = (uint32_t)xl->optional.len;
	const uint8_t *config;
	int rc = 0;

	if (room == 0)
		return gw_broken(r, R_XL_CONFIG_MISSING, AT_LENGTH, NULL, err,
				 "the header contains no config");
	if (room < 4)
		return gw_broken(
			r, R_XL_CONFIG_LENGTH, AT_DATA, NULL, err,
			"the optional data has %u bytes, the config's length alone needs 4", room);
	config_len = gw_get_le32(xl->optional.data);
	config = xl->optional.data + 4;
	room -= 4;
	if (config_len > room)
		return gw_broken(
			r, R_XL_CONFIG_LENGTH, AT_DATA, NULL, err,
			"the header gives a config of %u bytes, the optional data has room for %u",
			config_len, room);
	if (config_len == 0)
		rc |= gw_broken(r, R_XL_CONFIG_MISSING, AT_DATA, NULL, err, "the config is empty");
	else if (xl->mandatory_flags & GW_XLFILE_JSON &&
		 memchr(config, 0, config_len) != config + config_len - 1)
		rc |= gw_broken(r, R_XL_CONFIG_NUL, AT_DATA + 4, NULL, err,
				"the config's %u bytes do not end with their first NUL",
				config_len);
	if (room > config_len)
		rc |= gw_broken(r, R_XL_CONFIG_MORE, AT_DATA + 4 + config_len, NULL, err,
				"%u bytes after the config are ignored", room - config_len);
	return rc;
}

int gw_xlfile_rules(const struct gw_xlfile *xl, const struct gw_findings *out, uint64_t layer_start,
		    struct gw_error *err)
{
	struct gw_reporter r = {.out = out, .layer_start = layer_start};
	uint32_t unknown = xl->mandatory_flags & ~(GW_XLFILE_JSON | GW_XLFILE_STREAM_V2);
	int rc = 0;

	/* The file has another byte order, so every other field was read wrong. */
	if (xl->byteorder != GW_XLFILE_BYTEORDER)
		return gw_broken(&r, R_XL_BYTEORDER, AT_BYTEORDER, NULL, err,
				 "the byte order field is 0x%08x, expected 0x%08x", xl->byteorder,
				 GW_XLFILE_BYTEORDER);
	if (unknown)
		rc |= gw_broken(&r, R_XL_FLAGS, AT_FLAGS, NULL, err, "unknown mandatory flags 0x%x",
				unknown);
	if (!(xl->mandatory_flags & GW_XLFILE_STREAM_V2))
		rc |= gw_broken(&r, R_XL_LEGACY, AT_FLAGS, NULL, err,
				"mandatory flags 0x%x: a legacy image follows",
				xl->mandatory_flags);
	if (xl->optional_flags)
		rc |= gw_broken(&r, R_XL_OPTIONAL_FLAGS, AT_OPTIONAL, NULL, err,
				"optional flags 0x%x are unknown", xl->optional_flags);
	if (xl->optional_len > GW_XLFILE_CONFIG_MAX)
		return gw_broken(&r, R_XL_SIZE, AT_LENGTH, NULL, err,
				 "%u bytes of optional data, at most %u expected", xl->optional_len,
				 GW_XLFILE_CONFIG_MAX) |
		       rc;
	/* The caller reports cut optional data; its bytes are not judged. */
	if (xl->optional.len < xl->optional_len)
		return rc;
	return check_config(&r, xl, err) | rc;
}
