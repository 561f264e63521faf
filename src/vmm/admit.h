/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may connect to a receiver: proven before a byte of the protocol is read.
 */
#ifndef GW_VMM_ADMIT_H
#define GW_VMM_ADMIT_H

#include <sys/types.h>

#include <godwit/channel.h>

#include "channel/tls.h"

#define GW_ADMITTED_UIDS 32

/* Borrowed by the receiver. Zeroed: everybody who can connect, without TLS. */
struct gw_admission {
	const struct gw_tls *tls; /* every connection does TLS with these credentials; NULL: none */
	bool check_uid;		  /* a unix socket's peer must be one of uids */
	uid_t uids[GW_ADMITTED_UIDS];
	unsigned nr_uids;
	bool images; /* a stored image may come instead of a godwit */
};

/* "0,1000": at most GW_ADMITTED_UIDS numbers. NULL: this process's user and root. 0, or -1 with
 * GW_USAGE. */
int gw_admission_set_uids(struct gw_admission *admission, const char *list, struct gw_error *err);

/*
 * Proves the peer of a new connection, within the time of a TLS handshake and until the channel's
 * token is set. With TLS, *ch becomes the channel around it; NULL if that failed. Returns 0, or -1
 * with the reason; a godwit on the other side of a unix socket has then been told.
 */
int gw_admit(const struct gw_admission *admission, struct gw_channel **ch, struct gw_error *err);

#endif
