/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Driving the legacy reader.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "legacy_feed.h"

static void end(struct legacy_feed *f)
{
	f->cut = true;
	if (f->rules)
		gw_legacy_rules_end(f->rules, &f->r, gw_legacy_reader_at_boundary(&f->r), f->len,
				    &f->rules_err);
}

/* What is owed since the last event. */
static bool pass_over(struct legacy_feed *f, enum gw_legacy_event last)
{
	uint64_t left = f->len - f->pos;

	if (last != GW_LEGACY_PAGES && last != GW_LEGACY_COMPRESSED &&
	    last != GW_LEGACY_DEVICE_MODEL)
		return true;
	if (f->r.data_len == UINT64_MAX) {
		f->pos = f->len;
	} else if (f->r.data_len > left) {
		f->pos = f->len;
		end(f);
		return false;
	} else {
		f->pos += (size_t)f->r.data_len;
	}
	gw_legacy_reader_data_done(&f->r);
	return true;
}

static int got(struct legacy_feed *f, enum gw_legacy_event *event)
{
	if (gw_legacy_reader_got(&f->r, event, &f->err) < 0) {
		if (f->rules)
			gw_legacy_rules_framing(f->rules, &f->r, f->err.text, &f->rules_err);
		return -1;
	}
	if (f->rules && *event != GW_LEGACY_MORE)
		gw_legacy_rules_event(f->rules, &f->r, *event, &f->rules_err);
	if (f->rules && *event == GW_LEGACY_DONE)
		gw_legacy_rules_end(f->rules, &f->r, true, f->pos, &f->rules_err);
	return 0;
}

bool legacy_feed_next(struct legacy_feed *f, enum gw_legacy_event *event)
{
	if (!pass_over(f, *event))
		return false;
	do {
		void *to;
		size_t len;

		assert_ok(gw_legacy_reader_want(&f->r, &to, &len, &f->err), &f->err);
		if (len && f->pos == f->len && gw_legacy_reader_without_model(&f->r)) {
			if (f->rules)
				gw_legacy_rules_no_model(f->rules, &f->r, &f->rules_err);
			continue;
		}
		if (len > f->len - f->pos) {
			end(f);
			return false;
		}
		if (len)
			memcpy(to, f->data + f->pos, len);
		f->pos += len;
		if (got(f, event) < 0)
			return false;
	} while (*event == GW_LEGACY_MORE);
	return true;
}
