/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parts of TLS that tls.c, tls_credentials.c and tls_handshake.c share.
 */
#ifndef GW_CHANNEL_TLS_INTERNAL_H
#define GW_CHANNEL_TLS_INTERNAL_H

#include <gnutls/gnutls.h>

#include "channel/kind.h"
#include "channel/tls.h"

/* The most user bytes of one record. */
#define GW_TLS_RECORD 16384

struct gw_tls {
	enum gw_tls_side side;
	gnutls_certificate_credentials_t x509; /* NULL: a pre-shared key */
	gnutls_psk_client_credentials_t psk_client;
	gnutls_psk_server_credentials_t psk_server;
	gnutls_priority_t priorities;
	char *psk_text; /* a receiver's keys */
};

struct gw_tls_channel {
	struct gw_channel ch; /* ch.below is the socket's */
	const struct gw_tls *tls;
	const char *host; /* a sender's: the name that the receiver must prove; borrowed */
	gnutls_session_t session;
	bool established; /* the handshake is over */
	bool alien;	  /* the first byte that arrived begins no TLS record */
	bool first_seen;
	/* Of the reading and of the writing thread: the errno of the last failed call. */
	int read_errnum, write_errnum;
	/* Bytes of a record that GnuTLS holds complete, but the socket has not taken yet. */
	size_t unsent;
	uint8_t gathered[GW_TLS_RECORD]; /* short buffers that go out as one record */
};

/* Creates the session over the socket. Returns 0 or -1; the caller closes the channel. */
int gw_tls_session_open(struct gw_tls_channel *t, struct gw_error *err);
/* 0 or -1. After a failure the other side has been told, as far as it can be. */
int gw_tls_handshake(struct gw_tls_channel *t, struct gw_error *err);
/* Fails with what a fatal alert of the other side says of this side's certificate or key. */
int gw_tls_fail_alert(const struct gw_tls_channel *t, struct gw_error *err);

#endif
