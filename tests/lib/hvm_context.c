/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HVM contexts that Xen accepts.
 */
#include "lib/gwtest.h"
#include "lib/hvm_context.h"

#include "base/bytes.h"
#include "base/util.h"

void hvm_put(struct gw_buffer *buf, uint16_t code, uint16_t instance, const void *data,
	     uint32_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_hvm_entry_append(buf, code, instance, data, len, &err), &err);
}

void hvm_cpu(uint8_t raw[GW_HVM_CPU_SIZE])
{
	memset(raw, 0, GW_HVM_CPU_SIZE);
	gw_put_le64(raw + 656, 0x11);	    /* cr0: PE, ET */
	gw_put_le64(raw + 720, 0xffff0ff0); /* dr6 */
	gw_put_le64(raw + 728, 0x400);	    /* dr7 */
}

static void put_header(struct gw_buffer *buf)
{
	uint8_t raw[24] = {0};

	gw_put_le32(raw, 0x54381286);
	gw_put_le32(raw + 4, 1);
	gw_put_le64(raw + 8, UINT64_MAX);
	gw_put_le32(raw + 16, 0x60fb1);
	gw_put_le32(raw + 20, 2594110);
	hvm_put(buf, GW_HVM_HEADER, 0, raw, sizeof(raw));
}

struct gw_buffer hvm_context(unsigned vcpus)
{
	struct gw_buffer buf = {0};
	uint8_t raw[GW_HVM_CPU_SIZE];

	put_header(&buf);
	hvm_cpu(raw);
	for (unsigned i = 0; i < vcpus; i++)
		hvm_put(&buf, GW_HVM_CPU, (uint16_t)i, raw, sizeof(raw));
	hvm_put(&buf, GW_HVM_END, 0, NULL, 0);
	return buf;
}

static void put_devices(struct gw_buffer *buf)
{
	static const uint8_t master[8] = {1, 0xb8, 0, 8, 0, 0x40, 0x24, 1};
	static const uint8_t slave[8] = {0, 0x8e, 0, 0x70, 0, 0, 0x0c, 0};
	static const uint8_t link[8] = {5, 10, 11, 15};
	static const uint8_t zeros[1048];
	uint8_t lapic[24] = {0}, pit[56] = {0};

	gw_put_le32(lapic, 0xfee00900);
	for (unsigned i = 0; i < 3; i++) {
		gw_put_le32(pit + 16 * i, 0x10000);
		pit[16 * i + 12] = 3;	 /* rw_mode */
		pit[16 * i + 13] = 0xff; /* mode */
		pit[16 * i + 15] = i != 2;
	}
	hvm_put(buf, GW_HVM_PIC, 0, master, 8);
	hvm_put(buf, GW_HVM_PIC, 1, slave, 8);
	hvm_put(buf, GW_HVM_IOAPIC, 0, zeros, 400);
	hvm_put(buf, GW_HVM_LAPIC, 0, lapic, 24);
	hvm_put(buf, GW_HVM_LAPIC_REGS, 0, zeros, 1024);
	hvm_put(buf, GW_HVM_PCI_IRQ, 0, zeros, 16);
	hvm_put(buf, GW_HVM_ISA_IRQ, 0, zeros, 8);
	hvm_put(buf, GW_HVM_PCI_LINK, 0, link, 8);
	hvm_put(buf, GW_HVM_PIT, 0, pit, sizeof(pit));
	hvm_put(buf, GW_HVM_RTC, 0, zeros, 24);
	hvm_put(buf, GW_HVM_HPET, 0, zeros, 1048);
	hvm_put(buf, GW_HVM_PMTIMER, 0, zeros, 8);
}

static void put_vcpu(struct gw_buffer *buf)
{
	static const uint8_t zeros[216];
	uint8_t mtrr[240] = {0}, xsave[24 + 832] = {0}, vmce[32] = {0}, msrs[24] = {0};

	gw_put_le64(mtrr + 224, 0x508);	  /* 8 variable ranges */
	gw_put_le64(xsave + 8, 3);	  /* xcr0 */
	gw_put_le64(xsave + 16, 7);	  /* its accumulator */
	gw_put_le64(xsave + 24 + 512, 3); /* xstate_bv */
	gw_put_le64(vmce, 0x09000902);	  /* 2 banks, CTL_P, TES_P, SER_P, LMCE_P */
	gw_put_le32(msrs, 1);
	gw_put_le32(msrs + 8, 0x48); /* SPEC_CTRL */
	gw_put_le64(msrs + 16, 1);
	hvm_put(buf, GW_HVM_MTRR, 0, mtrr, sizeof(mtrr));
	hvm_put(buf, GW_HVM_VIRIDIAN_DOMAIN, 0, zeros, 32);
	hvm_put(buf, GW_HVM_CPU_XSAVE, 0, xsave, sizeof(xsave));
	hvm_put(buf, GW_HVM_VIRIDIAN_VCPU, 0, zeros, 216);
	hvm_put(buf, GW_HVM_VMCE_VCPU, 0, vmce, sizeof(vmce));
	hvm_put(buf, GW_HVM_TSC_ADJUST, 0, zeros, 8);
	hvm_put(buf, GW_HVM_CPU_MSR, 0, msrs, sizeof(msrs));
}

struct gw_buffer hvm_context_of_all(void)
{
	struct gw_buffer buf = {0};
	uint8_t raw[GW_HVM_CPU_SIZE];

	put_header(&buf);
	hvm_cpu(raw);
	hvm_put(&buf, GW_HVM_CPU, 0, raw, sizeof(raw));
	put_devices(&buf);
	put_vcpu(&buf);
	hvm_put(&buf, GW_HVM_END, 0, NULL, 0);
	return buf;
}
