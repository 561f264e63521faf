/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tests of the rules for policies, which test_rules.c runs.
 */
#ifndef GW_TESTS_FORMAT_RULES_POLICY_H
#define GW_TESTS_FORMAT_RULES_POLICY_H

void policies_of_every_size(void **state);
void policies_with_foreign_leaves(void **state);
void policies_with_maxima(void **state);
void policies_with_foreign_msrs(void **state);
void policies_of_a_vendor(void **state);

#endif
