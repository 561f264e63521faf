/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loads libunicorn. Nothing of a domain lives here.
 */
#include "hypervisor/emu/unicorn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#include "base/util.h"

#define SONAME "libunicorn.so.2"

static struct {
	pthread_once_t once;
	struct gw_unicorn table;
	char problem[400]; /* empty: the table is complete */
} loaded = {.once = PTHREAD_ONCE_INIT};

static void load(void)
{
	const struct {
		const char *name;
		void **to;
	} symbols[] = {
		{"uc_open", (void **)&loaded.table.open},
		{"uc_close", (void **)&loaded.table.close},
		{"uc_ctl", (void **)&loaded.table.ctl},
		{"uc_strerror", (void **)&loaded.table.strerror},
		{"uc_reg_read", (void **)&loaded.table.reg_read},
		{"uc_reg_write", (void **)&loaded.table.reg_write},
		{"uc_mem_map_ptr", (void **)&loaded.table.mem_map_ptr},
		{"uc_mem_unmap", (void **)&loaded.table.mem_unmap},
		{"uc_hook_add", (void **)&loaded.table.hook_add},
		{"uc_hook_del", (void **)&loaded.table.hook_del},
		{"uc_emu_start", (void **)&loaded.table.emu_start},
		{"uc_emu_stop", (void **)&loaded.table.emu_stop},
	};
	/* Never closed: threads of emulated domains may be inside it until the process ends. */
	void *lib = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		snprintf(loaded.problem, sizeof(loaded.problem), "%s", dlerror());
		return;
	}
	for (size_t i = 0; i < GW_ARRAY_SIZE(symbols); i++) {
		*symbols[i].to = dlsym(lib, symbols[i].name);
		if (!*symbols[i].to) {
			snprintf(loaded.problem, sizeof(loaded.problem), "%s has no %s", SONAME,
				 symbols[i].name);
			return;
		}
	}
}

const struct gw_unicorn *gw_unicorn_get(struct gw_error *err)
{
	pthread_once(&loaded.once, load);
	if (loaded.problem[0]) {
		gw_fail(err, GW_UNSUPPORTED,
			"the built-in machine needs the Unicorn library, version 2, which cannot be loaded: %s",
			loaded.problem);
		return NULL;
	}
	return &loaded.table;
}
