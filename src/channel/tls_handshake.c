/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The handshake: who the other side is, within a time limit, and words for every way in which it
 * fails.
 */
#include "channel/tls_internal.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/util.h"

/* The time in which a peer that failed may take the alert and close. */
#define LINGER_MS 2000

/* Record types, RFC 8446, 5.1: change_cipher_spec, alert, handshake. */
static bool begins_record(uint8_t byte)
{
	return byte >= 20 && byte <= 22;
}

static ssize_t pull(gnutls_transport_ptr_t opaque, void *buf, size_t len)
{
	struct gw_tls_channel *t = opaque;
	ssize_t got = recv(t->ch.fd, buf, len, MSG_DONTWAIT);

	if (got < 0) {
		t->read_errnum = errno;
	} else if (got > 0 && !t->first_seen) {
		t->first_seen = true;
		t->alien = !begins_record(*(const uint8_t *)buf);
	}
	if (t->alien) {
		t->read_errnum = EPROTO;
		errno = EPROTO;
		return -1;
	}
	return got;
}

static ssize_t push(gnutls_transport_ptr_t opaque, const void *data, size_t len)
{
	struct gw_tls_channel *t = opaque;
	ssize_t put = send(t->ch.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0)
		t->write_errnum = errno;
	return put;
}

static bool is_number(const char *host)
{
	uint8_t address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int set_credentials(struct gw_tls_channel *t)
{
	const struct gw_tls *tls = t->tls;

	if (tls->psk_client)
		return gnutls_credentials_set(t->session, GNUTLS_CRD_PSK, tls->psk_client);
	if (tls->psk_server)
		return gnutls_credentials_set(t->session, GNUTLS_CRD_PSK, tls->psk_server);
	if (tls->side == GW_TLS_RECEIVER) {
		gnutls_certificate_server_set_request(t->session, GNUTLS_CERT_REQUIRE);
		/* No list of CAs: a sender whose certificate is of another one sends it all the
		 * same, and both sides can say what is wrong. */
		gnutls_certificate_send_x509_rdn_sequence(t->session, 1);
	} else if (!is_number(t->host)) {
		gnutls_server_name_set(t->session, GNUTLS_NAME_DNS, t->host, strlen(t->host));
	}
	gnutls_session_set_verify_cert(t->session, t->host, 0);
	return gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, tls->x509);
}

int gw_tls_session_open(struct gw_tls_channel *t, struct gw_error *err)
{
	/* Tickets would come after the handshake: input without a byte for the caller. */
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL |
			 (t->tls->side == GW_TLS_SENDER ? GNUTLS_CLIENT : GNUTLS_SERVER);
	int rc = gnutls_init(&t->session, flags);

	if (rc == 0)
		rc = gnutls_priority_set(t->session, t->tls->priorities);
	if (rc == 0)
		rc = set_credentials(t);
	if (rc < 0)
		return gw_fail(err, rc == GNUTLS_E_MEMORY_ERROR ? GW_NO_MEMORY : GW_SYSTEM,
			       "a TLS session for %s: %s", t->ch.name, gnutls_strerror(rc));
	gnutls_session_set_ptr(t->session, t);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_pull_function(t->session, pull);
	gnutls_transport_set_push_function(t->session, push);
	return 0;
}

static const char *other_side(const struct gw_tls_channel *t)
{
	return t->tls->side == GW_TLS_SENDER ? "receiver" : "sender";
}

static bool has_psk(const struct gw_tls_channel *t)
{
	return t->tls->psk_client || t->tls->psk_server;
}

int gw_tls_fail_alert(const struct gw_tls_channel *t, struct gw_error *err)
{
	gnutls_alert_description_t alert = gnutls_alert_get(t->session);
	const char *text = gnutls_alert_get_name(alert), *credential;

	switch (alert) {
	case GNUTLS_A_CERTIFICATE_REQUIRED:
		credential = "wants a certificate of this side, and there is none (--tls-cert)";
		break;
	case GNUTLS_A_BAD_CERTIFICATE:
	case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
	case GNUTLS_A_CERTIFICATE_REVOKED:
	case GNUTLS_A_CERTIFICATE_EXPIRED:
	case GNUTLS_A_CERTIFICATE_UNKNOWN:
	case GNUTLS_A_UNKNOWN_CA:
		credential = "does not accept this side's certificate";
		break;
	default:
		credential =
			has_psk(t)
				? "does not accept this side's pre-shared key"
				: "refuses the connection: do both sides use certificates, or both a key?";
		break;
	}
	return gw_fail(err, GW_REFUSED, "%s: the %s %s (TLS alert: %s)", t->ch.name, other_side(t),
		       credential, text ? text : "unknown");
}

