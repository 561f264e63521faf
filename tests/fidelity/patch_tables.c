/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patches of a PV guest's page tables. The base has an L4 at pfn 0x198, an L3, an L2, and two L1,
 * one after the other.
 */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/util.h"
#include "fidelity/patch.h"

#define L4_PFN 0x198u
#define FRAME  UINT64_C(0x000ffffffffff000)

static uint64_t draw_target(struct patch *p)
{
	static const uint64_t pfns[] = {0x198, 0x199, 0x19a, 0x19b, 0x19c,   0x19d,	  0x195,
					0x100, 0x3ff, 0x400, 0,	    0x12345, 0xffffffffff};

	return one_in(p, 4) ? draw(p, 0x400) : pfns[draw(p, GW_ARRAY_SIZE(pfns))];
}

/* A bit of an entry: those that processors and Xen know more often. */
static uint64_t draw_flag(struct patch *p)
{
	static const unsigned bits[] = {0, 1,  2,  3,  4,  5,  6,  7,  8,
					9, 10, 11, 52, 53, 58, 59, 62, 63};

	return UINT64_C(1) << bits[draw(p, GW_ARRAY_SIZE(bits))];
}

static uint32_t draw_slot(struct patch *p, const uint8_t *table, unsigned level)
{
	uint32_t slot = draw(p, 512);

	if (level == 4 && one_in(p, 3))
		return 250 + draw(p, 30);
	/* An entry in use, where there is one. */
	for (uint32_t i = 0; i < 512 && level > 1 && !one_in(p, 4); i++)
		if (gw_get_le64(table + 8 * (size_t)((slot + i) % 512)) & 1)
			return (slot + i) % 512;
	return slot;
}

void patch_tables(struct patch *p)
{
	/* L1 is where most entries are. */
	uint32_t pfn = L4_PFN + (one_in(p, 2) ? 3 + draw(p, 2) : draw(p, 3));
	unsigned level = pfn - L4_PFN < 3 ? 4 - (pfn - L4_PFN) : 1;
	uint8_t *table = page_of(p, pfn);
	uint32_t slot = draw_slot(p, table, level);
	uint8_t *at = table + 8 * (size_t)slot;
	uint64_t old = gw_get_le64(at), entry = old;

	switch (draw(p, 8)) {
	case 0:
	case 1:
	case 2:
		entry ^= draw_flag(p);
		break;
	case 3:
		entry = 0;
		break;
	case 4:
		/* Read-only at this frame, user or not. */
		entry = draw_target(p) << 12 | 0x21;
		entry |= one_in(p, 2) ? 4 : 0;
		break;
	case 5:
		entry = (old & ~FRAME) | draw_target(p) << 12;
		break;
	case 6:
		entry = draw_target(p) << 12 | 0x67;
		break;
	default:
		entry = one_in(p, 2) ? draw64(p) : draw64(p) << 1;
	}
	gw_put_le64(at, entry);
	say(p, "L%u slot %u: 0x%" PRIx64 " -> 0x%" PRIx64, level, slot, old, entry);
}
