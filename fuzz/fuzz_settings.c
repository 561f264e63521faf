/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a file of settings (godwit.conf), as the acceptance of images and
 * as the admission of senders read it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/settings.h"
#include "bound.h"
#include "input.h"
#include "migrate/accept.h"

static int seen(void *opaque, const char *key, const char *value, const char *path,
		struct gw_error *err)
{
	return *key || *value ? 0 : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[40];
	struct gw_acceptance acceptance = {0};
	struct gw_error err = GW_ERROR_INIT;

	if (fd < 0) {
		fd = memfd_create("settings", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		setenv("GODWIT_CONF", path, 1);
	}
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		exit(1);
	bound_begin();
	gw_settings_read("GODWIT_CONF", path, seen, NULL, &err);
	gw_error_clear(&err);
	if (gw_acceptance_load(&acceptance, &err) < 0 && !err.text[0])
		abort();
	bound_check("settings", 1u << 20);
	return 0;
}
