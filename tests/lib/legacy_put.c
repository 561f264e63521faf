/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes the parts of legacy images.
 */
#include "lib/gwtest.h"

#include <endian.h>

#include "lib/legacy_put.h"

void legacy_put(struct legacy_out *o, const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_buffer_append(&o->bytes, data, len, &err), &err);
}

void legacy_put32(struct legacy_out *o, uint32_t v)
{
	v = htole32(v);
	legacy_put(o, &v, sizeof(v));
}

void legacy_put64(struct legacy_out *o, uint64_t v)
{
	v = htole64(v);
	legacy_put(o, &v, sizeof(v));
}

void legacy_put_long(struct legacy_out *o, uint64_t v)
{
	if (o->width == 8)
		legacy_put64(o, v);
	else
		legacy_put32(o, (uint32_t)v);
}

static void put_block(struct legacy_out *o, const char *id, uint32_t len)
{
	legacy_put(o, id, 4);
	legacy_put32(o, len);
}

/* Every second block is empty. */
static void put_unknown(struct legacy_out *o, unsigned i)
{
	put_block(o, "what", i % 2 ? 0 : 3 + 70001 * (i / 2));
	legacy_put(o, NULL, i % 2 ? 0 : 3 + 70001 * (i / 2));
}

static void put_vcpu_block(struct legacy_out *o, const struct legacy_info *info)
{
	uint32_t size = info->guest_width == 8 ? 0x1430 : 0xaf0;
	uint32_t assist = info->guest_width == 8 ? 5136 : 2796;

	put_block(o, "vcpu", size);
	legacy_put(o, NULL, assist);
	legacy_put32(o, info->extended_cr3 ? 0xf : 0x7);
	legacy_put(o, NULL, size - assist - 4);
}

void legacy_put_info(struct legacy_out *o, const struct legacy_info *info)
{
	unsigned unknown = 0;
	size_t at;
	uint32_t total;

	legacy_put_long(o, UINT64_MAX);
	at = o->bytes.len;
	legacy_put32(o, 0);
	if (unknown < info->unknown)
		put_unknown(o, unknown++);
	if (info->vcpu)
		put_vcpu_block(o, info);
	if (unknown < info->unknown)
		put_unknown(o, unknown++);
	if (info->extv)
		put_block(o, "extv", 0);
	if (info->xcnt) {
		put_block(o, "xcnt", 4);
		legacy_put32(o, info->xsave_bytes);
	}
	while (unknown < info->unknown)
		put_unknown(o, unknown++);
	total = htole32((uint32_t)(o->bytes.len - at - 4));
	memcpy(o->bytes.data + at, &total, 4);
}

void legacy_put_frames(struct legacy_out *o, uint64_t p2m_size, unsigned guest_width,
		       uint64_t first)
{
	for (uint64_t done = 0; done < p2m_size; done += 4096 / guest_width)
		legacy_put_long(o, first++);
}

void legacy_put_id(struct legacy_out *o, int32_t id)
{
	legacy_put32(o, (uint32_t)id);
}

void legacy_put_param(struct legacy_out *o, int32_t id, uint64_t value)
{
	legacy_put_id(o, id);
	legacy_put32(o, 0);
	legacy_put64(o, value);
}

void legacy_put_vcpu_info(struct legacy_out *o, uint32_t max, const uint64_t *map)
{
	legacy_put_id(o, -2);
	legacy_put32(o, max);
	for (uint32_t i = 0; i <= max / 64; i++)
		legacy_put64(o, map[i]);
}

void legacy_put_tsc(struct legacy_out *o, const struct gw_tsc_info *tsc)
{
	legacy_put_id(o, -7);
	legacy_put32(o, tsc->mode);
	legacy_put64(o, tsc->nsec);
	legacy_put32(o, tsc->khz);
	legacy_put32(o, tsc->incarnation);
}

void legacy_put_blob(struct legacy_out *o, int32_t id, const void *data, uint32_t len)
{
	legacy_put_id(o, id);
	legacy_put32(o, len);
	legacy_put(o, data, len);
}

void legacy_put_batch(struct legacy_out *o, const uint32_t *entries, uint32_t n)
{
	legacy_put32(o, n);
	for (uint32_t i = 0; i < n; i++)
		legacy_put_long(o, entries[i]);
}

void legacy_put_tmem(struct legacy_out *o, const uint32_t *pool_pages, unsigned pools,
		     bool says_more)
{
	static const uint32_t head[] = {1, 16, UINT32_MAX, 0, 100, 200, UINT32_MAX};

	legacy_put_id(o, -5);
	for (unsigned i = 0; i < 7; i++)
		legacy_put32(o, head[i]);
	for (unsigned i = 0; i < pools; i++) {
		legacy_put32(o, i);
		legacy_put32(o, pool_pages[i] ? 1 : 0); /* persistent; pages of 4 KiB */
		legacy_put32(o, pool_pages[i] + says_more);
		legacy_put(o, NULL, 16);
		for (uint32_t page = 0; page < pool_pages[i]; page++) {
			legacy_put64(o, i);
			legacy_put64(o, UINT64_MAX);
			legacy_put64(o, UINT64_MAX);
			legacy_put32(o, page);
			legacy_put(o, NULL, 4096);
		}
		for (unsigned k = 0; says_more && k < 3; k++)
			legacy_put64(o, UINT64_MAX);
	}
	legacy_put32(o, UINT32_MAX);
}

void legacy_put_tmem_extra(struct legacy_out *o, unsigned flushes)
{
	legacy_put_id(o, -6);
	for (unsigned i = 0; i < flushes; i++) {
		legacy_put32(o, i);
		legacy_put(o, NULL, 24);
		legacy_put32(o, i);
	}
	legacy_put32(o, UINT32_MAX);
}

void legacy_put_context(struct legacy_out *o, const void *data, uint32_t len)
{
	legacy_put32(o, len);
	legacy_put(o, data, len);
}

void legacy_put_model(struct legacy_out *o, const char *signature, const void *data, uint32_t len)
{
	assert_int_equal(strlen(signature), 21);
	legacy_put(o, signature, 21);
	if (strcmp(signature, "QemuDeviceModelRecord") != 0)
		legacy_put32(o, len);
	legacy_put(o, data, len);
}
