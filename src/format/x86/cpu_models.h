/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CPU models: the policies that a new guest can be given.
 */
#ifndef GW_FORMAT_X86_CPU_MODELS_H
#define GW_FORMAT_X86_CPU_MODELS_H

#include "format/x86/policy.h"

/* A model that a user can name. */
struct gw_cpu_model {
	const char *name;    /* "portable" */
	const char *summary; /* one phrase */
};

#define GW_CPU_MODEL_DEFAULT "portable"

/* Model number i, the default first; NULL after the last. */
const struct gw_cpu_model *gw_cpu_model(size_t i);

/*
 * Makes the policy of a new guest from "MODEL", "+FEATURE", "-FEATURE", separated by commas. The
 * model comes first; without one it is the default. The guest gets of the model's features those
 * that the host offers; a feature that is added must be offered, and raises the highest leaf to its
 * own. offered without leaves limits nothing. The policy has every leaf up to its highest, so that
 * a Xen that restores it keeps none of its own defaults. NULL: the default. GW_USAGE: a word that
 * means nothing; GW_REFUSED: a feature that is not offered.
 */
int gw_cpu_model_policy(const char *words, const struct gw_policy *offered,
			struct gw_policy *policy, struct gw_error *err);

#endif
