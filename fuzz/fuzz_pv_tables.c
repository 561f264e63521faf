/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: page tables of a PV guest, as a hostile guest writes them: entries at any place, and
 * uses that begin and end in any order. When all uses have ended, no frame may have one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "base/bytes.h"
#include "format/x86/pv_tables.h"
#include "input.h"

#define FRAMES	64u
#define USES	256u
#define NOT_HIS 3u /* frames up to this one are not the guest's */

struct guest {
	struct gw_pv_tables tables;
	uint8_t pages[FRAMES][4096];
	uint64_t used[USES];
	unsigned nr_used;
};

static uint8_t *page(void *owner, uint64_t frame)
{
	struct guest *g = owner;

	return frame > NOT_HIS && frame < FRAMES ? g->pages[frame] : NULL;
}

static uint64_t pfn(void *owner, uint64_t frame)
{
	return frame - NOT_HIS;
}

static void changed(void *owner, uint64_t frame)
{
	if (!page(owner, frame))
		abort();
}

static void fault(void *owner, const struct gw_error *err)
{
	if (!err->text[0])
		abort();
}

/* An entry that may point at one of the frames. */
static uint64_t entry(struct input *in)
{
	uint16_t flags = input_u16(in);
	uint8_t frame = input_u8(in);

	return flags & 0x8000 ? input_u64(in) : (uint64_t)frame << 12 | (flags & 0xfff);
}

static void write_entry(struct guest *g, struct input *in)
{
	uint64_t frame = NOT_HIS + 1 + input_u8(in) % (FRAMES - NOT_HIS - 1);
	unsigned slot = input_u16(in) % 512;
	uint64_t pte = entry(in);
	struct gw_pv_use *use = &g->tables.uses[frame];
	bool table = use->count && use->type >= GW_PV_USE_L1 && use->type <= GW_PV_USE_L4;

	if (use->count && !table)
		return;
	if (table && gw_pv_entry_begin(&g->tables, frame, slot, pte, NULL) < 0)
		return;
	if (table)
		gw_pv_entry_end(&g->tables, frame, slot);
	gw_put_le64(g->pages[frame] + 8 * slot, pte);
}

static void begin_use(struct guest *g, struct input *in)
{
	uint64_t frame = NOT_HIS + 1 + input_u8(in) % (FRAMES - NOT_HIS - 1);
	enum gw_pv_use_type type = 1 + input_u8(in) % GW_PV_USE_WRITABLE;
	struct gw_error err = GW_ERROR_INIT;

	if (g->nr_used == USES)
		return;
	if (gw_pv_use_get(&g->tables, frame, type, &err) == 0)
		g->used[g->nr_used++] = frame;
	else if (!err.text[0])
		abort();
}

static void end_use(struct guest *g, struct input *in)
{
	unsigned i;

	if (!g->nr_used)
		return;
	i = input_u8(in) % g->nr_used;
	gw_pv_use_put(&g->tables, g->used[i]);
	g->used[i] = g->used[--g->nr_used];
}

static void check_unused(const struct guest *g)
{
	for (uint64_t i = 0; i < FRAMES; i++) {
		if (g->tables.uses[i].count == 0)
			continue;
		fprintf(stderr, "frame %llu has %u uses left\n", (unsigned long long)i,
			g->tables.uses[i].count);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned mode = input_u8(&in);
	struct guest *g = calloc(1, sizeof(*g));
	struct gw_pv_use *uses = calloc(FRAMES, sizeof(*uses));

	if (!g || !uses)
		exit(1);
	g->tables = (struct gw_pv_tables){
		.layout = gw_pv_layout(mode & 1 ? 4 : 8),
		.uses = uses,
		.nr_frames = FRAMES,
		.owner = g,
		.page = page,
		.pfn = pfn,
		.changed = changed,
		.fault = mode & 2 ? fault : NULL,
		.fault_owner = g,
	};
	bound_begin();
	while (in.len) {
		switch (input_u8(&in) % 4) {
		case 0:
			begin_use(g, &in);
			break;
		case 1:
			end_use(g, &in);
			break;
		default:
			write_entry(g, &in);
			break;
		}
	}
	while (g->nr_used)
		gw_pv_use_put(&g->tables, g->used[--g->nr_used]);
	check_unused(g);
	bound_check("page tables", 1u << 20);
	free(uses);
	free(g);
	return 0;
}
