/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Credentials of a side, from the texts of its certificates and keys, and the ciphers they allow.
 */
#include "channel/tls_internal.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Every key exchange below agrees on a new secret for each connection, so that a key that is stolen
 * later opens no recording. */
#define VERSIONS "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define X509	 VERSIONS ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:+DHE-RSA:%PROFILE_MEDIUM"
#define PSK	 VERSIONS ":-KX-ALL:+ECDHE-PSK:+DHE-PSK"

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text,
				.size = (unsigned)strlen(text)};
}

static int fail_library(struct gw_error *err, enum gw_code code, const char *what, int rc)
{
	return gw_fail(err, rc == GNUTLS_E_MEMORY_ERROR ? GW_NO_MEMORY : code, "%s: %s", what,
		       gnutls_strerror(rc));
}

static int load_ca(struct gw_tls *tls, const char *ca, struct gw_error *err)
{
	const gnutls_datum_t text = datum(ca);
	int rc = gnutls_certificate_set_x509_trust_mem(tls->x509, &text, GNUTLS_X509_FMT_PEM);

	if (rc == 0)
		return gw_fail(err, GW_USAGE, "the file of the CA has no certificate");
	return rc < 0 ? fail_library(err, GW_USAGE, "the certificate of the CA", rc) : 0;
}

static int load_key(struct gw_tls *tls, const char *cert, const char *key, struct gw_error *err)
{
	const gnutls_datum_t cert_text = datum(cert), key_text = datum(key);
	int rc = gnutls_certificate_set_x509_key_mem(tls->x509, &cert_text, &key_text,
						     GNUTLS_X509_FMT_PEM);

	return rc < 0 ? fail_library(err, GW_USAGE, "the certificate and its key", rc) : 0;
}

static int load_x509(struct gw_tls *tls, const struct gw_tls_texts *texts, struct gw_error *err)
{
	int rc;

	if (!texts->ca)
		return gw_fail(err, GW_USAGE,
			       "TLS needs the certificate of a CA or a pre-shared key");
	if (!texts->cert != !texts->key)
		return gw_fail(err, GW_USAGE, "TLS needs a certificate together with its key");
	if (!texts->cert && tls->side == GW_TLS_RECEIVER)
		return gw_fail(err, GW_USAGE,
			       "a receiver with TLS needs a certificate and its key");
	rc = gnutls_certificate_allocate_credentials(&tls->x509);
	if (rc < 0)
		return fail_library(err, GW_SYSTEM, "credentials for TLS", rc);
	if (load_ca(tls, texts->ca, err) < 0)
		return -1;
	return texts->cert ? load_key(tls, texts->cert, texts->key, err) : 0;
}

/* The keys of a receiver, by the user that a sender names. */
static int find_key(gnutls_session_t session, const gnutls_datum_t *user, gnutls_datum_t *key)
{
	const struct gw_tls_channel *t = gnutls_session_get_ptr(session);
	struct gw_tls_psk psk;
	int rc = -1;

	if (gw_tls_find_psk(t->tls->psk_text, (const char *)user->data, user->size, &psk, NULL) ==
	    1) {
		key->data = gnutls_malloc(psk.key_len);
		key->size = (unsigned)psk.key_len;
		if (key->data) {
			memcpy(key->data, psk.key, psk.key_len);
			rc = 0;
		}
	}
	explicit_bzero(&psk, sizeof(psk));
	return rc;
}

static int load_psk_receiver(struct gw_tls *tls, const char *text, struct gw_error *err)
{
	int rc;

	tls->psk_text = strdup(text);
	if (!tls->psk_text)
		return gw_fail_errno(err, "pre-shared keys");
	rc = gnutls_psk_allocate_server_credentials(&tls->psk_server);
	if (rc < 0)
		return fail_library(err, GW_SYSTEM, "credentials for TLS", rc);
	gnutls_psk_set_server_credentials_function2(tls->psk_server, find_key);
	return 0;
}

static int load_psk_sender(struct gw_tls *tls, const struct gw_tls_psk *psk, struct gw_error *err)
{
	const gnutls_datum_t key = {.data = (unsigned char *)(uintptr_t)psk->key,
				    .size = (unsigned)psk->key_len};
	int rc = gnutls_psk_allocate_client_credentials(&tls->psk_client);

	if (rc == 0)
		rc = gnutls_psk_set_client_credentials(tls->psk_client, psk->user, &key,
						       GNUTLS_PSK_KEY_RAW);
	return rc < 0 ? fail_library(err, GW_SYSTEM, "credentials for TLS", rc) : 0;
}

static int load_psk(struct gw_tls *tls, const char *text, struct gw_error *err)
{
	struct gw_tls_psk psk;
	/* No user has this name: all lines are read, and so all are right. */
	int rc = gw_tls_find_psk(text, "", 0, &psk, err);

	if (rc < 0)
		return -1;
	rc = gw_tls_find_psk(text, NULL, 0, &psk, err);
	if (rc == 0)
		rc = gw_fail(err, GW_USAGE, "the file of pre-shared keys has none");
	else if (tls->side == GW_TLS_RECEIVER)
		rc = load_psk_receiver(tls, text, err);
	else
		rc = load_psk_sender(tls, &psk, err);
	explicit_bzero(&psk, sizeof(psk));
	return rc;
}

static int load(struct gw_tls *tls, const struct gw_tls_texts *texts, struct gw_error *err)
{
	int rc;

	if (texts->psk && (texts->ca || texts->cert || texts->key))
		return gw_fail(err, GW_USAGE,
			       "TLS takes either certificates or a pre-shared key, not both");
	if ((texts->psk ? load_psk(tls, texts->psk, err) : load_x509(tls, texts, err)) < 0)
		return -1;
	rc = gnutls_priority_init(&tls->priorities, texts->psk ? PSK : X509, NULL);
	return rc < 0 ? fail_library(err, GW_SYSTEM, "the ciphers for TLS", rc) : 0;
}

struct gw_tls *gw_tls_new(const struct gw_tls_texts *texts, enum gw_tls_side side,
			  struct gw_error *err)
{
	struct gw_tls *tls = calloc(1, sizeof(*tls));

	if (!tls) {
		gw_fail_errno(err, "credentials for TLS");
		return NULL;
	}
	tls->side = side;
	if (load(tls, texts, err) == 0)
		return tls;
	gw_tls_free(tls);
	return NULL;
}

void gw_tls_free(struct gw_tls *tls)
{
	if (!tls)
		return;
	if (tls->x509)
		gnutls_certificate_free_credentials(tls->x509);
	if (tls->psk_client)
		gnutls_psk_free_client_credentials(tls->psk_client);
	if (tls->psk_server)
		gnutls_psk_free_server_credentials(tls->psk_server);
	if (tls->priorities)
		gnutls_priority_deinit(tls->priorities);
	if (tls->psk_text)
		explicit_bzero(tls->psk_text, strlen(tls->psk_text));
	free(tls->psk_text);
	free(tls);
}
