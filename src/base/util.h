/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small helpers for every room: sizes, rounding, checked sums, scope cleanup.
 */
#ifndef GW_BASE_UTIL_H
#define GW_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define GW_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define GW_MIN(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define GW_MAX(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

/* Next multiple of a power of two; the caller makes sure that it does not overflow. */
#define GW_ROUND_UP(x, to) (((x) + ((__typeof__(x))(to)-1)) & ~((__typeof__(x))(to)-1))

#define gw_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* True if the sum or product does not fit; *out is then invalid. */
#define gw_add_overflows(a, b, out) __builtin_add_overflow((a), (b), (out))
#define gw_mul_overflows(a, b, out) __builtin_mul_overflow((a), (b), (out))

static inline void gw_free_p(void *p)
{
	free(*(void **)p);
}

static inline void gw_close_p(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* A local pointer freed, or a descriptor closed, when its scope ends. */
#define GW_FREE_ON_EXIT	 __attribute__((cleanup(gw_free_p)))
#define GW_CLOSE_ON_EXIT __attribute__((cleanup(gw_close_p)))

/* Moves a GW_FREE_ON_EXIT pointer to a new owner. */
#define GW_STEAL(p)                                                                                \
	({                                                                                         \
		__typeof__(p) stolen_ = (p);                                                       \
		(p) = NULL;                                                                        \
		stolen_;                                                                           \
	})

#endif
