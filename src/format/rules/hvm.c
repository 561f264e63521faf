/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for records of x86 HVM (and PVH) guests: their order and which must come. Params are
 * judged in hvm_params.c, contexts in hvm_context.c.
 */
#include "format/rules/hvm_internal.h"

static int check_params(struct gw_image_rules *rules, const struct gw_record *rec,
			struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	uint32_t count;
	int rc = 0;

	if (gw_hvm_params_decode(rec, &count, &why) < 0)
		return gw_image_broken(rules, R_PARAMS_BODY, rec, err, why.text);
	if (rec->data[4] | rec->data[5] | rec->data[6] | rec->data[7])
		rc |= gw_image_broken(rules, R_RECORD_RESERVED, rec, err,
				      "the reserved field is not 0");
	if (count == 0)
		return rc | GW_BROKEN_ONCE(&rules->reporter, R_PARAMS_EMPTY, rec->offset, rec, err,
					   "it has no params and is skipped");
	if (!rules->pages_seen)
		rc |= gw_image_broken(rules, R_PARAMS_ORDER, rec, err,
				      "no PAGE_DATA came before it");
	for (uint32_t i = 0; i < count; i++)
		rc |= gw_hvm_check_param(rules, rec, i, err);
	if (rules->round_context && !rules->round_params_seen)
		rc |= GW_BROKEN_ONCE(&rules->reporter, R_CONTEXT_ORDER, rec->offset, rec, err,
				     "HVM_CONTEXT came before it");
	rules->round_params_seen = rules->params_seen = true;
	return rc;
}

static int check_context(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err)
{
	int rc = 0;

	if (rules->round_context)
		rc |= gw_image_broken(rules, R_RECORD_REPEATED, rec, err,
				      "a record of this type came before");
	rules->round_context = rules->context_seen = true;
	if (rec->length == 0)
		return rc | gw_image_broken(rules, R_CONTEXT_EMPTY, rec, err, "it is empty");
	return rc | gw_hvm_check_context(rules, rec, err);
}

int gw_rules_hvm_record(struct gw_image_rules *rules, const struct gw_record *rec,
			struct gw_error *err)
{
	return rec->type == GW_REC_HVM_PARAMS ? check_params(rules, rec, err)
					      : check_context(rules, rec, err);
}

int gw_rules_hvm_complete(struct gw_image_rules *rules, const struct gw_record *rec,
			  struct gw_error *err)
{
	int rc = 0;

	if (!rules->context_seen)
		rc |= gw_image_broken(rules, R_CONTEXT_MISSING, rec, err,
				      "no HVM_CONTEXT came before it");
	if (!rules->store_seen)
		rc |= gw_image_broken(rules, R_PARAMS_MISSING, rec, err,
				      rules->params_seen ? "the params do not include STORE_PFN"
							 : "no HVM_PARAMS came before it");
	return rc;
}
