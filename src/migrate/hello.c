/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HELLO: its encoding, and the detection of peers that are not a godwit.
 */
#include "migrate/hello.h"

#include <ctype.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "migrate/frames_internal.h"

#define TLS_ALERT     21
#define TLS_HANDSHAKE 22
#define HELLO_MAX     4096 /* later versions may send more; bytes after GW_HELLO_SIZE are ignored */

static const char magic[8] = {'G', 'O', 'D', 'W', 'I', 'T', '0', '1'};

int gw_hello_send(struct gw_frames *f, const struct gw_migration_id *id, uint64_t needs,
		  struct gw_error *err)
{
	uint8_t raw[GW_HELLO_SIZE];

	memcpy(raw, magic, sizeof(magic));
	gw_put_le32(raw + 8, GW_PROTOCOL_VERSION);
	gw_put_le32(raw + 12, GW_PROTOCOL_COMPAT);
	gw_put_le64(raw + 16, GW_PROTOCOL_FEATURES);
	gw_put_le64(raw + 24, needs);
	memcpy(raw + 32, id->bytes, sizeof(id->bytes));
	return gw_frames_send(f, GW_FRAME_HELLO, raw, sizeof(raw), err);
}

/* More bytes are wanted before such a beginning is named. */
static bool may_be_tls(const uint8_t *raw, size_t n)
{
	return n < 2 && (raw[0] == TLS_ALERT || raw[0] == TLS_HANDSHAKE);
}

bool gw_hello_is_possible(const uint8_t *raw, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool ok;

		if (i == 0)
			ok = raw[0] == GW_FRAME_HELLO || raw[0] == GW_FRAME_ERROR ||
			     raw[0] == GW_FRAME_CANCEL;
		else if (i < 8 || (i > 10 && i < 16))
			ok = raw[i] == 0;
		else if (i >= 16 && raw[0] == GW_FRAME_HELLO)
			ok = raw[i] == (uint8_t)magic[i - 16];
		else
			ok = true;
		if (!ok)
			return false;
	}
	return true;
}

static int no_hello(const struct gw_frames *f, const uint8_t *raw, size_t n, struct gw_error *err)
{
	char shown[32];

	/* The head of a TLS record, RFC 8446, 5.1. */
	if (n >= 2 && raw[0] == TLS_HANDSHAKE && raw[1] == 3)
		return gw_fail(
			err, GW_INVALID,
			"no godwit hello: %s speaks TLS, which this address does not take: both sides need tls:",
			f->peer);
	if (n >= 2 && raw[0] == TLS_ALERT && raw[1] == 3)
		return gw_fail(err, GW_INVALID,
			       "no godwit hello: %s takes only TLS: both sides need tls:", f->peer);
	for (size_t i = 0; i < n; i++)
		shown[i] = isprint(raw[i]) && raw[i] != '"' ? (char)raw[i] : '.';
	shown[n] = '\0';
	return gw_fail(err, GW_INVALID, "no godwit hello: %s sent \"%s\"", f->peer, shown);
}

/* Reads the frame header, and for a HELLO its magic as well: raw has 24 bytes. */
static int read_first(struct gw_frames *f, uint8_t *raw, struct gw_error *err)
{
	size_t n = 0, want = GW_FRAME_HEADER_SIZE;

	while (n < want) {
		struct gw_error why = GW_ERROR_INIT;
		ssize_t got = gw_channel_read_some(f->ch, raw + n, want - n, &why);

		if (got < 0 && why.code == GW_PEER)
			return gw_fail(err, GW_INVALID, "no godwit hello: %s", why.text);
		if (got < 0)
			return gw_fail_as(err, &why);
		if (got == 0)
			return gw_fail(err, GW_INVALID,
				       "no godwit hello: %s closed the connection after %zu bytes",
				       f->peer, n);
		n += (size_t)got;
		if (!gw_hello_is_possible(raw, n) && !may_be_tls(raw, n))
			return no_hello(f, raw, n, err);
		if (n == GW_FRAME_HEADER_SIZE && raw[0] == GW_FRAME_HELLO)
			want += sizeof(magic);
	}
	return 0;
}

static int decode(struct gw_frames *f, const struct gw_buffer *body, struct gw_hello *hello,
		  struct gw_error *err)
{
	const uint8_t *raw = body->data; /* without the magic */

	hello->version = gw_get_le32(raw);
	hello->compat = gw_get_le32(raw + 4);
	hello->features = gw_get_le64(raw + 8);
	hello->needs = gw_get_le64(raw + 16);
	memcpy(hello->id.bytes, raw + 24, sizeof(hello->id.bytes));
	if (hello->compat > GW_PROTOCOL_VERSION)
		return gw_fail(
			err, GW_REFUSED,
			"%s speaks version %u of the protocol and needs a peer of at least version %u, this godwit speaks %u",
			f->peer, hello->version, hello->compat, GW_PROTOCOL_VERSION);
	if (hello->needs & ~GW_PROTOCOL_FEATURES)
		return gw_fail(err, GW_REFUSED,
			       "%s needs the protocol features 0x%llx, this godwit has 0x%llx",
			       f->peer, (unsigned long long)hello->needs,
			       (unsigned long long)GW_PROTOCOL_FEATURES);
	return 0;
}

int gw_hello_receive(struct gw_frames *f, struct gw_hello *hello, struct gw_error *err)
{
	uint8_t raw[GW_FRAME_HEADER_SIZE + sizeof(magic)] = {0};
	struct gw_frame frame;
	struct gw_buffer body = {0};
	int rc = -1;

	if (read_first(f, raw, err) < 0)
		return -1;
	frame = (struct gw_frame){.type = raw[0], .length = gw_get_le64(raw + 8)};
	if (frame.type != GW_FRAME_HELLO) {
		if (frame.length > GW_FRAME_TEXT_MAX)
			return no_hello(f, raw, GW_FRAME_HEADER_SIZE, err);
		if (gw_frames_read_body(f, &frame, &body, err) == 0)
			gw_frames_fail_aborted(f, &frame, &body, err);
	} else if (frame.length < GW_HELLO_SIZE || frame.length > HELLO_MAX) {
		gw_fail(err, GW_INVALID, "no godwit hello: one of %llu bytes, expected %d",
			(unsigned long long)frame.length, GW_HELLO_SIZE);
	} else {
		frame.length -= sizeof(magic);
		rc = gw_frames_read_body(f, &frame, &body, err);
		if (rc == 0)
			rc = decode(f, &body, hello, err);
	}
	gw_buffer_free(&body);
	return rc;
}
