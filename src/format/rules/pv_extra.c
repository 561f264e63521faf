/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for a PV vCPU's extended context, extended processor state and MSRs: what the three
 * domctls that set them refuse on every host. The features of the host, and
 * those that the policies leave, are not judged.
 */
#include "format/rules/pv_internal.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/pv_layout.h"
#include "format/x86/xstate.h"

/* struct xen_domctl_ext_vcpucontext */
#define EXT_SYSCALL32 8u
#define EXT_SYSENTER  16u
#define EXT_MCA	      32u
#define EXT_MCA_CAPS  8u /* bytes of it that Xen must have to look at it */
/* MCG_CAP: number of banks, CTL_P, and what a host by Intel has: CMCI_P, TES_P, SER_P, LMCE_P. */
#define MCA_CAPS UINT64_C(0x09000dff)

/* An XSAVE record: XCR0, its accumulator, the area. */
#define XSAVE_HEAD 16u
#define XSAVE_MIN  (XSAVE_HEAD + GW_XSAVE_AREA_MIN)

#define MSRS_MAX 11u /* 7, and until Xen 4.17 four more on a host with DBEXT */
#define MSRS_NEW 7u

#define BROKEN(number, ...) gw_broken(&rules->reporter, number, rec->offset, rec, err, __VA_ARGS__)

static int check_callback(struct gw_image_rules *rules, const struct gw_record *rec,
			  const struct gw_vcpu_blob *vcpu, uint32_t at, const char *name,
			  struct gw_error *err)
{
	uint64_t address = at + 8 <= vcpu->blob_len ? gw_get_le64(vcpu->blob + at) : 0;

	if (gw_pv_is_canonical(address))
		return 0;
	return BROKEN(R_VCPU_CANONICAL, "vCPU %u: %s is 0x%llx, expected a canonical address",
		      vcpu->vcpu_id, name, (unsigned long long)address);
}

/* Xen believes the size in the context, and looks at the MCA state if it is long enough for that.
 */
static int check_extended_state(struct gw_image_rules *rules, const struct gw_record *rec,
				const struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	uint32_t size = gw_get_le32(vcpu->blob + 4);
	uint32_t end = EXT_MCA + EXT_MCA_CAPS;
	int rc = check_callback(rules, rec, vcpu, EXT_SYSCALL32, "syscall32_callback_eip", err) |
		 check_callback(rules, rec, vcpu, EXT_SYSENTER, "sysenter_callback_eip", err);

	if (size < EXT_MCA)
		return rc | BROKEN(R_VCPU_EXTENDED_SHORT,
				   "the context gives its size as %u bytes, at least %u expected",
				   size, EXT_MCA);
	/* What the record lacks of that, Xen reads from whatever libxc had there. */
	if (vcpu->blob_len < GW_MIN(size, end))
		return rc | BROKEN(R_VCPU_EXTENDED_SHORT,
				   "the record has %u bytes of it, at least %u expected",
				   vcpu->blob_len, GW_MIN(size, end));
	if (size < end)
		return rc;
	uint64_t unknown = gw_get_le64(vcpu->blob + EXT_MCA) & ~MCA_CAPS;

	if (unknown)
		rc |= BROKEN(R_VCPU_MCA, "vCPU %u: its MCA capabilities have unknown bits 0x%llx",
			     vcpu->vcpu_id, (unsigned long long)unknown);
	return rc;
}

int gw_rules_pv_extended(struct gw_image_rules *rules, const struct gw_record *rec,
			 const struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	int rc = 0;

	if (vcpu->blob_len < 8)
		return BROKEN(R_VCPU_BODY, "context has %u bytes, at least 8 expected",
			      vcpu->blob_len);
	if (gw_get_le32(vcpu->blob) != vcpu->vcpu_id)
		rc |= BROKEN(R_VCPU_EXTENDED, "the context names vCPU %u, the record names vCPU %u",
			     gw_get_le32(vcpu->blob), vcpu->vcpu_id);
	if (gw_get_le32(vcpu->blob + 4) != vcpu->blob_len)
		rc |= BROKEN(R_VCPU_EXTENDED_SIZE,
			     "the context gives its size as %u bytes, the record has %u",
			     gw_get_le32(vcpu->blob + 4), vcpu->blob_len);
	return rc | check_extended_state(rules, rec, vcpu, err);
}

