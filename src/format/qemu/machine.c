/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory layout of PCs.
 */
#include "format/qemu/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Bytes of the RTC's memory with the memory above 4 GiB, in units of 64 KiB. */
#define RTC_ABOVE     0x5b
#define RTC_ABOVE_END 0x5e

const struct gw_savevm_block *gw_pc_memory(const struct gw_savevm_ram *ram)
{
	const struct gw_savevm_block *largest = NULL;

	for (size_t i = 0; i < ram->nr_blocks; i++) {
		const struct gw_savevm_block *b = &ram->blocks[i];

		if (!strcmp(b->name, "pc.ram"))
			return b;
		if (!largest || b->length > largest->length)
			largest = b;
	}
	return largest;
}

/* "pc-i440fx-1.7" and before, and isapc: the memory below 4 GiB need not end at a whole GiB. */
static bool is_unaligned(const char *machine)
{
	return !strcmp(machine, "isapc") || !strncmp(machine, "pc-i440fx-1.", 12) ||
	       !strncmp(machine, "pc-1.", 5) || !strncmp(machine, "pc-0.", 5);
}

bool gw_pc_below_4g(const char *machine, uint64_t memory, uint64_t *below)
{
	uint64_t low;

	if (!strncmp(machine, "pc-q35-", 7))
		low = memory >= 0xb0000000 ? 0x80000000 : 0xb0000000;
	else if (is_unaligned(machine))
		low = 0xe0000000;
	else if (!strncmp(machine, "pc-i440fx-", 10))
		low = memory >= 0xe0000000 ? 0xc0000000 : 0xe0000000;
	else
		return false;
	*below = GW_MIN(memory, low);
	return true;
}

bool gw_pc_below_4g_by_rtc(const struct gw_savevm_stream *s, uint64_t memory, uint64_t *below)
{
	const struct gw_savevm_section *rtc = gw_savevm_find_short(s, "mc146818rtc", 0);
	struct gw_savevm_value value;
	uint64_t above = 0;

	if (!rtc || !gw_savevm_field_get(rtc, "cmos_data", &value) || value.size < RTC_ABOVE_END)
		return false;
	for (size_t i = RTC_ABOVE_END; i-- > RTC_ABOVE;)
		above = above << 8 | value.data[i];
	above <<= 16;
	if (above >= memory)
		return false;
	*below = memory - above;
	return true;
}
