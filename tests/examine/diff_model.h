/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A small domain as a model, images of it written in one of many ways, and what differs between two
 * of them: for holding gw_diff() against.
 */
#ifndef GW_TESTS_EXAMINE_DIFF_MODEL_H
#define GW_TESTS_EXAMINE_DIFF_MODEL_H

#include "lib/gwtest.h"

#include <godwit/hypervisor.h>
#include <godwit/policy.h>

#include "base/buffer.h"

#define MODEL_PFNS  200u
#define MODEL_VCPUS 3u
#define MODEL_WORDS 6u /* of a vCPU's state that change: registers, by model_registers */
#define MODEL_KEYS  4u /* in xenstore */

struct model {
	bool pv;
	struct {
		bool there;
		uint8_t type;
		uint32_t seed; /* of the contents; 0: zeros */
	} pages[MODEL_PFNS];
	uint64_t params[16]; /* HVM: by place in gw_hvm_params_saved; 0: not there, but for the
				first */
	uint32_t leaves[8][4];
	uint64_t msrs[2];
	struct gw_tsc_info tsc;
	uint64_t vcpus[MODEL_VCPUS][MODEL_WORDS];
	uint32_t wc_sec;   /* PV: in shared_info */
	bool layers;	   /* libxl's, with what follows; HVM only */
	uint32_t emulator; /* seed of its state */
	uint32_t emulator_len;
	uint32_t keys[MODEL_KEYS]; /* values; 0: not there */
};

extern const char *const model_registers[MODEL_WORDS];

void model_make(struct model *m, uint64_t *random);
/* Changes one thing, or none now and then. */
void model_change(struct model *m, uint64_t *random);
/* How the pfn differs: letters of "ctAB" for contents, type, only in A, only in B; "" if it does
 * not. */
const char *model_page(const struct model *a, const struct model *b, unsigned pfn);
/* Adds a line "part number entry field" for each other difference. */
void model_state(const struct model *a, const struct model *b, struct gw_buffer *lines);

/*
 * An image of it. Order, batches, copies that are sent too early, checkpoints and what comes behind
 * the last, versions and layers are as random says.
 */
struct gw_buffer model_image(const struct model *m, uint64_t *random);
/* A plain one in the simplest way. */
struct gw_buffer model_plain_image(const struct model *m);

#endif
