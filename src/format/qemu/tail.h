/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The part of a savevm stream that holds the devices: their sections, commands, EOF and the
 * description. It has to lie in memory, because the description that gives the length of each
 * section comes last.
 *
 * Where a length comes from, in this order: the stream's own description; that of another stream of
 * the same machine; the footer after the section; and last the bytes that look like the header of
 * the next section.
 */
#ifndef GW_FORMAT_QEMU_TAIL_H
#define GW_FORMAT_QEMU_TAIL_H

#include "format/qemu/faults.h"
#include "format/qemu/tree.h"

struct gw_savevm_tail {
	struct gw_savevm_stream *stream;	  /* where the results go */
	const struct gw_savevm_description *like; /* of another stream; NULL: none */
	bool packaged;				  /* the bytes come from a PACKAGED command */
	struct gw_savevm_faults faults;
	/* Sections as they are found; may be NULL. */
	void (*section)(void *opaque, const struct gw_savevm_section *section);
	void (*command)(void *opaque, const struct gw_savevm_command_at *command);
	void *opaque;

	/* private */
	const uint8_t *p;
	size_t len, pos;
	uint64_t offset;    /* of p in the input */
	size_t next_device; /* of the description */
	uint32_t last_id;
	bool guessed, unlike;
	struct gw_savevm_walk walk;
};

/*
 * Reads all of the len bytes at p, which the stream owns or that outlive it. whole: they go to the
 * input's end, with EOF and a description. -1: no memory; faults are not failures.
 */
int gw_savevm_tail_read(struct gw_savevm_tail *t, const uint8_t *p, size_t len, uint64_t offset,
			bool whole, struct gw_error *err);

/* Looks for the footer of section id at or after *at, before something that can follow it. *at is
 * then its offset. */
bool gw_savevm_find_footer(const uint8_t *p, size_t len, uint32_t id, size_t *at);

/* Blames a command, or adds it to the stream. */
int gw_savevm_take_command(struct gw_savevm_stream *s, const struct gw_savevm_faults *faults,
			   const struct gw_savevm_command *c, struct gw_savevm_command_at *at,
			   struct gw_error *err);

#endif
