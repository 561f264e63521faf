/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domains that the helper holds in these tests: real images as they were saved, in an
 * environment for fake_start().
 */
#ifndef GW_TESTS_HELPER_GUESTS_H
#define GW_TESTS_HELPER_GUESTS_H

#include "fake_libxl.h"

#include "migrate/stored.h"

/* Variables for the helper; add() more of them before it starts. */
struct environment {
	const char *list[12];
	char texts[12][400];
	unsigned n;
};

/* For fake_start(); valid as long as e stays where it is. */
const char *const *environment_list(struct environment *e);
void environment_add(struct environment *e, const char *name, const char *value);

#define HVM_IMAGE "xen-code/v3_422_hvm_1024.xz"
#define PV_IMAGE  "xen-code/v3_422_pv64_1024.xz"

/*
 * To save: the guest of a file of tests/data, in the image only (the layers around it are taken
 * off), with more options of the host ("&guest=3"). The domain as it is at the end is kept in
 * scratch("source").
 */
struct environment source(const char *file, const char *options);
/* To restore into: an empty domain for the guest of that file. It is kept in scratch("target"). */
struct environment target(const char *file, const char *options);

/* The image in a file of tests/data. */
struct gw_buffer image_in(const char *file);

/* Both kept domains, and every page of them, are equal. */
void assert_moved(void);
/* A page of a kept domain; NULL if it has none. */
const uint8_t *page_of(const struct pages *p, uint64_t pfn);
/* True if each byte of a page is this. */
bool page_is(const struct pages *p, uint64_t pfn, uint8_t byte);
struct pages kept_pages(const char *name);

#endif
