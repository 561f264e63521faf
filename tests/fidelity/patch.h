/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patches of an image, each drawn from a seed: what they share, and the kinds of them.
 *
 * The verdicts of a real Xen are recorded by seed (tests/fidelity/NAME.tsv). So a change of any
 * draw makes them worthless; the test notices it by the checksum of each image.
 */
#ifndef GW_TESTS_FIDELITY_PATCH_H
#define GW_TESTS_FIDELITY_PATCH_H

#include "fidelity/image.h"

struct patch {
	struct image *img;
	uint64_t state; /* of the generator */
	char text[160]; /* what was changed */
};

/* A random number below n, which is above 0. */
uint32_t draw(struct patch *p, uint32_t n);
uint64_t draw64(struct patch *p);
/* True in one of n cases. */
bool one_in(struct patch *p, uint32_t n);
/* A number of this width in bytes that stands at some border, or near the old one, or anywhere. */
uint64_t draw_value(struct patch *p, uint64_t old, unsigned width);

uint64_t get_number(const uint8_t *at, unsigned width);
void put_number(uint8_t *at, unsigned width, uint64_t value);
/* Writes the number and says so. */
void set_number(struct patch *p, const char *what, uint8_t *at, unsigned width, uint64_t value);
/* Writes a drawn one. */
void change_number(struct patch *p, const char *what, uint8_t *at, unsigned width);
void say(struct patch *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A field of a structure. */
struct place {
	const char *name;
	uint16_t offset, width;
};

/* The body of the first record of this type of the image; NULL if there is none. */
struct bytes *body_of(struct patch *p, uint32_t type);

/* PV: the page of this pfn. */
uint8_t *page_of(struct patch *p, uint32_t pfn);

/* Each draws one patch of its kind. */
void patch_headers(struct patch *p);
void patch_records(struct patch *p);
void patch_stream(struct patch *p);
void patch_config(struct patch *p);
void patch_policy(struct patch *p);
void patch_tsc(struct patch *p);
void patch_pages(struct patch *p);
void patch_context(struct patch *p);
void patch_cpu(struct patch *p);
void patch_params(struct patch *p);
void patch_emulator(struct patch *p);
void patch_vcpu(struct patch *p);
void patch_extended(struct patch *p);
void patch_tables(struct patch *p);
void patch_p2m(struct patch *p);
void patch_shared(struct patch *p);

#define PAGE_SIZE 4096u

/* Types of records, as Xen's docs/specs/libxc-migration-stream.pandoc numbers them. */
enum {
	REC_END = 0,
	REC_PAGE_DATA = 1,
	REC_PV_INFO = 2,
	REC_P2M_FRAMES = 3,
	REC_VCPU_BASIC = 4,
	REC_VCPU_EXTENDED = 5,
	REC_VCPU_XSAVE = 6,
	REC_SHARED_INFO = 7,
	REC_TSC_INFO = 8,
	REC_HVM_CONTEXT = 9,
	REC_HVM_PARAMS = 10,
	REC_TOOLSTACK = 11,
	REC_VCPU_MSRS = 12,
	REC_VERIFY = 13,
	REC_CHECKPOINT = 14,
	REC_DIRTY_PFNS = 15,
	REC_STATIC_DATA_END = 16,
	REC_CPUID_POLICY = 17,
	REC_MSR_POLICY = 18,
	REC_OPTIONAL = 0x80000000,
};

#endif
