/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The other side of a migration: which addresses may be used without TLS, the files that TLS needs,
 * connections and listeners.
 */
#ifndef GW_CLI_PEER_H
#define GW_CLI_PEER_H

#include <jansson.h>

#include "channel/tls.h"
#include "cli/args.h"
#include "cli/ssh.h"
#include "vmm/admit.h"

/* Options of migrate and receive, for their tables. */
#define GW_PEER_OPTIONS                                                                            \
	{"tls-cert", 0, GW_KIND_FILE, "FILE",                                                      \
	 "with tls: this side's certificate, and those up to its CA (PEM)"},                       \
		{"tls-key", 0, GW_KIND_FILE, "FILE", "with tls: the private key of --tls-cert"},   \
		{"tls-ca", 0, GW_KIND_FILE, "FILE",                                                \
		 "with tls: the CA whose certificates are accepted from the other side"},          \
		{"tls-psk", 0, GW_KIND_FILE, "FILE",                                               \
		 "with tls: a pre-shared key instead of certificates; lines USER:HEXKEY, as "      \
		 "psktool(1) writes them. migrate uses the first, receive knows all"},             \
	{                                                                                          \
		"insecure", 0, GW_KIND_FLAG,                                                       \
			.help = "use tcp: to another host, where anyone in between can read and "  \
				"change the guest's memory"                                        \
	}

struct gw_peer {
	char host[256];		   /* tls: the name that the receiver must prove */
	struct gw_tls_texts texts; /* tls: the contents of the files */
	struct gw_tls *tls;	   /* NULL: the address is no tls: */
	bool local_only;	   /* a connection must be one of this machine */
	bool by_ssh;
	struct gw_ssh_address ssh;
	const char *ssh_command; /* NULL: ssh */
	const char *ssh_xen;	 /* the -c of the receiver that ssh starts, or NULL */
	pid_t ssh_pid;		 /* of the command, once it runs */
};

/*
 * Judges the address before anything is sent or listened on: tcp: to another host needs --insecure,
 * tls: its files, from the options, the environment or godwit.conf(5). 0, or -1 with err.
 */
int gw_peer_open(struct gw_peer *peer, const struct gw_args *args, const char *address,
		 enum gw_tls_side side, const struct gw_cancel *cancel, struct gw_error *err);
/* Warns of what --insecure allows; without it, nothing. */
void gw_peer_warn(const struct gw_args *args, const char *address, enum gw_tls_side side,
		  const struct gw_log *log);
/* Wipes and frees; a zeroed struct is fine. */
void gw_peer_close(struct gw_peer *peer);

/* Connects a sender; TLS has not begun. NULL with err. */
struct gw_channel *gw_peer_connect(struct gw_peer *peer, const char *address,
				   const struct gw_cancel *cancel, struct gw_error *err);
/* The channel is closed: waits for ssh. Adds to err how it ended if the migration failed. */
void gw_peer_end(const struct gw_peer *peer, bool failed, struct gw_error *err);
/* Adds what the domain's process needs for TLS to a request. */
void gw_peer_add_to_request(const struct gw_peer *peer, json_t *request);

/* --ssh of migrate, for its table. */
#define GW_PEER_SSH_OPTION                                                                             \
	{                                                                                              \
		"ssh", 0, GW_KIND_TEXT, "COMMAND",                                                     \
			"with ssh: the command to run instead of ssh, such as \"ssh -p 2222\"; it is " \
			"split at blanks, and the host and a command for its shell follow"             \
	}

/* --allow-uid and --accept-image of receive, for its table. */
#define GW_ADMISSION_OPTIONS                                                                       \
	{"allow-uid", 0, GW_KIND_TEXT, "UID,...",                                                  \
	 "the users (numbers) that may send over unix:; without it this user and root"},           \
	{                                                                                          \
		"accept-image", 0, GW_KIND_FLAG,                                                   \
			.help = "also restore a stored image that comes instead of a godwit"       \
	}

/*
 * Opens the listener of receive, and sets who may connect by its options, which borrow from peer.
 * NULL with err.
 */
struct gw_listener *gw_peer_listen(const struct gw_peer *peer, const struct gw_args *args,
				   const char *address, struct gw_admission *admission,
				   struct gw_error *err);

#endif
