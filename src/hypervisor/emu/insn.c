/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Executes the few instructions that CPUs of Xen hosts have and Unicorn 2.0 lacks: POPCNT, MOVBE,
 * RDRAND, PCLMULQDQ, CLFLUSHOPT, CLWB, RD/WRFSBASE and RD/WRGSBASE. So a guest that detected them
 * on another host keeps running. Encodings: Intel SDM volume 2; 16-bit addressing is not decoded.
 */
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/emu/domain.h"

#define INSN_MAX 15

#define FLAG_CF	    UINT64_C(0x001)
#define FLAG_ZF	    UINT64_C(0x040)
#define FLAGS_ARITH UINT64_C(0x8d5) /* OF SF ZF AF PF CF */

#define MSR_FS_BASE UINT32_C(0xc0000100)

struct insn {
	uint8_t code[INSN_MAX];
	size_t have, at; /* bytes read, bytes decoded */
	bool size16, rep, repne;
	int segment_base; /* -1, or a register that holds the base to add */
	unsigned rex;	  /* 0100WRXB, 0: none */
	unsigned opcode;  /* with the map: 0x0fb8, 0x0f38f0, 0x0f3a44 */
	unsigned mod, reg, rm;
	uint64_t address; /* of a memory operand */
};

/* Register numbers of the encoding as indexes of the record. */
static const enum gw_hvm_gpr encoded[8] = {GW_HVM_RAX, GW_HVM_RCX, GW_HVM_RDX, GW_HVM_RBX,
					   GW_HVM_RSP, GW_HVM_RBP, GW_HVM_RSI, GW_HVM_RDI};

static enum gw_hvm_gpr gpr(unsigned number)
{
	return number < 8 ? encoded[number] : (enum gw_hvm_gpr)(GW_HVM_R8 + number - 8);
}

static bool byte(struct insn *i, uint8_t *b)
{
	if (i->at >= i->have)
		return false;
	*b = i->code[i->at++];
	return true;
}

static bool signed_bytes(struct insn *i, size_t n, int64_t *value)
{
	if (n > i->have - i->at)
		return false;
	*value = n == 1 ? (int8_t)i->code[i->at] : (int32_t)gw_get_le32(&i->code[i->at]);
	i->at += n;
	return true;
}

/* Reads prefixes; the byte after them goes to *first. */
static bool prefixes(struct gw_emu *e, struct insn *i, uint8_t *first)
{
	while (byte(i, first)) {
		switch (*first) {
		case 0x66:
			i->size16 = true;
			break;
		case 0xf3:
			i->rep = true;
			break;
		case 0xf2:
			i->repne = true;
			break;
		case 0x64:
			i->segment_base = UC_X86_REG_FS_BASE;
			break;
		case 0x65:
			i->segment_base = UC_X86_REG_GS_BASE;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			break;
		default:
			if (e->engine.long_mode && (*first & 0xf0) == 0x40) {
				i->rex = *first;
				return byte(i, first);
			}
			return true;
		}
	}
	return false;
}

static bool opcode(struct insn *i, uint8_t first)
{
	uint8_t b;

	if (first != 0x0f || !byte(i, &b))
		return false;
	i->opcode = 0x0f00u | b;
	if (b != 0x38 && b != 0x3a)
		return true;
	if (!byte(i, &b))
		return false;
	i->opcode = i->opcode << 8 | b;
	return true;
}

static bool sib(struct gw_emu *e, struct insn *i)
{
	uint8_t b;
	unsigned index, base;
	int64_t disp;

	if (!byte(i, &b))
		return false;
	index = (b >> 3 & 7) | (i->rex & 2) << 2;
	base = (b & 7) | (i->rex & 1) << 3;
	if (index != 4)
		i->address += gw_emu_reg(&e->m, gpr(index)) << (b >> 6);
	if ((base & 7) == 5 && i->mod == 0) {
		if (!signed_bytes(i, 4, &disp))
			return false;
		i->address += (uint64_t)disp;
		return true;
	}
	i->address += gw_emu_reg(&e->m, gpr(base));
	return true;
}

