/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking the memory out of a stored image: as raw bytes, or as an ELF core with the registers of
 * the vCPUs. Of a stream of QEMU the memory of a PC is exported, without ROMs and video memory. Of
 * an image, what is shown is the state of END, or, where rounds of checkpoints are cut off or
 * given up, of the last complete checkpoint: what a restore of the same image would run.
 */
#ifndef GW_EXAMINE_EXPORT_EXPORT_H
#define GW_EXAMINE_EXPORT_EXPORT_H

#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/progress.h>

#include "format/qemu/layout.h"

enum gw_export_form {
	/*
	 * The page of pfn n at n * 4096, page tables as the image has them (with pfns). Pfns
	 * without contents are holes, or zeros where the output is no file. The file ends with the
	 * highest populated pfn.
	 */
	GW_EXPORT_RAW,
	/*
	 * An ELF core: a PT_LOAD for each run of populated pfns, with physical and virtual address
	 * pfn * 4096 (the guest's own mappings are not followed), and an NT_PRSTATUS for each vCPU.
	 * ELF32 for i386 if no vCPU is 64-bit and everything lies below 4 GiB, else ELF64 for
	 * x86-64.
	 */
	GW_EXPORT_CORE,
};

/* What an export wrote. */
struct gw_export_result {
	uint64_t pages;	      /* populated pfns */
	uint64_t bytes;	      /* of the output, holes included */
	uint64_t checkpoints; /* complete ones; 0: a plain image */
	unsigned vcpus;
};

/*
 * Reads the image to its end. A rule of level error that it breaks refuses it (GW_INVALID): then,
 * and on any other failure, out must be closed without gw_channel_finish, as it holds part of the
 * memory. out must be fresh; gw_channel_create's on a regular file is written at random places and
 * sparse, anything else in order, from an unlinked file of the same size. On success out is
 * finished. like: of a stream of QEMU without a description, that of another; or NULL. A cut-off
 * round is a warning to observer->log, other broken rules are information; progress goes to
 * observer->progress.
 */
int gw_export(struct gw_channel *in, struct gw_channel *out, enum gw_export_form form,
	      const struct gw_savevm_description *like, const struct gw_observer *observer,
	      struct gw_export_result *exported, struct gw_error *err);

#endif
