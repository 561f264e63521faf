/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The site's file of settings, /etc/godwit/godwit.conf: lines KEY = VALUE. Each reader takes the
 * keys that it knows; this file knows the names of all.
 */
#ifndef GW_MIGRATE_SITE_H
#define GW_MIGRATE_SITE_H

#include "base/settings.h"

#define GW_SITE_CONF "/etc/godwit/godwit.conf"

/*
 * Calls setting for each line; it ignores the keys that it does not use. Without a file there are
 * no settings; $GODWIT_CONF names another file, which then must exist. A line that is no setting,
 * or one with an unknown key, fails with GW_USAGE. Returns 0 or -1.
 */
int gw_site_read(gw_setting *setting, void *opaque, struct gw_error *err);

#endif