/* ModRM and what follows it. immediates: bytes after the operand, for rip-relative addresses. */
static bool operands(struct gw_emu *e, struct insn *i, size_t immediates)
{
	uint8_t b;
	int64_t disp = 0;
	bool rip_relative;

	if (!byte(i, &b))
		return false;
	i->mod = b >> 6;
	i->reg = (b >> 3 & 7) | (i->rex & 4) << 1;
	i->rm = b & 7;
	if (i->mod == 3) {
		i->rm |= (i->rex & 1) << 3;
		return true;
	}
	rip_relative = i->mod == 0 && i->rm == 5;
	if (i->rm == 4) {
		if (!sib(e, i))
			return false;
	} else if (!rip_relative) {
		i->address = gw_emu_reg(&e->m, gpr(i->rm | (i->rex & 1) << 3));
	}
	if (i->mod == 1 || i->mod == 2 || rip_relative)
		if (!signed_bytes(i, i->mod == 1 ? 1 : 4, &disp))
			return false;
	i->address += (uint64_t)disp;
	if (rip_relative && e->engine.long_mode)
		i->address += gw_emu_rip(e) + i->at + immediates;
	if (i->segment_base >= 0) {
		uint64_t base = 0;

		e->u->reg_read(e->engine.uc, i->segment_base, &base);
		i->address += base;
	}
	if (!e->engine.long_mode)
		i->address &= UINT32_MAX;
	return true;
}

static unsigned operand_size(const struct insn *i)
{
	return i->rex & 8 ? 8 : i->size16 ? 2 : 4;
}

static bool read_rm(struct gw_emu *e, const struct insn *i, unsigned size, uint64_t *value)
{
	uint8_t raw[8] = {0};

	if (i->mod != 3) {
		if (gw_machine_copy_in(&e->m, raw, i->address, size) < 0)
			return false;
		*value = gw_get_le64(raw);
		return true;
	}
	*value = gw_emu_reg(&e->m, gpr(i->rm));
	if (size < 8)
		*value &= (UINT64_C(1) << (8 * size)) - 1;
	return true;
}

/* 32-bit results clear the upper half, 16-bit ones leave the rest. */
static void write_gpr(struct gw_emu *e, unsigned number, unsigned size, uint64_t value)
{
	if (size == 2)
		value = (gw_emu_reg(&e->m, gpr(number)) & ~UINT64_C(0xffff)) | (value & 0xffff);
	else if (size == 4)
		value &= UINT32_MAX;
	gw_emu_set_reg(&e->m, gpr(number), value);
}

static void set_flags(struct gw_emu *e, uint64_t set)
{
	uint64_t flags = 0;

	e->u->reg_read(e->engine.uc, UC_X86_REG_EFLAGS, &flags);
	flags = (flags & ~FLAGS_ARITH) | set;
	e->u->reg_write(e->engine.uc, UC_X86_REG_EFLAGS, &flags);
}

static bool popcnt(struct gw_emu *e, struct insn *i)
{
	uint64_t value;

	if (!i->rep || !operands(e, i, 0) || !read_rm(e, i, operand_size(i), &value))
		return false;
	write_gpr(e, i->reg, operand_size(i), (uint64_t)__builtin_popcountll(value));
	set_flags(e, value ? 0 : FLAG_ZF);
	return true;
}