static int check_xcr0(struct gw_image_rules *rules, const struct gw_record *rec, uint64_t xcr0,
		      uint64_t accum, struct gw_error *err)
{
	const struct {
		const char *name;
		uint64_t value;
	} both[] = {{"XCR0", xcr0}, {"its accumulator", accum}};
	int rc = 0;

	for (size_t i = 0; i < GW_ARRAY_SIZE(both); i++) {
		const char *fault = gw_xcr0_fault(both[i].value);

		if (fault)
			rc |= BROKEN(R_VCPU_XCR0, "%s is 0x%llx: %s", both[i].name,
				     (unsigned long long)both[i].value, fault);
	}
	if (xcr0 & ~accum)
		rc |= BROKEN(R_VCPU_XCR0,
			     "XCR0 is 0x%llx, expected no bit outside its accumulator, 0x%llx",
			     (unsigned long long)xcr0, (unsigned long long)accum);
	if (accum & ~GW_XCR0_PV)
		rc |= BROKEN(R_VCPU_XCR0,
			     "its accumulator is 0x%llx, of which a PV guest cannot "
			     "have 0x%llx",
			     (unsigned long long)accum, (unsigned long long)(accum & ~GW_XCR0_PV));
	return rc;
}

static int check_xsave_size(struct gw_image_rules *rules, const struct gw_record *rec,
			    uint64_t accum, uint32_t len, struct gw_error *err)
{
	uint32_t sizes[2];
	unsigned n = gw_xsave_pv_sizes(accum, sizes);
	uint32_t area = len - XSAVE_HEAD;

	if (area == sizes[0] || area == sizes[n - 1])
		return 0;
	if (n > 1)
		return BROKEN(R_VCPU_XSAVE_SIZE,
			      "states 0x%llx have an area of %u bytes, expected %u (AMD) or %u "
			      "(Intel)",
			      (unsigned long long)accum, area, sizes[0], sizes[1]);
	return BROKEN(R_VCPU_XSAVE_SIZE, "states 0x%llx have an area of %u bytes, expected %u",
		      (unsigned long long)accum, area, sizes[0]);
}

static int check_xsave_header(struct gw_image_rules *rules, const struct gw_record *rec,
			      const uint8_t *area, uint64_t accum, struct gw_error *err)
{
	struct gw_xsave_header header;
	int rc = 0;

	gw_xsave_header_decode(area, &header);
	if (header.xstate_bv & ~accum)
		rc |= BROKEN(R_VCPU_XSAVE_HEADER,
			     "XSTATE_BV is 0x%llx, expected no bit outside the accumulator of "
			     "XCR0, 0x%llx",
			     (unsigned long long)header.xstate_bv, (unsigned long long)accum);
	if (header.xcomp_bv)
		rc |= BROKEN(R_VCPU_XSAVE_HEADER, "XCOMP_BV is 0x%llx, expected 0",
			     (unsigned long long)header.xcomp_bv);
	if (header.reserved)
		rc |= BROKEN(R_VCPU_XSAVE_HEADER, "%s",
			     "the reserved bytes of the header are not 0");
	return rc;
}

/* A vCPU that never used extended state has no area, and its XCR0 is 0. */
int gw_rules_pv_xsave(struct gw_image_rules *rules, const struct gw_record *rec,
		      const struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	uint64_t xcr0 = gw_get_le64(vcpu->blob), accum = gw_get_le64(vcpu->blob + 8);
	int rc;

	if (vcpu->blob_len != XSAVE_HEAD && vcpu->blob_len < XSAVE_MIN)
		return BROKEN(R_VCPU_XSAVE, "state has %u bytes, expected %u or at least %u",
			      vcpu->blob_len, XSAVE_HEAD, XSAVE_MIN);
	if (xcr0 == 0 && accum == 0)
		return check_xsave_size(rules, rec, accum, vcpu->blob_len, err);
	rc = check_xcr0(rules, rec, xcr0, accum, err) |
	     check_xsave_size(rules, rec, accum, vcpu->blob_len, err);
	if (vcpu->blob_len >= XSAVE_MIN)
		rc |= check_xsave_header(rules, rec, vcpu->blob + XSAVE_HEAD, accum, err);
	return rc;
}

