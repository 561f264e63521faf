/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for the CPUID and MSR policies: what every release of Xen takes when they are set
 * (XEN_DOMCTL_set_cpu_policy), as far as it can be judged without a host. The limits are those of
 * x86_cpuid_copy_from_buffer(), x86_msr_copy_from_buffer() and x86_cpu_policies_are_compatible(),
 * the same in 4.14 to 4.22 where the table does not say otherwise.
 */
#include "format/rules/image.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/policy.h"

#define LEAF_SIZE 24u
#define MSR_SIZE  16u

/* The leaves that Xen keeps of a guest. */
#define MAX_BASIC      GW_XEN_MAX_BASIC
#define MAX_EXTENDED   GW_XEN_MAX_EXTENDED
#define HYPERVISOR     UINT32_C(0x40000000)
#define HYPERVISOR_2ND UINT32_C(0x40000100)

/* Leaves that have subleaves, each with its number of them. */
static const struct {
	uint32_t leaf, subleaves;
} with_subleaves[] = {{4, 6}, {7, GW_XEN_MAX_SUBLEAF_7 + 1}, {0xb, 2}, {0xd, 63}};

#define MAX_LEAVES 120u /* one of each that Xen keeps */
#define MAX_MSRS   2u
#define MAX_SLOTS  160u

/* Leaves of one register set, by slot_of(); a leaf that comes twice has the last's contents. */
struct seen {
	bool present[MAX_SLOTS];
	uint32_t regs[MAX_SLOTS][4];
};

/* Subleaves of a leaf that Xen keeps; 0: the leaf has none. */
static uint32_t subleaves_of(uint32_t leaf)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(with_subleaves); i++)
		if (with_subleaves[i].leaf == leaf)
			return with_subleaves[i].subleaves;
	return 0;
}

static bool known_leaf(uint32_t leaf)
{
	return leaf <= MAX_BASIC || leaf == HYPERVISOR || leaf == HYPERVISOR_2ND ||
	       (leaf >= GW_LEAF_EXTENDED && leaf <= MAX_EXTENDED);
}

/* A number below MAX_SLOTS for each leaf and subleaf that Xen keeps; -1 for any other. */
static int slot_of(uint32_t leaf, uint32_t subleaf)
{
	uint32_t slot = MAX_BASIC + 1;

	if (!known_leaf(leaf))
		return -1;
	for (size_t i = 0; i < GW_ARRAY_SIZE(with_subleaves); i++) {
		if (with_subleaves[i].leaf == leaf)
			return subleaf < with_subleaves[i].subleaves ? (int)(slot + subleaf) : -1;
		slot += with_subleaves[i].subleaves;
	}
	if (subleaf != GW_CPUID_NO_SUBLEAF)
		return -1;
	if (leaf <= MAX_BASIC)
		return (int)leaf;
	if (leaf < GW_LEAF_EXTENDED)
		return (int)(slot + (leaf == HYPERVISOR_2ND));
	return (int)(slot + 2 + (leaf - GW_LEAF_EXTENDED));
}

static const uint32_t *leaf_in(const struct seen *seen, uint32_t leaf)
{
	int slot = slot_of(leaf, subleaves_of(leaf) ? 0 : GW_CPUID_NO_SUBLEAF);

	return seen->present[slot] ? seen->regs[slot] : NULL;
}

static int unknown_leaf(struct gw_image_rules *rules, const struct gw_record *rec, uint32_t leaf,
			uint32_t subleaf, struct gw_error *err)
{
	uint32_t subleaves = subleaves_of(leaf);

	if (!known_leaf(leaf))
		return gw_broken(&rules->reporter, R_POLICY_LEAF, rec->offset, rec, err,
				 "leaf 0x%" PRIx32
				 ": Xen takes 0 to 0x%x, 0x%x, 0x%x and 0x%x to 0x%x",
				 leaf, MAX_BASIC, HYPERVISOR, HYPERVISOR_2ND, GW_LEAF_EXTENDED,
				 MAX_EXTENDED);
	if (subleaves)
		return gw_broken(&rules->reporter, R_POLICY_LEAF, rec->offset, rec, err,
				 "leaf 0x%" PRIx32 " subleaf 0x%" PRIx32
				 ": Xen takes subleaves 0 to %u of this leaf",
				 leaf, subleaf, subleaves - 1);
	return gw_broken(&rules->reporter, R_POLICY_LEAF, rec->offset, rec, err,
			 "leaf 0x%" PRIx32 " subleaf 0x%" PRIx32
			 ": this leaf has no subleaves, Xen takes 0xffffffff only",
			 leaf, subleaf);
}

