/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads an input, and decides what a failed read means.
 */
#include "read/input.h"

#include "base/util.h"

/* The compression of the input is invalid. That does not change, so one call is enough. */
static enum gw_read_result damaged(struct gw_input *in, const struct gw_error *failure,
				   struct gw_error *err)
{
	if (!in->damaged) {
		gw_fail(err, failure->code, "%s", failure->text);
		return GW_READ_FAILED;
	}
	if (!in->is_damaged)
		in->damaged(in->owner, failure->text);
	in->is_damaged = true;
	return GW_READ_ENDED;
}

/* Fewer bytes came than were wanted. One more read shows whether the input really ended there, as a
 * decompressor then reports damage. */
static enum gw_read_result ended_early(struct gw_input *in, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint8_t byte;

	if (in->lost_is_end || gw_channel_read_some(in->ch, &byte, 1, &failure) >= 0)
		return GW_READ_ENDED;
	return damaged(in, &failure, err);
}

static enum gw_read_result judge(struct gw_input *in, const struct gw_error *failure,
				 struct gw_error *err)
{
	switch (failure->code) {
	case GW_TRUNCATED:
		return ended_early(in, err);
	case GW_INVALID:
		return damaged(in, failure, err);
	case GW_SYSTEM:
	case GW_PEER:
		if (!in->lost_is_end)
			break;
		in->lost = *failure;
		return GW_READ_ENDED;
	default:
		break;
	}
	gw_fail(err, failure->code, "%s", failure->text);
	return GW_READ_FAILED;
}

enum gw_read_result gw_input_took(struct gw_input *in, uint64_t before, int rc,
				  struct gw_error *failure, struct gw_error *err)
{
	in->cut_inside = rc <= 0 && in->ch->read_pos != before;
	if (rc >= 0)
		return rc ? GW_READ_OK : GW_READ_ENDED;
	return judge(in, failure, err);
}

static enum gw_read_result tapped(struct gw_input *in, const void *data, size_t len,
				  struct gw_error *err)
{
	if (!in->tap || in->tap(in->tap_owner, data, len, err) == 0)
		return GW_READ_OK;
	return GW_READ_FAILED;
}

enum gw_read_result gw_input_read(struct gw_input *in, void *to, size_t len, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = in->ch->read_pos;
	enum gw_read_result rc;

	if (len == 0)
		return GW_READ_OK;
	rc = gw_input_took(in, before, gw_channel_read(in->ch, to, len, &failure), &failure, err);
	return rc == GW_READ_OK ? tapped(in, to, len, err) : rc;
}

enum gw_read_result gw_input_readv(struct gw_input *in, struct iovec *iov, int n,
				   struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = in->ch->read_pos;

	return gw_input_took(in, before, gw_channel_readv(in->ch, iov, n, &failure), &failure, err);
}

/* A skip may seek, so a tapped input is read instead. */
static enum gw_read_result skip_by_reading(struct gw_input *in, uint64_t len, struct gw_error *err)
{
	uint8_t piece[4096];
	enum gw_read_result rc = GW_READ_OK;

	for (; rc == GW_READ_OK && len; len -= GW_MIN(len, (uint64_t)sizeof(piece)))
		rc = gw_input_read(in, piece, (size_t)GW_MIN(len, (uint64_t)sizeof(piece)), err);
	return rc;
}

enum gw_read_result gw_input_skip(struct gw_input *in, uint64_t len, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = in->ch->read_pos;

	if (in->tap)
		return skip_by_reading(in, len, err);
	if (len == 0)
		return GW_READ_OK;
	return gw_input_took(in, before, gw_channel_skip(in->ch, len, &failure), &failure, err);
}

ssize_t gw_input_peek(struct gw_input *in, uint8_t *buf, size_t len, struct gw_error *err)
{
	size_t have = 0;

	while (have < len) {
		struct gw_error failure = GW_ERROR_INIT;
		ssize_t n = gw_channel_read_some(in->ch, buf + have, len - have, &failure);

		if (n < 0 && judge(in, &failure, err) == GW_READ_FAILED)
			return -1;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	gw_channel_unread(in->ch, buf, have);
	return (ssize_t)have;
}
