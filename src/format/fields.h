/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Named fields of binary structures, from tables: gives the value of each field, for output and
 * comparison. The tables are in hvm_fields.c and pv_fields.c; code that uses a structure has codecs
 * of its own.
 */
#ifndef GW_FORMAT_FIELDS_H
#define GW_FORMAT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gw_field_kind {
	GW_FIELD_HEX,	 /* an address, a register, bits */
	GW_FIELD_DEC,	 /* a count, a number */
	GW_FIELD_SIGNED, /* a number that may be negative: two's complement of its width */
	GW_FIELD_BYTES,	 /* raw bytes in their order in memory */
};

/* Names of bits; a list ends with a NULL name. */
struct gw_field_bit {
	const char *name;
	unsigned bit;
};

/* A row of a table: one field, or an array of fields. A list ends with a NULL name. */
struct gw_field_row {
	const char *name; /* '#' is replaced by the index in an array */
	enum gw_field_kind kind;
	uint32_t offset;
	uint32_t width;	      /* bytes; 1, 2, 4 or 8 unless GW_FIELD_BYTES */
	uint32_t count;	      /* of an array; 0: not an array */
	uint32_t stride;      /* bytes from one element to the next */
	unsigned shift, bits; /* only these bits of the value; bits 0: all */
	bool sparse;	      /* elements that are 0 are left out */
	const struct gw_field_bit *names;
};

/* A field. Borrowed for the call. */
struct gw_field {
	char name[48];
	enum gw_field_kind kind;
	uint64_t value;	      /* unless GW_FIELD_BYTES; GW_FIELD_SIGNED: sign-extended */
	const uint8_t *bytes; /* NULL for a field that is a count over the structure */
	size_t width;	      /* number of bytes */
	bool element;	      /* is an element of an array */
	bool zero;	      /* all of its bytes are 0 */
	const struct gw_field_bit *names; /* names of the value's bits; NULL: no names */
};

typedef void (*gw_field_fn)(void *opaque, const struct gw_field *field);

/* Gives fn each field that lies wholly within the len bytes, and no others. */
void gw_fields_walk(const struct gw_field_row *rows, const void *data, size_t len, gw_field_fn fn,
		    void *opaque);
/* A field that is in no table: bytes, or a number. */
void gw_field_bytes(const char *name, const void *data, size_t len, gw_field_fn fn, void *opaque);
void gw_field_number(const char *name, uint64_t value, gw_field_fn fn, void *opaque);

/* The value as text: "0x11", "-5", "00ff0a", without names of bits. Ends with dots if it does not
 * fit. Returns buf. */
char *gw_field_text(const struct gw_field *field, char *buf, size_t size);
/* Returns the name of the i-th set bit that has a name; NULL after the last. */
const char *gw_field_flag(const struct gw_field *field, size_t i);

#endif
