/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Segment descriptors in the GDT of a PV guest. Xen looks at all 512 of a page when the page
 * becomes part of a GDT (its check_descriptor()), at those of an LDT only when they are used.
 */
#ifndef GW_FORMAT_X86_PV_DESCRIPTOR_H
#define GW_FORMAT_X86_PV_DESCRIPTOR_H

#include <stdint.h>

#define GW_PV_DESCRIPTORS 512u /* in a page */

/* The reason for which Xen refuses this descriptor of a guest of that width; NULL if it takes it.
 */
const char *gw_pv_descriptor_fault(unsigned width, uint64_t descriptor);

/* The same for a page of them; *at is the number of the first that is refused. */
const char *gw_pv_descriptors_fault(unsigned width, const uint8_t *page, unsigned *at);

#endif
