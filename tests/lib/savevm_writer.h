/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes savevm streams of QEMU for tests, piece by piece into a buffer.
 */
#ifndef GW_TESTS_SAVEVM_WRITER_H
#define GW_TESTS_SAVEVM_WRITER_H

#include "base/buffer.h"

/* Numbers are big-endian. All fail the test if memory runs out. */
void sv_u8(struct gw_buffer *b, uint8_t v);
void sv_u16(struct gw_buffer *b, uint16_t v);
void sv_u32(struct gw_buffer *b, uint32_t v);
void sv_u64(struct gw_buffer *b, uint64_t v);
void sv_bytes(struct gw_buffer *b, const void *data, size_t len); /* data NULL: zeros */
/* A text with its length in one byte before it. */
void sv_name(struct gw_buffer *b, const char *name);

/* The header, and a configuration with this machine; NULL: without. */
void sv_begin(struct gw_buffer *b, const char *machine);
/* The header of a START or FULL; type as in format/qemu/savevm.h. */
void sv_head(struct gw_buffer *b, unsigned type, uint32_t id, const char *name, uint32_t instance,
	     uint32_t version);
/* The header of a PART or END. */
void sv_part(struct gw_buffer *b, unsigned type, uint32_t id);
void sv_footer(struct gw_buffer *b, uint32_t id);
void sv_command(struct gw_buffer *b, unsigned number, const void *payload, size_t len);
/* EOF, and a description with these devices (the elements of a JSON list); NULL: without. */
void sv_end(struct gw_buffer *b, const char *devices);

/* A word of the memory section; block NULL: it continues the last one. */
void sv_word(struct gw_buffer *b, uint64_t offset, unsigned flags, const char *block);
/* A page whose bytes are all the same. */
void sv_page(struct gw_buffer *b, uint64_t offset, const char *block, uint8_t fill);

#endif
