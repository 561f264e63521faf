/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The machine frames of a PV domain held in memory: the order in which they are given out, and
 * the M2P. The order looks random, has gaps, and follows from a seed, so that a
 * pfn used as an mfn, or an mfn of another domain, is detected.
 */
#include <string.h>

#include "hypervisor/memory/domain.h"

static unsigned frame_bits(uint64_t pages)
{
	unsigned bits = 10;

	/* A fifth of the frames or more is never the domain's. */
	while ((UINT64_C(1) << bits) < pages + pages / 4)
		bits++;
	return bits;
}

uint64_t gw_memory_mfn_frames(uint64_t pages)
{
	return GW_MEMORY_XEN_FRAMES + (UINT64_C(1) << frame_bits(pages));
}

/* Mixes the bits of a seed (the finaliser of splitmix64, as published). */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A bijection of the numbers below 2^bits: every step of a round can be undone. */
static uint64_t permute(uint64_t k, unsigned bits, uint64_t seed)
{
	uint64_t mask = (UINT64_C(1) << bits) - 1;

	for (unsigned round = 0; round < 3; round++) {
		uint64_t key = mix(seed + round);

		k = (k ^ key) & mask;
		k = k * (key >> 32 | 1) & mask;
		k ^= k >> (bits / 2);
	}
	return k;
}

uint64_t gw_memory_mfn_take(struct gw_memory_domain *m)
{
	for (;;) {
		uint64_t k = m->pv.cursor++ & ((UINT64_C(1) << m->pv.bits) - 1);
		uint64_t mfn = GW_MEMORY_XEN_FRAMES + permute(k, m->pv.bits, m->pv.seed);

		if (!(gw_memory_state(m, mfn) & GW_MEMORY_HELD))
			return mfn;
	}
}

int gw_memory_mfn_init(struct gw_memory_domain *m, uint64_t seed, struct gw_error *err)
{
	struct gw_memory_pv *pv = &m->pv;

	pv->seed = seed;
	pv->bits = frame_bits(gw_memory_most_pages(m));
	pv->shared_mfn = 0x40 + mix(seed) % 0x40;
	pv->compat_mfn0 = 0x200 + mix(seed + 1) % 0x40;
	pv->m2p = gw_memory_reserve(m->frames.nr * sizeof(*pv->m2p), err);
	pv->p2m = pv->m2p ? gw_memory_reserve(GW_MEMORY_PV_PFNS * sizeof(*pv->p2m), err) : NULL;
	if (!pv->p2m || gw_memory_tables_init(m, err) < 0)
		return -1;
	memset(pv->m2p, 0xff, m->frames.nr * sizeof(*pv->m2p));
	return 0;
}

void gw_memory_mfn_free(struct gw_memory_domain *m)
{
	gw_memory_release(m->pv.m2p, m->frames.nr * sizeof(*m->pv.m2p));
	gw_memory_release(m->pv.p2m, GW_MEMORY_PV_PFNS * sizeof(*m->pv.p2m));
	gw_memory_tables_free(m);
}
