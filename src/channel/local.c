/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether an address or a peer is this machine's.
 */
#include "channel/local.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "channel/address.h"
#include "channel/resolve.h"

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)address)
				     ->sin_addr.s_addr) >>
			       24 ==
		       127;
	if (address->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
	return false;
}

int gw_address_is_local(const char *text, const struct gw_cancel *cancel, bool *local,
			struct gw_error *err)
{
	struct gw_address address;
	struct addrinfo *all;

	*local = true;
	if (gw_address_parse(&address, text, err) < 0)
		return -1;
	/* Without a host a listener takes 127.0.0.1, and nobody connects. */
	if ((address.kind != GW_ADDRESS_TCP && address.kind != GW_ADDRESS_TLS) || !*address.host)
		return 0;
	all = gw_resolve(address.host, address.port, false, cancel, err);
	if (!all)
		return gw_fail_in(err, "%s", text);
	for (const struct addrinfo *one = all; one; one = one->ai_next)
		*local = *local && is_loopback(one->ai_addr);
	freeaddrinfo(all);
	return 0;
}

bool gw_peer_is_local(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return true;
	if (peer.ss_family != AF_INET && peer.ss_family != AF_INET6)
		return true;
	return is_loopback((const struct sockaddr *)&peer);
}

int gw_peer_uid(int fd, uid_t *uid)
{
	struct sockaddr_storage own;
	struct ucred cred;
	socklen_t len = sizeof(own), cred_len = sizeof(cred);

	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0 || own.ss_family != AF_UNIX)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) < 0)
		return 0;
	*uid = cred.uid;
	return 1;
}
