/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counts points. The linker sends the library's allocations here (-Wl,--wrap), those of libc and
 * other libraries not.
 */
#include "points.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned seen, fail_at = POINTS_NEVER;
static char failed[80];
static __thread bool watched;

void points_start(unsigned at)
{
	seen = 0;
	fail_at = at;
	failed[0] = '\0';
}

bool points_watch(bool on)
{
	bool before = watched;

	watched = on;
	return before;
}

bool point(const char *what)
{
	if (!watched || seen++ != fail_at)
		return false;
	snprintf(failed, sizeof(failed), "%s", what);
	return true;
}

unsigned points_seen(void)
{
	return seen;
}

const char *points_failed(void)
{
	return failed;
}

static bool no_memory(const char *what)
{
	if (!point(what))
		return false;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *text);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);

void *__wrap_malloc(size_t size)
{
	return no_memory("malloc") ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory("calloc") ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return no_memory("realloc") ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return no_memory("reallocarray") ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *text)
{
	return no_memory("strdup") ? NULL : __real_strdup(text);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	return point("pthread_create") ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}