static uint64_t swapped(uint64_t value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

static bool movbe(struct gw_emu *e, struct insn *i, bool store)
{
	unsigned size = operand_size(i);
	uint8_t raw[8];
	uint64_t value;

	if (i->rep || i->repne || !operands(e, i, 0) || i->mod == 3)
		return false;
	if (!store) {
		if (!read_rm(e, i, size, &value))
			return false;
		write_gpr(e, i->reg, size, swapped(value, size));
		return true;
	}
	gw_put_le64(raw, swapped(gw_emu_reg(&e->m, gpr(i->reg)), size));
	return gw_machine_copy_out(&e->m, i->address, raw, size) == 0;
}

static bool rdrand(struct gw_emu *e, struct insn *i)
{
	uint64_t value;

	if (i->rep || i->repne || !operands(e, i, 0) || i->mod != 3 || (i->reg & 7) != 6)
		return false;
	if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		return false;
	write_gpr(e, i->rm, operand_size(i), value);
	set_flags(e, FLAG_CF);
	return true;
}

/* 0F AE with F3 and a register: the bases; with 66 and memory: cache lines, which this machine
 * lacks. */
static bool bases_and_lines(struct gw_emu *e, struct insn *i)
{
	uint32_t msr;
	uc_x86_msr base;

	if (!operands(e, i, 0))
		return false;
	if (i->mod != 3)
		return i->size16 && !i->rep && ((i->reg & 7) == 6 || (i->reg & 7) == 7);
	if (!i->rep || !e->engine.long_mode || (i->reg & 7) > 3)
		return false;
	msr = MSR_FS_BASE + (i->reg & 1);
	base = (uc_x86_msr){.rid = msr};
	if (i->reg & 2) {
		base.value = gw_emu_reg(&e->m, gpr(i->rm));
		if (!(i->rex & 8))
			base.value &= UINT32_MAX;
		e->u->reg_write(e->engine.uc, UC_X86_REG_MSR, &base);
		return true;
	}
	e->u->reg_read(e->engine.uc, UC_X86_REG_MSR, &base);
	write_gpr(e, i->rm, i->rex & 8 ? 8 : 4, base.value);
	return true;
}

static void multiply_carryless(uint64_t a, uint64_t b, uint64_t out[2])
{
	out[0] = out[1] = 0;
	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(b >> bit & 1))
			continue;
		out[0] ^= a << bit;
		if (bit)
			out[1] ^= a >> (64 - bit);
	}
}

static bool pclmulqdq(struct gw_emu *e, struct insn *i)
{
	uint8_t a[16], b[16], which;
	uint64_t out[2];

	if (!i->size16 || i->rep || i->repne || !operands(e, i, 1) || !byte(i, &which))
		return false;
	e->u->reg_read(e->engine.uc, UC_X86_REG_XMM0 + (int)i->reg, a);
	if (i->mod == 3)
		e->u->reg_read(e->engine.uc, UC_X86_REG_XMM0 + (int)i->rm, b);
	else if (gw_machine_copy_in(&e->m, b, i->address, sizeof(b)) < 0)
		return false;
	multiply_carryless(gw_get_le64(a + (which & 1) * 8), gw_get_le64(b + (which >> 4 & 1) * 8),
			   out);
	gw_put_le64(a, out[0]);
	gw_put_le64(a + 8, out[1]);
	e->u->reg_write(e->engine.uc, UC_X86_REG_XMM0 + (int)i->reg, a);
	return true;
}

static bool execute(struct gw_emu *e, struct insn *i)
{
	switch (i->opcode) {
	case 0x0fb8:
		return popcnt(e, i);
	case 0x0f38f0:
		return movbe(e, i, false);
	case 0x0f38f1:
		return movbe(e, i, true);
	case 0x0fc7:
		return rdrand(e, i);
	case 0x0fae:
		return bases_and_lines(e, i);
	case 0x0f3a44:
		return pclmulqdq(e, i);
	default:
		return false;
	}
}

bool gw_emu_insn(struct gw_emu *e)
{
	uint64_t rip = gw_emu_rip(e);
	struct insn i = {.segment_base = -1};
	uint8_t first;

	/* The instruction may end right before a page that does not exist. */
	while (i.have < INSN_MAX &&
	       gw_machine_copy_in(&e->m, i.code + i.have, rip + i.have, 1) == 0)
		i.have++;
	if (!prefixes(e, &i, &first) || !opcode(&i, first) || !execute(e, &i))
		return false;
	gw_emu_set_rip(e, rip + i.at);
	return true;
}
