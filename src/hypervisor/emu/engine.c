/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A Unicorn engine with its hooks. Actions of the guest other than computing (ports, CPUID,
 * hypercalls, MSRs, faults) are noticed here and passed on. vcpu.c has the thread that enters the
 * engine, regs.c the registers.
 *
 * WRMSR. Unicorn has no hook for it and drops a write to an MSR that it does not know. A hook on
 * every instruction would make the guest a hundred times slower. So each block is scanned once,
 * when it is translated (UC_HOOK_EDGE_GENERATED, which comes before its first execution). The first
 * block after an entry gets no such call and is scanned in scan_entry(). The address of each 0F 30
 * becomes an exit, where Unicorn stops before the instruction; the write is then done here. Bytes
 * that only look like a WRMSR give an exit that is never reached. (Unicorn 2.0 loses its place when
 * it is stopped while any code hook exists, so a code hook at that address would not work.)
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hypervisor/emu/domain.h"

#define MSR_EFER UINT32_C(0xc0000080)
#define EFER_LME UINT64_C(0x100)

static const uint8_t wrmsr_bytes[2] = {0x0f, 0x30};

static void on_out(uc_engine *uc, uint32_t port, int size, uint32_t value, void *opaque)
{
	struct gw_emu *e = opaque;
	char bytes[4];

	if (port != GW_MACHINE_PORT_CONSOLE || !e->m.events.console)
		return;
	memcpy(bytes, &value, sizeof(bytes));
	e->m.events.console(e->m.events.opaque, bytes,
			    size == 1 || size == 2 || size == 4 ? (size_t)size : 1);
}

/* No device answers: all ones, as on an empty bus. */
static uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *opaque)
{
	/* A Bochs-style debug port returns its own number. */
	return port == GW_MACHINE_PORT_CONSOLE ? GW_MACHINE_PORT_CONSOLE : UINT32_MAX;
}

static int on_cpuid(uc_engine *uc, void *opaque)
{
	static const int ids[4] = {UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RDX};
	static const int ids32[4] = {UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX,
				     UC_X86_REG_EDX};
	struct gw_emu *e = opaque;
	const int *id = e->engine.long_mode ? ids : ids32;
	uint64_t leaf = 0, subleaf = 0;
	uint32_t regs[4];

	e->u->reg_read(uc, id[0], &leaf);
	e->u->reg_read(uc, id[2], &subleaf);
	gw_machine_cpuid(&e->m, (uint32_t)leaf, (uint32_t)subleaf, regs);
	for (int i = 0; i < 4; i++) {
		uint64_t value = regs[i];

		e->u->reg_write(uc, id[i], &value);
	}
	return 1; /* replaces the instruction */
}

static void on_interrupt(uc_engine *uc, uint32_t vector, void *opaque)
{
	struct gw_emu *e = opaque;
	uint64_t cr2 = 0;

	if (e->engine.stop == GW_EMU_STOP_CRASH)
		return;
	e->engine.stop = GW_EMU_STOP_CRASH;
	if (vector == 14) {
		e->u->reg_read(uc, UC_X86_REG_CR2, &cr2);
		gw_machine_crash(&e->m,
				 "the guest took a page fault near rip 0x%" PRIx64
				 ": the built-in machine delivers no exceptions",
				 gw_emu_rip(e));
	} else {
		gw_machine_crash(&e->m,
				 "the guest took exception or interrupt %u near rip 0x%" PRIx64
				 ": the built-in machine delivers none",
				 vector, gw_emu_rip(e));
	}
	e->u->emu_stop(uc);
}

/*
 * The only place where the vCPU is stopped from outside. If another thread stops Unicorn 2.0 in the
 * middle of a block, it goes back to the block's start, and executes instructions twice; before the
 * first instruction of a block nothing has been executed.
 */
static void on_block(uc_engine *uc, uint64_t va, uint32_t size, void *opaque)
{
	struct gw_emu *e = opaque;

	if (__builtin_expect(__atomic_load_n(&e->m.kicked, __ATOMIC_RELAXED), 0))
		e->u->emu_stop(uc);
}

