/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The precopy policy and the pacing: only arithmetic, so that a test can use recorded measurements.
 */
#include "migrate/precopy.h"

#include <string.h>

#include <godwit/hypervisor.h>

#include "base/util.h"

#define SECOND UINT64_C(1000000000)
#define MSEC   UINT64_C(1000000)

/* Bytes that must have moved before the rate counts as that of the channel. */
#define BELIEVABLE_BYTES (UINT64_C(64) << 20)

/* A pass that leaves more than three quarters of its pages due does not shrink. */
#define SHRUNK_OF  4u
#define SHRUNK_TO  3u
#define MEMORY_MAX 2u /* all pages are sent twice at most before the guest is suspended */

/* How much the vCPUs are slowed, in percent, step by step. */
static const unsigned throttle_steps[] = {25, 50, 75, 90, 97};

static const char *const stop_reason_names[GW_NR_STOP_REASONS] = {
	[GW_STOP_DOWNTIME] = "downtime",   [GW_STOP_MAX_ROUNDS] = "max-rounds",
	[GW_STOP_TIMEOUT] = "timeout",	   [GW_STOP_NOT_LIVE] = "not live",
	[GW_STOP_TOOLSTACK] = "toolstack", [GW_STOP_STALLED] = "stalled",
};

static const char *const on_stall_names[GW_NR_ON_STALL] = {
	[GW_ON_STALL_SWITCH] = "switch",
	[GW_ON_STALL_ABORT] = "abort",
	[GW_ON_STALL_THROTTLE] = "throttle",
};

static const char *const action_names[GW_NR_PRECOPY_ACTIONS] = {
	[GW_PRECOPY_GO_ON] = "go on",
	[GW_PRECOPY_SLOW_DOWN] = "throttle",
	[GW_PRECOPY_SWITCH_OVER] = "switch",
	[GW_PRECOPY_GIVE_UP] = "abort",
};

const char *gw_stop_reason_name(enum gw_stop_reason reason)
{
	return (unsigned)reason < GW_NR_STOP_REASONS ? stop_reason_names[reason] : NULL;
}

enum gw_stop_reason gw_stop_reason_from_name(const char *name)
{
	for (unsigned i = 1; name && i < GW_NR_STOP_REASONS; i++)
		if (strcmp(name, stop_reason_names[i]) == 0)
			return (enum gw_stop_reason)i;
	return GW_STOP_NONE;
}

const char *gw_on_stall_name(enum gw_on_stall on_stall)
{
	return on_stall_names[on_stall];
}

bool gw_on_stall_from_name(const char *name, enum gw_on_stall *on_stall)
{
	for (unsigned i = 0; name && i < GW_NR_ON_STALL; i++)
		if (strcmp(name, on_stall_names[i]) == 0) {
			*on_stall = (enum gw_on_stall)i;
			return true;
		}
	return false;
}

const char *gw_precopy_action_name(enum gw_precopy_action action)
{
	return action_names[action];
}

unsigned gw_precopy_target_ms(const struct gw_precopy *policy)
{
	return policy->downtime_ms ? policy->downtime_ms : GW_PRECOPY_DOWNTIME_MS;
}

uint64_t gw_precopy_fixed_ns(const struct gw_precopy_cost *cost)
{
	uint64_t ns = (cost->suspend_ns ? cost->suspend_ns : GW_PRECOPY_SUSPEND_NS) +
		      (cost->state_ns ? cost->state_ns : GW_PRECOPY_STATE_NS);

	if (!cost->has_receiver)
		return ns;
	return ns + (cost->receiver_ns ? cost->receiver_ns : GW_PRECOPY_RECEIVER_NS) +
	       cost->handover_ns;
}

/* a * b / c without an intermediate overflow; saturates. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 v = (unsigned __int128)a * b / c;

	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

/* a + b; saturates. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t recent_rate(const struct gw_precopy_round *rounds, unsigned n)
{
	uint64_t bytes = 0, ns = 0;

	while (n > 0 && bytes < BELIEVABLE_BYTES) {
		n--;
		bytes = sum(bytes, rounds[n].bytes);
		ns = sum(ns, rounds[n].busy_ns);
	}
	return ns == 0 ? 0 : scale(bytes, SECOND, ns);
}

static uint64_t expected_downtime(const struct gw_precopy_round *last, uint64_t bytes_per_s)
{
	if (last->dirty == 0)
		return last->fixed_ns;
	if (bytes_per_s == 0)
		return UINT64_MAX;
	return sum(last->fixed_ns,
		   scale(last->dirty, (GW_PAGE_SIZE + sizeof(uint64_t)) * SECOND, bytes_per_s));
}

/* What the rules look at. */
struct view {
	const struct gw_precopy *policy;
	const struct gw_precopy_round *last;
	unsigned n;
	uint64_t elapsed_ns, sent; /* of all passes */
	uint64_t memory;	   /* pages of the domain */
	uint64_t expected_ns;
};

