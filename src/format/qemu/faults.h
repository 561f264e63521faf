/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kinds of faults of a savevm stream. rules/savevm.c has the rule of each.
 */
#ifndef GW_FORMAT_QEMU_FAULTS_H
#define GW_FORMAT_QEMU_FAULTS_H

#include <stdint.h>

#include <godwit/error.h>

enum gw_savevm_fault {
	GW_SAVEVM_FAULT_MAGIC,
	GW_SAVEVM_FAULT_VERSION,
	GW_SAVEVM_FAULT_CONFIGURATION,
	GW_SAVEVM_FAULT_TYPE, /* no part of a stream begins with this byte */
	GW_SAVEVM_FAULT_CUT,  /* the input ends before EOF */
	GW_SAVEVM_FAULT_FOOTER,
	GW_SAVEVM_FAULT_ID,	/* PART or END of a section that was not started */
	GW_SAVEVM_FAULT_TWICE,	/* a device has two sections */
	GW_SAVEVM_FAULT_NAME,	/* a section without a name */
	GW_SAVEVM_FAULT_UNREAD, /* the length of a section is not known: nothing after it is read */
	GW_SAVEVM_FAULT_COMMAND, /* unknown, or of a wrong length */
	GW_SAVEVM_FAULT_PACKAGE, /* longer than its input, or than what is kept */
	GW_SAVEVM_FAULT_RAM_VERSION,
	GW_SAVEVM_FAULT_RAM_WORD,
	GW_SAVEVM_FAULT_RAM_LIST,
	GW_SAVEVM_FAULT_RAM_BLOCK,
	GW_SAVEVM_FAULT_RAM_OFFSET,
	GW_SAVEVM_FAULT_RAM_FILL,
	GW_SAVEVM_FAULT_RAM_DATA,
	GW_SAVEVM_FAULT_RAM_MAP,
	GW_SAVEVM_FAULT_RAM_BITMAP, /* a page beyond the end of its block */
	GW_SAVEVM_FAULT_NO_DESCRIPTION,
	GW_SAVEVM_FAULT_DESCRIPTION,	    /* it cannot be read */
	GW_SAVEVM_FAULT_DESCRIPTION_SIZE,   /* it contradicts a section */
	GW_SAVEVM_FAULT_DESCRIPTION_DEVICE, /* it lists other devices */
	GW_SAVEVM_FAULT_DESCRIPTION_PAGE,   /* it has another page size */
	GW_SAVEVM_FAULT_LIKE,		    /* the other stream's description does not fit */
	GW_SAVEVM_FAULT_GUESSED,
	GW_SAVEVM_FAULT_SCHEMA_DEVICE,
	GW_SAVEVM_FAULT_SCHEMA_VERSION,
	GW_SAVEVM_FAULT_SCHEMA_SUBSECTION,
	GW_SAVEVM_NR_FAULTS,
};

/* Receives faults. text is one sentence without the offset. */
struct gw_savevm_faults {
	void (*report)(void *opaque, enum gw_savevm_fault fault, uint64_t offset, const char *text);
	void *opaque;
};

/* report may be NULL. */
void gw_savevm_blame(const struct gw_savevm_faults *to, enum gw_savevm_fault fault, uint64_t offset,
		     const char *fmt, ...) GW_PRINTF(4, 5);

#endif
