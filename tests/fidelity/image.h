/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A stored domain in parts, for the generator of patched images: the xl header, the config, the
 * records of the libxl stream and those of the libxc image. Parts can be changed in any way, also
 * into what no writer would write. This shares no code with the readers that the images are for, so
 * that a change there never changes an image.
 */
#ifndef GW_TESTS_FIDELITY_IMAGE_H
#define GW_TESTS_FIDELITY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that belong to the image. A failed allocation ends the program. */
struct bytes {
	uint8_t *data;
	size_t len;
};

/* Makes the length new_len; what it gets more at its end is zero. */
void bytes_resize(struct bytes *b, size_t new_len);
/* Takes away remove bytes at this place and puts the len bytes of data there (NULL: zeros). */
void bytes_splice(struct bytes *b, size_t at, size_t remove, const void *data, size_t len);
void bytes_append(struct bytes *b, const void *data, size_t len);

struct part {
	uint32_t type;
	struct bytes body;
	uint32_t claim_more; /* added to the length in its header, not to the body */
	uint8_t pad;	     /* value of its padding */
};

struct parts {
	struct part *list;
	size_t nr;
};

struct part *parts_insert(struct parts *p, size_t at, uint32_t type, const void *body, size_t len);
void parts_remove(struct parts *p, size_t at);
/* The index of the first record of this type; p->nr if there is none. */
size_t parts_find(const struct parts *p, uint32_t type);

enum guest { GUEST_PV, GUEST_PVH, GUEST_HVM };

struct image {
	enum guest guest;
	uint8_t xl_header[48];	/* the length of the optional data is made when it is written */
	uint32_t optional_more; /* added to that length */
	struct bytes config;	/* without the NUL that ends it */
	uint8_t stream_header[16];
	struct parts outer;  /* of the libxl stream; the image follows the first LIBXC_CONTEXT */
	uint8_t headers[40]; /* image header, domain header */
	struct parts inner;
	struct bytes tail; /* after the last record of the stream */
	size_t cut;	   /* bytes that are missing at the end of the file */
};

/* The file's parts; false if it is not an xl file with a libxl stream and one libxc image. Copies.
 */
bool image_load(struct image *img, const uint8_t *file, size_t len);
/* Leaves out the pages that no restore needs, so that a restore is short. */
void image_slim(struct image *img);
void image_copy(struct image *to, const struct image *from);
void image_write(const struct image *img, struct bytes *file);
void image_free(struct image *img);

#endif
