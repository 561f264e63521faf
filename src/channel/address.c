/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses: "tcp:HOST:PORT", "tls:HOST:PORT", "unix:PATH", "fd:N", "fd:IN,OUT".
 */
#include "channel/address.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

/* Parses decimal digits up to the end of text. Returns -1 for anything else or more than max. */
static long number(const char *text, long max)
{
	long value = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
		if (value > max)
			return -1;
	}
	return value;
}

static int parse_tcp(struct gw_address *address, const char *text, const char *rest,
		     struct gw_error *err)
{
	const char *colon = strrchr(rest, ':');
	const char *host = rest, *end = colon;

	if (!colon)
		return gw_fail(err, GW_USAGE, "\"%s\" has no port: %.4sHOST:PORT is expected", text,
			       text);

	long port = number(colon + 1, 65535);

	if (port < 0)
		return gw_fail(err, GW_USAGE, "\"%s\" has no port between 0 and 65535 at its end",
			       text);
	snprintf(address->port, sizeof(address->port), "%ld", port);
	if (*host == '[') {
		if (end - host < 2 || end[-1] != ']')
			return gw_fail(err, GW_USAGE, "\"%s\" has a bracket without its other half",
				       text);
		host++;
		end--;
	} else if (memchr(host, ':', (size_t)(end - host))) {
		return gw_fail(err, GW_USAGE,
			       "\"%s\": an IPv6 address is written in brackets, %.4s[::1]:7000",
			       text, text);
	}
	if ((size_t)(end - host) >= sizeof(address->host))
		return gw_fail(err, GW_USAGE, "\"%s\" has too long a host name", text);
	memcpy(address->host, host, (size_t)(end - host));
	address->kind = GW_ADDRESS_TCP;
	return 0;
}

static int parse_tls(struct gw_address *address, const char *text, const char *rest,
		     struct gw_error *err)
{
	if (parse_tcp(address, text, rest, err) < 0)
		return -1;
	address->kind = GW_ADDRESS_TLS;
	return 0;
}

static int parse_unix(struct gw_address *address, const char *text, const char *rest,
		      struct gw_error *err)
{
	size_t len = strlen(rest), most = sizeof(address->path.sun_path) - 1;

	if (!len)
		return gw_fail(err, GW_USAGE, "\"%s\" has no path: unix:PATH is expected", text);
	if (len > most)
		return gw_fail(
			err, GW_USAGE,
			"the path of \"%.300s\" has %zu bytes, and a unix socket's may have %zu: use a shorter or a relative one",
			text, len, most);
	address->path.sun_family = AF_UNIX;
	memcpy(address->path.sun_path, rest, len + 1);
	address->kind = GW_ADDRESS_UNIX;
	return 0;
}

static int parse_fd(struct gw_address *address, const char *text, const char *rest,
		    struct gw_error *err)
{
	const char *comma = strchr(rest, ',');
	size_t len = comma ? (size_t)(comma - rest) : 0;
	char first[16] = "";
	long in, out;

	if (len < sizeof(first))
		memcpy(first, rest, len);
	in = number(comma ? first : rest, INT_MAX);
	out = comma ? number(comma + 1, INT_MAX) : in;
	if (in < 0 || out < 0)
		return gw_fail(err, GW_USAGE,
			       "\"%s\" names no descriptor: fd:N or fd:IN,OUT is expected", text);
	address->fd = (int)in;
	address->out_fd = (int)out;
	address->kind = GW_ADDRESS_FD;
	return 0;
}

int gw_address_parse(struct gw_address *address, const char *text, struct gw_error *err)
{
	static const struct {
		const char *prefix;
		int (*parse)(struct gw_address *, const char *, const char *, struct gw_error *);
	} kinds[] = {
		{"tcp:", parse_tcp},
		{"tls:", parse_tls},
		{"unix:", parse_unix},
		{"fd:", parse_fd},
	};

	*address = (struct gw_address){.fd = -1, .out_fd = -1};
	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, len) == 0)
			return kinds[i].parse(address, text, text + len, err);
	}
	return gw_fail(
		err, GW_USAGE,
		"\"%.300s\" is no address: tls:HOST:PORT, tcp:HOST:PORT, unix:PATH or fd:N is expected",
		text);
}
