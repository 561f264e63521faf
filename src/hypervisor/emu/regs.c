/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Copies registers between Xen's CPU record and Unicorn, as far as Unicorn has them.
 *
 * State that Unicorn lacks stays unchanged in the record: descriptor caches that differ from the
 * GDT in memory (flat ones are assumed; gw_emu_regs_check() refuses others), x87 last-instruction
 * pointers, a pending event, tsc_aux. Unicorn 2.0 ignores EFER.NXE and EFER.SCE.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/emu/domain.h"

#define MSR_PAT	   UINT32_C(0x277)
#define CR0_PE	   UINT64_C(1)
#define EFER_LMA   UINT64_C(0x400)
#define RFLAGS_VM  UINT64_C(0x20000)
#define AR_L	   UINT32_C(0x200)
#define AR_DB	   UINT32_C(0x400)
#define AR_PRESENT UINT32_C(0x80)

/* FXSAVE64 image, Intel SDM volume 1, table 10-2. */
#define FX_FCW	 0
#define FX_FSW	 2
#define FX_FTW	 4
#define FX_MXCSR 24
#define FX_MASK	 28
#define FX_ST	 32
#define FX_XMM	 160

/* A register that is a plain integer, and its offset in the record. */
struct plain {
	int id32, id64;
	size_t at;
};

#define PLAIN(name32, name64, field)                                                               \
	{                                                                                          \
		UC_X86_REG_##name32, UC_X86_REG_##name64, offsetof(struct gw_hvm_cpu, field)       \
	}

static const int gpr_ids[2][GW_HVM_NR_GPRS] = {
	{UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBP,
	 UC_X86_REG_ESI, UC_X86_REG_EDI, UC_X86_REG_ESP},
	{UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBP,
	 UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_RSP, UC_X86_REG_R8, UC_X86_REG_R9,
	 UC_X86_REG_R10, UC_X86_REG_R11, UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14,
	 UC_X86_REG_R15},
};

static const struct plain plain[] = {
	PLAIN(EIP, RIP, rip), PLAIN(EFLAGS, EFLAGS, rflags), PLAIN(DR0, DR0, dr0),
	PLAIN(DR1, DR1, dr1), PLAIN(DR2, DR2, dr2),	     PLAIN(DR3, DR3, dr3),
	PLAIN(DR6, DR6, dr6), PLAIN(DR7, DR7, dr7),	     PLAIN(CR2, CR2, cr2),
};

/* Paging is switched on last, when everything it needs is set. */
static const struct plain control[] = {
	PLAIN(CR4, CR4, cr4),
	PLAIN(CR3, CR3, cr3),
	PLAIN(CR0, CR0, cr0),
};

static const struct {
	uint32_t index;
	size_t at;
} msrs[] = {
	{0x174, offsetof(struct gw_hvm_cpu, sysenter_cs)},
	{0x175, offsetof(struct gw_hvm_cpu, sysenter_esp)},
	{0x176, offsetof(struct gw_hvm_cpu, sysenter_eip)},
	{0xc0000081, offsetof(struct gw_hvm_cpu, star)},
	{0xc0000082, offsetof(struct gw_hvm_cpu, lstar)},
	{0xc0000083, offsetof(struct gw_hvm_cpu, cstar)},
	{0xc0000084, offsetof(struct gw_hvm_cpu, syscall_mask)},
	{0xc0000100, offsetof(struct gw_hvm_cpu, seg[GW_HVM_FS].base)},
	{0xc0000101, offsetof(struct gw_hvm_cpu, seg[GW_HVM_GS].base)},
	{0xc0000102, offsetof(struct gw_hvm_cpu, shadow_gs)},
};

static const int segment_ids[GW_HVM_NR_SEGMENTS] = {
	UC_X86_REG_CS, UC_X86_REG_DS, UC_X86_REG_ES, UC_X86_REG_FS,
	UC_X86_REG_GS, UC_X86_REG_SS, UC_X86_REG_TR, UC_X86_REG_LDTR,
};

