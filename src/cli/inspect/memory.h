/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guest's memory, as inspect shows it: the map, holes, what was resent, what is in the pages,
 * page tables. For people in memory.c, for programs in memory_json.c.
 */
#ifndef GW_CLI_INSPECT_MEMORY_H
#define GW_CLI_INSPECT_MEMORY_H

#include "cli/inspect/inspect.h"

/* Prints the page table trees after the walk, if they were requested. */
int gw_inspect_page_tables(struct gw_inspect *inspect, struct gw_error *err);

int gw_inspect_memory_text(const struct gw_inspect *inspect, struct gw_error *err);
int gw_inspect_tables_text(const struct gw_inspect *inspect, struct gw_error *err);

int gw_inspect_memory_json(struct gw_inspect *inspect, struct gw_error *err);
int gw_inspect_tables_json(struct gw_inspect *inspect, struct gw_error *err);

/* "normal", "pinned L4", ...; "nothing" for a pfn that never came (-1). */
const char *gw_inspect_type_name(int type);
/* "above the last pfn", ... */
const char *gw_inspect_fault_name(enum gw_table_fault_kind kind);

#endif
