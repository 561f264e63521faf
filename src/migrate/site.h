/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The site's file of settings, /etc/godwit/godwit.conf: lines KEY = VALUE. Each reader takes the
 * keys that it knows; this file knows the names of all.
 */
#ifndef GW_MIGRATE_SITE_H
#define GW_MIGRATE_SITE_H

#include <godwit/error.h>

#define GW_SITE_CONF "/etc/godwit/godwit.conf"

/* One setting of the file at path: 0 (also for a key that the reader does not use), or -1. */
typedef int gw_site_setting(void *opaque, const char *key, const char *value, const char *path,
			    struct gw_error *err);

/*
 * Calls setting for each line. Without a file there are no settings; $GODWIT_CONF names another
 * file, which then must exist. A line that is no setting, or one with an unknown key, fails with
 * GW_USAGE. Returns 0 or -1.
 */
int gw_site_read(gw_site_setting *setting, void *opaque, struct gw_error *err);

#endif
