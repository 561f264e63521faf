/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * XCR0, and the header and size of XSAVE areas.
 */
#include "format/x86/xstate.h"

#include "base/bytes.h"
#include "base/util.h"

#define HEADER		512u /* offset in the area */
#define HEADER_SIZE	64u
#define SIZE_YMM	832u
#define SIZE_AVX512	2688u
#define SIZE_AVX512_AMD 2432u /* there the states follow each other without a gap for MPX */

/* Sets of bits that are set together or not at all, or need another bit. */
static const struct {
	uint64_t any;  /* if one of these is set ... */
	uint64_t need; /* ... all of these are */
	const char *fault;
} demands[] = {
	{~UINT64_C(0), GW_XCR0_X87, "x87 (bit 0) is clear"},
	{GW_XCR0_YMM, GW_XCR0_SSE, "AVX without SSE"},
	{GW_XCR0_AVX512, GW_XCR0_YMM, "AVX-512 without AVX"},
	{GW_XCR0_AVX512, GW_XCR0_AVX512, "only a part of the three bits of AVX-512"},
	{GW_XCR0_MPX, GW_XCR0_MPX, "only one of the two bits of MPX"},
	{GW_XCR0_TILE, GW_XCR0_TILE, "only one of the two bits of AMX"},
};

const char *gw_xcr0_fault(uint64_t xcr0)
{
	if (xcr0 == 0)
		return demands[0].fault;
	for (size_t i = 0; i < GW_ARRAY_SIZE(demands); i++)
		if ((xcr0 & demands[i].any) && (~xcr0 & demands[i].need))
			return demands[i].fault;
	return NULL;
}

unsigned gw_xsave_pv_sizes(uint64_t xcr0, uint32_t sizes[2])
{
	if (xcr0 & GW_XCR0_AVX512) {
		sizes[0] = SIZE_AVX512_AMD;
		sizes[1] = SIZE_AVX512;
		return 2;
	}
	sizes[0] = xcr0 & GW_XCR0_YMM ? SIZE_YMM : xcr0 ? GW_XSAVE_AREA_MIN : 0;
	return 1;
}

void gw_xsave_header_decode(const uint8_t *area, struct gw_xsave_header *header)
{
	header->xstate_bv = gw_get_le64(area + HEADER);
	header->xcomp_bv = gw_get_le64(area + HEADER + 8);
	header->reserved = false;
	for (unsigned i = 16; i < HEADER_SIZE; i++)
		header->reserved |= area[HEADER + i] != 0;
}
