/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Collects findings for the tests of the rules.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "rulecheck.h"

static bool rule_seen[400];

void rulecheck_report(void *opaque, const struct gw_finding *finding)
{
	struct seen *seen = opaque;
	size_t n;
	const struct gw_rule *rules = gw_rules(&n);
	size_t len = strlen(seen->ids);

	snprintf(seen->ids + len, sizeof(seen->ids) - len, "%s ", finding->rule->id);
	assert_int_equal(finding->level, gw_rule_level(finding->rule, 0));
	seen->last = *finding;
	rule_seen[finding->rule - rules] = true;
}

void rulecheck_all_were_broken(enum gw_layer first, enum gw_layer last)
{
	size_t n;
	const struct gw_rule *rules = gw_rules(&n);

	assert_true(n > 90 && n <= GW_ARRAY_SIZE(rule_seen));
	for (size_t i = 0; i < n; i++) {
		assert_non_null(rules[i].id);
		assert_true(strlen(rules[i].text) > 10 && strlen(rules[i].source) > 3);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(rules[i].id, rules[k].id);
		if (!rule_seen[i] && !rules[i].deep && rules[i].layer >= first &&
		    rules[i].layer <= last)
			fail_msg("no test breaks rule %s", rules[i].id);
	}
	assert_string_equal(gw_level_name(GW_LEVEL_ERROR), "error");
	assert_string_equal(gw_layer_name(GW_LAYER_XL), "xl header");
}
