/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walks the data of a device by its layout: each field with its path, offset, size and bytes.
 */
#ifndef GW_FORMAT_QEMU_FIELDS_H
#define GW_FORMAT_QEMU_FIELDS_H

#include "format/qemu/layout.h"

#define GW_SAVEVM_PATH_MAX 512u

/* A field, or the head of a subsection. Borrowed for the call. */
struct gw_savevm_value {
	/* "env.segs[2].base"; in a subsection after its name: "fw_cfg/dma.dma_addr" */
	const char *path;
	const char *type; /* of the field; NULL: the head of a subsection */
	uint32_t version; /* of the subsection */
	uint64_t offset;  /* of its first byte in the device's data */
	size_t size;	  /* of its bytes */
	const uint8_t *data;
};

/* Most fields that are walked with one struct: a layout can claim a billion empty ones. */
#define GW_SAVEVM_STEPS_MAX (16u << 20)

struct gw_savevm_walk {
	/* The description of another stream of the same machine: then subsections may be there or
	 * not. Otherwise they are there as described. */
	bool of_another;
	/* May be NULL. False ends the walk. */
	bool (*visit)(void *opaque, const struct gw_savevm_value *value);
	void *opaque;

	/* results */
	size_t taken;	 /* bytes of the device's data, up to its end or to the fault */
	char fault[400]; /* "field X: ..."; "": none */

	/* private */
	const uint8_t *data;
	size_t len;
	uint64_t steps; /* of all walks with this struct: the work that a description causes is
			   bounded */
	char path[GW_SAVEVM_PATH_MAX];
};

/*
 * Walks a device's data, which is at most the len bytes at data. Zeroed, then the first members
 * set; one struct may walk all devices of a stream. False: the bytes contradict the layout, or
 * visit ended the walk (fault is empty then).
 */
bool gw_savevm_walk(struct gw_savevm_walk *w, const struct gw_savevm_layout *layout,
		    const uint8_t *data, size_t len);

/* Does a value of this type have a number, and of how many bytes? 0: its bytes are shown. */
unsigned gw_savevm_number_size(const char *type, size_t size);
/* The number, sign-extended where the type is signed. */
uint64_t gw_savevm_number(const struct gw_savevm_value *value, bool *is_signed);

/* Bytes of a value that are shown; of a longer one the first. */
#define GW_SAVEVM_BYTES_SHOWN 64u
/* The value as text: "0x11", "-5", "00ff0a", with dots where it is cut. Returns buf. */
char *gw_savevm_value_text(const struct gw_savevm_value *value, char *buf, size_t size);

#endif
