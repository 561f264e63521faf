/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * State of the processor that the heartbeat guest does not use itself: filled once and compared all
 * the time, so that a move which loses any of it is noticed.
 */
#ifndef GODWIT_GUESTS_PROCESSOR_H
#define GODWIT_GUESTS_PROCESSOR_H

/* What to fill, a sum. The guest does not look for the features that this needs: a KVM may show
 * features of its host that it cannot run. */
enum { PROCESSOR_REGISTERS = 1, PROCESSOR_APIC = 2, PROCESSOR_AVX = 4 };

/* Fills it. Returns 0, or -1 where the guest has no such state. */
int processor_fill(unsigned what);
/* The name of the first part that is not as it was filled ("xmm", "pat"); null if all are. */
const char *processor_lost(void);

#endif
