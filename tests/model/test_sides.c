/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Holds the code against the model: drives each side of a real migration through every line of
 * sides.table, and compares what it sends and how it ends.
 */
#include "lib/gwtest.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "side.h"
#include "table.h"

#define LONG_MS	 60000
#define SHORT_MS 400 /* the limit where the peer is to be silent */

static struct table table;
static struct recorded recorded;

static int load(void **state)
{
	table = table_load(getenv("GODWIT_MODEL"));
	recorded_make(&recorded);
	return 0;
}

static int unload(void **state)
{
	recorded_free(&recorded);
	table_free(&table);
	return 0;
}

static const char *outcome_name(enum gw_outcome outcome)
{
	return outcome == GW_OUTCOME_SOURCE  ? "source"
	       : outcome == GW_OUTCOME_MOVED ? "moved"
					     : "unknown";
}

/* True if the table has no line for this type in that state: "other" stands for it. */
static bool is_other(const struct row *r, uint32_t type)
{
	/* The frames that OFFER and STREAM consist of. */
	bool in_offer = type == GW_FRAME_CONFIG;
	bool in_stream = type == GW_FRAME_DATA || type == GW_FRAME_SWITCHOVER;
	const char *name = gw_frame_name(type);

	if ((in_offer && table_find(&table, r->sender, r->state, "OFFER")) ||
	    (in_stream && table_find(&table, r->sender, r->state, "STREAM")))
		return false;
	return !name || !table_find(&table, r->sender, r->state, name);
}

/* What the peer does for an event; more: the side goes on after it. */
static void cause(struct side *s, const struct row *r, uint32_t other, bool more)
{
	struct gw_error err = GW_ERROR_INIT;

	if (strcmp(r->event, "begin") == 0 || strcmp(r->event, "silence") == 0)
		return;
	if (strcmp(r->event, "cancel") == 0) {
		bool obeyed = gw_operation_cancel(s->op, &err) == 0;

		assert_int_equal(obeyed, strcmp(r->next, r->state) != 0);
		assert_true(obeyed || err.code == GW_TOO_LATE);
		return;
	}
	if (strcmp(r->event, "other") == 0)
		side_send_type(s, other);
	else if (strcmp(r->event, "closed") != 0)
		side_send(s, r->event);
	if (!more)
		shutdown(s->fd, SHUT_WR);
}

/* Goes along the path. Returns false, with the reason in text, where the side does another thing.
 */
static bool follow(struct side *s, const struct row *const *path, size_t n, uint32_t other,
		   char *text, size_t size)
{
	char got[200], sends[24];

	for (size_t i = 0; i < n; i++) {
		const struct row *r = path[i];
		char *frame, *rest = sends;

		cause(s, r, other, !table_ends(r));
		snprintf(sends, sizeof(sends), "%s", r->sends);
		if (table_ends(r)) {
			side_read_rest(s, got, sizeof(got));
			snprintf(text, size, "it sends %s", got);
			return strcmp(got, r->sends) == 0;
		}
		while (strcmp(r->sends, "-") != 0 && (frame = strsep(&rest, ","))) {
			if (side_reads(s, frame, got, sizeof(got)))
				continue;
			snprintf(text, size, "at \"%s %s\" it sends %s", r->state, r->event, got);
			return false;
		}
	}
	return true;
}

static bool was_slow(const struct side *s)
{
	return s->silence_ms <= 4 * SHORT_MS &&
	       (strstr(s->err.text, "silent") || strstr(s->err.text, "nothing for"));
}

