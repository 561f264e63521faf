/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registers of vCPUs as a debugger wants them, from the records that carry them: the CPU
 * entries of HVM_CONTEXT, and X86_PV_VCPU_BASIC.
 */
#include "examine/export/internal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/hvm_context.h"
#include "format/x86/pv_layout.h"

#define EFER_LMA UINT64_C(0x400) /* long mode is active */

static int add(struct gw_export_vcpus *v, const struct gw_core_vcpu *vcpu, struct gw_error *err)
{
	struct gw_core_vcpu *list = (void *)v->list.data;

	for (size_t i = 0; i < gw_export_nr_vcpus(v); i++) {
		if (list[i].id == vcpu->id) {
			list[i] = *vcpu;
			return 0;
		}
	}
	return gw_buffer_append(&v->list, vcpu, sizeof(*vcpu), err);
}

/* HVM */

static void from_hvm(struct gw_core_vcpu *vcpu, const struct gw_hvm_cpu *cpu)
{
	static const uint8_t gprs[][2] = {
		{GW_CORE_RAX, GW_HVM_RAX}, {GW_CORE_RBX, GW_HVM_RBX}, {GW_CORE_RCX, GW_HVM_RCX},
		{GW_CORE_RDX, GW_HVM_RDX}, {GW_CORE_RBP, GW_HVM_RBP}, {GW_CORE_RSI, GW_HVM_RSI},
		{GW_CORE_RDI, GW_HVM_RDI}, {GW_CORE_RSP, GW_HVM_RSP},
	};
	static const uint8_t segments[][2] = {
		{GW_CORE_CS, GW_HVM_CS}, {GW_CORE_DS, GW_HVM_DS}, {GW_CORE_ES, GW_HVM_ES},
		{GW_CORE_FS, GW_HVM_FS}, {GW_CORE_GS, GW_HVM_GS}, {GW_CORE_SS, GW_HVM_SS},
	};
	static const uint8_t high[] = {GW_CORE_R8,  GW_CORE_R9,	 GW_CORE_R10, GW_CORE_R11,
				       GW_CORE_R12, GW_CORE_R13, GW_CORE_R14, GW_CORE_R15};

	for (size_t i = 0; i < GW_ARRAY_SIZE(gprs); i++)
		vcpu->reg[gprs[i][0]] = cpu->gpr[gprs[i][1]];
	for (size_t i = 0; i < GW_ARRAY_SIZE(high); i++)
		vcpu->reg[high[i]] = cpu->gpr[GW_HVM_R8 + i];
	for (size_t i = 0; i < GW_ARRAY_SIZE(segments); i++)
		vcpu->reg[segments[i][0]] = cpu->seg[segments[i][1]].selector;
	vcpu->reg[GW_CORE_RIP] = cpu->rip;
	vcpu->reg[GW_CORE_RFLAGS] = cpu->rflags;
	vcpu->reg[GW_CORE_FS_BASE] = cpu->seg[GW_HVM_FS].base;
	vcpu->reg[GW_CORE_GS_BASE] = cpu->seg[GW_HVM_GS].base;
	vcpu->wide = cpu->efer & EFER_LMA;
}

static int take_context(struct gw_export_vcpus *v, const struct gw_record *rec,
			struct gw_error *err)
{
	struct gw_hvm_walk walk;
	struct gw_hvm_entry entry;
	int rc;

	gw_buffer_reset(&v->list);
	gw_hvm_walk_init(&walk, rec->data, rec->length);
	while ((rc = gw_hvm_walk_next(&walk, &entry, err)) == 1) {
		struct gw_core_vcpu vcpu = {.id = entry.instance};
		struct gw_hvm_cpu cpu;

		if (entry.typecode != GW_HVM_CPU)
			continue;
		if (gw_hvm_cpu_decode(&entry, &cpu, err) < 0)
			return -1;
		vcpu.reg[GW_CORE_ORIG_RAX] = UINT64_MAX; /* in no system call */
		from_hvm(&vcpu, &cpu);
		if (add(v, &vcpu, err) < 0)
			return -1;
	}
	return rc;
}

/* PV: struct cpu_user_regs within vcpu_guest_context (xen/include/public/arch-x86/xen-x86_64.h and
 * xen-x86_32.h). Selectors are 16 bits wide in words of the guest. */

#define NONE 0xff /* error_code, entry_vector: not a register */

