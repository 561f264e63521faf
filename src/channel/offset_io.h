/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes of a file at a place of the caller's choice. For who has been there before, or will go
 * back: channels themselves go one way only.
 */
#ifndef GW_CHANNEL_OFFSET_IO_H
#define GW_CHANNEL_OFFSET_IO_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/channel.h>

/* All len bytes at this offset of the file under fd. what names it in messages. 0; -1, with
 * GW_SYSTEM too if the file ends before them. */
int gw_pread_all(int fd, uint64_t offset, void *buf, size_t len, const char *what,
		 struct gw_error *err);
int gw_pwrite_all(int fd, uint64_t offset, const void *buf, size_t len, const char *what,
		  struct gw_error *err);

/*
 * The same from a seekable channel, offset counting from where it began as read_pos does. Where the
 * channel stands does not matter and does not change. GW_CANCELLED if its token is set.
 */
int gw_channel_pread(const struct gw_channel *ch, uint64_t offset, void *buf, size_t len,
		     struct gw_error *err);

#endif
