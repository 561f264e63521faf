/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for static data: the CPUID and MSR policies, and where static data ends.
 */
#include "format/rules/image.h"

#include "base/bytes.h"

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

static int check_cpuid(struct gw_image_rules *rules, const struct gw_record *rec,
		       struct gw_error *err)
{
	int rc = 0;

	if (rec->length == 0 || rec->length % 24)
		rc = gw_broken(&rules->reporter, R_POLICY_BODY, rec->offset, rec, err,
			       "length is %u, expected a multiple of 24 above 0", rec->length);
	if (rules->cpuid_seen)
		rc |= gw_image_broken(rules, R_POLICY_REPEATED, rec, err,
				      "a record of this type came before");
	rules->cpuid_seen = true;
	return rc;
}

static int check_msrs(struct gw_image_rules *rules, const struct gw_record *rec,
		      struct gw_error *err)
{
	int rc = 0;

	if (rules->msrs_seen)
		rc = gw_image_broken(rules, R_POLICY_REPEATED, rec, err,
				     "a record of this type came before");
	rules->msrs_seen = true;
	if (rec->length == 0 || rec->length % 16)
		return rc | gw_broken(&rules->reporter, R_POLICY_BODY, rec->offset, rec, err,
				      "length is %u, expected a multiple of 16 above 0",
				      rec->length);
	for (uint32_t offset = 0; offset < rec->length; offset += 16)
		if (gw_get_le32(rec->data + offset + 4))
			rc |= gw_broken(&rules->reporter, R_POLICY_FLAGS, rec->offset, rec, err,
					"MSR 0x%x has flags 0x%x", gw_get_le32(rec->data + offset),
					gw_get_le32(rec->data + offset + 4));
	return rc;
}

int gw_rules_static_data(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err)
{
	switch (rec->type) {
	case GW_REC_STATIC_DATA_END:
		return check_static_end(rules, rec, err);
	case GW_REC_X86_CPUID_POLICY:
		return check_cpuid(rules, rec, err);
	case GW_REC_X86_MSR_POLICY:
		return check_msrs(rules, rec, err);
	default:
		return 0;
	}
}
