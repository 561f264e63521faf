/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libxl stream on its way between libxl and a file or a connection: every byte is passed on, and
 * the rules judge what passes. It ends with the stream's END and takes no byte more.
 */
#ifndef GW_XL_RELAY_H
#define GW_XL_RELAY_H

#include <stdbool.h>

#include <godwit/channel.h>

#include "base/buffer.h"
#include "format/libxc/image.h"

struct gw_relay {
	/* Set by the caller. */
	struct gw_channel *from;
	struct gw_channel *to; /* NULL: what arrives is kept until there is one */
	bool pvh;	       /* the guest has no device model */
	void *owner;
	/* Each may be NULL; -1 with err ends the relay. */
	int (*header)(void *owner, const struct gw_image_header *header, struct gw_error *err);
	/* The static data has passed, and nothing after it. May set to. */
	int (*static_data)(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
			   struct gw_error *err);
	/* The memory has passed; the state of the suspended domain begins. */
	int (*state)(void *owner, struct gw_error *err);
	/* results */
	uint64_t pages, bytes;
	bool to_failed; /* the failure was one of writing */
};

/* 0; -1: GW_TRUNCATED if from ended early, GW_INVALID for a broken rule. */
int gw_relay_run(struct gw_relay *relay, struct gw_error *err);

#endif
