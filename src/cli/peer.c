/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The other side of a migration.
 */
#include "cli/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "channel/address.h"
#include "channel/local.h"
#include "channel/socket.h"
#include "migrate/site.h"

enum file { CERT, KEY, CA, PSK, NR_FILES };

static const struct {
	const char *option, *variable;
	bool secret;
} files[NR_FILES] = {
	[CERT] = {"tls-cert", "GODWIT_TLS_CERT", false},
	[KEY] = {"tls-key", "GODWIT_TLS_KEY", true},
	[CA] = {"tls-ca", "GODWIT_TLS_CA", false},
	[PSK] = {"tls-psk", "GODWIT_TLS_PSK", true},
};

/* The paths that one place gives. */
struct paths {
	char *of[NR_FILES];
};

static void free_paths(struct paths *paths)
{
	for (int i = 0; i < NR_FILES; i++)
		free(paths->of[i]);
}

static int set_path(struct paths *paths, int file, const char *path, struct gw_error *err)
{
	if (!path || !*path)
		return 0;
	free(paths->of[file]);
	paths->of[file] = strdup(path);
	return paths->of[file] ? 0 : gw_fail_errno(err, "%s", path);
}

static int take_setting(void *opaque, const char *key, const char *value, const char *path,
			struct gw_error *err)
{
	for (int i = 0; i < NR_FILES; i++)
		if (strcmp(key, files[i].option) == 0)
			return set_path(opaque, i, value, err);
	return 0;
}

/*
 * Adds what a place of lower rank gives. Certificates of one place hide a pre-shared key of a lower
 * one, and the other way round.
 */
static int add_paths(struct paths *paths, const struct paths *lower, struct gw_error *err)
{
	const char *const *has = (const char *const *)paths->of;
	bool psk = has[PSK], x509 = has[CERT] || has[KEY] || has[CA];

	for (int i = 0; i < NR_FILES; i++)
		if (!has[i] && !(i == PSK ? x509 : psk) &&
		    set_path(paths, i, lower->of[i], err) < 0)
			return -1;
	return 0;
}

/* The options before the environment before the site's file. */
static int find_paths(struct paths *paths, const struct gw_args *args, struct gw_error *err)
{
	struct paths environment = {0}, site = {0};
	int rc = 0;

	for (int i = 0; i < NR_FILES && rc == 0; i++) {
		rc = set_path(paths, i, gw_args_text(args, files[i].option), err);
		if (rc == 0)
			rc = set_path(&environment, i, getenv(files[i].variable), err);
	}
	if (rc == 0)
		rc = gw_site_read(take_setting, &site, err);
	if (rc == 0)
		rc = add_paths(paths, &environment, err);
	if (rc == 0)
		rc = add_paths(paths, &site, err);
	free_paths(&environment);
	free_paths(&site);
	return rc;
}

static int read_texts(struct gw_peer *peer, const struct paths *paths, struct gw_error *err)
{
	char **texts[NR_FILES] = {
		[CERT] = &peer->texts.cert,
		[KEY] = &peer->texts.key,
		[CA] = &peer->texts.ca,
		[PSK] = &peer->texts.psk,
	};

	for (int i = 0; i < NR_FILES; i++) {
		if (!paths->of[i])
			continue;
		*texts[i] = gw_tls_read_file(paths->of[i], files[i].secret, err);
		if (!*texts[i])
			return gw_fail_in(err, "--%s", files[i].option);
	}
	return 0;
}

static int open_tls(struct gw_peer *peer, const struct gw_args *args, const char *address,
		    enum gw_tls_side side, struct gw_error *err)
{
	struct paths paths = {0};
	int rc = find_paths(&paths, args, err);

	if (rc == 0 && !paths.of[PSK] && !paths.of[CA] && !paths.of[CERT])
		rc = gw_fail(
			err, GW_USAGE,
			"%s needs --tls-ca, --tls-cert and --tls-key, or --tls-psk (or their settings in godwit.conf(5))",
			address);
	if (rc == 0)
		rc = read_texts(peer, &paths, err);
	free_paths(&paths);
	if (rc < 0)
		return -1;
	peer->tls = gw_tls_new(&peer->texts, side, err);
	/* A sender's go to the domain's process. */
	if (side == GW_TLS_RECEIVER)
		gw_tls_texts_free(&peer->texts);
	return peer->tls ? 0 : gw_fail_in(err, "%s", address);
}

static int check_plain(struct gw_peer *peer, const struct gw_args *args, const char *address,
		       enum gw_tls_side side, const struct gw_cancel *cancel, struct gw_error *err)
{
	bool local;

