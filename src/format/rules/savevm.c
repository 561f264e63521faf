/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Judges the faults of a stream of QEMU: each kind of fault breaks one rule.
 */
#include <stdlib.h>

#include "format/rules/internal.h"

struct gw_savevm_rules {
	struct gw_reporter reporter;
};

_Static_assert(R_SAVEVM_MAGIC + GW_SAVEVM_NR_FAULTS - 1 == R_SAVEVM_SCHEMA_SUBSECTION,
	       "each fault has a rule, in the same order");

struct gw_savevm_rules *gw_savevm_rules_new(const struct gw_findings *out)
{
	struct gw_savevm_rules *rules = calloc(1, sizeof(*rules));

	if (rules)
		rules->reporter.out = out;
	return rules;
}

void gw_savevm_rules_free(struct gw_savevm_rules *rules)
{
	free(rules);
}

int gw_savevm_rules_fault(struct gw_savevm_rules *rules, enum gw_savevm_fault fault,
			  uint64_t offset, const char *text, struct gw_error *err)
{
	return gw_broken(&rules->reporter, R_SAVEVM_MAGIC + fault, offset, NULL, err, "%s", text);
}
