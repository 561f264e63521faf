/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which segment descriptors a PV guest may have.
 */
#include "format/x86/pv_descriptor.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "format/x86/pv_layout.h"

/* Bits of the high half. */
#define PRESENT	  (1u << 15)
#define SEGMENT	  (1u << 12) /* code or data; clear: a gate or another object of the system */
#define LONG_MODE (1u << 21)
#define TYPE	  (15u << 8)
#define CALL_GATE (12u << 8)
#define RESERVED  0xffu /* of a call gate: in a 32-bit guest the low five bits count parameters */
#define COUNT	  0x1fu

#define SELECTOR_LDT 4u
/* Xen's own code segments for a guest's kernel, which a gate may name. */
#define KERNEL_CS64 0xe033u
#define KERNEL_CS32 0xe019u

/* A selector that is not one of Xen's own descriptors. */
static bool gate_may_name(unsigned width, uint32_t selector)
{
	return selector >> 3 < GW_PV_GDT_ENTS_MAX || (selector & SELECTOR_LDT) ||
	       selector == (width == 8 ? KERNEL_CS64 : KERNEL_CS32);
}

const char *gw_pv_descriptor_fault(unsigned width, uint64_t descriptor)
{
	uint32_t low = (uint32_t)descriptor, high = (uint32_t)(descriptor >> 32);

	if (!(high & PRESENT))
		return NULL;
	if (high & SEGMENT)
		return width == 4 && (high & LONG_MODE) ? "a 64-bit segment" : NULL;
	/* Type 0 is the second half of a 64-bit call gate. */
	if (!(high & TYPE))
		return NULL;
	if ((high & TYPE) != CALL_GATE)
		return "neither a segment nor a call gate";
	if (!gate_may_name(width, low >> 16))
		return "a call gate to a segment of Xen's";
	if (high & (width == 4 ? RESERVED & ~COUNT : RESERVED))
		return "a call gate with reserved bits";
	return NULL;
}

const char *gw_pv_descriptors_fault(unsigned width, const uint8_t *page, unsigned *at)
{
	const char *fault = NULL;

	for (*at = 0; *at < GW_PV_DESCRIPTORS; ++*at) {
		fault = gw_pv_descriptor_fault(width, gw_get_le64(page + (size_t)*at * 8));
		if (fault)
			break;
	}
	return fault;
}
