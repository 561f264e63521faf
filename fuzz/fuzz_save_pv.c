/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: saves a PV guest whose memory is hostile. A small real guest is restored once for
 * each input; then the input writes anything anywhere in its memory, shared_info, start_info, the
 * frame lists and page tables included, and the guest is saved.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "guest_image.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "input.h"
#include "machine.h"
#include "migrate/restore.h"
#include "migrate/save.h"

#define PAGES 2048u

static void restore(struct machine *m, const struct guest_image *image)
{
	struct gw_restore_args args = {.domain = m->d};
	struct gw_error err = GW_ERROR_INIT;

	args.in = peer_channel(image->data, image->len, 0);
	if (gw_restore_image(&args, NULL, &err) < 0 ||
	    gw_control_restored(m->d->control, &err) < 0) {
		fprintf(stderr, "the guest is refused: %s\n", err.text);
		abort();
	}
	gw_channel_close(args.in);
}

/* Writes of the guest: a page by its number among those that there are, an offset, bytes. */
static void write_memory(struct gw_domain *d, struct input *in)
{
	while (in->len) {
		uint64_t pfn = gw_memory_next(d, input_u16(in) % PAGES);
		size_t at = input_u16(in) % 4096, len = input_u8(in) % 64;
		const uint8_t *from = input_bytes(in, &len);
		uint8_t *page;

		if (pfn == GW_INVALID_PFN)
			pfn = gw_memory_next(d, 0);
		page = pfn == GW_INVALID_PFN ? NULL : gw_memory_page(d, pfn);
		if (page && len)
			memcpy(page + at, from, len < 4096 - at ? len : 4096 - at);
		gw_memory_touch(d, pfn);
	}
}

static void write_shared_info(struct gw_domain *d, struct input *in, unsigned n)
{
	while (n--) {
		size_t at = input_u16(in) % 4089;
		uint64_t value = input_u64(in);
		uint64_t mfn;
		uint8_t *page;

		if (gw_domain_shared_info(d, (void **)&page, &mfn, NULL) < 0)
			return;
		memcpy(page + at, &value, sizeof(value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned mode = input_u8(&in);
	struct gw_save_args args = {.live = mode & 2};
	struct gw_error err = GW_ERROR_INIT;
	struct machine m;

	machine_open(&m, GW_GUEST_X86_PV, PAGES);
	restore(&m, guest_image(mode & 1));
	write_shared_info(m.d, &in, mode >> 4);
	write_memory(m.d, &in);
	args.domain = m.d;
	args.toolstack = &m.toolstack;
	args.out = sink_channel(64u << 20);
	bound_begin();
	if (gw_save_image(&args, NULL, &err) < 0 && !err.text[0])
		abort();
	bound_check("a save", 32u << 20);
	gw_channel_close(args.out);
	machine_close(&m);
	return 0;
}