static int collect(struct gw_image_rules *rules, const struct gw_record *rec, struct seen *seen,
		   struct gw_error *err)
{
	int rc = 0;

	for (uint32_t at = 0; at < rec->length; at += LEAF_SIZE) {
		uint32_t leaf = gw_get_le32(rec->data + at);
		uint32_t subleaf = gw_get_le32(rec->data + at + 4);
		int slot = slot_of(leaf, subleaf);

		if (slot < 0) {
			rc |= unknown_leaf(rules, rec, leaf, subleaf, err);
			continue;
		}
		if (seen->present[slot])
			rc |= gw_broken(&rules->reporter, R_POLICY_ENTRY_TWICE, rec->offset, rec,
					err, "leaf 0x%" PRIx32 " comes twice", leaf);
		seen->present[slot] = true;
		for (int reg = 0; reg < 4; reg++)
			seen->regs[slot][reg] = gw_get_le32(rec->data + at + 8 + 4 * reg);
	}
	return rc;
}

/* The policy's own maxima against the most that a host of any release offers. */
static int check_maxima(struct gw_image_rules *rules, const struct gw_record *rec,
			const struct seen *seen, struct gw_error *err)
{
	const uint32_t *basic = leaf_in(seen, 0), *extended = leaf_in(seen, GW_LEAF_EXTENDED);
	const uint32_t *features = leaf_in(seen, 7);
	int rc = 0;

	if (basic && basic[0] > MAX_BASIC)
		rc |= gw_broken(&rules->reporter, R_POLICY_MAX, rec->offset, rec, err,
				"the highest leaf is 0x%" PRIx32 ", Xen offers at most 0x%x",
				basic[0], MAX_BASIC);
	if (extended && extended[0] > MAX_EXTENDED)
		rc |= gw_broken(&rules->reporter, R_POLICY_MAX, rec->offset, rec, err,
				"the highest extended leaf is 0x%" PRIx32
				", Xen offers at most 0x%x",
				extended[0], MAX_EXTENDED);
	/* Before it compares, Xen clears leaf 7 where leaf 0 says that there is none. */
	if (features && features[0] > GW_XEN_MAX_SUBLEAF_7 && !(basic && basic[0] < 7))
		rc |= gw_broken(&rules->reporter, R_POLICY_MAX_SUBLEAF, rec->offset, rec, err,
				"the highest subleaf of leaf 7 is 0x%" PRIx32
				", Xen offers at most %u",
				features[0], GW_XEN_MAX_SUBLEAF_7);
	return rc;
}

/* Contents that Xen clears, because the policy itself says that the leaf does not exist. */
static int check_cleared(struct gw_image_rules *rules, const struct gw_record *rec,
			 const struct seen *seen, struct gw_error *err)
{
	const uint32_t *basic = leaf_in(seen, 0), *extended = leaf_in(seen, GW_LEAF_EXTENDED);
	const uint32_t *features = leaf_in(seen, 7);

	for (uint32_t at = 0; at < rec->length; at += LEAF_SIZE) {
		uint32_t leaf = gw_get_le32(rec->data + at);
		uint32_t subleaf = gw_get_le32(rec->data + at + 4);
		static const uint8_t zeros[16];
		bool beyond = leaf <= MAX_BASIC && basic && leaf > basic[0];

		beyond |= leaf == 7 && features && subleaf > features[0];
		beyond |= leaf >= GW_LEAF_EXTENDED && extended &&
			  (leaf & 0xffff) > (extended[0] & 0xffff);
		if (beyond && slot_of(leaf, subleaf) >= 0 &&
		    memcmp(rec->data + at + 8, zeros, sizeof(zeros)) != 0)
			return gw_broken(
				&rules->reporter, R_POLICY_CLEARED, rec->offset, rec, err,
				"leaf 0x%" PRIx32
				" is above the highest of the policy: the guest gets zeros",
				leaf);
	}
	return 0;
}