static bool on_unmapped(uc_engine *uc, uc_mem_type type, uint64_t va, int size, int64_t value,
			void *opaque)
{
	struct gw_emu *e = opaque;
	const char *did = type == UC_MEM_WRITE_UNMAPPED	  ? "wrote to"
			  : type == UC_MEM_FETCH_UNMAPPED ? "ran into"
							  : "read";

	if (e->engine.stop == GW_EMU_STOP_CRASH)
		return false;
	e->engine.stop = GW_EMU_STOP_CRASH;
	gw_machine_crash(&e->m,
			 "the guest %s address 0x%" PRIx64 " near rip 0x%" PRIx64
			 ", where it has no page",
			 did, va, gw_emu_rip(e));
	return false;
}

static uc_err set_exits(struct gw_emu *e)
{
	struct gw_emu_engine *eng = &e->engine;

	return e->u->ctl(eng->uc, UC_CTL_WRITE(UC_CTL_UC_EXITS, 2), eng->wrmsr_sites,
			 (size_t)eng->nr_sites);
}

/* Makes va an exit. True if it was none before. */
static bool add_site(struct gw_emu *e, uint64_t va)
{
	struct gw_emu_engine *eng = &e->engine;

	for (unsigned i = 0; i < eng->nr_sites; i++)
		if (eng->wrmsr_sites[i] == va)
			return false;
	/* A guest with more sites than that loses the oldest. */
	if (eng->nr_sites == GW_EMU_WRMSR_SITES)
		memmove(eng->wrmsr_sites, eng->wrmsr_sites + 1,
			--eng->nr_sites * sizeof(eng->wrmsr_sites[0]));
	eng->wrmsr_sites[eng->nr_sites++] = va;
	return set_exits(e) == UC_ERR_OK;
}

static bool at_site(const struct gw_emu *e, uint64_t rip)
{
	for (unsigned i = 0; i < e->engine.nr_sites; i++)
		if (e->engine.wrmsr_sites[i] == rip)
			return true;
	return false;
}

/* The code changed: the instruction at rip is no longer a WRMSR. */
static void drop_site(struct gw_emu *e, uint64_t rip)
{
	struct gw_emu_engine *eng = &e->engine;
	unsigned kept = 0;

	for (unsigned i = 0; i < eng->nr_sites; i++)
		if (eng->wrmsr_sites[i] != rip)
			eng->wrmsr_sites[kept++] = eng->wrmsr_sites[i];
	eng->nr_sites = kept;
	set_exits(e);
	gw_unicorn_forget(e->u, eng->uc, rip, rip + 1);
}

static void wrmsr(struct gw_emu *e, uint64_t rip)
{
	uc_x86_msr msr = {.rid = (uint32_t)gw_emu_reg(&e->m, GW_HVM_RCX),
			  .value = gw_emu_reg(&e->m, GW_HVM_RDX) << 32 |
				   (uint32_t)gw_emu_reg(&e->m, GW_HVM_RAX)};

	if (msr.rid == GW_MACHINE_MSR_HYPERCALL) {
		gw_machine_set_hypercall_page(&e->m, msr.value);
	} else if (msr.rid == MSR_EFER && !e->engine.long_mode && (msr.value & EFER_LME)) {
		gw_machine_crash(
			&e->m,
			"the guest enables long mode at rip 0x%" PRIx64
			": the built-in machine runs 32-bit or 64-bit guests, but not a switch between the two",
			rip);
		return;
	} else {
		e->u->reg_write(e->engine.uc, UC_X86_REG_MSR, &msr);
	}
	gw_emu_set_rip(e, rip + sizeof(wrmsr_bytes));
}

/* Makes each possible WRMSR in the len bytes at va an exit; true if one of them is new. */
static bool scan(struct gw_emu *e, uint64_t va, size_t len)
{
	uint8_t code[GW_PAGE_SIZE];
	const uint8_t *at = code, *end;
	bool found = false;

	len = GW_MIN(len, sizeof(code));
	if (gw_machine_copy_in(&e->m, code, va, len) < 0)
		return false;
	end = code + len;
	while ((at = memmem(at, (size_t)(end - at), wrmsr_bytes, sizeof(wrmsr_bytes)))) {
		found |= add_site(e, va + (uint64_t)(at - code));
		at++;
	}
	return found;
}

static void on_new_block(uc_engine *uc, uc_tb *block, uc_tb *before, void *opaque)
{
	struct gw_emu *e = opaque;

	if (!scan(e, block->pc, block->size) || e->engine.stop != GW_EMU_STOP_NONE)
		return;
	/* The block was translated without the exit, but has not run yet, so stopping now is early
	 * enough. */
	e->engine.stop = GW_EMU_STOP_RETRANSLATE;
	e->engine.forget_from = block->pc;
	e->engine.forget_to = block->pc + block->size;
	e->u->emu_stop(uc);
}

