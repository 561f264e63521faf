/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests of the rules for HVM state, run by test_rules.c.
 */
#ifndef GW_TESTS_FORMAT_RULES_HVM_H
#define GW_TESTS_FORMAT_RULES_HVM_H

void hvm_contexts_without_fault(void **state);
void hvm_entries(void **state);
void hvm_chains(void **state);
void hvm_policies(void **state);
void hvm_configs(void **state);
void hvm_params(void **state);
void hvm_params_of_rounds(void **state);
void hvm_releases(void **state);

#endif
