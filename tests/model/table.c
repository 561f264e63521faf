/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads sides.table, and finds ways through it.
 */
#include "lib/gwtest.h"

#include "table.h"

static void add_states(struct table *t, const char *side, char *states, const struct row *like)
{
	char *state, *rest = states;

	while ((state = strsep(&rest, ","))) {
		t->rows = room_for_one(t->rows, t->nr, sizeof(*t->rows));
		t->rows[t->nr] = *like;
		t->rows[t->nr].sender = strcmp(side, "sender") == 0;
		snprintf(t->rows[t->nr++].state, sizeof(like->state), "%s", state);
	}
}

struct table table_load(const char *path)
{
	FILE *f = path ? fopen(path, "r") : NULL;
	char line[200], side[16], states[80];
	struct table t = {0};

	if (!f)
		fail_msg("no table: GODWIT_MODEL is \"%s\"", path ? path : "");
	while (fgets(line, sizeof(line), f)) {
		struct row r = {0};

		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%15s %79s %15s %23s %15s", side, states, r.event, r.sends,
			   r.next) != 5)
			fail_msg("not a line of the table: %s", line);
		add_states(&t, side, states, &r);
	}
	fclose(f);
	return t;
}

void table_free(struct table *t)
{
	free(t->rows);
}

const struct row *table_find(const struct table *t, bool sender, const char *state,
			     const char *event)
{
	for (size_t i = 0; i < t->nr; i++)
		if (t->rows[i].sender == sender && strcmp(t->rows[i].state, state) == 0 &&
		    strcmp(t->rows[i].event, event) == 0)
			return &t->rows[i];
	return NULL;
}

bool table_ends(const struct row *r)
{
	return strcmp(r->next, "source") == 0 || strcmp(r->next, "moved") == 0 ||
	       strcmp(r->next, "unknown") == 0;
}

static bool is_step(const struct row *r)
{
	return strcmp(r->event, "begin") == 0 ||
	       (r->event[0] >= 'A' && r->event[0] <= 'Z' && !strchr(r->event, '!') &&
		strcmp(r->state, r->next) != 0);
}

/* Depth first: the table has no circle of frames but those that stay in their state. */
static bool find(const struct table *t, bool sender, const char *from, const char *to,
		 const struct row *path[TABLE_PATH_MAX], size_t *n)
{
	if (strcmp(from, to) == 0)
		return true;
	for (size_t i = 0; i < t->nr && *n < TABLE_PATH_MAX; i++) {
		const struct row *r = &t->rows[i];

		if (r->sender != sender || strcmp(r->state, from) != 0 || !is_step(r))
			continue;
		path[(*n)++] = r;
		if (find(t, sender, r->next, to, path, n))
			return true;
		(*n)--;
	}
	return false;
}

size_t table_path(const struct table *t, bool sender, const char *from, const char *to,
		  const struct row *path[TABLE_PATH_MAX])
{
	size_t n = 0;

	if (!find(t, sender, from, to, path, &n))
		fail_msg("the table has no way from %s to %s", from, to);
	return n;
}
