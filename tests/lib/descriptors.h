/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Open descriptors of the test program.
 */
#ifndef GW_TESTS_DESCRIPTORS_H
#define GW_TESTS_DESCRIPTORS_H

/* Counts them, including the one used for counting: only for comparison with another count. */
int count_fds(void);

#endif
