/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The limit on lines, as one number: the time at which all lines so far would have been written at
 * the steady rate. It may be ahead of the clock by a burst.
 */
#include "base/limit.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/util.h"

#define STEP_NS	 (UINT64_C(1000000000) / GW_LIMIT_A_SECOND)
#define AHEAD_NS (STEP_NS * (GW_LIMIT_BURST - 1))

struct gw_limit {
	_Atomic uint64_t until_ns;
	_Atomic unsigned left_out;
};

struct gw_limit *gw_limit_new(struct gw_error *err)
{
	struct gw_limit *limit = mmap(NULL, sizeof(*limit), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (limit != MAP_FAILED)
		return limit;
	gw_fail_errno(err, "memory for the limit of messages");
	return NULL;
}

bool gw_limit_take(struct gw_limit *limit, uint64_t now_ns)
{
	uint64_t until = atomic_load(&limit->until_ns), next;

	do {
		if (until > now_ns + AHEAD_NS) {
			atomic_fetch_add(&limit->left_out, 1);
			return false;
		}
		next = GW_MAX(until, now_ns) + STEP_NS;
	} while (!atomic_compare_exchange_weak(&limit->until_ns, &until, next));
	return true;
}

unsigned gw_limit_left_out(struct gw_limit *limit)
{
	return atomic_exchange(&limit->left_out, 0);
}
