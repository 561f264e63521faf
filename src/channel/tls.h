/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TLS 1.2 or later around a connected socket, with certificates or a pre-shared key on both sides.
 * A build without GnuTLS refuses it.
 */
#ifndef GW_CHANNEL_TLS_H
#define GW_CHANNEL_TLS_H

#include <godwit/channel.h>

/* The time for the whole handshake. */
#define GW_TLS_HANDSHAKE_MS 10000

enum gw_tls_side {
	GW_TLS_SENDER,	 /* connects, and checks the name of the host in the certificate */
	GW_TLS_RECEIVER, /* listens, and demands a certificate of its CA, or a key that it knows */
};

/* The contents of the files with which a side proves who it is. All owned; a zeroed struct is
 * empty. */
struct gw_tls_texts {
	char *cert; /* its certificate and those up to its CA, PEM */
	char *key;  /* the private key of cert, PEM */
	char *ca;   /* the CAs that are trusted, PEM */
	char *psk;  /* lines USER:HEXKEY, as psktool writes them */
};

/*
 * Reads one file. secret: a file that users other than its owner and group can read, or that others
 * than its owner can write, is refused. Returns the text (the caller frees it), or NULL with err.
 */
char *gw_tls_read_file(const char *path, bool secret, struct gw_error *err);
/* Wipes the secrets and frees all. */
void gw_tls_texts_free(struct gw_tls_texts *texts);

/* One entry of a file of keys. */
struct gw_tls_psk {
	char user[128];
	uint8_t key[64];
	size_t key_len;
};

/*
 * Finds the key of user, or the first key if user is NULL. Returns 1, 0 if there is none, or -1
 * with GW_USAGE, and the number of the line, for a line that is no USER:HEXKEY with a key of 16 to
 * 64 bytes.
 */
int gw_tls_find_psk(const char *text, const char *user, size_t user_len, struct gw_tls_psk *psk,
		    struct gw_error *err);

/* The credentials of one side, ready for any number of connections, also in child processes. */
struct gw_tls;

/*
 * Checks texts: either psk, or ca with cert and key, which only a sender may lack. Keeps no pointer
 * to them. Returns NULL with GW_USAGE for unusable ones, GW_UNSUPPORTED without GnuTLS.
 */
struct gw_tls *gw_tls_new(const struct gw_tls_texts *texts, enum gw_tls_side side,
			  struct gw_error *err);
/* Wipes and frees. NULL is allowed. */
void gw_tls_free(struct gw_tls *tls);

/*
 * Does the handshake on below, a channel on a connected stream socket of which no byte was read or
 * written, within GW_TLS_HANDSHAKE_MS and until its token is set. Returns a channel on which the
 * other side has been proven (see below), or NULL: GW_REFUSED if a certificate or key of either
 * side is not accepted, GW_INVALID for a peer that speaks no TLS, GW_PEER, GW_CANCELLED. Takes
 * below over in every case. host is the name or number that the sender connected to; a receiver
 * gives NULL. tls must outlive the channel.
 *
 * With TLS 1.3 a sender's handshake is over before the receiver has judged it: then its first read
 * fails with GW_REFUSED. So a sender's first message must be one that anybody may read.
 *
 * The end of input is the other side's close_notify; a connection that is cut without one fails
 * with GW_PEER.
 */
struct gw_channel *gw_channel_tls(struct gw_channel *below, const struct gw_tls *tls,
				  const char *host, struct gw_error *err);

#endif
