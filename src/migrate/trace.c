/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes the lines of a dirty trace, and reads them back. A trace file comes from anywhere, so each
 * value is checked.
 */
#include "migrate/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/util.h"

#define TRACE_VERSION 1
#define TRACE_MAX     ((size_t)16 << 20)
#define NUMBER_MAX    (INT64_C(1) << 60)

json_t *gw_trace_policy_json(const struct gw_precopy *policy)
{
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:s}", "trace", TRACE_VERSION, "downtime_ms",
			 (json_int_t)policy->downtime_ms, "timeout_ms",
			 (json_int_t)policy->timeout_ms, "max_rounds",
			 (json_int_t)policy->max_rounds, "bandwidth", (json_int_t)policy->bandwidth,
			 "on_stall", gw_on_stall_name(policy->on_stall));
}

json_t *gw_trace_pass_json(unsigned number, const struct gw_precopy_round *pass,
			   const struct gw_precopy_verdict *v)
{
	json_t *line = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s?, s:I}", "pass",
		(json_int_t)number, "due", (json_int_t)pass->due, "pages", (json_int_t)pass->pages,
		"bytes", (json_int_t)pass->bytes, "busy_ns", (json_int_t)pass->busy_ns, "wall_ns",
		(json_int_t)pass->wall_ns, "dirty", (json_int_t)pass->dirty, "fixed_ns",
		(json_int_t)pass->fixed_ns, "throttle", (json_int_t)pass->throttle, "decision",
		gw_precopy_action_name(v->action), "reason", gw_stop_reason_name(v->reason),
		"next_throttle", (json_int_t)v->throttle);

	if (line)
		json_object_set_new(line, "expected_downtime_ns",
				    v->expected_downtime_ns > INT64_MAX
					    ? json_null()
					    : json_integer((json_int_t)v->expected_downtime_ns));
	return line;
}

/* A line that is read; the first fault is kept. */
struct line {
	const json_t *object;
	unsigned number;
	struct gw_error *err;
	bool bad;
};

static uint64_t number(struct line *l, const char *key, uint64_t max)
{
	const json_t *value = json_object_get(l->object, key);
	json_int_t n = json_integer_value(value);

	if (json_is_integer(value) && n >= 0 && (uint64_t)n <= max)
		return (uint64_t)n;
	if (!l->bad)
		gw_fail(l->err, GW_INVALID,
			"line %u: \"%s\" is missing or no number from 0 to %llu", l->number, key,
			(unsigned long long)max);
	l->bad = true;
	return 0;
}

static int read_policy(struct line *l, struct gw_precopy *policy)
{
	const json_t *on_stall = json_object_get(l->object, "on_stall");

	if (json_integer_value(json_object_get(l->object, "trace")) != TRACE_VERSION)
		return gw_fail(l->err, GW_INVALID,
			       "line %u: it is no trace of version %d (\"trace\": %d)", l->number,
			       TRACE_VERSION, TRACE_VERSION);
	*policy = (struct gw_precopy){
		.downtime_ms = (unsigned)number(l, "downtime_ms", 3600000),
		.timeout_ms = number(l, "timeout_ms", NUMBER_MAX),
		.max_rounds = (unsigned)number(l, "max_rounds", 1000000),
		.bandwidth = number(l, "bandwidth", NUMBER_MAX),
	};
	if (!l->bad && !gw_on_stall_from_name(json_string_value(on_stall), &policy->on_stall))
		return gw_fail(l->err, GW_INVALID,
			       "line %u: \"on_stall\" is missing or not switch, abort or throttle",
			       l->number);
	return l->bad ? -1 : 0;
}

static int read_action(struct line *l, enum gw_precopy_action *action)
{
	const char *name = json_string_value(json_object_get(l->object, "decision"));

	for (unsigned i = 0; name && i < GW_NR_PRECOPY_ACTIONS; i++)
		if (strcmp(name, gw_precopy_action_name((enum gw_precopy_action)i)) == 0) {
			*action = (enum gw_precopy_action)i;
			return 0;
		}
	return gw_fail(l->err, GW_INVALID,
		       "line %u: \"decision\" is missing or not go on, throttle, switch or abort",
		       l->number);
}

