/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by the files of legacy_writer.h.
 */
#ifndef GW_TESTS_LEGACY_MAKER_H
#define GW_TESTS_LEGACY_MAKER_H

#include "lib/legacy_put.h"
#include "lib/legacy_writer.h"

/* Special pfns of a guest: of PV the first members, of HVM the others. */
struct legacy_layout {
	uint64_t frame, start_info, store, console, root, l2; /* PV */
	uint64_t ioreq, bufioreq, hvm_store, hvm_console;     /* HVM */
	uint64_t special_end, special_begin; /* below special_end and from special_begin on there is
						never a hole */
};

struct legacy_maker {
	struct legacy_made *made;
	struct legacy_out out;
	struct legacy_wish wish;
	struct legacy_layout at;
	struct legacy_info info;
	uint64_t rng;
	bool live, toolstack, vcpu_info;
	unsigned nr_rounds;
	uint64_t params; /* a bit for each that the guest has */
	uint32_t max_vcpu_id;
	uint64_t vcpu_map[64];
	/* The guest: kind 0 is a hole, others are page types; memory is what the sender has. */
	uint8_t *kind, *memory;
	struct legacy_made_round now; /* what the receiver has */
};

uint64_t legacy_random(struct legacy_maker *k);
uint32_t legacy_below(struct legacy_maker *k, uint32_t n); /* 0 if n is 0 */
bool legacy_one_in(struct legacy_maker *k, uint32_t n);
bool legacy_decide(struct legacy_maker *k, enum legacy_wish_for wish, uint32_t one_in);
void legacy_fill(struct legacy_maker *k, uint8_t *to, size_t len);

/* Adds the next event; its item began at this offset, and all bytes written so far belong to it. */
struct legacy_made_event *legacy_expect(struct legacy_maker *k, enum gw_legacy_event event,
					int32_t id, size_t offset);
/* Adds a 64-bit word to the image's list of entries. */
void legacy_note_entry(struct legacy_maker *k, uint64_t entry);

/* A guest to save, and a round of changes to it (legacy_guest.c). */
void legacy_make_guest(struct legacy_maker *k);
void legacy_dirty(struct legacy_maker *k, uint64_t pfn);
uint8_t *legacy_page(struct legacy_maker *k, uint64_t pfn);
/* The contents of a vCPU's context. */
void legacy_make_context(struct legacy_maker *k, uint32_t vcpu, uint8_t *context, uint32_t len);

/* A round's body (legacy_body_writer.c) and tail (legacy_tail_writer.c). */
void legacy_put_body(struct legacy_maker *k, unsigned round, bool last_round);
void legacy_put_tail(struct legacy_maker *k, bool last_round);

#endif
