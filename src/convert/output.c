/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes that a conversion gives: layers, records, heads of pages.
 */
#include "convert/conversion.h"

#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

bool gw_conv_has_stream(const struct gw_conv *c)
{
	return c->done->to != GW_CONVERT_LIBXC;
}

int gw_conv_put(struct gw_conv *c, const void *data, size_t len, struct gw_error *err)
{
	return len ? gw_channel_write(c->out, data, len, err) : 0;
}

/* The config, of whatever kind, is carried over with all that stands around it. Without one the
 * header says no more than what follows. */
static int begin_xl(struct gw_conv *c, struct gw_error *err)
{
	uint8_t raw[GW_XLFILE_HEADER_SIZE];
	struct gw_xlfile xl = c->xl;

	xl.byteorder = GW_XLFILE_BYTEORDER;
	xl.mandatory_flags |= GW_XLFILE_STREAM_V2;
	gw_xlfile_header_encode(&xl, raw);
	if (gw_conv_put(c, raw, sizeof(raw), err) < 0)
		return -1;
	return gw_conv_put(c, xl.optional.data, xl.optional.len, err);
}

int gw_conv_begin(struct gw_conv *c, bool converted, struct gw_error *err)
{
	struct gw_stream_header header = {.version = GW_STREAM_VERSION};
	uint8_t raw[GW_STREAM_HEADER_SIZE];

	if (c->done->to == GW_CONVERT_XL && begin_xl(c, err) < 0)
		return -1;
	if (!gw_conv_has_stream(c))
		return 0;
	if (c->has_stream)
		header = c->stream;
	if (converted)
		header.options |= GW_STREAM_CONVERTED;
	gw_stream_header_encode(&header, raw);
	if (gw_conv_put(c, raw, sizeof(raw), err) < 0)
		return -1;
	return gw_conv_empty_record(c, GW_STREAM_LIBXC_CONTEXT, err);
}

int gw_conv_record(struct gw_conv *c, const struct gw_record *rec, struct gw_error *err)
{
	uint8_t head[GW_RECORD_HEADER_SIZE];
	struct iovec iov[3] = {
		{head, sizeof(head)},
		{(void *)(uintptr_t)rec->data, rec->length},
		{(void *)(uintptr_t)rec->padding, gw_record_padding(rec->length)},
	};

	gw_record_header_encode(head, rec->type, rec->length);
	return gw_channel_writev(c->out, iov, GW_ARRAY_SIZE(iov), err);
}

int gw_conv_empty_record(struct gw_conv *c, uint32_t type, struct gw_error *err)
{
	const struct gw_record rec = {.type = type};

	return gw_conv_record(c, &rec, err);
}

int gw_conv_page_head(struct gw_conv *c, const uint64_t *entries, size_t n, size_t nr_pages,
		      uint32_t reserved, struct gw_error *err)
{
	struct gw_buffer head = {0};
	uint8_t *raw = gw_buffer_reserve(&head, GW_RECORD_HEADER_SIZE + 8 + 8 * n, err);
	int rc = -1;

	if (raw) {
		head.len = gw_page_data_head_encode(raw, n, entries, nr_pages);
		gw_put_le32(raw + GW_RECORD_HEADER_SIZE + 4, reserved);
		rc = gw_conv_put(c, head.data, head.len, err);
	}
	gw_buffer_free(&head);
	c->done->pages += nr_pages;
	return rc;
}

int gw_conv_put_spool(struct gw_conv *c, struct gw_spool *spool, struct gw_error *err)
{
	struct gw_channel *from = gw_spool_read(spool, err);
	int rc = from ? gw_channel_move(from, c->out, spool->bytes, err) : -1;

	gw_channel_close(from);
	if (rc == 0 && spool->bytes)
		return gw_fail(err, GW_SYSTEM, "the spooled records are missing");
	return rc < 0 ? -1 : 0;
}
