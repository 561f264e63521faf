/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for the header of xend. Of its config only the form is checked.
 */
#include "format/rules/internal.h"

/* Offsets in the header. */
#define AT_LENGTH GW_XEND_MAGIC_SIZE
#define AT_CONFIG GW_XEND_HEADER_SIZE

int gw_xend_rules(const struct gw_xend *xend, const struct gw_findings *out, uint64_t layer_start,
		  struct gw_error *err)
{
	struct gw_reporter r = {.out = out, .layer_start = layer_start};
	struct gw_error why = GW_ERROR_INIT;
	struct gw_xend_config config;

	if (xend->config_len < 0)
		return gw_broken(&r, R_XEND_LENGTH, AT_LENGTH, NULL, err,
				 "the header gives a config of %d bytes, expected 0 or more",
				 xend->config_len);
	if ((uint32_t)xend->config_len > GW_XEND_CONFIG_MAX)
		return gw_broken(&r, R_XEND_SIZE, AT_LENGTH, NULL, err,
				 "the header gives a config of %d bytes, at most %u expected",
				 xend->config_len, GW_XEND_CONFIG_MAX);
	/* The caller reports a cut config; its bytes are not judged. */
	if (xend->config.len < (size_t)xend->config_len)
		return 0;
	if (gw_xend_config_read((const char *)xend->config.data, xend->config.len, &config, &why) ==
	    0)
		return 0;
	return gw_broken(&r, R_XEND_CONFIG, AT_CONFIG, NULL, err,
			 "the config is not the S-expression of a domain: %s", why.text);
}