static const uint8_t user_regs64[] = {
	GW_CORE_R15, GW_CORE_R14, GW_CORE_R13, GW_CORE_R12,    GW_CORE_RBP,
	GW_CORE_RBX, GW_CORE_R11, GW_CORE_R10, GW_CORE_R9,     GW_CORE_R8,
	GW_CORE_RAX, GW_CORE_RCX, GW_CORE_RDX, GW_CORE_RSI,    GW_CORE_RDI,
	NONE,	     GW_CORE_RIP, GW_CORE_CS,  GW_CORE_RFLAGS, GW_CORE_RSP,
	GW_CORE_SS,  GW_CORE_ES,  GW_CORE_DS,  GW_CORE_FS,     GW_CORE_GS,
};
#define RDX64 12u /* its place in the list, by which pv_layout.h finds the list */

static const uint8_t user_regs32[] = {
	GW_CORE_RBX, GW_CORE_RCX, GW_CORE_RDX, GW_CORE_RSI, GW_CORE_RDI,    GW_CORE_RBP,
	GW_CORE_RAX, NONE,	  GW_CORE_RIP, GW_CORE_CS,  GW_CORE_RFLAGS, GW_CORE_RSP,
	GW_CORE_SS,  GW_CORE_ES,  GW_CORE_DS,  GW_CORE_FS,  GW_CORE_GS,
};
#define RDX32 2u

/* fs_base, gs_base_kernel and gs_base_user are the last three words of a 64-bit context. */
#define FS_BASE_FROM_END      24u
#define GS_BASE_KERN_FROM_END 16u
#define GS_BASE_USER_FROM_END 8u

static bool is_selector(unsigned reg)
{
	return reg == GW_CORE_CS || reg == GW_CORE_SS || (reg >= GW_CORE_DS && reg <= GW_CORE_GS);
}

static void from_pv(struct gw_core_vcpu *vcpu, const struct gw_pv_layout *l, const uint8_t *context)
{
	const uint8_t *order = l->width == 8 ? user_regs64 : user_regs32;
	size_t n = l->width == 8 ? sizeof(user_regs64) : sizeof(user_regs32);
	const uint8_t *words = context + l->vcpu_edx - (l->width == 8 ? RDX64 : RDX32) * l->width;

	for (size_t i = 0; i < n; i++) {
		uint64_t word = gw_pv_get_word(l, gw_pv_word_at(l, words, i));

		if (order[i] != NONE)
			vcpu->reg[order[i]] = is_selector(order[i]) ? word & 0xffff : word;
	}
	vcpu->wide = l->width == 8;
	if (!vcpu->wide)
		return;
	/* Xen runs the guest's kernel with its own GS base while the other waits for swapgs: bit 2
	 * of flags (VGCF_in_kernel) says which of the two is in force. */
	vcpu->reg[GW_CORE_FS_BASE] = gw_get_le64(context + l->vcpu_size - FS_BASE_FROM_END);
	vcpu->reg[GW_CORE_GS_BASE] =
		gw_get_le64(context + l->vcpu_size -
			    (gw_get_le32(context + l->vcpu_flags) & 0x4 ? GS_BASE_KERN_FROM_END
									: GS_BASE_USER_FROM_END));
}

static int take_basic(struct gw_export_vcpus *v, const struct gw_record *rec, struct gw_error *err)
{
	const struct gw_pv_layout *l = gw_pv_layout(v->width);
	struct gw_core_vcpu vcpu = {0};
	struct gw_vcpu_blob blob;

	if (!l)
		return gw_fail(err, GW_INVALID, "X86_PV_VCPU_BASIC before X86_PV_INFO");
	if (gw_vcpu_blob_decode(rec, v->width, &blob, err) < 0)
		return -1;
	if (blob.blob_len < l->vcpu_size)
		return 0;
	vcpu.id = blob.vcpu_id;
	vcpu.reg[GW_CORE_ORIG_RAX] = UINT64_MAX;
	from_pv(&vcpu, l, blob.blob);
	return add(v, &vcpu, err);
}

static int take_info(struct gw_export_vcpus *v, const struct gw_record *rec, struct gw_error *err)
{
	struct gw_pv_info info;

	if (gw_pv_info_decode(rec, &info, err) < 0)
		return -1;
	v->width = info.guest_width;
	return 0;
}

int gw_export_vcpus_record(struct gw_export_vcpus *v, const struct gw_record *rec,
			   struct gw_error *err)
{
	switch (rec->type) {
	case GW_REC_HVM_CONTEXT:
		return take_context(v, rec, err);
	case GW_REC_X86_PV_INFO:
		return take_info(v, rec, err);
	case GW_REC_X86_PV_VCPU_BASIC:
		return take_basic(v, rec, err);
	default:
		return 0;
	}
}