/* One side along one path: the last row is an end. */
static void drive(const struct row *const *path, size_t n, const struct row *tested, uint32_t other,
		  int silence_ms)
{
	struct side s = {.sender = path[0]->sender,
			 .recorded = &recorded,
			 .silence_ms = silence_ms,
			 .owner_fails = strchr(tested->event, '!') ? tested->event : NULL};
	char text[300] = "";
	bool good;

	side_start(&s);
	good = follow(&s, path, n, other, text, sizeof(text));
	side_join(&s);
	if (!good && was_slow(&s)) {
		/* This machine was slower than the limit on silence. */
		drive(path, n, tested, other, 4 * silence_ms);
		return;
	}
	if (!good || strcmp(outcome_name(s.outcome), path[n - 1]->next) != 0)
		fail_msg("%s %s %s (%u): expected %s and %s; %s; outcome %s, \"%s\"",
			 tested->sender ? "sender" : "receiver", tested->state, tested->event,
			 other, path[n - 1]->sends, path[n - 1]->next, text,
			 outcome_name(s.outcome), s.err.text);
	/* The copy runs if and only if it has moved, and MINE was never sent without a note. */
	if (!s.sender)
		assert_int_equal(s.runs, s.outcome == GW_OUTCOME_MOVED);
	if (!s.sender && s.outcome != GW_OUTCOME_SOURCE)
		assert_true(s.noted);
	assert_int_equal(s.rc == 0, s.outcome == GW_OUTCOME_MOVED);
}

/* The row, after what leads to it, and up to an end. */
static void try_row(const struct row *r)
{
	const struct row *path[3 * TABLE_PATH_MAX];
	int silence_ms = strcmp(r->event, "silence") == 0 ? SHORT_MS : LONG_MS;
	size_t n = table_path(&table, r->sender, "start", r->state, path);

	path[n++] = r;
	if (!table_ends(r))
		n += table_path(&table, r->sender, r->next, "moved", path + n);
	if (strcmp(r->event, "other") != 0) {
		drive(path, n, r, 0, silence_ms);
		return;
	}
	for (uint32_t type = GW_FRAME_HELLO; type <= GW_FRAME_ALIVE + 1; type++)
		if (is_other(r, type))
			drive(path, n, r, type, silence_ms);
}

static void try_side(bool sender)
{
	unsigned tried = 0;

	for (size_t i = 0; i < table.nr; i++) {
		if (table.rows[i].sender != sender)
			continue;
		try_row(&table.rows[i]);
		tried++;
	}
	assert_true(tried > 25);
}

static void test_sender(void **state)
{
	try_side(true);
}

static void test_receiver(void **state)
{
	try_side(false);
}

/* The peer sends a frame and is gone at once: what the side then sends may not even leave it. */
static void vanish_after(const struct row *r)
{
	const struct row *path[TABLE_PATH_MAX], *last = r;
	struct side s = {.sender = r->sender, .recorded = &recorded, .silence_ms = LONG_MS};
	size_t n = table_path(&table, r->sender, "start", r->state, path);
	char text[300] = "";

	if (!table_ends(r))
		last = table_find(&table, r->sender, r->next, "closed");
	assert_non_null(last);
	side_start(&s);
	if (!follow(&s, path, n, 0, text, sizeof(text)))
		fail_msg("%s", text);
	side_send(&s, r->event);
	side_join(&s);
	if (strcmp(outcome_name(s.outcome), last->next) != 0)
		fail_msg("%s %s %s, then gone: outcome %s, expected %s; \"%s\"",
			 r->sender ? "sender" : "receiver", r->state, r->event,
			 outcome_name(s.outcome), last->next, s.err.text);
}

static void test_peer_vanishes(void **state)
{
	for (size_t i = 0; i < table.nr; i++) {
		const struct row *r = &table.rows[i];

		if (r->event[0] >= 'A' && r->event[0] <= 'Z' && !strchr(r->event, '!'))
			vanish_after(r);
	}
}

/* Every state has a line for each thing that can happen in it. */
static void test_table_is_complete(void **state)
{
	static const char *const events[] = {"cancel", "closed", "silence",
					     "other",  "CANCEL", "ERROR"};

	for (size_t i = 0; i < table.nr; i++)
		for (size_t e = 0; e < GW_ARRAY_SIZE(events); e++)
			if (strcmp(table.rows[i].state, "start") != 0 &&
			    !table_find(&table, table.rows[i].sender, table.rows[i].state,
					events[e]))
				fail_msg("no line for %s %s", table.rows[i].state, events[e]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_complete),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_receiver),
		cmocka_unit_test(test_peer_vanishes),
	};

	return cmocka_run_group_tests_name("sides", tests, load, unload);
}
