/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of an export, shared by its files: the memory being written, the registers of the
 * vCPUs.
 */
#ifndef GW_EXAMINE_EXPORT_INTERNAL_H
#define GW_EXAMINE_EXPORT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "channel/spool.h"
#include "examine/export/export.h"
#include "examine/memory/map.h"
#include "format/libxc/image.h"
#include "format/qemu/tree.h"

/* Memory at its place in a file: the page of pfn n at start + n * 4096. Zeroed, then fd and start.
 */
struct gw_export_memory {
	int fd; /* borrowed; random access */
	uint64_t start;
	struct gw_memory_map map;
	struct gw_buffer run; /* contents of neighbouring pfns that are not written yet */
	uint64_t run_pfn;     /* of the first of them */
	bool in_round;	      /* what comes counts only with the next checkpoint */
	struct gw_spool round;
};

int gw_export_memory_add(struct gw_export_memory *m, uint64_t pfn, unsigned type,
			 const uint8_t *contents, struct gw_error *err);
/* The contents of a pfn, outside of rounds; zeros if it has none. */
int gw_export_memory_get(const struct gw_export_memory *m, uint64_t pfn, uint8_t *page,
			 struct gw_error *err);
/* What came counts; what comes is a round of its own. */
int gw_export_memory_checkpoint(struct gw_export_memory *m, struct gw_error *err);
/* Writes the remaining pages that count. *end: the file's size, after the highest populated pfn. */
int gw_export_memory_finish(struct gw_export_memory *m, uint64_t *end, struct gw_error *err);
void gw_export_memory_free(struct gw_export_memory *m);

/* A vCPU's registers, in the order of struct user_regs_struct of x86-64 Linux. */
enum gw_core_reg {
	GW_CORE_R15,
	GW_CORE_R14,
	GW_CORE_R13,
	GW_CORE_R12,
	GW_CORE_RBP,
	GW_CORE_RBX,
	GW_CORE_R11,
	GW_CORE_R10,
	GW_CORE_R9,
	GW_CORE_R8,
	GW_CORE_RAX,
	GW_CORE_RCX,
	GW_CORE_RDX,
	GW_CORE_RSI,
	GW_CORE_RDI,
	GW_CORE_ORIG_RAX,
	GW_CORE_RIP,
	GW_CORE_CS,
	GW_CORE_RFLAGS,
	GW_CORE_RSP,
	GW_CORE_SS,
	GW_CORE_FS_BASE,
	GW_CORE_GS_BASE,
	GW_CORE_DS,
	GW_CORE_ES,
	GW_CORE_FS,
	GW_CORE_GS,
	GW_CORE_NR_REGS,
};

struct gw_core_vcpu {
	uint32_t id;
	bool wide; /* runs a 64-bit kernel */
	uint64_t reg[GW_CORE_NR_REGS];
};

/* vCPUs as the records of an image bring them. Zeroed is empty. */
struct gw_export_vcpus {
	struct gw_buffer list; /* of struct gw_core_vcpu, by id as they came */
	unsigned width;	       /* of a PV guest, from X86_PV_INFO; else 0 */
};

static inline size_t gw_export_nr_vcpus(const struct gw_export_vcpus *v)
{
	return v->list.len / sizeof(struct gw_core_vcpu);
}

static inline const struct gw_core_vcpu *gw_export_vcpu(const struct gw_export_vcpus *v, size_t i)
{
	return (const struct gw_core_vcpu *)(const void *)v->list.data + i;
}

/* Takes what the record says about vCPUs, if anything: the rules have accepted it. */
int gw_export_vcpus_record(struct gw_export_vcpus *v, const struct gw_record *rec,
			   struct gw_error *err);

/* A stream of QEMU. Zeroed, then memory. */
struct gw_export_savevm {
	struct gw_export_memory *memory; /* borrowed */
	struct gw_savevm_stream stream;
	char memory_name[GW_SAVEVM_NAME_MAX + 1]; /* of the block that is exported; "": not known */
	uint64_t length;			  /* of it */
	uint64_t below;				  /* bytes of it that lie below 4 GiB */
	bool want_vcpus;			  /* the registers, too */
};

int gw_export_savevm_page(struct gw_export_savevm *x, const struct gw_savevm_ram_item *item,
			  struct gw_error *err);
/* The stream was read: checks where the memory lies, and takes the registers. */
int gw_export_savevm_finish(struct gw_export_savevm *x, struct gw_export_vcpus *vcpus,
			    const struct gw_log *log, struct gw_error *err);

#define GW_CORE_MEMORY_START 4096u /* room for the ELF header */

/* Writes notes and program headers after *end, and the ELF header. *end: the new size. */
int gw_export_core(int fd, const struct gw_memory_map *map, const struct gw_export_vcpus *vcpus,
		   uint64_t *end, struct gw_error *err);

#define GW_EXPORT_OUTPUT "the memory" /* what messages call the file that it goes to */

#endif
