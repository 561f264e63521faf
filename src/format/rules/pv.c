/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for records of x86 PV guests: their order, and their bodies but for the blobs of vCPUs.
 */
#include "format/rules/pv_internal.h"

#include <string.h>

#include "base/util.h"

/* Bits of rules->vcpus[], one for each kind of record. */
enum kind { K_BASIC = 1, K_EXTENDED = 2, K_XSAVE = 4, K_MSRS = 8 };

static bool all_zero(const uint8_t *p, size_t len)
{
	while (len--)
		if (*p++)
			return false;
	return true;
}

static int check_info(struct gw_image_rules *rules, const struct gw_record *rec,
		      struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_pv_info info;
	bool again = rules->pv_info_seen;
	int rc = 0;

	rules->pv_info_seen = true;
	if (again)
		rc |= gw_image_broken(rules, R_PV_INFO_TWICE, rec, err,
				      "a record of this type came before");
	if (gw_pv_info_decode(rec, &info, &why) < 0)
		return rc | gw_image_broken(rules, R_PV_INFO_BODY, rec, err, why.text);
	if (!all_zero(info.reserved, sizeof(info.reserved)))
		rc |= gw_image_broken(rules, R_RECORD_RESERVED, rec, err,
				      "the reserved bytes are not 0");
	if (!(info.guest_width == 4 && info.pt_levels == 3) &&
	    !(info.guest_width == 8 && info.pt_levels == 4))
		return rc | gw_broken(&rules->reporter, R_PV_INFO_PAIR, rec->offset, rec, err,
				      "width %u with %u levels of page tables", info.guest_width,
				      info.pt_levels);
	if (!again)
		rules->facts.pv_width = info.guest_width;
	return rc;
}

static int check_p2m_range(struct gw_image_rules *rules, const struct gw_record *rec,
			   const struct gw_p2m_frames *frames, struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;
	uint64_t known = rules->p2m_seen ? rules->facts.pv_max_pfn + 1 : 0;
	int rc = 0;

	if (frames->end_pfn >= rules->max_pfns)
		rc |= gw_broken(r, R_P2M_RANGE, rec->offset, rec, err,
				"the last pfn is 0x%x, at most 0x%llx expected", frames->end_pfn,
				(unsigned long long)rules->max_pfns - 1);
	if (frames->end_pfn == 0 && !rules->p2m_seen)
		rc |= gw_image_broken(rules, R_P2M_RANGE, rec, err, "the last pfn is 0");
	if (frames->start_pfn > known)
		rc |= gw_broken(r, R_P2M_HOLE, rec->offset, rec, err,
				"it begins at pfn 0x%x, expected 0x%llx or less", frames->start_pfn,
				(unsigned long long)known);
	return rc;
}

static int check_p2m(struct gw_image_rules *rules, const struct gw_record *rec,
		     struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_p2m_frames frames;
	int rc = gw_rules_memory_begins(rules, rec, err);

	if (!rules->facts.pv_width)
		return rc | gw_image_broken(rules, R_PV_ORDER, rec, err,
					    "no valid X86_PV_INFO came before it");
	if (gw_p2m_frames_decode(rec, rules->facts.pv_width, &frames, &why) < 0)
		return rc | gw_image_broken(rules, R_P2M_BODY, rec, err, why.text);
	rc |= check_p2m_range(rules, rec, &frames, err);
	for (uint32_t i = 0; i < frames.count; i++)
		rules->p2m_highest_frame =
			GW_MAX(rules->p2m_highest_frame, gw_p2m_frames_get(rec, i));
	rules->facts.pv_max_pfn = GW_MAX(rules->facts.pv_max_pfn, (uint64_t)frames.end_pfn);
	rules->p2m_seen = true;
	return rc;
}

static int check_blob(struct gw_image_rules *rules, const struct gw_record *rec,
		      const struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	switch (rec->type) {
	case GW_REC_X86_PV_VCPU_BASIC:
		return gw_rules_pv_basic(rules, rec, vcpu, err);
	case GW_REC_X86_PV_VCPU_EXTENDED:
		return gw_rules_pv_extended(rules, rec, vcpu, err);
	case GW_REC_X86_PV_VCPU_XSAVE:
		return gw_rules_pv_xsave(rules, rec, vcpu, err);
	default:
		return gw_rules_pv_msrs(rules, rec, vcpu, err);
	}
}

static enum kind kind_of(uint32_t type)
{
	switch (type) {
	case GW_REC_X86_PV_VCPU_BASIC:
		return K_BASIC;
	case GW_REC_X86_PV_VCPU_EXTENDED:
		return K_EXTENDED;
	case GW_REC_X86_PV_VCPU_XSAVE:
		return K_XSAVE;
	default:
		return K_MSRS;
	}
}

