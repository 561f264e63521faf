/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for static data: where it ends. policy.c has those of the two policies in it.
 */
#include "format/rules/image.h"

int gw_rules_memory_begins(struct gw_image_rules *rules, const struct gw_record *rec,
			   struct gw_error *err)
{
	struct gw_image_facts *facts = &rules->facts;

	if (facts->static_data_end)
		return 0;
	if (facts->version >= 3)
		return gw_image_broken(rules, R_STATIC_MISSING, rec, err,
				       "no STATIC_DATA_END came before it");
	facts->static_data_end = facts->static_data_inferred = true;
	return gw_image_broken(rules, R_STATIC_INFERRED, rec, err,
			       "static data ends here in an image of version 2");
}

static int check_static_end(struct gw_image_rules *rules, const struct gw_record *rec,
			    struct gw_error *err)
{
	if (rules->facts.static_data_end)
		return gw_image_broken(rules, R_STATIC_TWICE, rec, err,
				       "static data ended before it");
	rules->facts.static_data_end = true;
	return 0;
}

int gw_rules_static_data(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err)
{
	switch (rec->type) {
	case GW_REC_STATIC_DATA_END:
		return check_static_end(rules, rec, err);
	case GW_REC_X86_CPUID_POLICY:
		return gw_rules_cpuid_policy(rules, rec, err);
	case GW_REC_X86_MSR_POLICY:
		return gw_rules_msr_policy(rules, rec, err);
	default:
		return 0;
	}
}
