/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The image of a seed: a stored domain with one patch.
 */
#ifndef GW_TESTS_FIDELITY_GENERATE_H
#define GW_TESTS_FIDELITY_GENERATE_H

#include "fidelity/image.h"

struct generated {
	const char *kind;
	char text[160]; /* the patch: what, old and new */
	struct bytes file;
	uint32_t checksum; /* of the file */
};

/* Makes the image of this seed. Seed 0 is the base itself. The file keeps its memory from call to
 * call. */
void generate(const struct image *base, uint32_t seed, struct generated *to);

#endif
