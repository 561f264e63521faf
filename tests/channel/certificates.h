/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Throw-away certificates and connections with TLS, for tests. Every key is made when a test runs.
 */
#ifndef GW_TESTS_CHANNEL_CERTIFICATES_H
#define GW_TESTS_CHANNEL_CERTIFICATES_H

#include "tools.h"

#include <gnutls/x509.h>
#include <sys/socket.h>
#include <time.h>

#include "channel/tls.h"

struct certificate {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	char *cert_pem, *key_pem;
};

static inline char *pem_of(gnutls_datum_t *out)
{
	char *text = strndup((const char *)out->data, out->size);

	gnutls_free(out->data);
	return text;
}

/* A CA without an issuer; else a certificate for the name, that expires in so many seconds. */
static inline void make_certificate(struct certificate *c, const struct certificate *issuer,
				    const char *name, long seconds)
{
	static uint8_t serial = 1;
	gnutls_datum_t out;
	uint8_t number[1] = {serial++};

	assert_int_equal(gnutls_x509_privkey_init(&c->key), 0);
	assert_int_equal(
		gnutls_x509_privkey_generate(c->key, GNUTLS_PK_ECDSA,
					     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	assert_int_equal(gnutls_x509_crt_init(&c->crt), 0);
	gnutls_x509_crt_set_version(c->crt, 3);
	gnutls_x509_crt_set_serial(c->crt, number, sizeof(number));
	gnutls_x509_crt_set_activation_time(c->crt, time(NULL) - 86400);
	gnutls_x509_crt_set_expiration_time(c->crt, time(NULL) + seconds);
	gnutls_x509_crt_set_dn_by_oid(c->crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
				      (unsigned)strlen(name));
	gnutls_x509_crt_set_key(c->crt, c->key);
	if (issuer)
		gnutls_x509_crt_set_subject_alt_name(c->crt, GNUTLS_SAN_DNSNAME, name,
						     (unsigned)strlen(name), GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_ca_status(c->crt, issuer ? 0 : 1);
	if (!issuer)
		gnutls_x509_crt_set_key_usage(c->crt, GNUTLS_KEY_KEY_CERT_SIGN);
	assert_int_equal(gnutls_x509_crt_sign2(c->crt, issuer ? issuer->crt : c->crt,
					       issuer ? issuer->key : c->key, GNUTLS_DIG_SHA256, 0),
			 0);
	assert_int_equal(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_PEM, &out), 0);
	c->cert_pem = pem_of(&out);
	assert_int_equal(gnutls_x509_privkey_export2(c->key, GNUTLS_X509_FMT_PEM, &out), 0);
	c->key_pem = pem_of(&out);
}

static inline void free_certificate(struct certificate *c)
{
	gnutls_x509_crt_deinit(c->crt);
	gnutls_x509_privkey_deinit(c->key);
	free(c->cert_pem);
	free(c->key_pem);
}

/* One side of a handshake. */
struct tls_side {
	int fd;
	const struct gw_tls *tls;
	const char *host; /* NULL: the receiver */
	const struct gw_cancel *cancel;
	struct gw_channel *ch; /* NULL: it failed with err */
	struct gw_error err;
};

static inline void *shake_hands(void *opaque)
{
	struct tls_side *s = opaque;
	struct gw_channel *plain = gw_channel_from_fd(s->fd, true, "it", &s->err);

	if (!plain)
		return NULL;
	gw_channel_set_cancel(plain, s->cancel);
	s->ch = gw_channel_tls(plain, s->tls, s->host, &s->err);
	return NULL;
}

/*
 * The first read of a sender says what its receiver found: TLS 1.3 does not wait for it. The sender
 * closes then, for which the receiver waits.
 */
static inline void be_judged(struct tls_side *sender)
{
	uint8_t byte;

	if (!sender->ch)
		return;
	gw_channel_read(sender->ch, &byte, 1, &sender->err);
	gw_channel_close(sender->ch);
	sender->ch = NULL;
}

/* Both sides of a connection over a socket pair, which fails if wrong; host is what the sender
 * expects. */
static inline void meet(struct tls_side *sender, const struct gw_tls *sends, const char *host,
			struct tls_side *receiver, const struct gw_tls *receives, bool wrong)
{
	pthread_t thread;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*sender = (struct tls_side){.fd = fds[0], .tls = sends, .host = host};
	*receiver = (struct tls_side){.fd = fds[1], .tls = receives};
	assert_int_equal(pthread_create(&thread, NULL, shake_hands, receiver), 0);
	shake_hands(sender);
	if (wrong)
		be_judged(sender);
	pthread_join(thread, NULL);
}

static inline struct gw_tls *tls_of(enum gw_tls_side side, const struct certificate *ca,
				    const struct certificate *own)
{
	struct gw_error err = GW_ERROR_INIT;
	const struct gw_tls_texts texts = {
		.ca = ca->cert_pem,
		.cert = own ? own->cert_pem : NULL,
		.key = own ? own->key_pem : NULL,
	};
	struct gw_tls *tls = gw_tls_new(&texts, side, &err);

	if (!tls)
		fail_msg("%s", err.text);
	return tls;
}

/* USER:HEXKEY with a key of this test's own. */
static inline void random_psk(char *text, const char *user)
{
	text += sprintf(text, "%s:", user);
	for (int i = 0; i < 4; i++)
		text += sprintf(text, "%016" PRIx64, random64());
}

static inline struct gw_tls *tls_of_psk(enum gw_tls_side side, char *psk)
{
	struct gw_error err = GW_ERROR_INIT;
	const struct gw_tls_texts texts = {.psk = psk};
	struct gw_tls *tls = gw_tls_new(&texts, side, &err);

	if (!tls)
		fail_msg("%s", err.text);
	return tls;
}

#endif
