/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The stand-in for Xen and for libxl's hold on the domain, so that tests run the whole helper
 * without either. GODWIT_HELPER_CONNECT names a host of this process (memory:) instead of xen:.
 * libxl is then asked as ever, but cannot suspend such a domain: after its answer, the stand-in
 * does. Other variables of the environment, for tests only:
 *
 *   GODWIT_HELPER_IMAGE  save: a file with a libxc image; the domain is restored from it first, and
 *			  runs
 *   GODWIT_HELPER_KEEP   a file: the domain as it is at the end, as a libxc image
 *   GODWIT_HELPER_WRITES pfns that the guest writes before each suspend: "1,2;3" are 1 and 2 before
 *			  the first, 3 before the second
 *   GODWIT_HELPER_GRACE  milliseconds instead of GW_LIBXL_GRACE_MS
 */
#ifndef GW_HELPER_STAND_IN_H
#define GW_HELPER_STAND_IN_H

#include "helper/save_helper/helper.h"

/* What the host is opened by: the environment's, or xen:. */
const char *gw_stand_in_uri(void);
/*
 * After the domain was attached: prepares it as the environment says. *stand_in is NULL if the
 * domain is Xen's. 0 or -1.
 */
int gw_stand_in_new(struct gw_helper *h, struct gw_stand_in **stand_in, struct gw_error *err);
/* NULL is fine, as it is for all that follow: they do nothing then. */
void gw_stand_in_free(struct gw_stand_in *s);

/* What libxl would have done before it answered. */
int gw_stand_in_suspend(struct gw_stand_in *s, struct gw_error *err);
int gw_stand_in_resume(struct gw_stand_in *s, struct gw_error *err);
/* The domain is complete. */
int gw_stand_in_restored(struct gw_stand_in *s, struct gw_error *err);
/* The end, whatever came of the operation. */
int gw_stand_in_keep(struct gw_stand_in *s, struct gw_error *err);

#endif
