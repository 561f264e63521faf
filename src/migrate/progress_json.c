/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Progress to JSON and back.
 */
#include "migrate/progress_json.h"

#include "base/estimate.h"

static json_t *number_or_null(uint64_t value, bool is_known)
{
	return is_known ? json_integer((json_int_t)value) : json_null();
}

json_t *gw_progress_to_json(const struct gw_progress *p)
{
	uint64_t seconds = gw_progress_seconds_left(p);
	bool total = p->bytes_total > 0;
	json_t *event =
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "event", "progress", "stage",
			  gw_stage_name(p->stage), "round", (json_int_t)p->round, "pages_done",
			  (json_int_t)p->pages_done, "pages_total", (json_int_t)p->pages_total,
			  "bytes", (json_int_t)p->bytes, "bytes_per_s", (json_int_t)p->bytes_per_s,
			  "dirty_pages", (json_int_t)p->dirty_pages);
	json_t *more = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "bytes_total",
		number_or_null(p->bytes_total, total), "bytes_left",
		number_or_null(gw_progress_bytes_left(p), total), "percent",
		number_or_null(p->percent, total), "seconds_left",
		number_or_null(seconds, seconds != UINT64_MAX), "dirty_per_s",
		number_or_null(p->dirty_per_s, p->dirty_per_s > 0), "expected_downtime_ns",
		number_or_null(p->expected_downtime_ns, p->expected_downtime_ns > 0), "throttle",
		(json_int_t)p->throttle);

	if (event && more)
		json_object_update(event, more);
	json_decref(more);
	return event;
}

static uint64_t number(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

struct gw_progress gw_progress_from_json(const json_t *event)
{
	const char *stage = json_string_value(json_object_get(event, "stage"));

	return (struct gw_progress){
		.stage = stage ? gw_stage_from_name(stage) : GW_STAGE_NONE,
		.round = (unsigned)number(event, "round"),
		.pages_done = number(event, "pages_done"),
		.pages_total = number(event, "pages_total"),
		.bytes = number(event, "bytes"),
		.bytes_per_s = number(event, "bytes_per_s"),
		.dirty_pages = number(event, "dirty_pages"),
		.bytes_total = number(event, "bytes_total"),
		.percent = (unsigned)number(event, "percent"),
		.dirty_per_s = number(event, "dirty_per_s"),
		.expected_downtime_ns = number(event, "expected_downtime_ns"),
		.throttle = (unsigned)number(event, "throttle"),
	};
}