static bool within_target(const struct view *v)
{
	return v->expected_ns <= gw_precopy_target_ms(v->policy) * MSEC;
}

static bool too_many_rounds(const struct view *v)
{
	unsigned max = v->policy->max_rounds ? v->policy->max_rounds : GW_PRECOPY_MAX_ROUNDS;

	return v->n >= max;
}

static bool too_long(const struct view *v)
{
	return v->policy->timeout_ms && v->elapsed_ns / MSEC >= v->policy->timeout_ms;
}

/* Nothing is left to send, or the next pass is nearly as large as this one, or the passes have sent
 * the whole memory twice. */
static bool stalls(const struct view *v)
{
	return v->last->dirty == 0 || scale(v->last->dirty, SHRUNK_OF, SHRUNK_TO) > v->last->due ||
	       v->sent >= v->memory * MEMORY_MAX;
}

static const struct {
	bool (*applies)(const struct view *v);
	enum gw_stop_reason reason;
} rules[] = {
	{within_target, GW_STOP_DOWNTIME},
	{too_many_rounds, GW_STOP_MAX_ROUNDS},
	{too_long, GW_STOP_TIMEOUT},
	{stalls, GW_STOP_STALLED},
};

/* The next step of the throttle; 0: there is none, or a slower guest would not help. */
static unsigned next_throttle(const struct view *v)
{
	if (v->last->dirty == 0)
		return 0;
	for (size_t i = 0; i < GW_ARRAY_SIZE(throttle_steps); i++)
		if (throttle_steps[i] > v->last->throttle)
			return throttle_steps[i];
	return 0;
}

static void answer_stall(const struct view *v, struct gw_precopy_verdict *verdict)
{
	if (v->policy->on_stall == GW_ON_STALL_ABORT) {
		verdict->action = GW_PRECOPY_GIVE_UP;
		return;
	}
	if (v->policy->on_stall == GW_ON_STALL_THROTTLE)
		verdict->throttle = next_throttle(v);
	if (verdict->throttle > 0) {
		verdict->action = GW_PRECOPY_SLOW_DOWN;
		verdict->reason = GW_STOP_NONE;
	}
}

static void apply_rules(const struct view *v, struct gw_precopy_verdict *verdict)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(rules); i++) {
		if (!rules[i].applies(v))
			continue;
		verdict->action = GW_PRECOPY_SWITCH_OVER;
		verdict->reason = rules[i].reason;
		if (verdict->reason == GW_STOP_STALLED)
			answer_stall(v, verdict);
		return;
	}
}

struct gw_precopy_verdict gw_precopy_decide(const struct gw_precopy *policy,
					    const struct gw_precopy_round *rounds, unsigned n)
{
	struct gw_precopy_verdict verdict = {.bytes_per_s = recent_rate(rounds, n)};
	struct view v = {
		.policy = policy,
		.last = &rounds[n - 1],
		.n = n,
		.memory = rounds[0].due,
		.expected_ns = expected_downtime(&rounds[n - 1], verdict.bytes_per_s),
	};

	verdict.expected_downtime_ns = v.expected_ns;
	for (unsigned i = 0; i < n; i++) {
		v.elapsed_ns = sum(v.elapsed_ns, rounds[i].wall_ns);
		v.sent = sum(v.sent, rounds[i].pages);
	}
	apply_rules(&v, &verdict);
	return verdict;
}

uint64_t gw_pacing_wait_ns(struct gw_pacing *pacing, uint64_t bytes, uint64_t now_ns)
{
	uint64_t credit = SECOND / 10;

	if (pacing->bytes_per_s == 0)
		return 0;
	if (pacing->ready_ns + credit < now_ns)
		pacing->ready_ns = now_ns - credit;
	pacing->ready_ns += scale(bytes, SECOND, pacing->bytes_per_s);
	return pacing->ready_ns > now_ns ? pacing->ready_ns - now_ns : 0;
}