/* Unicorn fills a whole struct for TR and LDTR; the selector comes first. */
static uint64_t get(struct gw_emu *e, int id)
{
	union {
		uint64_t value;
		uc_x86_mmr system_segment;
	} r = {0};

	e->u->reg_read(e->engine.uc, id, &r);
	return r.value;
}

static void put(struct gw_emu *e, int id, uint64_t value)
{
	e->u->reg_write(e->engine.uc, id, &value);
}

static uint64_t *field(struct gw_hvm_cpu *cpu, size_t at)
{
	return (uint64_t *)((uint8_t *)cpu + at);
}

uint64_t gw_emu_reg(struct gw_machine *m, enum gw_hvm_gpr reg)
{
	struct gw_emu *e = gw_emu_of_machine(m);

	return get(e, gpr_ids[e->engine.long_mode][reg]);
}

void gw_emu_set_reg(struct gw_machine *m, enum gw_hvm_gpr reg, uint64_t value)
{
	struct gw_emu *e = gw_emu_of_machine(m);

	put(e, gpr_ids[e->engine.long_mode][reg], value);
}

uint64_t gw_emu_rip(struct gw_emu *e)
{
	return get(e, e->engine.long_mode ? UC_X86_REG_RIP : UC_X86_REG_EIP);
}

void gw_emu_set_rip(struct gw_emu *e, uint64_t rip)
{
	put(e, e->engine.long_mode ? UC_X86_REG_RIP : UC_X86_REG_EIP, rip);
}

static int refuse(struct gw_error *err, const char *what)
{
	return gw_fail(
		err, GW_UNSUPPORTED,
		"the built-in machine runs flat 32-bit protected mode and 64-bit long mode; this vCPU %s",
		what);
}

int gw_emu_regs_check(const struct gw_hvm_cpu *cpu, bool *long_mode, struct gw_error *err)
{
	const struct gw_hvm_segment *cs = &cpu->seg[GW_HVM_CS];

	*long_mode = cpu->efer & EFER_LMA;
	if (!(cpu->cr0 & CR0_PE))
		return refuse(err, "is in real mode");
	if (cpu->rflags & RFLAGS_VM)
		return refuse(err, "is in virtual 8086 mode");
	if (*long_mode && !(cs->ar & AR_L))
		return refuse(err, "is in compatibility mode");
	if (*long_mode)
		return 0;
	if (!(cs->ar & AR_DB))
		return refuse(err, "runs 16-bit code");
	for (int i = GW_HVM_CS; i <= GW_HVM_SS; i++) {
		const struct gw_hvm_segment *s = &cpu->seg[i];
		bool based = s->base && i != GW_HVM_FS && i != GW_HVM_GS;

		if ((s->ar & AR_PRESENT) && (based || s->limit != UINT32_MAX))
			return refuse(err, "has a segment that is not flat");
	}
	return 0;
}

static void load_table(struct gw_emu *e, int id, const struct gw_hvm_table *t)
{
	uc_x86_mmr r = {.base = t->base, .limit = t->limit};

	e->u->reg_write(e->engine.uc, id, &r);
}

static void store_table(struct gw_emu *e, int id, struct gw_hvm_table *t)
{
	uc_x86_mmr r = {0};

	e->u->reg_read(e->engine.uc, id, &r);
	t->base = r.base;
	t->limit = r.limit;
}

/* Unicorn keeps the attributes as in the upper word of a descriptor. */
static void load_system_segment(struct gw_emu *e, int id, const struct gw_hvm_segment *s)
{
	uc_x86_mmr r = {.selector = (uint16_t)s->selector,
			.base = s->base,
			.limit = s->limit,
			.flags = (s->ar & 0xff) << 8 | (s->ar & 0xf00) << 12};

	e->u->reg_write(e->engine.uc, id, &r);
}

/* Reads the descriptor that a selector refers to now, in the form of the processor's cache; false
 * if it does not exist. */
