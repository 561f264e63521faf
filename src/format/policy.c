/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CPU policies as values: copy and free.
 */
#include <godwit/policy.h>

#include <stdlib.h>
#include <string.h>

void gw_policy_free(struct gw_policy *policy)
{
	free(policy->leaves);
	free(policy->msrs);
	*policy = (struct gw_policy){0};
}

/* A copy of n things of that size in *out; NULL for none. */
static int copy_array(void **out, const void *src, size_t n, size_t size, struct gw_error *err)
{
	*out = NULL;
	if (n == 0)
		return 0;
	*out = calloc(n, size);
	if (!*out)
		return gw_fail_errno(err, "copying a CPU policy of %zu entries", n);
	memcpy(*out, src, n * size);
	return 0;
}

int gw_policy_copy(struct gw_policy *dst, const struct gw_policy *src, struct gw_error *err)
{
	void *leaves, *msrs;

	if (copy_array(&leaves, src->leaves, src->nr_leaves, sizeof(*src->leaves), err) < 0)
		return -1;
	if (copy_array(&msrs, src->msrs, src->nr_msrs, sizeof(*src->msrs), err) < 0) {
		free(leaves);
		return -1;
	}
	*dst = (struct gw_policy){
		.leaves = leaves,
		.nr_leaves = src->nr_leaves,
		.msrs = msrs,
		.nr_msrs = src->nr_msrs,
	};
	return 0;
}
