/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Drives each side of a real protection through every line of protect.table, and compares what it
 * sends and how it ends.
 */
#include "lib/gwtest.h"

#include <sys/socket.h>

#include "base/bytes.h"
#include "protect_side.h"

#define LONG_MS	 60000
#define SHORT_MS 400 /* the limit where the peer is to be silent */

struct line {
	char side[16], after[80], event[24], sends[24], outcome[16];
};

static struct rounds rounds;

static int load(void **state)
{
	rounds_make(&rounds);
	return 0;
}

static int unload(void **state)
{
	rounds_free(&rounds);
	return 0;
}

static const char *outcome_of(const struct protect_side *s)
{
	if (s->primary && s->rc == 0)
		return "ended";
	if (s->primary)
		return s->result.end == GW_PROTECTION_LOST ? "lost" : "over";
	return s->outcome == GW_OUTCOME_SOURCE	  ? "source"
	       : s->outcome == GW_OUTCOME_DROPPED ? "dropped"
	       : s->outcome == GW_OUTCOME_MOVED	  ? "moved"
						  : "unknown";
}

static bool is(const struct line *l, const char *event)
{
	size_t n = strcspn(l->event, "+-");

	return strlen(event) == n && strncmp(l->event, event, n) == 0;
}

static void go_to(struct protect_side *s, const struct line *l)
{
	char path[sizeof(l->after)], *frame, *rest = path;

	protect_side_read(s, NULL);
	snprintf(path, sizeof(path), "%s", l->after);
	while (strcmp(l->after, "-") != 0 && (frame = strsep(&rest, ","))) {
		protect_side_send(s, frame, 0, false);
		protect_side_read(s, frame);
	}
}

/* False if nothing more comes from the peer after it. */
static bool cause(struct protect_side *s, const struct line *l, uint32_t other)
{
	int add = strstr(l->event, "+1") ? 1 : strstr(l->event, "-1") ? -1 : 0;
	char frame[24];

	snprintf(frame, sizeof(frame), "%.*s", (int)strcspn(l->event, "+-"), l->event);
	if (is(l, "silence"))
		return true;
	if (is(l, "closed"))
		return false;
	if (is(l, "HALF"))
		protect_side_send(s, "ROUND", 0, true);
	else if (is(l, "cancel"))
		gw_operation_cancel(s->op, NULL);
	else if (is(l, "OTHER"))
		gw_frames_send(&s->frames, other, NULL, 0, NULL);
	else if (is(l, "over")) {
		atomic_store(&s->over, true);
		protect_side_send(s, "STORED", 0, false);
	} else {
		protect_side_send(s, frame, add, false);
	}
	return s->primary && !is(l, "HELLO");
}

static void check(const struct protect_side *s, const struct line *l, const char *got)
{
	if (strcmp(got, l->sends) != 0 || strcmp(outcome_of(s), l->outcome) != 0)
		fail_msg("%s %s %s: expected %s and %s; it sends %s, outcome %s, \"%s\"", l->side,
			 l->after, l->event, l->sends, l->outcome, got, outcome_of(s), s->err.text);
	/* The copy runs if and only if it has moved, and only after a fence. */
	assert_int_equal(s->runs, !s->primary && s->outcome == GW_OUTCOME_MOVED);
	assert_true(!s->runs || s->fenced);
	assert_int_equal(s->dropped, !s->primary && s->outcome == GW_OUTCOME_DROPPED);
	if (s->primary && s->result.end == GW_PROTECTION_LOST)
		assert_true(s->result.safe_ns > gw_protect_clock_ns());
}

static void drive(const struct line *l, uint32_t other, int silence_ms)
{
	struct protect_side s = {
		.primary = strcmp(l->side, "primary") == 0,
		.rounds = &rounds,
		.silence_ms = silence_ms,
		.late = strstr(l->event, "+late"),
		.alive = strstr(l->event, "+alive"),
		.bad = strstr(l->event, "+bad"),
	};
	char got[200];

	s.bad_number = strstr(l->after, "NOTED") ? 2 : 1;
	protect_side_start(&s);
	go_to(&s, l);
	if (!cause(&s, l, other))
		shutdown(s.ch->fd, SHUT_WR);
	protect_side_read_rest(&s, got, sizeof(got));
	protect_side_join(&s);
	/* This machine may be slower than the limit on silence, before the silence is meant. */
	if (strcmp(outcome_of(&s), l->outcome) != 0 && silence_ms < LONG_MS / 4 && silence_ms > 0 &&
	    strstr(s.err.text, "silent")) {
		drive(l, other, 4 * silence_ms);
		return;
	}
	check(&s, l, got);
}

static void try_line(const struct line *l)
{
	static const uint32_t others[] = {
		GW_FRAME_HELLO, GW_FRAME_ACCEPT,  GW_FRAME_READY,   GW_FRAME_YOURS,
		GW_FRAME_MINE,	GW_FRAME_RUNNING, GW_FRAME_STOPPED, 22};

	if (!is(l, "OTHER")) {
		drive(l, 0, is(l, "silence") ? SHORT_MS : LONG_MS);
		return;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] != GW_FRAME_ACCEPT || strcmp(l->after, "HELLO") != 0)
			drive(l, others[i], LONG_MS);
}

static unsigned try_side(const char *side)
{
	FILE *f = fopen(getenv("GODWIT_PROTECT_MODEL"), "r");
	char text[300];
	unsigned tried = 0;

	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		struct line l;

		if (text[0] == '#' || text[0] == '\n')
			continue;
		if (sscanf(text, "%15s %79s %23s %23s %15s", l.side, l.after, l.event, l.sends,
			   l.outcome) != 5)
			fail_msg("not a line of the table: %s", text);
		if (strcmp(l.side, side) != 0)
			continue;
		try_line(&l);
		tried++;
	}
	fclose(f);
	return tried;
}

static void test_primary(void **state)
{
	assert_true(try_side("primary") > 20);
}

static void test_backup(void **state)
{
	assert_true(try_side("backup") > 40);
}

/* A godwit of before: it knows no checkpoints. */
static void test_old_receiver(void **state)
{
	struct protect_side s = {.primary = true, .rounds = &rounds, .silence_ms = LONG_MS};
	uint8_t hello[48] = "GODWIT01";
	char got[200];

	gw_put_le32(hello + 8, 1);
	gw_put_le32(hello + 12, 1);
	gw_put_le64(hello + 16, 1);
	memcpy(hello + 32, (const uint8_t[]){1, 2, 3}, 3);
	protect_side_start(&s);
	protect_side_read(&s, NULL);
	gw_frames_send(&s.frames, GW_FRAME_HELLO, hello, sizeof(hello), NULL);
	protect_side_read_rest(&s, got, sizeof(got));
	protect_side_join(&s);
	assert_int_equal(s.rc, -1);
	assert_int_equal(s.err.code, GW_REFUSED);
	assert_non_null(strstr(s.err.text, "is a godwit that cannot protect a domain"));
	assert_string_equal(got, "ERROR");
	assert_int_equal(s.result.end, GW_PROTECTION_OVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primary),
		cmocka_unit_test(test_backup),
		cmocka_unit_test(test_old_receiver),
	};

	return cmocka_run_group_tests_name("protect sides", tests, load, unload);
}
