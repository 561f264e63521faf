/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which elements of two lists belong together.
 */
#include "examine/diff/internal.h"

#include <stdlib.h>

#include "base/util.h"

struct list {
	const uint8_t *items;
	size_t nr, size;
	int (*compare)(const void *x, const void *y);
};

static const void *item(const struct list *l, size_t i)
{
	return l->items + i * l->size;
}

static int by_key_and_place(const void *x, const void *y, void *opaque)
{
	const struct list *l = opaque;
	size_t i = *(const size_t *)x, k = *(const size_t *)y;
	int order = l->compare(item(l, i), item(l, k));

	return order ? order : (i > k) - (i < k);
}

/* The places of the elements in the order of their keys. NULL with err. */
static size_t *sort(struct list *l, struct gw_error *err)
{
	size_t *order = calloc(l->nr + 1, sizeof(*order));

	if (!order) {
		gw_fail_errno(err, "two lists to be compared");
		return NULL;
	}
	for (size_t i = 0; i < l->nr; i++)
		order[i] = i;
	qsort_r(order, l->nr, sizeof(*order), by_key_and_place, l);
	return order;
}

const void *gw_diff_either(const void *a, const void *b)
{
	return a ? a : b;
}

static int in_order(const void *x, const void *y)
{
	const struct gw_diff_pair *p = x, *q = y;

	if ((p->a < 0) != (q->a < 0))
		return p->a < 0 ? 1 : -1;
	if (p->a >= 0)
		return (p->a > q->a) - (p->a < q->a);
	return (p->b > q->b) - (p->b < q->b);
}

ssize_t gw_diff_match(const void *a, size_t nr_a, const void *b, size_t nr_b, size_t size,
		      int (*compare)(const void *x, const void *y), struct gw_diff_pair **pairs,
		      struct gw_error *err)
{
	struct list la = {a, nr_a, size, compare}, lb = {b, nr_b, size, compare};
	GW_FREE_ON_EXIT size_t *order_a = sort(&la, err);
	GW_FREE_ON_EXIT size_t *order_b = order_a ? sort(&lb, err) : NULL;
	size_t i = 0, k = 0, n = 0;

	*pairs = NULL;
	if (!order_a || !order_b)
		return -1;
	*pairs = calloc(nr_a + nr_b + 1, sizeof(**pairs));
	if (!*pairs)
		return gw_fail_errno(err, "two lists to be compared");
	while (i < nr_a || k < nr_b) {
		int order = i == nr_a	? 1
			    : k == nr_b ? -1
					: compare(item(&la, order_a[i]), item(&lb, order_b[k]));

		(*pairs)[n++] = (struct gw_diff_pair){
			.a = order <= 0 ? (ssize_t)order_a[i++] : -1,
			.b = order >= 0 ? (ssize_t)order_b[k++] : -1,
		};
	}
	qsort(*pairs, n, sizeof(**pairs), in_order);
	return (ssize_t)n;
}
