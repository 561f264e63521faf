/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lines of sides.table: what each side of a migration answers to each event.
 */
#ifndef GW_TESTS_MODEL_TABLE_H
#define GW_TESTS_MODEL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_PATH_MAX 16

struct row {
	bool sender;
	char state[16], event[16], sends[24], next[16];
};

struct table {
	struct row *rows; /* one for each state of a line */
	size_t nr;
};

/* Loads the file; fails the test if a line cannot be understood. */
struct table table_load(const char *path);
void table_free(struct table *t);

/* The row of a state for an event, or NULL. */
const struct row *table_find(const struct table *t, bool sender, const char *state,
			     const char *event);
/* True if the next of a row is an outcome. */
bool table_ends(const struct row *r);
/*
 * The rows from one state to another, or to an outcome, by frames alone, none of which fails.
 * Returns how many there are in path; fails the test if there is no way.
 */
size_t table_path(const struct table *t, bool sender, const char *from, const char *to,
		  const struct row *path[TABLE_PATH_MAX]);

#endif
