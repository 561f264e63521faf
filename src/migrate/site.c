/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the site's file of settings.
 */
#include "migrate/site.h"

#include <stdbool.h>
#include <string.h>

#include "base/util.h"

struct reader {
	gw_setting *setting;
	void *opaque;
};

static bool is_known(const char *key)
{
	static const char *const keys[] = {"accept", "warn",	"tls-cert",   "tls-key",
					   "tls-ca", "tls-psk", "max-memory", "max-domains"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static int on_setting(void *opaque, const char *key, const char *value, const char *path,
		      struct gw_error *err)
{
	const struct reader *r = opaque;

	if (is_known(key))
		return r->setting(r->opaque, key, value, path, err);
	return gw_fail(
		err, GW_USAGE,
		"unknown setting \"%.40s\", expected accept, warn, max-memory, max-domains, tls-cert, tls-key, tls-ca or tls-psk",
		key);
}

int gw_site_read(gw_setting *setting, void *opaque, struct gw_error *err)
{
	struct reader r = {setting, opaque};

	return gw_settings_read("GODWIT_CONF", GW_SITE_CONF, on_setting, &r, err);
}
