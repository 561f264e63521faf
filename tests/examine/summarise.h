/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An image in memory, walked into a summary.
 */
#ifndef GW_TESTS_EXAMINE_SUMMARISE_H
#define GW_TESTS_EXAMINE_SUMMARISE_H

#include "examine/summary/summary.h"

/* Examines contents and tables only if asked. The walk must not fail, whatever it finds. */
struct gw_summary *summarise(const void *data, size_t len, bool contents, bool tables);
void summary_done(struct gw_summary *s);

/* The offset of record number n (from 0) of that layer and type. Fails the test if there is
 * none. */
size_t place_of_record(const void *data, size_t len, enum gw_layer layer, uint32_t type,
		       unsigned n);

#endif
