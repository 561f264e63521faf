/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The manifests of the real streams (tests/data/README.md): what each page of the guest must be.
 */
#ifndef GW_TESTS_MANIFEST_H
#define GW_TESTS_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_HASH 8 /* the first bytes of a page's SHA-256 */

struct manifest_page {
	uint64_t pfn;
	uint8_t type;  /* enum gw_page_type */
	bool has_data; /* hash is filled */
	uint8_t hash[MANIFEST_HASH];
};

/* Pages in ascending order of their pfns. */
struct manifest {
	struct manifest_page *pages;
	size_t nr;
};

/* Loads a manifest of tests/data, compressed or not. Fails the test if it cannot be read. */
struct manifest manifest_load(const char *name);
void manifest_free(struct manifest *m);
/* NULL if the pfn is not in it. */
const struct manifest_page *manifest_find(const struct manifest *m, uint64_t pfn);
/* The hash of 4096 bytes. */
void manifest_hash(const void *page, uint8_t hash[MANIFEST_HASH]);

#endif