/* Judged for one release only: for any release it would be a note on every image. */
static int check_vendor(struct gw_image_rules *rules, const struct gw_record *rec,
			const struct seen *seen, struct gw_error *err)
{
	const struct gw_rule *rule = &gw_rules_table[R_POLICY_VENDOR];
	const uint32_t *basic = leaf_in(seen, 0);
	unsigned xen = rules->reporter.out ? rules->reporter.out->xen : 0;
	char vendor[GW_CPU_VENDOR_SIZE];

	if (!basic || xen < rule->since)
		return 0;
	gw_cpu_vendor(basic, vendor);
	return gw_broken(
		&rules->reporter, R_POLICY_VENDOR, rec->offset, rec, err,
		"the guest's CPU is %s, a host with a CPU of another vendor cannot take it",
		vendor);
}

int gw_rules_cpuid_policy(struct gw_image_rules *rules, const struct gw_record *rec,
			  struct gw_error *err)
{
	struct seen seen = {0};
	int rc = 0;

	if (rules->cpuid_seen)
		rc = gw_image_broken(rules, R_POLICY_REPEATED, rec, err,
				     "a record of this type came before");
	rules->cpuid_seen = true;
	if (rec->length == 0 || rec->length % LEAF_SIZE)
		return rc | gw_broken(&rules->reporter, R_POLICY_BODY, rec->offset, rec, err,
				      "length is %u, expected a multiple of %u above 0",
				      rec->length, LEAF_SIZE);
	if (rec->length / LEAF_SIZE > MAX_LEAVES)
		return rc | gw_broken(&rules->reporter, R_POLICY_LEAVES, rec->offset, rec, err,
				      "%u leaves, Xen takes at most %u", rec->length / LEAF_SIZE,
				      MAX_LEAVES);
	rc |= collect(rules, rec, &seen, err);
	rc |= check_maxima(rules, rec, &seen, err);
	rc |= check_cleared(rules, rec, &seen, err);
	return rc | check_vendor(rules, rec, &seen, err);
}

static int check_msr(struct gw_image_rules *rules, const struct gw_record *rec, const uint8_t *raw,
		     struct gw_error *err)
{
	uint32_t index = gw_get_le32(raw), flags = gw_get_le32(raw + 4);
	uint64_t value = gw_get_le64(raw + 8);
	int rc = 0;

	if (flags)
		rc |= gw_broken(&rules->reporter, R_POLICY_FLAGS, rec->offset, rec, err,
				"MSR 0x%" PRIx32 " has flags 0x%" PRIx32, index, flags);
	if (index != GW_MSR_PLATFORM_INFO && index != GW_MSR_ARCH_CAPABILITIES)
		return rc | gw_broken(&rules->reporter, R_POLICY_MSR, rec->offset, rec, err,
				      "MSR 0x%" PRIx32 ": Xen takes 0x%x and 0x%x only", index,
				      GW_MSR_PLATFORM_INFO, GW_MSR_ARCH_CAPABILITIES);
	if (index == GW_MSR_PLATFORM_INFO && value & ~GW_XEN_PLATFORM_INFO)
		rc |= gw_broken(&rules->reporter, R_POLICY_MSR_VALUE, rec->offset, rec, err,
				"MSR 0x%" PRIx32 " is 0x%" PRIx64
				", Xen offers only bit 31 (CPUID faulting)",
				index, value);
	return rc;
}

int gw_rules_msr_policy(struct gw_image_rules *rules, const struct gw_record *rec,
			struct gw_error *err)
{
	int rc = 0;

	if (rules->msrs_seen)
		rc = gw_image_broken(rules, R_POLICY_REPEATED, rec, err,
				     "a record of this type came before");
	rules->msrs_seen = true;
	if (rec->length == 0 || rec->length % MSR_SIZE)
		return rc | gw_broken(&rules->reporter, R_POLICY_BODY, rec->offset, rec, err,
				      "length is %u, expected a multiple of %u above 0",
				      rec->length, MSR_SIZE);
	if (rec->length / MSR_SIZE > MAX_MSRS)
		return rc | gw_broken(&rules->reporter, R_POLICY_MSRS, rec->offset, rec, err,
				      "%u MSRs, Xen takes at most %u", rec->length / MSR_SIZE,
				      MAX_MSRS);
	for (uint32_t at = 0; at < rec->length; at += MSR_SIZE)
		rc |= check_msr(rules, rec, rec->data + at, err);
	if (rec->length == 2 * MSR_SIZE &&
	    gw_get_le32(rec->data) == gw_get_le32(rec->data + MSR_SIZE))
		rc |= gw_broken(&rules->reporter, R_POLICY_ENTRY_TWICE, rec->offset, rec, err,
				"MSR 0x%" PRIx32 " comes twice", gw_get_le32(rec->data));
	return rc;
}