/* The first block of an entry ends with its page, or one instruction after it. */
static void scan_entry(struct gw_emu *e, uint64_t rip)
{
	size_t left = GW_PAGE_SIZE - rip % GW_PAGE_SIZE;

	if (rip == e->engine.scanned)
		return;
	e->engine.scanned = rip;
	if (scan(e, rip, left))
		gw_unicorn_forget(e->u, e->engine.uc, rip, rip + left);
}

static int add_hooks(struct gw_emu *e, struct gw_error *err)
{
	uc_engine *uc = e->engine.uc;
	const struct {
		int type, insn;
		void *fn;
	} hooks[] = {
		{UC_HOOK_INSN, UC_X86_INS_OUT, (void *)on_out},
		{UC_HOOK_INSN, UC_X86_INS_IN, (void *)on_in},
		{UC_HOOK_INSN, UC_X86_INS_CPUID, (void *)on_cpuid},
		{UC_HOOK_BLOCK, 0, (void *)on_block},
		{UC_HOOK_INTR, 0, (void *)on_interrupt},
		{UC_HOOK_MEM_UNMAPPED, 0, (void *)on_unmapped},
		{UC_HOOK_EDGE_GENERATED, 0, (void *)on_new_block},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(hooks); i++) {
		uc_hook hook;
		uc_err rc = e->u->hook_add(uc, &hook, hooks[i].type, hooks[i].fn, e, (uint64_t)1,
					   (uint64_t)0, hooks[i].insn);

		if (rc != UC_ERR_OK)
			return gw_fail(err, GW_UNSUPPORTED, "setting up Unicorn: %s",
				       e->u->strerror(rc));
	}
	return 0;
}

static int open_engine(struct gw_emu *e, bool long_mode, struct gw_error *err)
{
	uc_err rc = e->u->open(UC_ARCH_X86, long_mode ? UC_MODE_64 : UC_MODE_32, &e->engine.uc);

	if (rc != UC_ERR_OK) {
		e->engine.uc = NULL;
		return gw_fail(err, GW_UNSUPPORTED, "opening Unicorn: %s", e->u->strerror(rc));
	}
	e->engine.long_mode = e->m.wide = long_mode;
	e->m.stale_pieces = true;
	rc = e->u->ctl(e->engine.uc, UC_CTL_WRITE(UC_CTL_UC_USE_EXITS, 1), 1);
	if (rc != UC_ERR_OK)
		return gw_fail(err, GW_UNSUPPORTED, "setting up Unicorn: %s", e->u->strerror(rc));
	return add_hooks(e, err);
}

void gw_emu_engine_close(struct gw_emu *e)
{
	if (e->engine.uc)
		e->u->close(e->engine.uc);
	free(e->engine.pieces);
	e->engine = (struct gw_emu_engine){.scanned = GW_INVALID_PFN};
}

/* Takes the range of pages that were not written by the vCPU; false if there is none. */
static bool take_stale(struct gw_emu *e, uint64_t *first, uint64_t *last)
{
	bool any;

	pthread_mutex_lock(&e->m.mem.lock);
	any = e->stale_first <= e->stale_last;
	*first = e->stale_first;
	*last = e->stale_last;
	e->stale_first = 1;
	e->stale_last = 0;
	pthread_mutex_unlock(&e->m.mem.lock);
	return any;
}

/* Drops the translations of pages first to last. */
static void forget(struct gw_emu *e, uint64_t first, uint64_t last)
{
	const struct gw_emu_engine *eng = &e->engine;

	for (size_t i = 0; i < eng->nr_pieces; i++) {
		const struct gw_emu_piece *p = &eng->pieces[i];
		uint64_t from = GW_MAX(first, p->gfn), to = GW_MIN(last + 1, p->gfn + p->count);

		if (from < to)
			gw_unicorn_forget(e->u, eng->uc, from * GW_PAGE_SIZE, to * GW_PAGE_SIZE);
	}
	e->engine.scanned = GW_INVALID_PFN;
}

/* Applies to Unicorn all changes to the domain since the last entry. */
static int refresh(struct gw_emu *e, struct gw_error *err)
{
	uint64_t first, last;

	if (e->m.stale_pieces) {
		if (gw_emu_pieces_sync(e, err) < 0)
			return -1;
		e->m.stale_pieces = false;
	}
	if (take_stale(e, &first, &last))
		forget(e, first, last);
	if (gw_emu_dirty_attach(e))
		forget(e, 0, GW_INVALID_PFN - 1);
	return 0;
}

