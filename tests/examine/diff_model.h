/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A model of a small domain. It writes images of the domain in one of many ways, and lists the
 * differences of two models, which gw_diff() has to find.
 */
#ifndef GW_TESTS_EXAMINE_DIFF_MODEL_H
#define GW_TESTS_EXAMINE_DIFF_MODEL_H

#include "lib/gwtest.h"

#include <godwit/hypervisor.h>
#include <godwit/policy.h>

#include "base/buffer.h"

#define MODEL_PFNS  200u
#define MODEL_VCPUS 3u
#define MODEL_WORDS 6u /* words of a vCPU's state that change: registers, by model_registers */
#define MODEL_KEYS  4u /* in xenstore */

struct model {
	bool pv;
	struct {
		bool there;
		uint8_t type;
		uint32_t seed; /* of the contents; 0: zeros */
	} pages[MODEL_PFNS];
	uint64_t params[16]; /* HVM: as in gw_hvm_params_saved; 0: absent, except [0] */
	uint32_t leaves[8][4];
	uint64_t msrs[2];
	struct gw_tsc_info tsc;
	uint64_t vcpus[MODEL_VCPUS][MODEL_WORDS];
	uint32_t wc_sec;   /* PV: a field of shared_info */
	bool layers;	   /* in a libxl stream, with the members that follow; HVM only */
	uint32_t emulator; /* seed of its state */
	uint32_t emulator_len;
	uint32_t keys[MODEL_KEYS]; /* values; 0: absent */
};

extern const char *const model_registers[MODEL_WORDS];

void model_make(struct model *m, uint64_t *random);
/* Changes one thing, or sometimes nothing. */
void model_change(struct model *m, uint64_t *random);
/* How the pfn differs: letters of "ctAB" for contents, type, only in A, only in B; "" if it is
 * equal. */
const char *model_page(const struct model *a, const struct model *b, unsigned pfn);
/* Adds a line "part number entry field" for each other difference. */
void model_state(const struct model *a, const struct model *b, struct gw_buffer *lines);

/*
 * An image of the model. Random choices decide order, batches, early copies, checkpoints, an
 * incomplete round after the last one, version and layers.
 */
struct gw_buffer model_image(const struct model *m, uint64_t *random);
/* The same in the simplest way, without random choices. */
struct gw_buffer model_plain_image(const struct model *m);

#endif
