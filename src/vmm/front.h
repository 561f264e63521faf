/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The front of a stored image: the header of xl or xend, or nothing, before a libxl stream, a libxc
 * image or a legacy image. It gives the config of the domain and the layer to restore.
 */
#ifndef GW_VMM_FRONT_H
#define GW_VMM_FRONT_H

#include <godwit/channel.h>

#include "format/rules/rules.h"
#include "vmm/state.h"

struct gw_front {
	int layer;		      /* of what comes next: enum gw_layer */
	uint64_t offset;	      /* of what comes next, in the input */
	bool converted;		      /* a legacy image is converted on the way; offset is 0 then */
	bool sized;		      /* there was a config, which gives the domain's memory */
	struct gw_config_facts facts; /* of the config that came with the image */
};

/*
 * Reads the front of *ch. Then an image of front->layer comes next on *ch: for a legacy one, *ch
 * becomes a channel that converts it (and owns the one before). config is filled, with the name
 * that the process was asked to give the domain; the caller owns it. front must outlive *ch. 0, or
 * -1 with config empty. Either thread.
 */
int gw_front_read(struct gw_process *p, struct gw_front *front, struct gw_channel **ch,
		  struct gw_config *config, struct gw_error *err);

#endif
