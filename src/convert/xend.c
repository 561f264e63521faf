/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The header of xend, off a channel.
 */
#include "convert/xend.h"

#include "convert/conversion.h"

/* 1; 0 if the input ends before the last byte; -1. */
static int bring(struct gw_channel *in, void *to, size_t len, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	int rc = gw_channel_read(in, to, len, &failure);

	return rc >= 0 ? rc : gw_conv_judge_read(in, &failure, err);
}

int gw_xend_read(struct gw_channel *in, const struct gw_findings *out, struct gw_xend *xend,
		 struct gw_error *err)
{
	uint64_t start = in->read_pos;
	size_t len;
	void *to;

	while (gw_xend_want(xend, &to, &len, err) == 0) {
		int rc = len ? bring(in, to, len, err) : 1;

		if (rc < 0)
			return -1;
		if (len == 0)
			return gw_xend_rules(xend, out, start, err);
		if (rc == 0)
			return gw_report(out, "xend-truncated", in->read_pos, err,
					 "the input ends inside the header or its config");
		if (gw_xend_got(xend, err) < 0)
			return -1;
	}
	return -1;
}
