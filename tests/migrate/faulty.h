/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An HVM domain with planned faults: it forwards every call to a domain of the memory backend,
 * counts it, and fails the one with a chosen number. It also counts what its user has not released.
 */
#ifndef GW_TESTS_MIGRATE_FAULTY_H
#define GW_TESTS_MIGRATE_FAULTY_H

#include <godwit/control.h>

#define FAULTY_NEVER (~0u)

struct faulty {
	struct gw_domain base;
	struct gw_control control;
	struct gw_domain *inner; /* owned */
	unsigned calls;		 /* calls that could fail, so far */
	unsigned fail_at;	 /* number of the call that fails: FAULTY_NEVER */
	unsigned failed;	 /* calls that failed */
	int mapped;		 /* mappings open now */
	bool logging;		 /* log-dirty is on */
	uint64_t unlogged;	 /* a pfn that log-dirty never reports; 0: none */
	uint64_t types_asked;	 /* gfns whose types were asked for */
	bool one_range;		 /* its memory map has no holes, however few pages there are */
	bool dirties;		 /* new pages hold old contents */
	unsigned looks;		 /* calls of info, so far */
	unsigned ends_at; /* number of the look from which on the guest has shut down; 0: never */
	enum gw_shutdown_reason end; /* the reason of that */
	uint8_t first_type;	     /* type of the first page of each call; 0: the real one */
	/* Called at each request for page types; a guest may run here. NULL: nothing. */
	void (*step)(void *opaque, struct gw_domain *inner);
	/* Called before each map. NULL: nothing. */
	void (*before_map)(void *opaque, struct gw_domain *inner);
	/* Called before pages are unmapped. NULL: nothing. */
	void (*unmapping)(void *opaque);
	void *opaque;
	/* Asked at each call that can fail, of unpause too: true fails it. NULL: nothing. */
	bool (*also_fails)(const char *what);
};

/* Takes inner over. */
struct faulty *faulty_new(struct gw_domain *inner);
void faulty_free(struct faulty *f);
/* Frees f alone: the inner domain is the caller's again. */
void faulty_let_go(struct faulty *f);

#endif
