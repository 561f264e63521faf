/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * verify --deep: what the walk over an image learned is enough to make a domain of the memory
 * backend for it; the image is restored there, and what only that shows becomes a finding. A legacy
 * image is restored through a conversion.
 */
#ifndef GW_CLI_VERIFY_DEEP_H
#define GW_CLI_VERIFY_DEEP_H

#include "channel/spool.h"
#include "cli/verb.h"
#include "examine/examine.h"

/* Zeroed is empty. */
struct gw_deep {
	bool spooled; /* the input can be read once only: spool holds what was read */
	struct gw_spool spool;
	bool has_base;
	uint64_t base;	    /* where the stream, or the image if it is bare, begins */
	uint64_t nr_pfns;   /* one past the highest pfn that gets a page or is in the P2M */
	uint64_t populated; /* entries that ask for a page */
	uint32_t nr_vcpus;  /* one past the highest with a record; 0: none had one */
	bool colo;	    /* CHECKPOINT_STATE records are in it */
};

/* The input, for gw_examine; what cannot be read again is kept in an unlinked file on the way. */
struct gw_channel *gw_deep_open(struct gw_deep *deep, struct gw_cli *cli, const char *path,
				struct gw_error *err);

/* For the sink of the walk. */
void gw_deep_layer(struct gw_deep *deep, uint64_t offset);
void gw_deep_record(struct gw_deep *deep, const struct gw_examine_record *record);

/*
 * Restores an image in which the walk found no error. 0 when that is over, whatever it found; -1 if
 * it could not be done here.
 */
int gw_deep_check(struct gw_deep *deep, struct gw_cli *cli, const char *path,
		  const struct gw_examination *examination, const struct gw_findings *out,
		  struct gw_error *err);

void gw_deep_close(struct gw_deep *deep);

#endif
