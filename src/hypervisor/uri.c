/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking the uri of a host apart (uri.h).
 */
#include "hypervisor/uri.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int gw_uri_query(const char *uri, const char *scheme, const char **query, struct gw_error *err)
{
	size_t len = strlen(scheme);

	if (strncmp(uri, scheme, len) != 0 || uri[len] != ':')
		return 0;
	const char *rest = uri + len + 1;

	if (*rest != '\0' && *rest != '?')
		return gw_fail(
			err, GW_USAGE,
			"host \"%s\": after \"%s:\" nothing or \"?key=value\" is expected, not \"%s\"",
			uri, scheme, rest);
	*query = *rest == '?' ? rest + 1 : rest;
	return 1;
}

static int copy_part(char *to, size_t size, const char *from, size_t len, struct gw_error *err)
{
	if (len >= size)
		return gw_fail(err, GW_USAGE, "host option \"%.*s\": longer than %zu characters",
			       (int)len, from, size - 1);
	memcpy(to, from, len);
	to[len] = '\0';
	return 0;
}

int gw_uri_next(const char **query, struct gw_uri_pair *pair, struct gw_error *err)
{
	const char *at = *query;

	if (*at == '\0')
		return 0;

	size_t len = strcspn(at, "&");
	const char *equals = memchr(at, '=', len);

	if (!equals || equals == at)
		return gw_fail(err, GW_USAGE, "host option \"%.*s\": expected key=value", (int)len,
			       at);
	if (copy_part(pair->key, sizeof(pair->key), at, (size_t)(equals - at), err) < 0 ||
	    copy_part(pair->value, sizeof(pair->value), equals + 1, len - (size_t)(equals + 1 - at),
		      err) < 0)
		return -1;
	*query = at + len + (at[len] == '&');
	return 1;
}

int gw_uri_number(const struct gw_uri_pair *pair, uint64_t max, uint64_t *value,
		  struct gw_error *err)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(pair->value, &end, 0);

	if (pair->value[0] < '0' || pair->value[0] > '9' || *end != '\0' || errno)
		return gw_fail(err, GW_USAGE, "host option %s: \"%s\" is not a number", pair->key,
			       pair->value);
	if (n > max)
		return gw_fail(err, GW_USAGE, "host option %s: %s is more than %" PRIu64, pair->key,
			       pair->value, max);
	*value = n;
	return 0;
}
