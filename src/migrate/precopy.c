/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The precopy policy and the pacing: only arithmetic, so that a test can use recorded measurements.
 */
#include "migrate/precopy.h"

#include <godwit/hypervisor.h>

#include "base/util.h"

#define SECOND UINT64_C(1000000000)

/* Bytes that must have moved before the rate counts as that of the channel. */
#define BELIEVABLE_BYTES (UINT64_C(64) << 20)

static const char *const stop_reason_names[GW_NR_STOP_REASONS] = {
	[GW_STOP_DOWNTIME] = "downtime",   [GW_STOP_MAX_ROUNDS] = "max-rounds",
	[GW_STOP_TIMEOUT] = "timeout",	   [GW_STOP_NOT_LIVE] = "not live",
	[GW_STOP_TOOLSTACK] = "toolstack",
};

const char *gw_stop_reason_name(enum gw_stop_reason reason)
{
	return (unsigned)reason < GW_NR_STOP_REASONS ? stop_reason_names[reason] : NULL;
}

/* a * b / c without an intermediate overflow; saturates. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 v = (unsigned __int128)a * b / c;

	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

static uint64_t recent_rate(const struct gw_precopy_round *rounds, unsigned n)
{
	uint64_t bytes = 0, ns = 0;

	while (n > 0 && bytes < BELIEVABLE_BYTES) {
		n--;
		bytes += rounds[n].bytes;
		ns += rounds[n].busy_ns;
	}
	return ns == 0 ? 0 : scale(bytes, SECOND, ns);
}

static uint64_t elapsed_ns(const struct gw_precopy_round *rounds, unsigned n)
{
	uint64_t ns = 0;

	for (unsigned i = 0; i < n; i++)
		ns += rounds[i].wall_ns;
	return ns;
}

struct gw_precopy_verdict gw_precopy_decide(const struct gw_precopy *policy,
					    const struct gw_precopy_round *rounds, unsigned n)
{
	uint64_t downtime_ms = policy->downtime_ms ? policy->downtime_ms : GW_PRECOPY_DOWNTIME_MS;
	unsigned max_rounds = policy->max_rounds ? policy->max_rounds : GW_PRECOPY_MAX_ROUNDS;
	uint64_t dirty = rounds[n - 1].dirty;
	struct gw_precopy_verdict verdict = {
		.bytes_per_s = recent_rate(rounds, n),
		.expected_downtime_ns = UINT64_MAX,
	};

	if (dirty == 0)
		verdict.expected_downtime_ns = 0;
	else if (verdict.bytes_per_s > 0)
		verdict.expected_downtime_ns =
			scale(dirty, GW_PAGE_SIZE * SECOND, verdict.bytes_per_s);
	if (verdict.expected_downtime_ns <= downtime_ms * (SECOND / 1000))
		verdict.stop = GW_STOP_DOWNTIME;
	else if (n >= max_rounds)
		verdict.stop = GW_STOP_MAX_ROUNDS;
	else if (policy->timeout_ms &&
		 elapsed_ns(rounds, n) / (SECOND / 1000) >= policy->timeout_ms)
		verdict.stop = GW_STOP_TIMEOUT;
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
