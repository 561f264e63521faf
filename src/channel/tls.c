/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel over a TLS session. tls_handshake.c proves the other side, tls_credentials.c holds
 * what this side proves itself with.
 */
#include "channel/tls_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/util.h"

static struct gw_tls_channel *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct gw_tls_channel, ch);
}

static bool is_pending(int rc)
{
	return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED;
}

/* Until the receiver's first byte has come, an alert is its judgement of this side. */
static int fail_reading(struct gw_tls_channel *t, int rc, struct gw_error *err)
{
	const struct gw_channel *ch = &t->ch;

	switch (rc) {
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		if (!ch->read_pos)
			return gw_tls_fail_alert(t, err);
		return gw_fail(err, GW_PEER, "reading %s at byte %" PRIu64 ": TLS alert: %s",
			       ch->name, ch->read_pos,
			       gnutls_alert_get_name(gnutls_alert_get(t->session)));
	case GNUTLS_E_PREMATURE_TERMINATION:
		return gw_fail(
			err, GW_PEER,
			"reading %s at byte %" PRIu64
			": the other side is gone (the connection was cut without the end of TLS)",
			ch->name, ch->read_pos);
	case GNUTLS_E_PULL_ERROR:
		errno = t->read_errnum;
		return gw_channel_fail_errno(ch, GW_READING, err);
	default:
		return gw_fail(err, GW_PEER, "reading %s at byte %" PRIu64 ": TLS: %s", ch->name,
			       ch->read_pos, gnutls_strerror(rc));
	}
}

static ssize_t tls_read(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	struct gw_tls_channel *t = of(ch);
	uint64_t since_ms = 0;

	while (n > 1 && !iov->iov_len) {
		iov++;
		n--;
	}
	for (;;) {
		ssize_t got = gnutls_record_recv(t->session, iov->iov_base, iov->iov_len);

		if (got >= 0)
			return got;
		if (is_pending((int)got)) {
			if (gw_channel_wait(ch, GW_READING, &since_ms, err) < 0)
				return -1;
		} else if (gnutls_error_is_fatal((int)got)) {
			return fail_reading(t, (int)got, err);
		} else if (gw_channel_check(ch, GW_READING, err) < 0) {
			return -1;
		}
	}
}

/* A receiver that has refused this side may have closed: its alert says why. */
static int fail_writing(struct gw_tls_channel *t, int rc, struct gw_error *err)
{
	uint8_t byte;

	if (rc != GNUTLS_E_PUSH_ERROR)
		return gw_fail(err, GW_PEER, "writing %s at byte %" PRIu64 ": TLS: %s", t->ch.name,
			       t->ch.write_pos, gnutls_strerror(rc));
	if (!t->ch.read_pos &&
	    gnutls_record_recv(t->session, &byte, 1) == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return gw_tls_fail_alert(t, err);
	errno = t->write_errnum;
	return gw_channel_fail_errno(&t->ch, GW_WRITING, err);
}

/* What the peer said meanwhile can be inside of GnuTLS, where poll does not see it. */
static int wait_for_room(struct gw_tls_channel *t, uint64_t *since_ms, struct gw_error *err)
{
	const struct gw_channel *ch = &t->ch;

	if (ch->input_came && gnutls_record_check_pending(t->session) &&
	    ch->input_came(ch->input_opaque, err) < 0)
		return -1;
	return gw_channel_wait(ch, GW_WRITING, since_ms, err) < 0 ? -1 : 0;
}

/* Sends what is left of a record. 0 or -1. */
static int flush(struct gw_tls_channel *t, struct gw_error *err)
{
	uint64_t since_ms = 0;

	while (t->unsent) {
		ssize_t put = gnutls_record_send(t->session, NULL, 0);

		if (put >= 0)
			t->unsent = 0;
		else if (!is_pending((int)put))
			return fail_writing(t, (int)put, err);
		else if (wait_for_room(t, &since_ms, err) < 0)
			return -1;
	}
	return 0;
}

/* The bytes of the next record: the first buffer, or short ones together. */
static size_t gather(struct gw_tls_channel *t, const struct iovec *iov, int n, const void **data)
{
	size_t len = 0;

	while (n > 1 && !iov->iov_len) {
		iov++;
		n--;
	}
	*data = iov->iov_base;
	if (iov->iov_len >= GW_TLS_RECORD || n == 1)
		return GW_MIN(iov->iov_len, (size_t)GW_TLS_RECORD);
	for (; n > 0 && len < GW_TLS_RECORD; iov++, n--) {
		size_t step = GW_MIN(iov->iov_len, GW_TLS_RECORD - len);

		memcpy(t->gathered + len, iov->iov_base, step);
		len += step;
	}
	*data = t->gathered;
	return len;
}

/*
 * A record that the socket has taken a part of cannot be taken back: if the wait for the other part
 * fails, its bytes count as written, and a later call sends the rest first.
 */
static ssize_t tls_write(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	struct gw_tls_channel *t = of(ch);
	const void *data;
	size_t len;
	ssize_t put;

	if (flush(t, err) < 0)
		return -1;
	len = gather(t, iov, n, &data);
	len = GW_MIN(len, gnutls_record_get_max_size(t->session));
	put = gnutls_record_send(t->session, data, len);
	if (put >= 0)
		return put;
	if (!is_pending((int)put))
		return fail_writing(t, (int)put, err);
	t->unsent = len;
	if (flush(t, err) == 0)
		return (ssize_t)len;
	ch->write_pos += len;
	return -1;
}

static int64_t tls_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	return gw_channel_skip_by_reading(ch, len, err);
}

