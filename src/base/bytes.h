/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Integers at any address in either byte order. Formats read and write fields
 * with these and never by casting a struct onto a buffer.
 */
#ifndef GW_BASE_BYTES_H
#define GW_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define GW_BYTES(order, bits)                                                                      \
	static inline uint##bits##_t gw_get_##order##bits(const void *p)                           \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
		memcpy(&v, p, sizeof(v));                                                          \
		return order##bits##toh(v);                                                        \
	}                                                                                          \
	static inline void gw_put_##order##bits(void *p, uint##bits##_t v)                         \
	{                                                                                          \
		v = hto##order##bits(v);                                                           \
		memcpy(p, &v, sizeof(v));                                                          \
	}

GW_BYTES(le, 16)
GW_BYTES(le, 32)
GW_BYTES(le, 64)
GW_BYTES(be, 16)
GW_BYTES(be, 32)
GW_BYTES(be, 64)

#undef GW_BYTES

#endif
