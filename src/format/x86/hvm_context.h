/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The HVM_CONTEXT blob: Xen's own save records of an HVM guest (public/hvm/save.h and
 * public/arch-x86/hvm/save.h). It has a walk over its entries, a builder, and codecs for the two
 * entries whose fields godwit uses: HEADER and CPU. All others are bytes.
 */
#ifndef GW_FORMAT_X86_HVM_CONTEXT_H
#define GW_FORMAT_X86_HVM_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"

#define GW_HVM_DESCRIPTOR_SIZE 8

enum gw_hvm_code {
	GW_HVM_END = 0,
	GW_HVM_HEADER = 1,
	GW_HVM_CPU = 2,
	GW_HVM_PIC = 3,
	GW_HVM_IOAPIC = 4,
	GW_HVM_LAPIC = 5,
	GW_HVM_LAPIC_REGS = 6,
	GW_HVM_PCI_IRQ = 7,
	GW_HVM_ISA_IRQ = 8,
	GW_HVM_PCI_LINK = 9,
	GW_HVM_PIT = 10,
	GW_HVM_RTC = 11,
	GW_HVM_HPET = 12,
	GW_HVM_PMTIMER = 13,
	GW_HVM_MTRR = 14,
	GW_HVM_VIRIDIAN_DOMAIN = 15,
	GW_HVM_CPU_XSAVE = 16,
	GW_HVM_VIRIDIAN_VCPU = 17,
	GW_HVM_VMCE_VCPU = 18,
	GW_HVM_TSC_ADJUST = 19,
	GW_HVM_CPU_MSR = 20,
};

/* "CPU"; NULL for a typecode Xen does not define. */
const char *gw_hvm_code_name(uint16_t typecode);

/* An entry; data is inside the blob. */
struct gw_hvm_entry {
	uint16_t typecode;
	uint16_t instance; /* vCPU id of per-vCPU entries, else 0 (the second PIC: 1) */
	uint32_t length;
	const uint8_t *data;
	size_t offset; /* of the descriptor within the blob */
};

struct gw_hvm_walk {
	const uint8_t *blob;
	size_t len, pos;
	int ended;
};

void gw_hvm_walk_init(struct gw_hvm_walk *walk, const void *blob, size_t len);
/*
 * Returns 1 with the next entry, including HEADER and END; 0 after END; -1 (GW_INVALID) if Xen
 * would refuse the blob: HEADER is not first, an entry is longer than the blob, there is no END.
 * Like Xen it stops at END, whatever its descriptor says and what follows (length is then 0); pos
 * is after the descriptor.
 */
int gw_hvm_walk_next(struct gw_hvm_walk *walk, struct gw_hvm_entry *entry, struct gw_error *err);
/* Finds the first entry of that kind: 1, 0 if there is none, -1 if the walk fails before it is
 * found. */
int gw_hvm_find(const void *blob, size_t len, uint16_t typecode, uint16_t instance,
		struct gw_hvm_entry *entry, struct gw_error *err);

/* Appends descriptor and data. END is an entry without data. Xen expects ascending typecodes, END
 * last. */
int gw_hvm_entry_append(struct gw_buffer *buf, uint16_t typecode, uint16_t instance,
			const void *data, uint32_t length, struct gw_error *err);

#define GW_HVM_HEADER_SIZE    24
#define GW_HVM_HEADER_MAGIC   UINT32_C(0x54381286)
#define GW_HVM_HEADER_VERSION 1u

struct gw_hvm_header {
	uint32_t magic, version;
	uint64_t changeset; /* of the saving Xen; all ones: unknown */
	uint32_t cpuid;	    /* CPUID leaf 1 eax of the saving host */
	uint32_t gtsc_khz;  /* the guest's TSC */
};

/* Fails unless Xen would accept the length, magic and version. */
int gw_hvm_header_decode(const struct gw_hvm_entry *entry, struct gw_hvm_header *header,
			 struct gw_error *err);
void gw_hvm_header_encode(uint8_t raw[GW_HVM_HEADER_SIZE], const struct gw_hvm_header *header);

#define GW_HVM_CPU_SIZE	     1032
#define GW_HVM_CPU_SIZE_4_6  1024	 /* without flags: Xen 3.4 to 4.6 */
#define GW_HVM_CPU_SIZE_3_3  1016	 /* without tsc_aux either: Xen 3.3 and before */
#define GW_HVM_CPU_FPU_VALID UINT32_C(1) /* of flags: the fpu area holds state */

/* gpr[] in the record's order, which is not the machine's. */
enum gw_hvm_gpr {
	GW_HVM_RAX,
	GW_HVM_RBX,
	GW_HVM_RCX,
	GW_HVM_RDX,
	GW_HVM_RBP,
	GW_HVM_RSI,
	GW_HVM_RDI,
	GW_HVM_RSP,
	GW_HVM_R8,
	GW_HVM_R15 = GW_HVM_R8 + 7,
	GW_HVM_NR_GPRS,
};

enum gw_hvm_segment_index {
	GW_HVM_CS,
	GW_HVM_DS,
	GW_HVM_ES,
	GW_HVM_FS,
	GW_HVM_GS,
	GW_HVM_SS,
	GW_HVM_TR,
	GW_HVM_LDTR,
	GW_HVM_NR_SEGMENTS,
};

struct gw_hvm_segment {
	uint64_t base;
	uint32_t selector;
	uint32_t limit; /* in bytes, granularity already applied */
	/* Bits 0-7: the access byte of the descriptor (type, S, DPL, P); 8 AVL, 9 L, 10 D/B, 11 G.
	 * 0: null. */
	uint32_t ar;
};

struct gw_hvm_table {
	uint64_t base;
	uint32_t limit;
};

/* struct hvm_hw_cpu. */
struct gw_hvm_cpu {
	uint8_t fpu[512]; /* as FXSAVE64 stores it */
	uint64_t gpr[GW_HVM_NR_GPRS];
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4;
	uint64_t dr0, dr1, dr2, dr3, dr6, dr7;
	struct gw_hvm_segment seg[GW_HVM_NR_SEGMENTS];
	struct gw_hvm_table idtr, gdtr;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t shadow_gs; /* KERNEL_GS_BASE */
	uint64_t msr_flags; /* obsolete, ignored by Xen */
	uint64_t lstar, star, cstar, syscall_mask, efer, tsc_aux;
	uint64_t tsc; /* the value that rdtsc returns */
	/* Bits 0-7 vector, 8-10 type, 11 error code valid, 31 valid: as VMX and SVM inject events.
	 */
	uint32_t pending_event;
	uint32_t error_code;
	uint32_t flags; /* GW_HVM_CPU_FPU_VALID */
	uint32_t pad;
};

/* As Xen: accepts any size up to the current one, and extends a shorter entry with zeros; that gets
 * the flag GW_HVM_CPU_FPU_VALID. */
int gw_hvm_cpu_decode(const struct gw_hvm_entry *entry, struct gw_hvm_cpu *cpu,
		      struct gw_error *err);
void gw_hvm_cpu_encode(uint8_t raw[GW_HVM_CPU_SIZE], const struct gw_hvm_cpu *cpu);

#endif
