/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes savevm streams of QEMU.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "format/qemu/ram.h"
#include "lib/savevm_writer.h"

void sv_bytes(struct gw_buffer *b, const void *data, size_t len)
{
	assert_int_equal(gw_buffer_append(b, data, len, NULL), 0);
}

void sv_u8(struct gw_buffer *b, uint8_t v)
{
	sv_bytes(b, &v, 1);
}

void sv_u16(struct gw_buffer *b, uint16_t v)
{
	uint8_t raw[2];

	gw_put_be16(raw, v);
	sv_bytes(b, raw, sizeof(raw));
}

void sv_u32(struct gw_buffer *b, uint32_t v)
{
	uint8_t raw[4];

	gw_put_be32(raw, v);
	sv_bytes(b, raw, sizeof(raw));
}

void sv_u64(struct gw_buffer *b, uint64_t v)
{
	uint8_t raw[8];

	gw_put_be64(raw, v);
	sv_bytes(b, raw, sizeof(raw));
}

void sv_name(struct gw_buffer *b, const char *name)
{
	sv_u8(b, (uint8_t)strlen(name));
	sv_bytes(b, name, strlen(name));
}

void sv_begin(struct gw_buffer *b, const char *machine)
{
	sv_bytes(b, "QEVM", 4);
	sv_u32(b, 3);
	if (!machine)
		return;
	sv_u8(b, GW_SAVEVM_CONFIGURATION);
	sv_u32(b, (uint32_t)strlen(machine));
	sv_bytes(b, machine, strlen(machine));
}

void sv_head(struct gw_buffer *b, unsigned type, uint32_t id, const char *name, uint32_t instance,
	     uint32_t version)
{
	sv_part(b, type, id);
	sv_name(b, name);
	sv_u32(b, instance);
	sv_u32(b, version);
}

void sv_part(struct gw_buffer *b, unsigned type, uint32_t id)
{
	sv_u8(b, (uint8_t)type);
	sv_u32(b, id);
}

void sv_footer(struct gw_buffer *b, uint32_t id)
{
	sv_part(b, GW_SAVEVM_FOOTER, id);
}

void sv_command(struct gw_buffer *b, unsigned number, const void *payload, size_t len)
{
	sv_u8(b, GW_SAVEVM_COMMAND);
	sv_u16(b, (uint16_t)number);
	sv_u16(b, (uint16_t)len);
	sv_bytes(b, payload, len);
}

void sv_end(struct gw_buffer *b, const char *devices)
{
	static const char before[] = "{\"page_size\": 4096, \"devices\": [", after[] = "]}";

	sv_u8(b, GW_SAVEVM_EOF);
	if (!devices)
		return;
	sv_u8(b, GW_SAVEVM_DESCRIPTION);
	sv_u32(b, (uint32_t)(strlen(before) + strlen(devices) + strlen(after)));
	sv_bytes(b, before, strlen(before));
	sv_bytes(b, devices, strlen(devices));
	sv_bytes(b, after, strlen(after));
}

void sv_word(struct gw_buffer *b, uint64_t offset, unsigned flags, const char *block)
{
	sv_u64(b, offset | flags | (block ? 0 : GW_SAVEVM_RAM_CONTINUE));
	if (block)
		sv_name(b, block);
}

void sv_page(struct gw_buffer *b, uint64_t offset, const char *block, uint8_t fill)
{
	uint8_t page[4096];

	memset(page, fill, sizeof(page));
	sv_word(b, offset, GW_SAVEVM_RAM_PAGE, block);
	sv_bytes(b, page, sizeof(page));
}
