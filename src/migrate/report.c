/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reports as JSON and as text.
 */
#include "migrate/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define LAST_ROUND (GW_ARRAY_SIZE(((struct gw_report *)0)->round_pages) - 1)

static unsigned slots(const struct gw_report *r)
{
	return GW_MIN(r->rounds, (unsigned)LAST_ROUND + 1);
}

static json_t *rounds_json(const struct gw_report *r)
{
	json_t *rounds = json_array();

	for (unsigned i = 0; i < slots(r); i++)
		json_array_append_new(rounds, json_pack("{s:I, s:I}", "pages",
							(json_int_t)r->round_pages[i], "ns",
							(json_int_t)r->round_ns[i]));
	return rounds;
}

bool gw_report_missed(const struct gw_report *report)
{
	return report->target_downtime_ns > 0 && report->downtime_ns > report->target_downtime_ns;
}

/* How much longer the downtime was than expected. */
static json_int_t off(const struct gw_report *r)
{
	return (json_int_t)r->downtime_ns - (json_int_t)r->expected_downtime_ns;
}

static json_t *downtime_json(const struct gw_report *r)
{
	bool promised = r->expected_downtime_ns > 0 && r->expected_downtime_ns < INT64_MAX;

	return json_pack(
		"{s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "total_ns",
		(json_int_t)r->downtime_ns, "expected_ns",
		promised ? json_integer((json_int_t)r->expected_downtime_ns) : json_null(),
		"off_ns", promised ? json_integer(off(r)) : json_null(), "target_ns",
		r->target_downtime_ns ? json_integer((json_int_t)r->target_downtime_ns)
				      : json_null(),
		"missed", r->target_downtime_ns ? json_boolean(gw_report_missed(r)) : json_null(),
		"pause_ns", (json_int_t)r->pause_ns, "final_round_ns",
		(json_int_t)r->final_round_ns, "device_state_ns", (json_int_t)r->device_state_ns,
		"transfer_ns", (json_int_t)r->transfer_ns, "resume_ns", (json_int_t)r->resume_ns);
}

int gw_report_json(const struct gw_report *report, const char *operation, struct gw_buffer *out,
		   struct gw_error *err)
{
	json_t *root;
	char *text;
	int rc;

	root = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:s?, s:I, s:o, s:o}", "operation", operation, "rounds",
		(json_int_t)report->rounds, "pages", (json_int_t)report->pages, "bytes",
		(json_int_t)report->bytes, "total_ns", (json_int_t)report->total_ns, "stopped_by",
		gw_stop_reason_name(report->stopped_by), "throttle", (json_int_t)report->throttle,
		"round", rounds_json(report), "downtime", downtime_json(report));
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (!text)
		return gw_fail(err, GW_NO_MEMORY, "writing a report: out of memory");
	rc = gw_buffer_append(out, text, strlen(text), err);
	free(text);
	return rc;
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static int rounds_text(const struct gw_report *r, struct gw_buffer *out, struct gw_error *err)
{
	for (unsigned i = 0; i < slots(r); i++) {
		bool rest = i == LAST_ROUND && r->rounds > LAST_ROUND + 1;

		if (gw_buffer_printf(out, err, "  round %u%s: %llu pages in %.1f ms\n", i,
				     rest ? " and later" : "",
				     (unsigned long long)r->round_pages[i], ms(r->round_ns[i])) < 0)
			return -1;
	}
	return 0;
}

/* Why the guest was suspended, what downtime was expected then, and how much it was slowed. */
static int stop_text(const struct gw_report *r, struct gw_buffer *out, struct gw_error *err)
{
	bool expected = r->expected_downtime_ns > 0 && r->expected_downtime_ns < INT64_MAX;

	if (!r->stopped_by)
		return 0;
	if (gw_buffer_printf(out, err, "  stopped by: %s", gw_stop_reason_name(r->stopped_by)) < 0)
		return -1;
	if (expected && gw_buffer_printf(out, err, "; expected downtime %.1f ms",
					 ms(r->expected_downtime_ns)) < 0)
		return -1;
	if (r->throttle && gw_buffer_printf(out, err, "; vCPUs slowed by %u %%", r->throttle) < 0)
		return -1;
	return gw_buffer_append(out, "\n", 1, err);
}

int gw_report_text(const struct gw_report *r, struct gw_buffer *out, struct gw_error *err)
{
	double seconds = (double)r->total_ns / 1e9;
	double mib = (double)r->bytes / 1048576.0;

	if (gw_buffer_printf(out, err, "%llu pages, %.1f MiB in %.2f s (%.0f MiB/s)\n",
			     (unsigned long long)r->pages, mib, seconds,
			     seconds > 0 ? mib / seconds : 0.0) < 0 ||
	    rounds_text(r, out, err) < 0)
		return -1;
	if (r->downtime_ns == 0)
		return 0;
	if (stop_text(r, out, err) < 0 ||
	    gw_buffer_printf(
		    out, err,
		    "downtime %.1f ms: pause %.1f, final round %.1f, device state %.1f, transfer %.1f, resume %.1f\n",
		    ms(r->downtime_ns), ms(r->pause_ns), ms(r->final_round_ns),
		    ms(r->device_state_ns), ms(r->transfer_ns), ms(r->resume_ns)) < 0)
		return -1;
	if (!gw_report_missed(r))
		return 0;
	return gw_buffer_printf(out, err, "the target of %.0f ms was missed by %.1f ms\n",
				ms(r->target_downtime_ns),
				ms(r->downtime_ns - r->target_downtime_ns));
}