static bool read_descriptor(struct gw_emu *e, uint16_t selector, struct gw_hvm_segment *s)
{
	uc_x86_mmr table = {0};
	uint8_t raw[8];
	uint32_t low, high, limit;

	e->u->reg_read(e->engine.uc, selector & 4 ? UC_X86_REG_LDTR : UC_X86_REG_GDTR, &table);
	if ((selector & 0xfff8u) + 7 > table.limit ||
	    gw_machine_copy_in(&e->m, raw, table.base + (selector & 0xfff8u), sizeof(raw)) < 0)
		return false;
	low = gw_get_le32(raw);
	high = gw_get_le32(raw + 4);
	limit = (low & 0xffff) | (high & 0xf0000);
	*s = (struct gw_hvm_segment){
		.base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000),
		.selector = selector,
		.limit = high & 0x800000 ? limit << 12 | 0xfff : limit,
		.ar = (high >> 8 & 0xff) | (high >> 12 & 0xf00),
	};
	return true;
}

/*
 * True if the selector refers to a flat ring-0 segment that the processor can load without an
 * exception. An exception raised by a register write crashes Unicorn.
 */
static bool loadable(struct gw_emu *e, int index, uint16_t selector)
{
	struct gw_hvm_segment s;
	bool code = index == GW_HVM_CS;

	if (!(selector & 0xfffc) || (selector & 7) || !read_descriptor(e, selector, &s))
		return false;
	/* Present, ring 0, code or data; code readable, data writable and not expanding down. */
	if ((s.ar & 0xfa) != (code ? 0x9a : 0x92) || (!code && (s.ar & 4)) || s.base ||
	    s.limit != UINT32_MAX)
		return false;
	return !code || (s.ar & (AR_L | AR_DB)) == (e->engine.long_mode ? AR_L : AR_DB);
}

/* A segment whose selector has not changed keeps the cache of the record. */
static void load_segments(struct gw_emu *e)
{
	const struct gw_hvm_cpu *cpu = &e->m.cpu;

	load_table(e, UC_X86_REG_GDTR, &cpu->gdtr);
	load_table(e, UC_X86_REG_IDTR, &cpu->idtr);
	load_system_segment(e, UC_X86_REG_LDTR, &cpu->seg[GW_HVM_LDTR]);
	load_system_segment(e, UC_X86_REG_TR, &cpu->seg[GW_HVM_TR]);
	for (int i = GW_HVM_CS; i <= GW_HVM_SS; i++) {
		uint16_t selector = (uint16_t)cpu->seg[i].selector;

		/* Otherwise it keeps Unicorn's initial flat segment, which the check required. */
		if (loadable(e, i, selector))
			e->u->reg_write(e->engine.uc, segment_ids[i], &selector);
	}
	for (int i = 0; i < GW_HVM_NR_SEGMENTS; i++)
		e->engine.loaded_selectors[i] = (uint16_t)get(e, segment_ids[i]);
}

static void store_segments(struct gw_emu *e, struct gw_hvm_cpu *cpu)
{
	store_table(e, UC_X86_REG_GDTR, &cpu->gdtr);
	store_table(e, UC_X86_REG_IDTR, &cpu->idtr);
	for (int i = 0; i < GW_HVM_NR_SEGMENTS; i++) {
		uint16_t selector = (uint16_t)get(e, segment_ids[i]);

		if (selector == e->engine.loaded_selectors[i])
			continue;
		if (!(selector & 0xfffc))
			cpu->seg[i] = (struct gw_hvm_segment){.selector = selector};
		else if (!read_descriptor(e, selector, &cpu->seg[i]))
			cpu->seg[i].selector = selector;
	}
}

static uint64_t read_msr(struct gw_emu *e, uint32_t index)
{
	uc_x86_msr msr = {.rid = index};

	e->u->reg_read(e->engine.uc, UC_X86_REG_MSR, &msr);
	return msr.value;
}

static void write_msr(struct gw_emu *e, uint32_t index, uint64_t value)
{
	uc_x86_msr msr = {.rid = index, .value = value};

	e->u->reg_write(e->engine.uc, UC_X86_REG_MSR, &msr);
}

/* FXSAVE has a bit for each physical register, "not empty"; the x87 tag word has two bits, 3 for
 * "empty". */
