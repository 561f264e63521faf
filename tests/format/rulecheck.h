/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by the tests of the rules: collects findings, and checks at the end that each rule of the
 * tested layers was broken by some test.
 */
#ifndef GW_TESTS_FORMAT_RULECHECK_H
#define GW_TESTS_FORMAT_RULECHECK_H

#include "format/rules/rules.h"

struct seen {
	char ids[600]; /* "id id id ", in order */
	struct gw_finding last;
};

/* The report function of struct gw_findings; opaque is a struct seen. */
void rulecheck_report(void *opaque, const struct gw_finding *finding);

/* Fails the test if a rule of these layers was never reported, or the table is out of order. */
void rulecheck_all_were_broken(enum gw_layer first, enum gw_layer last);

#endif
