/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Extended processor state as Xen sends it: XCR0, its accumulator (every bit that was ever set) and
 * an uncompressed XSAVE area. Bits and sizes are those of Intel's manual, volume 1, chapter 13;
 * what Xen demands is in its valid_xcr0() and validate_xstate().
 */
#ifndef GW_FORMAT_X86_XSTATE_H
#define GW_FORMAT_X86_XSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_XCR0_X87    UINT64_C(0x1)
#define GW_XCR0_SSE    UINT64_C(0x2)
#define GW_XCR0_YMM    UINT64_C(0x4)
#define GW_XCR0_MPX    UINT64_C(0x18) /* BNDREGS, BNDCSR */
#define GW_XCR0_AVX512 UINT64_C(0xe0) /* OPMASK, ZMM, HI_ZMM */
#define GW_XCR0_PKRU   UINT64_C(0x200)
#define GW_XCR0_TILE   UINT64_C(0x60000) /* TILE_CFG, TILE_DATA */
/* What a PV guest can have: no Xen offers it MPX, PKU or AMX. */
#define GW_XCR0_PV (GW_XCR0_X87 | GW_XCR0_SSE | GW_XCR0_YMM | GW_XCR0_AVX512)

#define GW_XSAVE_AREA_MIN 576u /* the legacy area and the header */

/* The demand that this value of XCR0 breaks ("x87 (bit 0) is clear"); NULL if it breaks none. */
const char *gw_xcr0_fault(uint64_t xcr0);

/*
 * The sizes that an area for these states of a PV guest has: the offset of the AVX-512 states is
 * the processor's own, so there it is AMD's or Intel's. Bits outside GW_XCR0_PV are ignored.
 * Returns how many.
 */
unsigned gw_xsave_pv_sizes(uint64_t xcr0, uint32_t sizes[2]);

/* The header of an area of at least GW_XSAVE_AREA_MIN bytes. */
struct gw_xsave_header {
	uint64_t xstate_bv; /* states that are not in their initial configuration */
	uint64_t xcomp_bv;  /* 0 unless the area is compacted */
	bool reserved;	    /* a reserved byte is not 0 */
};
void gw_xsave_header_decode(const uint8_t *area, struct gw_xsave_header *header);

#endif