/* The certificate of the other side, which this side has judged. */
static int fail_certificate(const struct gw_tls_channel *t, struct gw_error *err)
{
	unsigned status = gnutls_session_get_verify_cert_status(t->session);
	gnutls_datum_t why = {0};

	gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0);
	gw_fail(err, GW_REFUSED, "%s: the certificate of the %s is not accepted: %s", t->ch.name,
		other_side(t), why.data ? (const char *)why.data : "it cannot be verified");
	gnutls_free(why.data);
	/* GnuTLS ends each sentence with a blank. */
	if (err && strlen(err->text) && err->text[strlen(err->text) - 1] == ' ')
		err->text[strlen(err->text) - 1] = '\0';
	if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
		gw_fail_more(err, " (%s)", t->host);
	return -1;
}

static int explain(const struct gw_tls_channel *t, int rc, struct gw_error *err)
{
	const char *name = t->ch.name, *side = other_side(t);

	if (t->alien)
		return gw_fail(err, GW_INVALID,
			       "%s: the %s speaks no TLS: both sides need an address with tls:",
			       name, side);
	switch (rc) {
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return gw_tls_fail_alert(t, err);
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
		return fail_certificate(t, err);
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
		return gw_fail(err, GW_REFUSED, "%s: the %s has no certificate", name, side);
	case GNUTLS_E_PREMATURE_TERMINATION:
		return gw_fail(
			err, GW_PEER,
			"%s: the %s closed the connection during the TLS handshake (does it listen with tls:?)",
			name, side);
	case GNUTLS_E_PULL_ERROR:
		errno = t->read_errnum;
		return gw_fail(err, GW_PEER, "%s: the TLS handshake: %s (does the %s speak TLS?)",
			       name, strerror(errno), side);
	case GNUTLS_E_PUSH_ERROR:
		errno = t->write_errnum;
		return gw_fail(err, GW_PEER, "%s: the TLS handshake: %s", name, strerror(errno));
	default:
		return gw_fail(
			err, GW_REFUSED, "%s: %s (TLS: %s)", name,
			has_psk(t) ? "the two sides have different pre-shared keys, or one has none"
				   : "the TLS handshake failed",
			gnutls_strerror(rc));
	}
}

static gnutls_alert_description_t alert_of(const struct gw_tls_channel *t, int rc)
{
	unsigned status;

	if (rc != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		return (gnutls_alert_description_t)gnutls_error_to_alert(rc, NULL);
	status = gnutls_session_get_verify_cert_status(t->session);
	if (status & GNUTLS_CERT_EXPIRED)
		return GNUTLS_A_CERTIFICATE_EXPIRED;
	return status & GNUTLS_CERT_SIGNER_NOT_FOUND ? GNUTLS_A_UNKNOWN_CA
						     : GNUTLS_A_BAD_CERTIFICATE;
}

/* So that the alert is not lost with a connection that is reset because of unread bytes. */
static void linger(const struct gw_tls_channel *t)
{
	uint64_t now = gw_clock_ms(), end = now + LINGER_MS;
	char scratch[4096];
	ssize_t got = 1;

	shutdown(t->ch.fd, SHUT_WR);
	for (; got != 0 && now < end; now = gw_clock_ms()) {
		if (gw_cancel_wait(t->ch.below->cancel, t->ch.fd, POLLIN, (int)(end - now), NULL) <=
		    0)
			return;
		got = recv(t->ch.fd, scratch, sizeof(scratch), MSG_DONTWAIT);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return;
	}
}

static void tell(const struct gw_tls_channel *t, int rc)
{
	/* A fatal alert "unexpected_message" (RFC 8446, 6) for a peer that speaks no TLS. */
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 10};

	if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED || rc == GNUTLS_E_PREMATURE_TERMINATION)
		return;
	if (t->alien)
		send(t->ch.fd, alert, sizeof(alert), MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		gnutls_alert_send(t->session, GNUTLS_AL_FATAL, alert_of(t, rc));
	linger(t);
}

/* Waits for the socket. 1: ready. 0: the time is over. -1: cancelled, or poll failed. */
static int wait_for_peer(const struct gw_tls_channel *t, uint64_t end, struct gw_error *err)
{
	short events = gnutls_record_get_direction(t->session) ? POLLOUT : POLLIN;
	uint64_t now = gw_clock_ms();
	int rc = now < end ? gw_cancel_wait(t->ch.below->cancel, t->ch.fd, events, (int)(end - now),
					    err)
			   : 0;

	if (rc < 0)
		return gw_fail_in(err, "%s: the TLS handshake", t->ch.name);
	return rc;
}

int gw_tls_handshake(struct gw_tls_channel *t, struct gw_error *err)
{
	uint64_t end = gw_clock_ms() + GW_TLS_HANDSHAKE_MS;
	int rc, ready = 1;

	while ((rc = gnutls_handshake(t->session)) < 0 && ready > 0) {
		if (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED)
			ready = wait_for_peer(t, end, err);
		else if (gnutls_error_is_fatal(rc))
			break;
	}
	if (rc == 0) {
		t->established = true;
		return 0;
	}
	if (ready < 0)
		return -1;
	if (ready == 0)
		return gw_fail(err, GW_PEER, "%s: the %s did not finish the TLS handshake in %d ms",
			       t->ch.name, other_side(t), GW_TLS_HANDSHAKE_MS);
	explain(t, rc, err);
	tell(t, rc);
	return -1;
}
