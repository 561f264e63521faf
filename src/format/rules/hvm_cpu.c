/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for a vCPU's registers and extended state in an HVM context: hvm_load_cpu_ctxt() and
 * hvm_load_cpu_xsave_states() in xen/arch/x86/hvm/hvm.c, vmx_vmcs_restore() and svm_vmcb_restore(),
 * validate_xstate() in xen/arch/x86/xstate.c.
 */
#include "format/rules/hvm_internal.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/register_bits.h"
#include "format/x86/xstate.h"

#define CR0_PE	  UINT64_C(0x00000001)
#define CR0_ET	  UINT64_C(0x00000010)
#define CR0_PG	  UINT64_C(0x80000000)
#define CR0_KNOWN UINT64_C(0xe005003f) /* PE MP EM TS ET NE WP AM NW CD PG */
#define EFER_LME  UINT64_C(0x100)
#define EFER_LMA  UINT64_C(0x400)

/* Bits that only a part of the releases know. */
static const struct {
	enum gw_rule_number rule;
	bool efer; /* else CR4 */
	uint64_t bits;
	const char *name;
} newer_bits[] = {
	{R_HVM_CR4_PKS, false, UINT64_C(1) << 24, "PKS"},
	{R_HVM_CR4_LASS, false, UINT64_C(1) << 27, "LASS"},
	{R_HVM_EFER_AIBRS, true, UINT64_C(1) << 21, "AIBRSE"},
};

/* Bits that the guest's policy allows, of CR4 or EFER. */
static int check_allowed(const struct gw_hvm_check *check, bool efer, uint64_t value)
{
	const char *name = efer ? "EFER" : "CR4", *feature;
	uint64_t denied = gw_register_denied(efer ? gw_hvm_efer_bits : gw_hvm_cr4_bits,
					     &check->rules->policy, value, &feature);
	int rc = 0;

	if (denied)
		rc |= gw_hvm_broken(check, efer ? R_HVM_EFER : R_HVM_CR4,
				    "%s 0x%" PRIx64 ": the guest may not set 0x%" PRIx64 "%s%s",
				    name, value, denied, feature ? ", the CPU policy lacks " : "",
				    feature ? feature : "");
	for (size_t i = 0; i < GW_ARRAY_SIZE(newer_bits); i++)
		if (newer_bits[i].efer == efer && (value & ~denied & newer_bits[i].bits))
			rc |= gw_hvm_broken(check, newer_bits[i].rule,
					    "%s 0x%" PRIx64 " has the bit %s", name, value,
					    newer_bits[i].name);
	return rc;
}

static int check_control(const struct gw_hvm_check *check, const struct gw_hvm_cpu *cpu)
{
	unsigned width = gw_policy_address_bits(&check->rules->policy);
	int rc = 0;

	if ((cpu->cr0 & ~CR0_KNOWN) || !(cpu->cr0 & CR0_ET) ||
	    (cpu->cr0 & (CR0_PE | CR0_PG)) == CR0_PG)
		rc |= gw_hvm_broken(check, R_HVM_CR0,
				    "CR0 0x%" PRIx64
				    ", expected ET, PE if PG is set, and no reserved bits",
				    cpu->cr0);
	rc |= check_allowed(check, false, cpu->cr4);
	rc |= check_allowed(check, true, cpu->efer);
	if ((cpu->efer & EFER_LMA) && (!(cpu->efer & EFER_LME) || !(cpu->cr0 & CR0_PG)))
		rc |= gw_hvm_broken(check, R_HVM_EFER,
				    "EFER 0x%" PRIx64 " has LMA, with CR0 0x%" PRIx64
				    ": expected LME and CR0.PG as well",
				    cpu->efer, cpu->cr0);
	if (cpu->cr3 >> width)
		rc |= gw_hvm_broken(check, R_HVM_CR3,
				    "CR3 0x%" PRIx64 ", the guest's addresses have %u bits",
				    cpu->cr3, width);
	return rc;
}

static int check_event(const struct gw_hvm_check *check, const struct gw_hvm_cpu *cpu)
{
	uint32_t event = cpu->pending_event, type = event >> 8 & 7;

	if (!(event >> 31))
		return 0;
	/* AMD's processors know no types above 4 either. */
	if (type == 1 || type > 6 || (event & 0x7ffff000))
		return gw_hvm_broken(
			check, R_HVM_EVENT,
			"pending event 0x%08x: type %u, reserved bits 0x%x; expected a type of 0 to 6 but 1",
			event, type, event & 0x7ffff000);
	if ((event >> 11 & 1) && cpu->error_code > 0xffff)
		return gw_hvm_broken(
			check, R_HVM_EVENT,
			"error code 0x%x of the pending event, at most 0xffff expected",
			cpu->error_code);
	return 0;
}

