/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The libxl stream: header, bodies of its records, names. The reader is in reader.c.
 */
#include "format/libxl/stream.h"

#include "base/bytes.h"
#include "base/util.h"

#define STREAM_IDENT UINT64_C(0x4c6962786c466d74) /* "LibxlFmt" */
#define EMULATOR_IDS 8u

const char *gw_stream_record_name(uint32_t type)
{
	static const char *const names[] = {
		[GW_STREAM_END] = "END",
		[GW_STREAM_LIBXC_CONTEXT] = "LIBXC_CONTEXT",
		[GW_STREAM_EMULATOR_XENSTORE_DATA] = "EMULATOR_XENSTORE_DATA",
		[GW_STREAM_EMULATOR_CONTEXT] = "EMULATOR_CONTEXT",
		[GW_STREAM_CHECKPOINT_END] = "CHECKPOINT_END",
		[GW_STREAM_CHECKPOINT_STATE] = "CHECKPOINT_STATE",
	};

	return type < GW_ARRAY_SIZE(names) ? names[type] : NULL;
}

const char *gw_emulator_name(uint32_t id)
{
	static const char *const names[] = {
		[GW_EMULATOR_UNKNOWN] = "unknown",
		[GW_EMULATOR_TRADITIONAL] = "qemu-traditional",
		[GW_EMULATOR_UPSTREAM] = "qemu-upstream",
	};

	return id < GW_ARRAY_SIZE(names) ? names[id] : NULL;
}

const char *gw_checkpoint_state_name(uint32_t control_id)
{
	static const char *const names[] = {"NEW", "SVM_SUSPENDED", "SVM_READY", "SVM_RESUMED"};

	return control_id < GW_ARRAY_SIZE(names) ? names[control_id] : NULL;
}

/* Always big-endian (libxl-migration-stream, "Header"). */
void gw_stream_header_encode(const struct gw_stream_header *h, uint8_t raw[GW_STREAM_HEADER_SIZE])
{
	gw_put_be64(raw, STREAM_IDENT);
	gw_put_be32(raw + 8, h->version);
	gw_put_be32(raw + 12, h->options);
}

int gw_stream_header_decode(const uint8_t raw[GW_STREAM_HEADER_SIZE], struct gw_stream_header *h,
			    struct gw_error *err)
{
	if (gw_get_be64(raw) != STREAM_IDENT)
		return gw_fail(
			err, GW_INVALID,
			"stream header: ident is 0x%016llx, expected 0x%016llx (\"LibxlFmt\")",
			(unsigned long long)gw_get_be64(raw), (unsigned long long)STREAM_IDENT);
	h->version = gw_get_be32(raw + 8);
	h->options = gw_get_be32(raw + 12);
	return 0;
}

int gw_emulator_data_decode(const struct gw_record *rec, struct gw_emulator_data *emu,
			    struct gw_error *err)
{
	if (rec->length < EMULATOR_IDS)
		return gw_fail(err, GW_INVALID, "length is %u, expected at least %u", rec->length,
			       EMULATOR_IDS);
	emu->emulator_id = gw_get_le32(rec->data);
	emu->index = gw_get_le32(rec->data + 4);
	emu->data = rec->data + EMULATOR_IDS;
	emu->len = rec->length - EMULATOR_IDS;
	return 0;
}

int gw_emulator_data_append(struct gw_buffer *buf, uint32_t type,
			    const struct gw_emulator_data *emu, struct gw_error *err)
{
	/* Xen's reader has no limit of its own, but the length field has. */
	if (emu->len > UINT32_MAX - EMULATOR_IDS - 7)
		return gw_fail(err, GW_INVALID, "emulator data of %zu bytes exceeds a record",
			       emu->len);

	uint32_t length = (uint32_t)emu->len + EMULATOR_IDS;
	uint8_t *raw = gw_buffer_reserve(
		buf, GW_RECORD_HEADER_SIZE + (size_t)length + gw_record_padding(length), err);

	if (!raw)
		return -1;
	gw_record_header_encode(raw, type, length);
	gw_put_le32(raw + 8, emu->emulator_id);
	gw_put_le32(raw + 12, emu->index);
	buf->len += GW_RECORD_HEADER_SIZE + EMULATOR_IDS;
	if (gw_buffer_append(buf, emu->data, emu->len, err) < 0)
		return -1;
	return gw_buffer_append(buf, NULL, gw_record_padding(length), err);
}

/* Returns the string at *pos and moves *pos after its NUL. NULL: the string has no NUL. */
static const char *string_at(const struct gw_emulator_data *emu, size_t *pos)
{
	const char *s = (const char *)emu->data + *pos;
	size_t len = strnlen(s, emu->len - *pos);

	if (len == emu->len - *pos)
		return NULL;
	*pos += len + 1;
	return s;
}

int gw_xenstore_pair(const struct gw_emulator_data *emu, size_t *pos, const char **key,
		     const char **value, struct gw_error *err)
{
	size_t key_pos = *pos;

	if (key_pos >= emu->len)
		return 0;
	*key = string_at(emu, pos);
	if (!*key)
		return gw_fail(err, GW_INVALID,
			       "the key at byte %zu of the xenstore data has no NUL", key_pos);
	if (*pos >= emu->len)
		return gw_fail(err, GW_INVALID, "xenstore key \"%.200s\" has no value", *key);
	*value = string_at(emu, pos);
	if (!*value)
		return gw_fail(err, GW_INVALID, "the value of xenstore key \"%.200s\" has no NUL",
			       *key);
	return 1;
}

int gw_checkpoint_state_decode(const struct gw_record *rec, uint32_t *control_id,
			       struct gw_error *err)
{
	/* libxl writes 4 bytes and padding; the specification draws 8 bytes. */
	if (rec->length != 4 && rec->length != 8)
		return gw_fail(err, GW_INVALID, "length is %u, expected 4 (or 8)", rec->length);
	*control_id = gw_get_le32(rec->data);
	return 0;
}

int gw_checkpoint_state_append(struct gw_buffer *buf, uint32_t control_id, struct gw_error *err)
{
	uint8_t body[4];

	gw_put_le32(body, control_id);
	return gw_record_append(buf, GW_STREAM_CHECKPOINT_STATE, body, sizeof(body), err);
}
