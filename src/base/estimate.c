/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rate and the percentage of a running operation.
 */
#include "base/estimate.h"

#include "base/util.h"

#define SECOND	  UINT64_C(1000000000)
#define WINDOW	  (3 * SECOND)	/* the rate is that of this time, or of a little more */
#define SPACING	  (SECOND / 4)	/* between two samples: the ring spans more than WINDOW */
#define TOO_SHORT (SECOND / 10) /* a rate of less time says nothing */

static unsigned at(const struct gw_estimate *e, unsigned i)
{
	return (e->first + i) % GW_ESTIMATE_SAMPLES;
}

/* Forgets samples as long as the next one is old enough to measure from. */
static void forget_old(struct gw_estimate *e, uint64_t now_ns)
{
	while (e->nr > 1 && now_ns - e->samples[at(e, 1)].ns >= WINDOW) {
		e->first = at(e, 1);
		e->nr--;
	}
}

static void add_sample(struct gw_estimate *e, uint64_t now_ns, uint64_t bytes)
{
	if (e->nr > 0 && now_ns - e->samples[at(e, e->nr - 1)].ns < SPACING)
		return;
	if (e->nr == GW_ESTIMATE_SAMPLES) {
		e->first = at(e, 1);
		e->nr--;
	}
	e->samples[at(e, e->nr)].ns = now_ns;
	e->samples[at(e, e->nr)].bytes = bytes;
	e->nr++;
}

static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)GW_MIN((unsigned __int128)a * b / c, (unsigned __int128)UINT64_MAX);
}

static uint64_t rate(const struct gw_estimate *e, uint64_t now_ns, uint64_t bytes)
{
	uint64_t ns = now_ns - e->samples[e->first].ns;
	uint64_t before = e->samples[e->first].bytes;

	return ns < TOO_SHORT || bytes < before ? 0 : scale(bytes - before, SECOND, ns);
}

static unsigned percent(const struct gw_estimate *e, const struct gw_progress *p)
{
	unsigned now;

	if (p->stage == GW_STAGE_DONE)
		return 100;
	if (p->bytes_total == 0)
		return e->percent;
	now = (unsigned)scale(p->bytes, 100, p->bytes_total);
	return GW_MIN(GW_MAX(now, e->percent), 99u);
}

void gw_estimate(struct gw_estimate *e, struct gw_progress *p, uint64_t now_ns)
{
	forget_old(e, now_ns);
	add_sample(e, now_ns, p->bytes);
	p->bytes_per_s = rate(e, now_ns, p->bytes);
	if (p->bytes_total > 0)
		p->bytes_total = GW_MAX(p->bytes_total, p->bytes);
	p->percent = e->percent = percent(e, p);
}

uint64_t gw_progress_bytes_left(const struct gw_progress *p)
{
	return p->bytes_total > p->bytes ? p->bytes_total - p->bytes : 0;
}

uint64_t gw_progress_seconds_left(const struct gw_progress *p)
{
	uint64_t left = gw_progress_bytes_left(p);

	if (p->bytes_total == 0 || (left > 0 && p->bytes_per_s == 0))
		return UINT64_MAX;
	return left == 0 ? 0 : (left - 1) / p->bytes_per_s + 1;
}