static uint16_t full_tags(uint8_t abridged)
{
	uint16_t tags = 0;

	for (unsigned i = 0; i < 8; i++)
		if (!(abridged >> i & 1))
			tags |= (uint16_t)(3u << (2 * i));
	return tags;
}

static uint8_t abridged_tags(uint16_t tags)
{
	uint8_t bits = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((tags >> (2 * i) & 3) != 3)
			bits |= (uint8_t)(1u << i);
	return bits;
}

/* The FPU state to load; without any, that after FNINIT. */
static const uint8_t *fpu_image(const struct gw_hvm_cpu *cpu, uint8_t reset[512])
{
	if (cpu->flags & GW_HVM_CPU_FPU_VALID)
		return cpu->fpu;
	memset(reset, 0, 512);
	gw_put_le16(reset + FX_FCW, 0x37f);
	gw_put_le32(reset + FX_MXCSR, 0x1f80);
	return reset;
}

static void load_fpu(struct gw_emu *e)
{
	uint8_t reset[512];
	const uint8_t *fx = fpu_image(&e->m.cpu, reset);
	unsigned xmms = e->engine.long_mode ? 16 : 8;

	/* The status word comes first: it says which physical register ST0 is. */
	put(e, UC_X86_REG_FPSW, gw_get_le16(fx + FX_FSW));
	put(e, UC_X86_REG_FPCW, gw_get_le16(fx + FX_FCW));
	for (unsigned i = 0; i < 8; i++)
		e->u->reg_write(e->engine.uc, UC_X86_REG_ST0 + (int)i, fx + FX_ST + 16 * i);
	put(e, UC_X86_REG_FPTAG, full_tags(fx[FX_FTW]));
	for (unsigned i = 0; i < xmms; i++)
		e->u->reg_write(e->engine.uc, UC_X86_REG_XMM0 + (int)i, fx + FX_XMM + 16 * i);
	put(e, UC_X86_REG_MXCSR, gw_get_le32(fx + FX_MXCSR));
}

static void store_fpu(struct gw_emu *e, struct gw_hvm_cpu *cpu)
{
	uint8_t reset[512];
	uint8_t fx[512];
	uint8_t reg[16];
	unsigned xmms = e->engine.long_mode ? 16 : 8;

	memcpy(fx, fpu_image(cpu, reset), sizeof(fx));
	gw_put_le16(fx + FX_FCW, (uint16_t)get(e, UC_X86_REG_FPCW));
	gw_put_le16(fx + FX_FSW, (uint16_t)get(e, UC_X86_REG_FPSW));
	fx[FX_FTW] = abridged_tags((uint16_t)get(e, UC_X86_REG_FPTAG));
	gw_put_le32(fx + FX_MXCSR, (uint32_t)get(e, UC_X86_REG_MXCSR));
	for (unsigned i = 0; i < 8; i++) {
		memset(reg, 0, sizeof(reg));
		e->u->reg_read(e->engine.uc, UC_X86_REG_ST0 + (int)i, reg);
		memcpy(fx + FX_ST + 16 * i, reg, 10);
	}
	for (unsigned i = 0; i < xmms; i++) {
		e->u->reg_read(e->engine.uc, UC_X86_REG_XMM0 + (int)i, reg);
		memcpy(fx + FX_XMM + 16 * i, reg, 16);
	}
	/* A vCPU that never used its FPU has no FPU state. */
	if (!(cpu->flags & GW_HVM_CPU_FPU_VALID) && !memcmp(fx, reset, sizeof(fx)))
		return;
	memcpy(cpu->fpu, fx, sizeof(fx));
	cpu->flags |= GW_HVM_CPU_FPU_VALID;
}

uint64_t gw_emu_pat(struct gw_emu *e)
{
	return read_msr(e, MSR_PAT);
}

/* PAT, the first field of the context's entry MTRR. */
static void load_pat(struct gw_emu *e)
{
	struct gw_hvm_entry entry;

	if (gw_hvm_find(e->m.context.data, e->m.context.len, GW_HVM_MTRR, 0, &entry, NULL) > 0 &&
	    entry.length >= 8)
		write_msr(e, MSR_PAT, gw_get_le64(entry.data));
}

