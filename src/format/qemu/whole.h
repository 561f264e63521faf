/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether a savevm stream of QEMU is one that QEMU reads to its end: its header, its first section,
 * and the mark after the last section.
 */
#ifndef GW_FORMAT_QEMU_WHOLE_H
#define GW_FORMAT_QEMU_WHOLE_H

#include <stddef.h>

#include "format/qemu/sections.h"

/* QEMU reads no other version (migration/savevm.c, qemu_loadvm_state_header). */
#define GW_QEMU_VERSION 3u

enum gw_qemu_fault {
	GW_QEMU_WHOLE,
	GW_QEMU_NO_MAGIC,    /* it does not begin with "QEVM" */
	GW_QEMU_BAD_VERSION, /* its version is not GW_QEMU_VERSION */
	GW_QEMU_NO_SECTION,  /* a byte that begins no section comes after the header */
	GW_QEMU_CUT,	     /* it ends before the mark after its last section */
};

/*
 * Judges a stream after gw_qemu_sections_end(), and says in words what is wrong with it. Without
 * footers and a description the lengths of sections are not in the stream. The last section is then
 * taken to have at least the bytes that gw_qemu_least_size() gives for it.
 */
enum gw_qemu_fault gw_qemu_judge(const struct gw_qemu_sections *q, char *text, size_t size);

/*
 * The least bytes that a section's data has, or that of a subsection (its name has a '/' after the
 * section's name). name: the name in the stream, with the device's path on its bus before it;
 * first_word: the data's first four bytes, which are the number of elements of some. 0 for
 * a device that is not in the table: then only the marks around its data are known.
 */
uint64_t gw_qemu_least_size(const char *name, uint32_t version, uint32_t first_word);

#endif
