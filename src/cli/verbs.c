/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of all verbs, and the search in it. A verb NAME is in NAME.c.
 */
#include "cli/verb.h"

#include <string.h>

#include "base/util.h"

/* Generated from the list in meson.build: GW_VERB(inspect) and so on. */
#define GW_VERB(name) extern const struct gw_verb gw_verb_##name;
#include "verbs.inc"
#undef GW_VERB

const struct gw_verb *const gw_verbs[] = {
#define GW_VERB(name) &gw_verb_##name,
#include "verbs.inc"
#undef GW_VERB
};
const size_t gw_nr_verbs = GW_ARRAY_SIZE(gw_verbs);

const struct gw_verb *gw_verb_find(const char *name)
{
	for (size_t i = 0; i < gw_nr_verbs; i++) {
		if (!strcmp(gw_verbs[i]->name, name))
			return gw_verbs[i];
	}
	return NULL;
}

const char *gw_verb_suggest(const char *name)
{
	const char *best = NULL;
	unsigned best_distance = ~0u;

	for (size_t i = 0; i < gw_nr_verbs; i++) {
		if (gw_verbs[i]->group != GW_GROUP_HIDDEN)
			gw_name_consider(name, gw_verbs[i]->name, &best, &best_distance);
	}
	return best;
}
