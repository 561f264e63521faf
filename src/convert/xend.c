/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The header of xend, off a channel.
 */
#include "convert/xend.h"

#include "read/input.h"

int gw_xend_read(struct gw_channel *in, const struct gw_findings *out, struct gw_xend *xend,
		 struct gw_error *err)
{
	struct gw_input input = {.ch = in};
	uint64_t start = in->read_pos;
	size_t len;
	void *to;

	while (gw_xend_want(xend, &to, &len, err) == 0) {
		enum gw_read_result rc = gw_input_read(&input, to, len, err);

		if (rc == GW_READ_FAILED)
			return -1;
		if (len == 0)
			return gw_xend_rules(xend, out, start, err);
		if (rc == GW_READ_ENDED)
			return gw_rules_report(out, "xend-truncated", in->read_pos, err,
					       "the input ends inside the header or its config");
		if (gw_xend_got(xend, err) < 0)
			return -1;
	}
	return -1;
}