int gw_emu_engine_prepare(struct gw_machine *m, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	bool long_mode;

	if (!e->m.have_cpu)
		return gw_fail(err, GW_USAGE, "domain %u has no vCPU state yet and cannot run",
			       e->m.d.domid);
	if (e->m.cpu_loaded)
		return refresh(e, err);
	if (gw_emu_regs_check(&e->m.cpu, &long_mode, err) < 0)
		return -1;
	if (e->engine.uc && e->engine.long_mode != long_mode)
		gw_emu_engine_close(e);
	if (!e->engine.uc && open_engine(e, long_mode, err) < 0) {
		gw_emu_engine_close(e);
		return -1;
	}
	/* Memory comes first: selectors load their descriptors from it. */
	if (refresh(e, err) < 0 || gw_emu_regs_load(e, err) < 0)
		return -1;
	e->m.cpu_loaded = true;
	return 0;
}

/* True if the instruction that ended at rip was HLT. */
static bool behind_hlt(struct gw_emu *e, uint64_t rip)
{
	uint8_t byte;

	return gw_machine_copy_in(&e->m, &byte, rip - 1, 1) == 0 && byte == 0xf4;
}

static bool at_hypercall(struct gw_emu *e, uint64_t rip)
{
	uint8_t code[3];

	if (gw_machine_copy_in(&e->m, code, rip, sizeof(code)) < 0 || code[0] != 0x0f ||
	    code[1] != 0x01)
		return false;
	return code[2] == 0xd9 /* vmmcall */ || code[2] == 0xc1 /* vmcall */;
}

static void invalid_instruction(struct gw_emu *e)
{
	uint64_t rip = gw_emu_rip(e);
	uint8_t code[8] = {0};

	if (at_hypercall(e, rip)) {
		/* Set before the call takes effect, because a suspended guest is saved with rip
		 * after the instruction. */
		gw_emu_set_rip(e, rip + 3);
		gw_machine_hypercall(&e->m);
		return;
	}
	if (gw_emu_insn(e))
		return;
	gw_machine_copy_in(&e->m, code, rip, sizeof(code));
	gw_machine_crash(
		&e->m,
		"the guest executed an instruction unknown to the built-in machine at rip 0x%" PRIx64
		": %02x %02x %02x %02x %02x %02x",
		rip, code[0], code[1], code[2], code[3], code[4], code[5]);
}

/* It stopped without an error: on request, at an exit, or at HLT. */
static void stopped(struct gw_emu *e)
{
	uint64_t rip = gw_emu_rip(e);
	uint8_t code[sizeof(wrmsr_bytes)];

	if (at_site(e, rip)) {
		if (gw_machine_copy_in(&e->m, code, rip, sizeof(code)) == 0 &&
		    !memcmp(code, wrmsr_bytes, sizeof(code)))
			wrmsr(e, rip);
		else
			drop_site(e, rip);
	} else if (!__atomic_load_n(&e->m.kicked, __ATOMIC_ACQUIRE) && behind_hlt(e, rip)) {
		/* There are no interrupts: only an event ends a halt. */
		gw_machine_block(&e->m);
	}
}

void gw_emu_engine_run(struct gw_machine *m)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	struct gw_error err = GW_ERROR_INIT;
	uc_engine *uc = e->engine.uc;
	uc_err rc;

	if (refresh(e, &err) < 0) {
		gw_machine_crash(&e->m, "%s", err.text);
		return;
	}
	scan_entry(e, gw_emu_rip(e));
	e->engine.stop = GW_EMU_STOP_NONE;
	e->m.ran = true;
	rc = e->u->emu_start(uc, gw_emu_rip(e), UINT64_MAX, 0, 0);
	if (e->engine.stop == GW_EMU_STOP_RETRANSLATE)
		gw_unicorn_forget(e->u, uc, e->engine.forget_from, e->engine.forget_to);
	else if (e->engine.stop == GW_EMU_STOP_CRASH)
		return;
	else if (rc == UC_ERR_INSN_INVALID)
		invalid_instruction(e);
	else if (rc != UC_ERR_OK)
		gw_machine_crash(&e->m, "Unicorn stopped at rip 0x%" PRIx64 ": %s", gw_emu_rip(e),
				 e->u->strerror(rc));
	else
		stopped(e);
}
