/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Feeds the legacy reader, and its rules, with bytes in memory.
 */
#ifndef GW_TESTS_FORMAT_LEGACY_FEED_H
#define GW_TESTS_FORMAT_LEGACY_FEED_H

#include "format/legacy/legacy.h"
#include "format/rules/rules.h"
#include "lib/feed.h"

struct legacy_feed {
	struct gw_legacy_reader r;
	struct feed in;
	struct gw_legacy_rules *rules;	/* NULL: none */
	struct gw_error err, rules_err; /* of the reader; of the rules */
	bool cut;			/* input ended before DONE */
};

/*
 * Goes on to the next event other than MORE; page contents, compressed data and device models are
 * skipped in the call after theirs. Returns false if the reader fails (err) or the input ends
 * (cut). The rules get every event, and the end.
 */
bool legacy_feed_next(struct legacy_feed *f, enum gw_legacy_event *event);

#endif
