/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The random number and the fingerprint of hash.h.
 */
#include "base/hash.h"

#include <stdatomic.h>
#include <sys/random.h>

#include "base/clock.h"

uint64_t gw_hash_seed(void)
{
	static _Atomic uint64_t seed;
	uint64_t known = atomic_load(&seed), fresh;

	if (known)
		return known;
	/* Without random numbers (an early boot) the time is better than nothing. */
	if (getrandom(&fresh, sizeof(fresh), GRND_NONBLOCK) != sizeof(fresh))
		fresh = gw_clock_ns();
	fresh |= 1;
	/* The first thread sets the number for all. */
	return atomic_compare_exchange_strong(&seed, &known, fresh) ? fresh : known;
}

uint64_t gw_fingerprint(uint64_t fingerprint, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	/* FNV-1a, 64 bits */
	for (size_t i = 0; i < len; i++)
		fingerprint = (fingerprint ^ bytes[i]) * UINT64_C(0x100000001b3);
	return fingerprint;
}
