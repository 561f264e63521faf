/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Unicorn library as a table of functions, loaded when the first emulated domain is created:
 * without the library all other functions of godwit work. It has no state of a domain.
 */
#ifndef GW_HYPERVISOR_EMU_UNICORN_H
#define GW_HYPERVISOR_EMU_UNICORN_H

#include <unicorn/unicorn.h>

#include <godwit/error.h>

struct gw_unicorn {
	__typeof__(&uc_open) open;
	__typeof__(&uc_close) close;
	__typeof__(&uc_ctl) ctl;
	__typeof__(&uc_strerror) strerror;
	__typeof__(&uc_reg_read) reg_read;
	__typeof__(&uc_reg_write) reg_write;
	__typeof__(&uc_mem_map_ptr) mem_map_ptr;
	__typeof__(&uc_mem_unmap) mem_unmap;
	__typeof__(&uc_hook_add) hook_add;
	__typeof__(&uc_hook_del) hook_del;
	__typeof__(&uc_emu_start) emu_start;
	__typeof__(&uc_emu_stop) emu_stop;
};

/* The table, loaded once for the process and never unloaded; NULL with GW_UNSUPPORTED. Any thread.
 */
const struct gw_unicorn *gw_unicorn_get(struct gw_error *err);

/*
 * Drops the translations of [from, to), guest-physical addresses that the guest maps one to one.
 * (Dropping all of them with UC_CTL_TB_FLUSH overwrites the whole code buffer: 1 GiB of memory, a
 * tenth of a second.)
 */
#define gw_unicorn_forget(u, uc, from, to)                                                         \
	((u)->ctl((uc), UC_CTL_WRITE(UC_CTL_TB_REMOVE_CACHE, 2), (uint64_t)(from), (uint64_t)(to)))

#endif
