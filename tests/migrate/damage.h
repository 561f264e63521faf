/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Damages a real image that was taken apart, by random numbers.
 */
#ifndef TESTS_MIGRATE_DAMAGE_H
#define TESTS_MIGRATE_DAMAGE_H

#include "parts.h"

/* Anything: fields, lengths, records of this image or of another. */
void damage_any(struct parent *p, const struct parent *other);
/* Changes one entry of a policy: its number, its subleaf or flags, or its contents. */
void damage_policy(struct part *policy);
/* Makes the record longer by entries of one that it has, up to more than Xen takes. */
void lengthen_policy(struct part *policy);
bool is_vcpu(const struct part *part);
/* Changes a word inside the blob of some vCPU record, more often one that is not a trap handler. */
void damage_blob(struct parent *p);

#endif
