/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The part that restore and receive share: a job that fills a new domain from an image.
 */
#ifndef GW_VMM_INCOMING_H
#define GW_VMM_INCOMING_H

#include "format/libxc/image.h"
#include "vmm/front.h"
#include "vmm/job.h"

struct gw_incoming {
	struct gw_job job;
	struct gw_front front;
};

/* Reads the front of the job's channel and creates the domain that its config describes. 0 or -1.
 * Either thread. */
int gw_incoming_create_domain(struct gw_incoming *in, struct gw_error *err);
/* In run: fills that domain from the image that comes next on the job's channel. 0 or -1. */
int gw_incoming_restore(struct gw_incoming *in, struct gw_error *err);
/* In run: 0 if the process accepts images with this header, or -1 with GW_REFUSED. opaque is the
 * struct gw_incoming. */
int gw_incoming_check_header(void *opaque, const struct gw_image_header *header,
			     struct gw_error *err);

#endif
