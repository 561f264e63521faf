/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TLS in a build without GnuTLS: refused.
 */
#include "channel/tls.h"

#include <stddef.h>

struct gw_tls *gw_tls_new(const struct gw_tls_texts *texts, enum gw_tls_side side,
			  struct gw_error *err)
{
	gw_fail(err, GW_UNSUPPORTED,
		"TLS: godwit was built without GnuTLS (libgnutls28-dev): use ssh: instead");
	return NULL;
}

void gw_tls_free(struct gw_tls *tls)
{
}

struct gw_channel *gw_channel_tls(struct gw_channel *below, const struct gw_tls *tls,
				  const char *host, struct gw_error *err)
{
	gw_channel_close(below);
	gw_fail(err, GW_UNSUPPORTED, "TLS: godwit was built without GnuTLS");
	return NULL;
}
