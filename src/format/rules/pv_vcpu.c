/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for a PV vCPU's basic context: what arch_set_info_guest() of Xen refuses
 * without a look at the guest's memory.
 */
#include "format/rules/pv_internal.h"

#include "base/util.h"
#include "format/x86/pv_layout.h"

#define TRAPS64	     720u /* offset of trap_ctxt[0].address less 8 */
#define TRAP64_SIZE  16u
#define NR_TRAPS     256u
#define NR_DEBUG     4u /* debug registers that hold an address */
#define EFLAGS_VM    UINT64_C(0x20000)
#define ASSIST32     UINT64_C(0x3f)
#define ASSIST64     (ASSIST32 | UINT64_C(1) << 32) /* with m2p_strict */
#define HAS_USER_CR3 UINT64_C(1)		    /* of cr1: see docs/format.md */

/* What all checks of a context need. */
struct context {
	struct gw_image_rules *rules;
	const struct gw_record *rec;
	const struct gw_pv_layout *l;
	const uint8_t *bytes;
	uint32_t vcpu;
	struct gw_error *err;
};

#define BROKEN(c, number, fmt, ...)                                                                \
	gw_broken(&(c)->rules->reporter, number, (c)->rec->offset, (c)->rec, (c)->err,             \
		  "vCPU %u: " fmt, (c)->vcpu, __VA_ARGS__)

static uint64_t word(const struct context *c, uint32_t offset)
{
	return gw_pv_get_word(c->l, c->bytes + offset);
}

/* Of a 64-bit context; ldt_base is judged only if there is an LDT. */
static const struct {
	const char *name;
	uint32_t offset;
} addresses64[] = {
	{"rip", 648},
	{"rsp", 672},
	{"kernel_sp", 4976},
	{"fs_base", 5144},
	{"gs_base_kernel", 5152},
	{"gs_base_user", 5160},
	{"event_callback_eip", 5112},
	{"failsafe_callback_eip", 5120},
	{"syscall_callback_eip", 5128},
};

static int check_addresses(const struct context *c)
{
	int rc = 0;

	for (size_t i = 0; i < GW_ARRAY_SIZE(addresses64); i++) {
		uint64_t address = word(c, addresses64[i].offset);

		if (!gw_pv_is_canonical(address))
			rc |= BROKEN(c, R_VCPU_CANONICAL,
				     "%s is 0x%llx, expected a canonical address",
				     addresses64[i].name, (unsigned long long)address);
	}
	for (unsigned i = 0; i < NR_TRAPS; i++) {
		uint64_t address = word(c, TRAPS64 + i * TRAP64_SIZE + 8);

		if (!gw_pv_is_canonical(address))
			rc |= BROKEN(c, R_VCPU_CANONICAL,
				     "the handler of trap %u is at 0x%llx, expected a canonical "
				     "address",
				     i, (unsigned long long)address);
	}
	return rc;
}

/* An LDT of no entries still has an address that Xen judges. */
static int check_ldt(const struct context *c)
{
	uint64_t base = word(c, c->l->vcpu_ldt), ents = word(c, c->l->vcpu_ldt_ents);
	int rc = 0;

	if (base % GW_PAGE_SIZE)
		rc |= BROKEN(c, R_VCPU_LDT, "the LDT is at 0x%llx, expected the start of a page",
			     (unsigned long long)base);
	if (ents > GW_PV_LDT_ENTS_MAX)
		rc |= BROKEN(c, R_VCPU_LDT, "the LDT has %llu entries, at most %u expected",
			     (unsigned long long)ents, GW_PV_LDT_ENTS_MAX);
	if (c->l->width == 8 && !gw_pv_is_guests(base))
		rc |= BROKEN(c, R_VCPU_LDT, "the LDT is at 0x%llx, in Xen's range",
			     (unsigned long long)base);
	else if (c->l->width == 8 && ents && !gw_pv_is_canonical(base))
		rc |= BROKEN(c, R_VCPU_LDT, "the LDT is at 0x%llx, expected a canonical address",
			     (unsigned long long)base);
	return rc;
}

static int check_gdt(const struct context *c)
{
	uint64_t ents = word(c, c->l->vcpu_gdt_ents);

	if (ents <= GW_PV_GDT_ENTS_MAX)
		return 0;
	return BROKEN(c, R_VCPU_GDT, "the GDT has %llu entries, at most %u expected",
		      (unsigned long long)ents, GW_PV_GDT_ENTS_MAX);
}

/* A 64-bit guest has two roots; restore makes a frame of cr1 only where bit 0 is set. */
static int check_user_root(const struct context *c)
{
	uint64_t cr1 = word(c, c->l->vcpu_cr + 8);

	if (cr1 && !(cr1 & HAS_USER_CR3))
		return BROKEN(c, R_VCPU_USER_ROOT,
			      "ctrlreg[1] is 0x%llx, expected 0 or a root with bit 0 set",
			      (unsigned long long)cr1);
	if (!cr1 && !(word(c, c->l->vcpu_flags) & GW_PV_VCPU_KERNEL))
		return BROKEN(c, R_VCPU_USER_ROOT, "it is in user mode, but ctrlreg[1] is %u", 0);
	return 0;
}

/* It belongs to the guest: Xen takes vCPU 0's and does not look at the others'. */
static int check_assist(const struct context *c)
{
	uint64_t assist = word(c, c->l->vcpu_assist);
	uint64_t unknown = assist & ~(c->l->width == 8 ? ASSIST64 : ASSIST32);

	if (c->vcpu != 0 || !unknown)
		return 0;
	return BROKEN(c, R_VCPU_ASSIST, "vm_assist is 0x%llx, with unknown bits 0x%llx",
		      (unsigned long long)assist, (unsigned long long)unknown);
}

static int check_debug(const struct context *c)
{
	int rc = 0;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t value = word(c, c->l->vcpu_dr + i * c->l->width);

		if (i < NR_DEBUG && !gw_pv_is_guests(value))
			rc |= BROKEN(c, R_VCPU_DEBUG, "debugreg[%u] is 0x%llx, in Xen's range", i,
				     (unsigned long long)value);
		if (i >= 6 && value > UINT32_MAX)
			rc |= BROKEN(c, R_VCPU_DEBUG, "debugreg[%u] is 0x%llx, expected 32 bits", i,
				     (unsigned long long)value);
	}
	return rc;
}

int gw_rules_pv_basic(struct gw_image_rules *rules, const struct gw_record *rec,
		      const struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	const struct context c = {
		.rules = rules,
		.rec = rec,
		.l = gw_pv_layout(rules->facts.pv_width),
		.bytes = vcpu->blob,
		.vcpu = vcpu->vcpu_id,
		.err = err,
	};
	int rc = check_ldt(&c) | check_gdt(&c) | check_assist(&c);

	if (c.l->width == 8)
		return rc | check_addresses(&c) | check_user_root(&c) | check_debug(&c);
	if (word(&c, c.l->vcpu_eflags) & EFLAGS_VM)
		rc |= BROKEN(&c, R_VCPU_VM86, "eflags is 0x%llx, with VM (bit 17)",
			     (unsigned long long)word(&c, c.l->vcpu_eflags));
	return rc;
}
