/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of one run of "godwit inspect", and its two output forms, shared by its files.
 */
#ifndef GW_CLI_INSPECT_INSPECT_H
#define GW_CLI_INSPECT_INSPECT_H

#include <stdbool.h>

#include "cli/json.h"
#include "cli/verb.h"
#include "vmm/config.h"
#include "examine/summary/summary.h"
#include "format/qemu/tree.h"

struct gw_inspect {
	struct gw_cli *cli;
	const char *file;
	bool json, records;
	/* Only the requested parts: one of those below is set. */
	bool narrowed;
	bool list; /* of records */
	bool one_vcpu, params, policy, memory, page_tables, platform;
	bool pages;    /* also their contents */
	uint32_t vcpu; /* if one_vcpu */
	struct gw_json_writer writer;
	struct gw_summary summary;
	struct gw_examination examination;
	struct gw_config config;	/* read from the summary's, as far as it can be */
	struct gw_xend_config xend;	/* likewise, if it is xend's */
	bool has_config;		/* it could be read */
	struct gw_libvirt_save libvirt; /* if it is a libvirt save file */
	uint64_t libvirt_offset;
	const struct gw_savevm_description *like; /* of --like; NULL: none */
	struct gw_savevm_stream savevm;		  /* if it is a stream of QEMU */
	uint32_t body_left;			  /* of the device model's state that comes */
	uint64_t savevm_parts;			  /* sections and commands that were listed */
};

/* Prints the summary after the walk. 0 or -1. */
int gw_inspect_text(struct gw_inspect *inspect, struct gw_error *err);
int gw_inspect_json(struct gw_inspect *inspect, struct gw_error *err);

#endif
