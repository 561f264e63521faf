/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Stored streams and domains of the memory backend: real streams are loaded, restored, saved again,
 * and compared page by page.
 */
#ifndef GW_TESTS_MIGRATE_STORED_H
#define GW_TESTS_MIGRATE_STORED_H

#include <godwit/hypervisor.h>

#include "base/buffer.h"
#include "migrate/restore.h"
#include "migrate/save.h"

/* A file of tests/data and the offset of its libxl stream or libxc image. */
struct stored {
	struct gw_buffer file;
	size_t at;
	bool libxl;
	size_t image; /* offset of the image */
	enum gw_guest_type type;
	uint64_t nr_pfns; /* one past the highest in it */
};

struct stored stored_load(const char *name);
void stored_free(struct stored *s);

/* A channel that reads these bytes. */
struct gw_channel *stored_bytes(const void *data, size_t len);

/* A new domain of the memory backend, released by destroying it. max_pfns 0: large. */
struct gw_domain *stored_domain(enum gw_guest_type type, uint64_t max_pfns);

/*
 * Restores as the owner of args->domain does (libxl: a libxl stream, else an image), then calls
 * gw_control_restored().
 */
int restore_as_owner(const struct gw_restore_args *args, bool libxl,
		     struct gw_restore_result *result, struct gw_error *err);

/*
 * Restores the first len bytes of s (counted from s->at) into a new domain. *domain is always set,
 * and the caller destroys it; result may be NULL.
 */
int stored_restore(const struct stored *s, size_t len, struct gw_domain **domain,
		   struct gw_restore_args *args, struct gw_restore_result *result,
		   struct gw_error *err);

/* A toolstack for a memory domain: it suspends and resumes that domain. */
struct gw_toolstack stored_toolstack(struct gw_domain *d);
/* Saves d as an image; d may be suspended already, and is suspended afterwards. */
struct gw_buffer stored_save(struct gw_domain *d, bool live);

/* A guest's memory as an image shows it: the last copy of each page. */
struct pages {
	uint64_t nr;	/* pfns */
	uint8_t *types; /* GW_PAGE_XTAB for those that are not there */
	uint8_t *data;	/* 4096 bytes each; zeros for a page without data */
};

struct pages pages_of_image(const struct gw_buffer *image);
void pages_free(struct pages *p);

/* True for pfns whose contents a restore may change: rings, start_info, the P2M and its lists. */
bool pages_special(const struct gw_buffer *image, uint64_t pfn);

#endif
