/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for records of x86 HVM (and PVH) guests.
 */
#include "base/util.h"
#include "format/x86/hvm_context.h"
#include "format/rules/image.h"

enum {
	PARAM_STORE_PFN = 1,
	PARAM_PAE_ENABLED = 4,
	PARAM_VM86_TSS = 15,
};

/* Params that Xen sends or sent: images of Xen 4.x and converted ones have the older two. */
static bool param_is_sent(uint64_t index)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(gw_hvm_params_saved); i++)
		if (gw_hvm_params_saved[i] == index)
			return true;
	return index == PARAM_PAE_ENABLED || index == PARAM_VM86_TSS;
}

/* STORE, IOREQ, BUFIOREQ, CONSOLE, the three rings, IOREQ_SERVER: their value is a pfn. */
static bool param_is_pfn(uint64_t index)
{
	return index == 1 || index == 5 || index == 6 || index == 17 ||
	       (index >= 27 && index <= 29) || index == 32;
}

static int check_param(struct gw_image_rules *rules, const struct gw_record *rec, uint32_t i,
		       struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;
	const char *name;
	uint64_t index, value;
	int rc = 0;

	gw_hvm_params_get(rec, i, &index, &value);
	name = gw_hvm_param_name(index);
	if (!param_is_sent(index))
		return gw_broken(r, R_PARAMS_INDEX, rec->offset, rec, err,
				 "entry %u is param %llu (%s), which no writer sends", i,
				 (unsigned long long)index, name ? name : "unknown");
	if (rules->round_params >> index & 1)
		rc |= gw_broken(r, R_PARAMS_REPEATED, rec->offset, rec, err,
				"entry %u: %s came before", i, name);
	rules->round_params |= UINT64_C(1) << index;
	if (param_is_pfn(index) && value >= rules->max_pfns)
		rc |= gw_broken(r, R_PARAMS_PFN, rec->offset, rec, err,
				"entry %u: %s is pfn 0x%llx, at most 0x%llx expected", i, name,
				(unsigned long long)value, (unsigned long long)rules->max_pfns - 1);
	if (index == PARAM_VM86_TSS && value > UINT32_MAX)
		rc |= gw_broken(r, R_PARAMS_VM86, rec->offset, rec, err,
				"entry %u: %s is 0x%llx, at most 0xffffffff expected", i, name,
				(unsigned long long)value);
	rules->store_seen |= index == PARAM_STORE_PFN;
	return rc;
}

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
		rc |= check_param(rules, rec, i, err);
	if (rules->round_context && !rules->round_params_seen)
		rc |= GW_BROKEN_ONCE(&rules->reporter, R_CONTEXT_ORDER, rec->offset, rec, err,
				     "HVM_CONTEXT came before it");
	rules->round_params_seen = rules->params_seen = true;
	return rc;
}

static int check_context(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_hvm_entry entry;
	struct gw_hvm_header header;
	struct gw_hvm_walk walk;
	int rc = 0;

	if (rules->round_context)
		rc |= gw_image_broken(rules, R_RECORD_REPEATED, rec, err,
				      "a record of this type came before");
	rules->round_context = rules->context_seen = true;
	if (rec->length == 0)
		return rc | gw_image_broken(rules, R_CONTEXT_EMPTY, rec, err, "it is empty");
	gw_hvm_walk_init(&walk, rec->data, rec->length);
	while (gw_hvm_walk_next(&walk, &entry, &why) > 0)
		if (entry.typecode == GW_HVM_HEADER &&
		    gw_hvm_header_decode(&entry, &header, &why) < 0)
			break;
	if (why.code)
		rc |= GW_BROKEN_ONCE(&rules->reporter, R_CONTEXT_WALK, rec->offset, rec, err, "%s",
				     why.text);
	return rc;
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
