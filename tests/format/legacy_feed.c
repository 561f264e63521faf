/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Feeds the legacy reader and its rules.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "legacy_feed.h"

static void end(struct legacy_feed *f)
{
	f->cut = true;
	if (f->rules)
		gw_legacy_rules_end(f->rules, &f->r, gw_legacy_reader_at_boundary(&f->r), f->in.len,
				    &f->rules_err);
}

/* Skips the data of the last event. */
static bool skip_data(struct legacy_feed *f, enum gw_legacy_event last)
{
	if (last != GW_LEGACY_PAGES && last != GW_LEGACY_COMPRESSED &&
	    last != GW_LEGACY_DEVICE_MODEL)
		return true;
	if (f->r.data_len == UINT64_MAX) {
		f->in.pos = f->in.len;
	} else if (!feed_skip(&f->in, f->r.data_len)) {
		f->in.pos = f->in.len;
		end(f);
		return false;
	}
	gw_legacy_reader_data_done(&f->r);
	return true;
}

/* Passes what the reader made of its input to the rules. */
static void judge(struct legacy_feed *f, enum fed fed, enum gw_legacy_event event)
{
	if (!f->rules)
		return;
	if (fed == FED_FAILED)
		gw_legacy_rules_framing(f->rules, &f->r, f->err.text, &f->rules_err);
	if (fed != FED_EVENT)
		return;
	gw_legacy_rules_event(f->rules, &f->r, event, &f->rules_err);
	if (event == GW_LEGACY_DONE)
		gw_legacy_rules_end(f->rules, &f->r, true, f->in.pos, &f->rules_err);
}

bool legacy_feed_next(struct legacy_feed *f, enum gw_legacy_event *event)
{
	enum fed fed;

	if (!skip_data(f, *event))
		return false;
	fed = feed_legacy(&f->in, &f->r, event, &f->err);
	while (fed == FED_ENDED && f->in.pos == f->in.len &&
	       gw_legacy_reader_without_model(&f->r)) {
		if (f->rules)
			gw_legacy_rules_no_model(f->rules, &f->r, &f->rules_err);
		fed = feed_legacy(&f->in, &f->r, event, &f->err);
	}
	if (fed == FED_ENDED)
		end(f);
	judge(f, fed, *event);
	return fed == FED_EVENT;
}
