/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The image checker's state, shared by its files: image.c (headers, order, rounds), static_data.c,
 * policy.c, pages.c, pv.c, hvm.c. The rest of godwit uses rules.h.
 */
#ifndef GW_FORMAT_RULES_IMAGE_H
#define GW_FORMAT_RULES_IMAGE_H

#include "format/rules/internal.h"
#include "format/rules/page_set.h"
#include "format/x86/policy.h"

#define MAX_VCPUS	 8192u		     /* of a PV guest; Xen's own limit */
#define DEFAULT_MAX_PFNS (UINT64_C(1) << 36) /* a domain of 256 TiB */

struct gw_image_rules {
	struct gw_reporter reporter;
	enum gw_image_kind kind;
	uint64_t max_pfns;
	struct gw_image_facts facts;
	struct gw_config_facts config; /* zeroed: not known */
	struct gw_policy policy;       /* the image's policies so far */

	bool pages_seen;  /* a PAGE_DATA, in any round */
	bool params_seen; /* HVM_PARAMS, in any round; likewise the next ones */
	bool store_seen;  /* with a STORE_PFN */
	bool context_seen, shared_info_seen, tsc_seen, p2m_seen, pv_info_seen;
	bool cpuid_seen, msrs_seen, xenabi_seen, kvm_seen;
	struct gw_page_set populated;	   /* pfns that get a page, in any round */
	uint64_t p2m_highest_frame;	   /* the highest pfn that is a frame of the P2M */
	uint64_t params[GW_HVM_NR_PARAMS]; /* their values so far */

	/* The current round; cleared by CHECKPOINT. */
	uint64_t round_records;
	uint64_t round_params; /* bit per index below 64 */
	bool round_context, round_params_seen, round_tsc, round_shared_info;
	uint8_t vcpus[MAX_VCPUS]; /* a bit for each kind of record, see pv.c */
};

/* Reports a broken rule whose text needs no numbers: gw_broken() at the record's offset. */
static inline int gw_image_broken(struct gw_image_rules *rules, enum gw_rule_number number,
				  const struct gw_record *rec, struct gw_error *err,
				  const char *text)
{
	return gw_broken(&rules->reporter, number, rec->offset, rec, err, "%s", text);
}

/* Rules for every record, PAGE_DATA included; counts it. */
int gw_rules_any_record(struct gw_image_rules *rules, const struct gw_record *rec,
			struct gw_error *err);
/* Judges a record of static data or its end; its place was judged. */
int gw_rules_static_data(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err);
/* The two policies; a restore sets them when static data ends. */
int gw_rules_cpuid_policy(struct gw_image_rules *rules, const struct gw_record *rec,
			  struct gw_error *err);
int gw_rules_msr_policy(struct gw_image_rules *rules, const struct gw_record *rec,
			struct gw_error *err);
/* Memory begins with this record: static data must have ended before; in version 2 it ends here. */
int gw_rules_memory_begins(struct gw_image_rules *rules, const struct gw_record *rec,
			   struct gw_error *err);

/* The body of a record of PV guests; its place was judged. */
int gw_rules_pv_record(struct gw_image_rules *rules, const struct gw_record *rec,
		       struct gw_error *err);
/* Reports records that a PV image lacks at this END or CHECKPOINT. */
int gw_rules_pv_complete(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err);
void gw_rules_pv_new_round(struct gw_image_rules *rules);

/* The same for HVM guests. */
int gw_rules_hvm_record(struct gw_image_rules *rules, const struct gw_record *rec,
			struct gw_error *err);
int gw_rules_hvm_complete(struct gw_image_rules *rules, const struct gw_record *rec,
			  struct gw_error *err);

#endif