static int tls_drain(struct gw_channel *ch, struct gw_error *err)
{
	return flush(of(ch), err);
}

static int tls_finish(struct gw_channel *ch, struct gw_error *err)
{
	struct gw_tls_channel *t = of(ch);
	uint64_t since_ms = 0;
	int rc;

	while (is_pending(rc = gnutls_bye(t->session, GNUTLS_SHUT_WR)))
		if (wait_for_room(t, &since_ms, err) < 0)
			return -1;
	if (rc < 0)
		return fail_writing(t, rc, err);
	if (shutdown(ch->fd, SHUT_WR) < 0)
		return gw_fail_errno(err, "ending the output to %s", ch->name);
	return 0;
}

/* Says that this side ends, if that needs no wait: a caller that wants more finishes first. */
static void tls_close(struct gw_channel *ch)
{
	struct gw_tls_channel *t = of(ch);

	if (t->session) {
		if (t->established && !ch->finished && !t->unsent)
			gnutls_bye(t->session, GNUTLS_SHUT_WR);
		gnutls_deinit(t->session);
	}
	gw_channel_close(ch->below);
}

static bool tls_has_buffered(const struct gw_channel *ch)
{
	const struct gw_tls_channel *t = gw_container_of(ch, struct gw_tls_channel, ch);

	return gnutls_record_check_pending(t->session) > 0;
}

static const struct gw_channel_ops tls_ops = {
	.read = tls_read,
	.write = tls_write,
	.skip = tls_skip,
	.drain = tls_drain,
	.finish = tls_finish,
	.close = tls_close,
	.has_buffered = tls_has_buffered,
};

static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static struct gw_tls_channel *new_channel(struct gw_channel *below, const struct gw_tls *tls,
					  struct gw_error *err)
{
	struct gw_tls_channel *t;

	if (!is_socket(below->fd) || below->read_pos || below->write_pos || below->unread_len) {
		gw_fail(err, GW_USAGE, "%s is no new connection, and TLS needs one", below->name);
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t || gw_channel_init(&t->ch, &tls_ops, below->name, err) < 0) {
		gw_fail_errno(err, "TLS for %s", below->name);
		free(t);
		return NULL;
	}
	t->tls = tls;
	t->ch.below = below;
	t->ch.fd = below->fd;
	t->ch.cancel = below->cancel;
	t->ch.silence_ms = below->silence_ms;
	return t;
}

struct gw_channel *gw_channel_tls(struct gw_channel *below, const struct gw_tls *tls,
				  const char *host, struct gw_error *err)
{
	struct gw_tls_channel *t = new_channel(below, tls, err);

	if (!t) {
		gw_channel_close(below);
		return NULL;
	}
	t->host = tls->side == GW_TLS_SENDER ? host : NULL;
	if (gw_tls_session_open(t, err) == 0 && gw_tls_handshake(t, err) == 0)
		return &t->ch;
	gw_channel_close(&t->ch);
	return NULL;
}
