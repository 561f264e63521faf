/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: restores any bytes, a libxl stream or a libxc image, into a domain of the memory
 * backend, and saves what came of it. The guest type is that of the image. An input can also be
 * changes to a small PV image, so that the restore gets far.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bound.h"
#include "guest_image.h"
#include "hypervisor/control.h"
#include "input.h"
#include "machine.h"
#include "migrate/device_model.h"
#include "migrate/restore.h"
#include "migrate/save.h"

#define PAGES	    2048u
#define LIBXL_MAGIC "LibxlFmt"

static enum gw_guest_type type_of(const uint8_t *data, size_t size)
{
	const uint8_t *mark = size ? memmem(data, size, "XENF", 4) : NULL;

	if (mark && (size_t)(data + size - mark) >= 20 && gw_get_le32(mark + 16) == GW_GUEST_X86_PV)
		return GW_GUEST_X86_PV;
	return GW_GUEST_X86_HVM;
}

static void save(const struct machine *m)
{
	struct gw_save_args args = {
		.domain = m->d, .toolstack = &m->toolstack, .out = sink_channel(64u << 20)};
	struct gw_error err = GW_ERROR_INIT;

	if (gw_save_image(&args, NULL, &err) < 0 && !err.text[0])
		abort();
	gw_channel_close(args.out);
}

static void restore(const uint8_t *data, size_t size)
{
	bool libxl = size >= 8 && memcmp(data, LIBXL_MAGIC, 8) == 0;
	struct gw_emulator_records emulator = {0};
	struct gw_restore_args args = {.emulator = &emulator};
	struct gw_restore_result result;
	struct gw_error err = GW_ERROR_INIT;
	struct machine m;
	int rc;

	machine_open(&m, type_of(data, size), PAGES);
	bound_begin();
	args.domain = m.d;
	args.in = peer_channel(data, size, 0);
	rc = libxl ? gw_restore_stream(&args, NULL, &result, &err)
		   : gw_restore_image(&args, &result, &err);
	if (rc == 0)
		rc = gw_control_restored(m.d->control, &err);
	if (rc < 0 && !err.text[0])
		abort();
	bound_check("a restore", BOUND_OF_IMAGE(size));
	if (rc == 0)
		save(&m);
	gw_channel_close(args.in);
	gw_buffer_free(&emulator.records);
	machine_close(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_image image;

	if (!guest_image_is_patched(data, size)) {
		restore(data, size);
		return 0;
	}
	image = guest_image_patch(data, size);
	restore(image.data, image.len);
	free(image.data);
	return 0;
}