/* Checks the vCPU's number, and that the record may come now. */
static int check_vcpu_place(struct gw_image_rules *rules, const struct gw_record *rec,
			    const struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	int rc = 0;

	if (!rules->pages_seen)
		rc |= GW_BROKEN_ONCE(&rules->reporter, R_VCPU_ORDER, rec->offset, rec, err,
				     "no PAGE_DATA came before it");
	if (vcpu->reserved)
		rc |= gw_image_broken(rules, R_RECORD_RESERVED, rec, err,
				      "the reserved field is not 0");
	if (vcpu->vcpu_id >= MAX_VCPUS)
		return rc | gw_broken(&rules->reporter, R_VCPU_ID, rec->offset, rec, err,
				      "vCPU %u, at most %u expected", vcpu->vcpu_id, MAX_VCPUS - 1);
	if (rules->config.vcpus && vcpu->vcpu_id >= rules->config.vcpus)
		rc |= gw_broken(&rules->reporter, R_VCPU_CONFIG, rec->offset, rec, err,
				"vCPU %u, the config gives the domain %u", vcpu->vcpu_id,
				rules->config.vcpus);
	if (rules->vcpus[vcpu->vcpu_id] & kind_of(rec->type))
		rc |= gw_broken(&rules->reporter, R_VCPU_REPEATED, rec->offset, rec, err,
				"vCPU %u already has one", vcpu->vcpu_id);
	rules->vcpus[vcpu->vcpu_id] |= kind_of(rec->type);
	return rc;
}

static int check_vcpu(struct gw_image_rules *rules, const struct gw_record *rec,
		      struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_vcpu_blob vcpu;
	int rc = 0;

	if (!rules->facts.pv_width)
		return gw_image_broken(rules, R_PV_ORDER, rec, err,
				       "no valid X86_PV_INFO came before it");
	if (gw_vcpu_blob_decode(rec, rules->facts.pv_width, &vcpu, &why) < 0)
		return gw_image_broken(rules, R_VCPU_BODY, rec, err, why.text);
	/* Xen skips an empty record before it checks the id. */
	if (vcpu.blob_len == 0)
		return GW_BROKEN_ONCE(&rules->reporter, R_VCPU_EMPTY, rec->offset, rec, err,
				      "the record of vCPU %u is empty and is skipped",
				      vcpu.vcpu_id);
	rc |= check_vcpu_place(rules, rec, &vcpu, err);
	return rc | check_blob(rules, rec, &vcpu, err);
}

static int check_shared_info(struct gw_image_rules *rules, const struct gw_record *rec,
			     struct gw_error *err)
{
	int rc = 0;

	if (!rules->facts.pv_width)
		rc |= gw_image_broken(rules, R_PV_ORDER, rec, err,
				      "no valid X86_PV_INFO came before it");
	if (rules->round_shared_info)
		rc |= gw_image_broken(rules, R_RECORD_REPEATED, rec, err,
				      "a record of this type came before");
	rules->round_shared_info = rules->shared_info_seen = true;
	if (rec->length != GW_PAGE_SIZE)
		rc |= gw_broken(&rules->reporter, R_SHARED_INFO_BODY, rec->offset, rec, err,
				"length is %u, expected %u", rec->length, GW_PAGE_SIZE);
	return rc;
}

int gw_rules_pv_record(struct gw_image_rules *rules, const struct gw_record *rec,
		       struct gw_error *err)
{
	switch (rec->type) {
	case GW_REC_X86_PV_INFO:
		return check_info(rules, rec, err);
	case GW_REC_X86_PV_P2M_FRAMES:
		return check_p2m(rules, rec, err);
	case GW_REC_SHARED_INFO:
		return check_shared_info(rules, rec, err);
	default:
		return check_vcpu(rules, rec, err);
	}
}

int gw_rules_pv_complete(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;
	int rc = 0;

	if (!rules->p2m_seen)
		rc |= gw_image_broken(rules, R_PV_ORDER, rec, err,
				      "no valid X86_PV_P2M_FRAMES came before it");
	else if (rules->p2m_highest_frame > rules->facts.pv_max_pfn)
		rc |= gw_broken(r, R_P2M_FRAME, rec->offset, rec, err,
				"pfn 0x%llx is a frame of the P2M, which ends at 0x%llx",
				(unsigned long long)rules->p2m_highest_frame,
				(unsigned long long)rules->facts.pv_max_pfn);
	if (!rules->shared_info_seen)
		rc |= gw_image_broken(rules, R_SHARED_INFO_MISSING, rec, err,
				      "no SHARED_INFO came before it");
	if (!(rules->vcpus[0] & K_BASIC))
		rc |= gw_image_broken(rules, R_VCPU0_MISSING, rec, err,
				      "no X86_PV_VCPU_BASIC of vCPU 0 came before it");
	for (unsigned id = 1; id < MAX_VCPUS; id++)
		if (rules->vcpus[id] && !(rules->vcpus[id] & K_BASIC))
			rc |= gw_broken(r, R_VCPU_NO_BASIC, rec->offset, rec, err,
					"vCPU %u has no X86_PV_VCPU_BASIC", id);
	return rc;
}

void gw_rules_pv_new_round(struct gw_image_rules *rules)
{
	memset(rules->vcpus, 0, sizeof(rules->vcpus));
}