/*
 * The MSRs of a PV vCPU that Xen sets, the bits of each that it takes with some policy, and the
 * features of which the policy must have one (guest_wrmsr(); none: it is not looked at).
 */
static const struct msr {
	uint32_t first, last;
	uint64_t bits;
	const char *features[2];
} msrs[] = {
	{0x48, 0x48, 0x87, {"ibrsb", "ibrs"}}, /* SPEC_CTRL: IBRS, STIBP, SSBD, PSFD */
	{0x140, 0x140, 0x1, {NULL}},	       /* MISC_FEATURES_ENABLES: CPUID faulting */
	{0xc0000103, 0xc0000103, UINT32_MAX, {"rdtscp", "rdpid"}}, /* TSC_AUX */
	{0xc0011019, 0xc001101b, UINT32_MAX, {"dbext"}},	   /* DR1_ADDRESS_MASK to DR3 */
	{0xc0011027, 0xc0011027, UINT32_MAX, {"dbext"}},	   /* DR0_ADDRESS_MASK */
};

/* An image without a policy is judged by none. */
static bool is_offered(const struct gw_policy *policy, const struct msr *msr)
{
	struct gw_cpu_feature feature;

	if (policy->nr_leaves == 0 || !msr->features[0])
		return true;
	for (size_t i = 0; i < GW_ARRAY_SIZE(msr->features) && msr->features[i]; i++)
		if (gw_cpu_feature_find(msr->features[i], &feature) &&
		    gw_policy_has_feature(policy, &feature))
			return true;
	return false;
}

static int check_msr(struct gw_image_rules *rules, const struct gw_record *rec, uint32_t msr,
		     uint64_t value, struct gw_error *err)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(msrs); i++) {
		if (msr < msrs[i].first || msr > msrs[i].last)
			continue;
		if (!is_offered(&rules->policy, &msrs[i]))
			return BROKEN(R_VCPU_MSR_FEATURE,
				      "MSR 0x%x, but the image's CPU policy lacks %s", msr,
				      msrs[i].features[0]);
		if (!(value & ~msrs[i].bits))
			return 0;
		return BROKEN(R_VCPU_MSR_VALUE, "MSR 0x%x is 0x%llx, expected no bits but 0x%llx",
			      msr, (unsigned long long)value, (unsigned long long)msrs[i].bits);
	}
	return BROKEN(R_VCPU_MSR_INDEX, "MSR 0x%x is not one of a PV vCPU's in an image", msr);
}

int gw_rules_pv_msrs(struct gw_image_rules *rules, const struct gw_record *rec,
		     const struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	uint32_t n = vcpu->blob_len / GW_PV_MSR_SIZE;
	int rc = 0;

	if (n > MSRS_MAX)
		rc |= BROKEN(R_VCPU_MSR_COUNT, "%u MSRs, at most %u expected", n, MSRS_MAX);
	else if (n > MSRS_NEW)
		rc |= BROKEN(R_VCPU_MSR_COUNT_NEW, "%u MSRs, at most %u expected", n, MSRS_NEW);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *entry = vcpu->blob + (size_t)i * GW_PV_MSR_SIZE;

		if (gw_get_le32(entry + 4))
			rc |= BROKEN(R_VCPU_MSRS, "the reserved field of MSR 0x%x is 0x%x",
				     gw_get_le32(entry), gw_get_le32(entry + 4));
		rc |= check_msr(rules, rec, gw_get_le32(entry), gw_get_le64(entry + 8), err);
	}
	return rc;
}
