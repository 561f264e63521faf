/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for devices in an HVM context. Each check is that of the load handler in Xen, and since
 * 4.19 of a check handler before it: xen/arch/x86/hvm/{vpic,vlapic,irq,mtrr}.c, emul-i8254.c,
 * viridian/viridian.c, cpu/mcheck/vmce.c. The others (IOAPIC, PCI_IRQ, ISA_IRQ, RTC, HPET,
 * PMTIMER, VIRIDIAN_DOMAIN, TSC_ADJUST, LAPIC_REGS) take any contents.
 */
#include "format/rules/hvm_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

/* Offsets in struct hvm_hw_vpic, and the bits of its modes. */
#define PIC_INIT_STATE 4 /* the low four bits */
#define PIC_MODES      5
#define PIC_IS_MASTER  0x40
#define PIC_ELCR       6
#define PIC_INT_OUTPUT 7

int gw_hvm_check_pic(struct gw_hvm_check *check)
{
	const uint8_t *pic = check->data;
	bool master = pic[PIC_MODES] & PIC_IS_MASTER;
	uint8_t elcr = pic[PIC_ELCR] & (master ? 0x03 : 0x21);
	bool initialising = pic[PIC_INIT_STATE] & 0xf;

	if (check->entry->instance > 1)
		return gw_hvm_broken(check, R_HVM_PIC_INSTANCE, "there are two PICs, 0 and 1");
	if (pic[PIC_INT_OUTPUT] > 1 || master != (check->entry->instance == 0) ||
	    (pic[PIC_INT_OUTPUT] && initialising) || elcr)
		return gw_hvm_broken(
			check, R_HVM_PIC,
			"int_output %u, is_master %d, init_state %u, elcr 0x%02x: expected 0 or 1, the first PIC as master, no output while it is initialised, no fixed bits in elcr",
			pic[PIC_INT_OUTPUT], master, pic[PIC_INIT_STATE] & 0xf, pic[PIC_ELCR]);
	return 0;
}

#define APIC_BASE_EXTD	 UINT64_C(0x400)
#define APIC_BASE_ENABLE UINT64_C(0x800)

int gw_hvm_check_lapic(struct gw_hvm_check *check)
{
	uint64_t base = gw_get_le64(check->data);

	if ((base & (APIC_BASE_EXTD | APIC_BASE_ENABLE)) != APIC_BASE_EXTD)
		return 0;
	return gw_hvm_broken(check, R_HVM_LAPIC,
			     "apic_base_msr 0x%" PRIx64 " is in x2APIC mode, but disabled", base);
}

int gw_hvm_check_pci_link(struct gw_hvm_check *check)
{
	int rc = 0;

	for (unsigned i = 0; i < 4; i++)
		if (check->data[i] > 15)
			rc |= gw_hvm_broken(check, R_HVM_PCI_LINK,
					    "link %u goes to IRQ %u, at most 15 expected", i,
					    check->data[i]);
	if (gw_get_le32(check->data + 4))
		rc |= gw_hvm_broken(check, R_HVM_PCI_LINK_PAD, "padding is 0x%08x, expected 0",
				    gw_get_le32(check->data + 4));
	return rc;
}

/* Offsets in struct hvm_hw_pit: three channels of 16 bytes, speaker_data_on, padding. */
#define PIT_CHANNELS 3
#define PIT_SPEAKER  48
#define PIT_PAD	     52

/* The bytes of a channel that have a limit. Its mode may be anything: old Xens wrote 0xff. */
static const struct {
	uint8_t offset, max;
	const char *name;
} pit_bytes[] = {
	{6, 4, "count_latched"}, {9, 4, "read_state"}, {10, 4, "write_state"},
	{12, 3, "rw_mode"},	 {14, 1, "bcd"},       {15, 1, "gate"},
};
#define PIT_GATE 15

static int check_channel(const struct gw_hvm_check *check, unsigned i)
{
	const uint8_t *channel = check->data + 16 * (size_t)i;
	int rc = 0;

	if (gw_get_le32(channel) > 0x10000)
		rc |= gw_hvm_broken(check, R_HVM_PIT,
				    "channel %u: count %u, at most 65536 expected", i,
				    gw_get_le32(channel));
	for (size_t b = 0; b < GW_ARRAY_SIZE(pit_bytes); b++)
		if (channel[pit_bytes[b].offset] > pit_bytes[b].max)
			rc |= gw_hvm_broken(
				check, R_HVM_PIT, "channel %u: %s %u, at most %u expected", i,
				pit_bytes[b].name, channel[pit_bytes[b].offset], pit_bytes[b].max);
	if (i != 2 && !channel[PIT_GATE])
		rc |= gw_hvm_broken(check, R_HVM_PIT,
				    "channel %u: gate 0, only that of channel 2 can be off", i);
	return rc;
}

int gw_hvm_check_pit(struct gw_hvm_check *check)
{
	uint32_t speaker = gw_get_le32(check->data + PIT_SPEAKER);
	uint32_t pad = gw_get_le32(check->data + PIT_PAD);
	int rc = 0;

	if (speaker > 1 || pad)
		rc |= gw_hvm_broken(check, R_HVM_PIT,
				    "speaker_data_on %u and padding 0x%x, expected 0 or 1 and 0",
				    speaker, pad);
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		rc |= check_channel(check, i);
	return rc;
}

#define MTRR_CAP  224 /* offset: after the PAT, 8 pairs, 11 fixed ranges */
#define MTRR_VCNT 8

int gw_hvm_check_mtrr(struct gw_hvm_check *check)
{
	uint64_t cap = gw_get_le64(check->data + MTRR_CAP);

	if ((cap & 0xff) <= MTRR_VCNT)
		return 0;
	return gw_hvm_broken(check, R_HVM_MTRR, "%u variable ranges, at most %u expected",
			     (unsigned)(cap & 0xff), MTRR_VCNT);
}

#define VIRIDIAN_PAD	  9
#define VIRIDIAN_PAD_SIZE 7

int gw_hvm_check_viridian_vcpu(struct gw_hvm_check *check)
{
	static const uint8_t zeros[VIRIDIAN_PAD_SIZE];

	if (!memcmp(check->data + VIRIDIAN_PAD, zeros, sizeof(zeros)))
		return 0;
	return gw_hvm_broken(check, R_HVM_VIRIDIAN, "the padding at byte %u is not 0",
			     VIRIDIAN_PAD);
}

/* What an Intel host's vCPU can have: the number of banks, CTL_P, TES_P, SER_P, LMCE_P. AMD's has
 * only the first two. */
#define MCG_CAP_KNOWN UINT64_C(0x090009ff)

int gw_hvm_check_vmce(struct gw_hvm_check *check)
{
	uint64_t caps = gw_get_le64(check->data);

	if (!(caps & ~MCG_CAP_KNOWN))
		return 0;
	return gw_hvm_broken(check, R_HVM_VMCE,
			     "caps 0x%" PRIx64 ": no host gives a guest 0x%" PRIx64, caps,
			     caps & ~MCG_CAP_KNOWN);
}
