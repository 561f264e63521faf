/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A bound on the memory that one input makes the project's code allocate: the linker passes its
 * calls of malloc(), calloc(), realloc(), reallocarray() and free() through here (--wrap). What
 * libraries allocate inside is not seen.
 */
#ifndef GW_FUZZ_BOUND_H
#define GW_FUZZ_BOUND_H

#include <stddef.h>

/*
 * What an image of size bytes may make its readers allocate: a few times its size, some MiB, and
 * the rules' set of its pages, which has a bound of its own (format/rules/page_set.c) because each
 * pfn can be far from the last.
 */
#define BOUND_OF_IMAGE(size) (16 * (size_t)(size) + ((size_t)112 << 20))

/* Starts to measure: what is allocated now counts as nothing. */
void bound_begin(void);
/* The most bytes that were allocated at one time since bound_begin(). Any thread. */
size_t bound_most(void);
/* Ends the process with a message if that is more than limit. what: for the message. */
void bound_check(const char *what, size_t limit);

#endif