	for (int i = 0; i < NR_FILES; i++)
		if (gw_args_text(args, files[i].option))
			return gw_fail(err, GW_USAGE,
				       "--%s is for an address tls:HOST:PORT: %s is another kind",
				       files[i].option, address);
	if (gw_args_flag(args, "insecure"))
		return 0;
	if (gw_address_is_local(address, cancel, &local, err) < 0)
		return -1;
	peer->local_only = true;
	if (local)
		return 0;
	if (side == GW_TLS_SENDER)
		return gw_fail(
			err, GW_USAGE,
			"%s is another host, and tcp: shows the guest's memory to everyone on the way: use tls:HOST:PORT, ssh:HOST, or --insecure in a network that you trust",
			address);
	return gw_fail(
		err, GW_USAGE,
		"%s can be reached from other hosts, and with tcp: anyone there can start a domain here: use tls:HOST:PORT, let the sender use ssh:HOST, or give --insecure in a network that you trust",
		address);
}

int gw_peer_open(struct gw_peer *peer, const struct gw_args *args, const char *address,
		 enum gw_tls_side side, const struct gw_cancel *cancel, struct gw_error *err)
{
	struct gw_address parsed;

	*peer = (struct gw_peer){0};
	if (side == GW_TLS_SENDER && strncmp(address, GW_SSH_SCHEME, 4) == 0) {
		peer->by_ssh = true;
		peer->ssh_command = gw_args_text(args, "ssh");
		return gw_ssh_parse(&peer->ssh, address, err);
	}
	if (gw_address_parse(&parsed, address, err) < 0)
		return -1;
	if (parsed.kind != GW_ADDRESS_TLS)
		return check_plain(peer, args, address, side, cancel, err);
	memcpy(peer->host, parsed.host, sizeof(peer->host));
	return open_tls(peer, args, address, side, err);
}

void gw_peer_warn(const struct gw_args *args, const char *address, enum gw_tls_side side,
		  const struct gw_log *log)
{
	struct gw_address parsed;

	if (!gw_args_flag(args, "insecure") || gw_address_parse(&parsed, address, NULL) < 0 ||
	    parsed.kind != GW_ADDRESS_TCP)
		return;
	if (side == GW_TLS_SENDER)
		gw_logf(log, GW_LOG_WARNING,
			"--insecure: everyone on the way to %s can read and change the guest's memory",
			address);
	else
		gw_logf(log, GW_LOG_WARNING,
			"--insecure: everyone who can connect to %s can start a domain here, and everyone on the way can read and change its memory",
			address);
}

void gw_peer_close(struct gw_peer *peer)
{
	gw_tls_free(peer->tls);
	gw_tls_texts_free(&peer->texts);
	peer->tls = NULL;
}

struct gw_channel *gw_peer_connect(struct gw_peer *peer, const char *address,
				   const struct gw_cancel *cancel, struct gw_error *err)
{
	struct gw_channel *ch;

	if (peer->by_ssh) {
		ch = gw_ssh_connect(&peer->ssh, peer->ssh_command, peer->ssh_xen, address,
				    &peer->ssh_pid, err);
		if (ch)
			gw_channel_set_cancel(ch, cancel);
		return ch;
	}
	ch = gw_socket_connect(address, cancel, err);
	/* The name may mean another host than a moment ago. */
	if (ch && peer->local_only && !gw_peer_is_local(ch->fd)) {
		gw_fail(err, GW_REFUSED, "%s is another host now: nothing was sent", address);
		gw_channel_close(ch);
		return NULL;
	}
	return ch;
}

void gw_peer_end(const struct gw_peer *peer, bool failed, struct gw_error *err)
{
	gw_ssh_end(peer->ssh_pid, failed, err);
}

void gw_peer_add_to_request(const struct gw_peer *peer, json_t *request)
{
	const struct gw_tls_texts *texts = &peer->texts;

	if (peer->tls)
		json_object_set_new(request, "tls",
				    json_pack("{s:s, s:s*, s:s*, s:s*, s:s*}", "host", peer->host,
					      "cert", texts->cert, "key", texts->key, "ca",
					      texts->ca, "psk", texts->psk));
}

struct gw_listener *gw_peer_listen(const struct gw_peer *peer, const struct gw_args *args,
				   const char *address, struct gw_admission *admission,
				   struct gw_error *err)
{
	const char *uids = gw_args_text(args, "allow-uid");
	struct gw_listener *listener;

	*admission = (struct gw_admission){
		.tls = peer->tls,
		.images = gw_args_flag(args, "accept-image") > 0,
	};
	if (gw_admission_set_uids(admission, uids, err) < 0)
		return NULL;
	listener = gw_socket_listen(address, err);
	if (listener && uids && gw_socket_open_to_all(listener, err) < 0) {
		gw_listener_close(listener);
		return NULL;
	}
	return listener;
}
