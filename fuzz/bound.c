/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counts the bytes that are allocated.
 */
#include "bound.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* The names are the linker's. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void __wrap_free(void *p);

static _Atomic long now, most;

static void *added(void *p)
{
	long size = p ? (long)malloc_usable_size(p) : 0;
	long level = atomic_fetch_add(&now, size) + size;
	long before = atomic_load(&most);

	while (before < level && !atomic_compare_exchange_weak(&most, &before, level))
		;
	return p;
}

static void removed(void *p)
{
	if (p)
		atomic_fetch_sub(&now, (long)malloc_usable_size(p));
}

void *__wrap_malloc(size_t size)
{
	return added(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return added(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	long before = p ? (long)malloc_usable_size(p) : 0;
	void *to = __real_realloc(p, size);

	if (to || !size)
		atomic_fetch_sub(&now, before);
	return added(to);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	if (size && n > (size_t)-1 / size) {
		errno = ENOMEM;
		return NULL;
	}
	return __wrap_realloc(p, n * size);
}

void __wrap_free(void *p)
{
	removed(p);
	__real_free(p);
}

void bound_begin(void)
{
	atomic_store(&now, 0);
	atomic_store(&most, 0);
}

size_t bound_most(void)
{
	return (size_t)atomic_load(&most);
}

void bound_check(const char *what, size_t limit)
{
	if (bound_most() <= limit)
		return;
	fprintf(stderr, "%s: %zu bytes were allocated, at most %zu are allowed\n", what,
		bound_most(), limit);
	abort();
}
