/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: a hostile guest of the built-in machine: it writes anything into its memory, its
 * page tables, its shared info and its registers, makes hypercalls with any arguments, and is
 * saved. What was saved of Xen's state must be taken by a restore.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "emu_machine.h"
#include "input.h"
#include "migrate/save.h"

#define CALLS_MAX 64u

static const int control_registers[] = {UC_X86_REG_CR0, UC_X86_REG_CR3, UC_X86_REG_CR4};

static void write_memory(struct gw_emu *e, struct input *in)
{
	size_t at = input_u16(in), len = input_u8(in) % 64;
	const uint8_t *from = input_bytes(in, &len);
	uint64_t gfn = at / GW_PAGE_SIZE;

	if (!len || !gw_machine_memory_has(&e->m.mem, gfn))
		return;
	if (len > GW_PAGE_SIZE - at % GW_PAGE_SIZE)
		len = GW_PAGE_SIZE - at % GW_PAGE_SIZE;
	memcpy((uint8_t *)gw_machine_memory_page(&e->m.mem, gfn) + at % GW_PAGE_SIZE, from, len);
}

/* CR0 and CR4 get only bits that choose how addresses are translated. */
static void write_register(struct gw_emu *e, struct input *in, bool wide)
{
	unsigned which = input_u8(in) % 3;
	uint64_t value = input_u64(in);

	if (wide && which != 1)
		return;
	if (which == 0)
		value = (value & UINT64_C(0x80000000)) | 0x11;
	if (which == 2)
		value &= 0x30;
	e->u->reg_write(e->engine.uc, control_registers[which], &value);
}

static uint64_t argument(struct input *in)
{
	unsigned form = input_u8(in);

	return form & 0x80 ? input_u64(in) : form & 0x40 ? input_u16(in) : form;
}

static void call(struct gw_emu *e, struct input *in, bool wide)
{
	static const enum gw_hvm_gpr regs[2][3] = {{GW_HVM_RBX, GW_HVM_RCX, GW_HVM_RDX},
						   {GW_HVM_RDI, GW_HVM_RSI, GW_HVM_RDX}};

	gw_emu_set_reg(&e->m, GW_HVM_RAX, argument(in));
	for (int i = 0; i < 3; i++)
		gw_emu_set_reg(&e->m, regs[wide][i], argument(in));
	gw_machine_hypercall(&e->m);
}

static void act(struct gw_emu *e, struct input *in, bool wide)
{
	unsigned port;

	switch (input_u8(in) % 8) {
	case 0:
	case 1:
		write_memory(e, in);
		break;
	case 2:
		write_register(e, in, wide);
		break;
	case 3:
		e->m.xen.shared_info[input_u16(in) % GW_PAGE_SIZE] = input_u8(in);
		break;
	case 4:
		gw_machine_set_hypercall_page(&e->m, argument(in));
		break;
	case 5:
		port = e->m.xen.suspend_port;
		if (port)
			gw_machine_evtchn_raise(&e->m, port);
		break;
	default:
		call(e, in, wide);
		break;
	}
}

static void check_state(struct gw_emu *e)
{
	struct gw_error err = GW_ERROR_INIT;
	void *blob = NULL;
	size_t len;

	if (gw_machine_xenabi_get(&e->m, &blob, &len, &err) == 0 && len &&
	    gw_machine_xenabi_set(&e->m, blob, len, &err) < 0) {
		fprintf(stderr, "a restore refuses what was saved: %s\n", err.text);
		abort();
	}
	free(blob);
}

static int suspend(void *opaque, struct gw_error *err)
{
	return 0;
}

static void save(struct gw_emu *e)
{
	const struct gw_toolstack toolstack = {.head = GW_TABLE_HEAD(struct gw_toolstack),
					       .suspend = suspend,
					       .postcopy = suspend};
	struct gw_save_args args = {
		.domain = &e->m.d, .toolstack = &toolstack, .out = sink_channel(1u << 20)};
	struct gw_error err = GW_ERROR_INIT;

	if (gw_save_image(&args, NULL, &err) < 0 && !err.text[0])
		abort();
	gw_channel_close(args.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned mode = input_u8(&in);
	bool wide = mode & 1;
	struct gw_emu *e = emu_machine(wide);
	uint64_t tables[EMU_WINDOW / 64] = {0};

	bound_begin();
	for (unsigned i = 0; in.len && i < CALLS_MAX; i++)
		act(e, &in, wide);
	gw_machine_walk_tables(&e->m, tables);
	check_state(e);
	if (mode & 2)
		save(e);
	bound_check("a hypercall", 16u << 20);
	return 0;
}
