/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hash of numbers from hostile input. It mixes in a random number of this process, so that an
 * input cannot be made whose numbers all collide. And a fingerprint of bytes, without one.
 */
#ifndef GW_BASE_HASH_H
#define GW_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Of this process: the same for every call. */
uint64_t gw_hash_seed(void);

/*
 * Adds len bytes to a fingerprint, which begins as GW_FINGERPRINT. The same in every process; for
 * recognising data, not against somebody who makes two that collide.
 */
#define GW_FINGERPRINT UINT64_C(0xcbf29ce484222325)
uint64_t gw_fingerprint(uint64_t fingerprint, const void *data, size_t len);

static inline uint64_t gw_hash(uint64_t x, uint64_t seed)
{
	x ^= seed;
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

#endif