int gw_hvm_check_cpu(struct gw_hvm_check *check)
{
	struct gw_hvm_cpu cpu;
	int rc;

	if (gw_hvm_cpu_decode(check->entry, &cpu, NULL) < 0)
		return gw_hvm_broken(check, R_CONTEXT_LENGTH, "%u bytes", check->entry->length);
	rc = check_control(check, &cpu) | check_event(check, &cpu);
	if (cpu.pad || (cpu.flags & ~GW_HVM_CPU_FPU_VALID))
		rc |= gw_hvm_broken(check, R_HVM_RESERVED,
				    "flags 0x%x and padding 0x%x, expected 0 or 1 and 0", cpu.flags,
				    cpu.pad);
	if (cpu.tsc_aux > UINT32_MAX)
		rc |= gw_hvm_broken(check, R_HVM_TSC_AUX,
				    "TSC_AUX 0x%" PRIx64 ", at most 0xffffffff expected",
				    cpu.tsc_aux);
	if (cpu.dr6 > UINT32_MAX || cpu.dr7 > UINT32_MAX)
		rc |= gw_hvm_broken(check, R_HVM_DEBUG,
				    "DR6 0x%" PRIx64 " and DR7 0x%" PRIx64
				    ", at most 0xffffffff expected",
				    cpu.dr6, cpu.dr7);
	return rc;
}

/* Offsets in CPU_XSAVE. */
#define XCR0	   8
#define XCR0_ACCUM 16
#define AREA	   24

/* The ends of a processor's states in an uncompressed area, by bit of XCR0. */
static const struct layout {
	uint16_t end[10];
} layouts[] = {
	/* Intel */
	{{[2] = 832, [3] = 1024, [4] = 1088, [5] = 1152, [6] = 1664, [7] = 2688, [9] = 2696}},
	/* AMD with AVX-512, which has no MPX */
	{{[2] = 832, [3] = 1024, [4] = 1088, [5] = 896, [6] = 1408, [7] = 2432, [9] = 2440}},
	/* AMD without AVX-512 */
	{{[2] = 832, [3] = 1024, [4] = 1088, [5] = 896, [6] = 1408, [7] = 2432, [9] = 840}},
};

static uint32_t size_in(const struct layout *layout, uint64_t accum)
{
	uint32_t size = GW_XSAVE_AREA_MIN;

	for (unsigned i = 2; i < GW_ARRAY_SIZE(layout->end); i++)
		if (accum >> i & 1)
			size = GW_MAX(size, (uint32_t)layout->end[i]);
	return size;
}

/* True if the area is as long as Xen expects on a processor of that layout: what is beyond the
 * states of accum, Xen before 4.3 wrote as zeros. */
static bool fits(const struct gw_hvm_check *check, uint32_t size)
{
	if (check->entry->length < AREA + size)
		return false;
	for (uint32_t i = AREA + size; i < check->entry->length; i++)
		if (check->data[i])
			return false;
	return true;
}

/* The offsets are those of the host's processor: any known one is accepted. */
static int check_area_size(const struct gw_hvm_check *check, uint64_t accum)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(layouts); i++)
		if (fits(check, size_in(&layouts[i], accum)))
			return 0;
	return gw_hvm_broken(check, R_HVM_XSAVE_SIZE,
			     "%u bytes, expected %u for the states 0x%" PRIx64
			     ", and zeros after them",
			     check->entry->length, AREA + size_in(&layouts[0], accum), accum);
}

static int check_xcr0(const struct gw_hvm_check *check, uint64_t xcr0, uint64_t accum)
{
	const char *fault = gw_xcr0_fault(xcr0), *feature;
	uint64_t denied =
		gw_register_denied(gw_hvm_xcr0_bits, &check->rules->policy, accum, &feature);

	if (fault || (fault = gw_xcr0_fault(accum)))
		return gw_hvm_broken(check, R_HVM_XCR0,
				     "XCR0 0x%" PRIx64 ", accumulated 0x%" PRIx64 ": %s", xcr0,
				     accum, fault);
	if (xcr0 & ~accum)
		return gw_hvm_broken(check, R_HVM_XCR0,
				     "XCR0 0x%" PRIx64 " has more than the accumulated 0x%" PRIx64,
				     xcr0, accum);
	if (denied)
		return gw_hvm_broken(check, R_HVM_XCR0,
				     "accumulated XCR0 0x%" PRIx64
				     ": the guest may not set 0x%" PRIx64 "%s%s",
				     accum, denied, feature ? ", the CPU policy lacks " : "",
				     feature ? feature : "");
	return 0;
}

int gw_hvm_check_xsave(struct gw_hvm_check *check)
{
	uint64_t xcr0 = gw_get_le64(check->data + XCR0);
	uint64_t accum = gw_get_le64(check->data + XCR0_ACCUM);
	struct gw_xsave_header header;
	int rc = check_xcr0(check, xcr0, accum);

	if (check->entry->instance < GW_HVM_VCPUS_MAX)
		check->xcr0_accum[check->entry->instance] = accum;
	gw_xsave_header_decode(check->data + AREA, &header);
	if ((header.xstate_bv & ~accum) || header.xcomp_bv || header.reserved)
		rc |= gw_hvm_broken(check, R_HVM_XSAVE_HEADER,
				    "xstate_bv 0x%" PRIx64 ", xcomp_bv 0x%" PRIx64
				    "%s; expected only states of 0x%" PRIx64 ", and zeros",
				    header.xstate_bv, header.xcomp_bv,
				    header.reserved ? ", reserved bytes that are not 0" : "",
				    accum);
	return rc | check_area_size(check, accum);
}