static int read_verdict(struct line *l, struct gw_precopy_verdict *v)
{
	const json_t *expected = json_object_get(l->object, "expected_downtime_ns");
	const char *reason = json_string_value(json_object_get(l->object, "reason"));

	*v = (struct gw_precopy_verdict){
		.reason = gw_stop_reason_from_name(reason),
		.throttle = (unsigned)number(l, "next_throttle", 99),
		.expected_downtime_ns = json_is_null(expected)
						? UINT64_MAX
						: number(l, "expected_downtime_ns", INT64_MAX),
	};
	return l->bad ? -1 : read_action(l, &v->action);
}

static int read_pass(struct line *l, unsigned expected, struct gw_precopy_round *pass)
{
	uint64_t n = number(l, "pass", NUMBER_MAX);

	if (!l->bad && n != expected)
		return gw_fail(l->err, GW_INVALID, "line %u: it is pass %llu, expected %u",
			       l->number, (unsigned long long)n, expected);
	*pass = (struct gw_precopy_round){
		.due = number(l, "due", NUMBER_MAX),
		.pages = number(l, "pages", NUMBER_MAX),
		.bytes = number(l, "bytes", NUMBER_MAX),
		.busy_ns = number(l, "busy_ns", NUMBER_MAX),
		.wall_ns = number(l, "wall_ns", NUMBER_MAX),
		.dirty = number(l, "dirty", NUMBER_MAX),
		.fixed_ns = number(l, "fixed_ns", NUMBER_MAX),
		.throttle = (unsigned)number(l, "throttle", 99),
	};
	return l->bad ? -1 : 0;
}

static int add_pass(struct gw_trace *t, struct line *l)
{
	struct gw_precopy_round *passes = reallocarray(t->passes, t->n + 1, sizeof(*passes));
	struct gw_precopy_verdict *verdicts;

	if (passes)
		t->passes = passes;
	verdicts = reallocarray(t->verdicts, t->n + 1, sizeof(*verdicts));
	if (verdicts)
		t->verdicts = verdicts;
	if (!passes || !verdicts)
		return gw_fail(l->err, GW_NO_MEMORY, "memory for a trace of %u passes", t->n + 1);
	if (read_pass(l, t->n, &t->passes[t->n]) < 0 || read_verdict(l, &t->verdicts[t->n]) < 0)
		return -1;
	t->n++;
	return 0;
}

static int read_line(struct gw_trace *t, const char *text, size_t len, unsigned nr,
		     struct gw_error *err)
{
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	struct line l = {.object = object, .number = nr, .err = err};
	int rc;

	if (!json_is_object(object))
		rc = gw_fail(err, GW_INVALID, "line %u: it is no JSON object", nr);
	else
		rc = nr == 1 ? read_policy(&l, &t->policy) : add_pass(t, &l);
	json_decref(object);
	return rc;
}

static int read_lines(struct gw_trace *t, const char *text, size_t len, struct gw_error *err)
{
	for (unsigned nr = 1; len > 0; nr++) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		if (read_line(t, text, line, nr, err) < 0)
			return -1;
		line += end != NULL;
		text += line;
		len -= line;
	}
	return t->n > 0 ? 0 : gw_fail(err, GW_INVALID, "the trace has no pass");
}

static int read_all(struct gw_channel *in, struct gw_buffer *text, struct gw_error *err)
{
	while (text->len < TRACE_MAX) {
		void *room = gw_buffer_reserve(text, 65536, err);
		ssize_t got = room ? gw_channel_read_some(in, room, 65536, err) : -1;

		if (got <= 0)
			return (int)got;
		text->len += (size_t)got;
	}
	return gw_fail(err, GW_INVALID, "it is longer than %zu bytes, which no trace is",
		       TRACE_MAX);
}

int gw_trace_read(struct gw_channel *in, struct gw_trace *trace, struct gw_error *err)
{
	struct gw_buffer text = {0};
	int rc;

	*trace = (struct gw_trace){0};
	rc = read_all(in, &text, err);
	if (rc == 0)
		rc = read_lines(trace, (const char *)text.data, text.len, err);
	gw_buffer_free(&text);
	return rc < 0 ? gw_fail_in(err, "%s", in->name) : 0;
}

void gw_trace_free(struct gw_trace *trace)
{
	free(trace->passes);
	free(trace->verdicts);
	*trace = (struct gw_trace){0};
}

bool gw_trace_agrees(const struct gw_precopy_verdict *a, const struct gw_precopy_verdict *b)
{
	return a->action == b->action && a->reason == b->reason && a->throttle == b->throttle &&
	       a->expected_downtime_ns == b->expected_downtime_ns;
}