int gw_emu_regs_load(struct gw_emu *e, struct gw_error *err)
{
	bool wide = e->engine.long_mode;

	/* An engine that ran before has paging on and another GDT: paging is switched off first. */
	if (!wide)
		put(e, UC_X86_REG_CR0, CR0_PE);
	if (wide)
		write_msr(e, 0xc0000080, e->m.cpu.efer);
	load_table(e, UC_X86_REG_GDTR, &e->m.cpu.gdtr);
	for (size_t i = 0; i < GW_ARRAY_SIZE(control); i++)
		put(e, wide ? control[i].id64 : control[i].id32, *field(&e->m.cpu, control[i].at));
	load_segments(e);
	for (size_t i = 0; i < GW_ARRAY_SIZE(msrs); i++)
		write_msr(e, msrs[i].index, *field(&e->m.cpu, msrs[i].at));
	load_pat(e);
	load_fpu(e);
	for (size_t i = 0; i < GW_ARRAY_SIZE(plain); i++)
		put(e, wide ? plain[i].id64 : plain[i].id32, *field(&e->m.cpu, plain[i].at));
	for (int i = 0; i < (wide ? GW_HVM_NR_GPRS : GW_HVM_R8); i++)
		put(e, gpr_ids[wide][i], e->m.cpu.gpr[i]);
	if (gw_emu_rip(e) != e->m.cpu.rip)
		return gw_fail(err, GW_INVALID, "a 32-bit vCPU has rip 0x%llx",
			       (unsigned long long)e->m.cpu.rip);
	return 0;
}

void gw_emu_regs_store(struct gw_emu *e, struct gw_hvm_cpu *cpu)
{
	bool wide = e->engine.long_mode;

	for (int i = 0; i < (wide ? GW_HVM_NR_GPRS : GW_HVM_R8); i++)
		cpu->gpr[i] = get(e, gpr_ids[wide][i]);
	for (size_t i = 0; i < GW_ARRAY_SIZE(plain); i++)
		*field(cpu, plain[i].at) = get(e, wide ? plain[i].id64 : plain[i].id32);
	for (size_t i = 0; i < GW_ARRAY_SIZE(control); i++)
		*field(cpu, control[i].at) = get(e, wide ? control[i].id64 : control[i].id32);
	/* Before the bases: a segment that was loaded again takes its base from the descriptor. */
	store_segments(e, cpu);
	for (size_t i = 0; i < GW_ARRAY_SIZE(msrs); i++)
		*field(cpu, msrs[i].at) = read_msr(e, msrs[i].index);
	store_fpu(e, cpu);
}

void gw_emu_paging(struct gw_machine *m, struct gw_machine_paging *paging)
{
	struct gw_emu *e = gw_emu_of_machine(m);

	*paging = (struct gw_machine_paging){.cr0 = get(e, UC_X86_REG_CR0),
					     .cr3 = get(e, UC_X86_REG_CR3),
					     .cr4 = get(e, UC_X86_REG_CR4),
					     .long_mode = e->engine.long_mode};
}

int gw_emu_check_paging(struct gw_machine *m, struct gw_error *err)
{
	uint64_t pa, rip = gw_emu_rip(gw_emu_of_machine(m)), rsp = gw_emu_reg(m, GW_HVM_RSP);
	static const char needs[] =
		"the built-in machine runs only guests whose virtual addresses are their physical ones";

	if (gw_machine_translate(m, rip, &pa) < 0)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the guest cannot run here: its page tables have no page for its code at 0x%llx",
			(unsigned long long)rip);
	if (pa != rip)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the guest cannot run here: it uses paging, and its code at virtual address 0x%llx has the physical address 0x%llx; %s",
			(unsigned long long)rip, (unsigned long long)pa, needs);
	if (gw_machine_translate(m, rsp, &pa) == 0 && pa != rsp)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the guest cannot run here: it uses paging, and its stack at virtual address 0x%llx has the physical address 0x%llx; %s",
			(unsigned long long)rsp, (unsigned long long)pa, needs);
	return 0;
}
