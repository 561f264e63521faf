/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The VM generation id of a restored domain: a guest that finds another one knows that it is a copy
 * of its past, and takes new random numbers and identities.
 */
#ifndef GW_VMM_GENID_H
#define GW_VMM_GENID_H

#include "vmm/state.h"

/*
 * Called once the domain is complete, before it runs. An image that was restored in this runtime
 * folder before gives its domain a new id, and a warning; so does args.new_genid, which fails for a
 * guest without one. In the operation's thread. 0 or -1.
 */
int gw_genid_after_restore(struct gw_process *p, uint64_t fingerprint, struct gw_error *err);

#endif
