/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The console: a ring of the last 64 KiB that the guest printed, and readers that follow it at
 * their own pace. A slow reader loses the oldest bytes; the guest never waits for a reader.
 */
#ifndef GW_VMM_CONSOLE_H
#define GW_VMM_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#define GW_CONSOLE_SIZE 65536u

struct gw_console;

struct gw_console *gw_console_new(struct gw_error *err);
void gw_console_free(struct gw_console *console);

/* Any thread, and never waits. */
void gw_console_put(struct gw_console *console, const void *bytes, size_t len);

/* Readable if something was put since gw_console_quiet(). */
int gw_console_fd(const struct gw_console *console);
void gw_console_quiet(struct gw_console *console);

/* Where a new reader begins: the oldest byte that is kept, or (live) after the newest. */
uint64_t gw_console_oldest(struct gw_console *console);
uint64_t gw_console_newest(struct gw_console *console);

/*
 * Holds back what is put from now on: readers see nothing of it until it is released. Returns the
 * position of the next byte that is put. Once held, a call only returns the position.
 */
uint64_t gw_console_hold(struct gw_console *console);
/* Readers see the bytes before pos from now on. Any thread, as the two others. */
void gw_console_release(struct gw_console *console, uint64_t pos);
/* Nothing is held back any more. */
void gw_console_unhold(struct gw_console *console);

/*
 * Copies up to len bytes from position *pos (moved up to the oldest byte if that is past it).
 * Does not move *pos past them: the caller adds what it wrote. Returns their number.
 */
size_t gw_console_peek(struct gw_console *console, uint64_t *pos, void *to, size_t len);

#endif
