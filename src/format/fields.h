/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Named fields of binary structures, from tables: what a structure's bytes say, one field at a
 * time, for showing and comparing. The tables are in hvm_fields.c and pv_fields.c; what takes a
 * structure apart to use it has codecs of its own.
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
	GW_FIELD_BYTES,	 /* raw bytes in the order in which they lie */
};

/* Names of bits; a list ends with a NULL name. */
struct gw_field_bit {
	const char *name;
	unsigned bit;
};

/* A row of a table: one field or an array of them. A list ends with a NULL name. */
struct gw_field_row {
	const char *name; /* '#' stands for the index in an array */
	enum gw_field_kind kind;
	uint32_t offset;
	uint32_t width;	      /* bytes; 1, 2, 4 or 8 unless GW_FIELD_BYTES */
	uint32_t count;	      /* of an array; 0: no array */
	uint32_t stride;      /* bytes from one element to the next */
	unsigned shift, bits; /* only these bits of it; bits 0: all */
	bool sparse;	      /* elements that are 0 are left out */
	const struct gw_field_bit *names;
};

/* A field. Borrowed for the call. */
struct gw_field {
	char name[48];
	enum gw_field_kind kind;
	uint64_t value;	      /* unless GW_FIELD_BYTES; of GW_FIELD_SIGNED sign-extended */
	const uint8_t *bytes; /* where it lies; NULL for one that was counted together */
	size_t width;	      /* of bytes */
	bool element;	      /* of an array */
	bool zero;	      /* all of it */
	const struct gw_field_bit *names; /* of bits of value; NULL: they have none */
};

typedef void (*gw_field_fn)(void *opaque, const struct gw_field *field);

/* Gives fn all fields that lie wholly within the len bytes; the others are not there. */
void gw_fields_walk(const struct gw_field_row *rows, const void *data, size_t len, gw_field_fn fn,
		    void *opaque);
/* One field that is in no table: bytes, and a number. */
void gw_field_bytes(const char *name, const void *data, size_t len, gw_field_fn fn, void *opaque);
void gw_field_number(const char *name, uint64_t value, gw_field_fn fn, void *opaque);

/* The value in words: "0x11", "-5", "00ff0a", without names of bits. Cut, with dots, if it does not
 * fit. Returns buf. */
char *gw_field_text(const struct gw_field *field, char *buf, size_t size);
/* Returns the name of the i-th set bit that has a name; NULL after the last. */
const char *gw_field_flag(const struct gw_field *field, size_t i);

#endif
