/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * File offsets: reads and writes there, independent of a channel's position, and that position.
 */
#ifndef GW_CHANNEL_OFFSET_IO_H
#define GW_CHANNEL_OFFSET_IO_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/channel.h>

/*
 * Reads or writes all len bytes at offset in the file of fd; what names the file in messages.
 * Returns 0, or -1 with GW_SYSTEM, also if the file ends within the range that is read.
 */
int gw_pread_all(int fd, uint64_t offset, void *buf, size_t len, const char *what,
		 struct gw_error *err);
int gw_pwrite_all(int fd, uint64_t offset, const void *buf, size_t len, const char *what,
		  struct gw_error *err);

/*
 * Reads from a seekable channel at an offset that counts, as read_pos does, from the channel's
 * start. The channel's position does not change. Fails with GW_CANCELLED if its token is set.
 */
int gw_channel_pread(const struct gw_channel *ch, uint64_t offset, void *buf, size_t len,
		     struct gw_error *err);

/*
 * The offset in a regular file at which the next byte written to the channel goes; -1 if its bytes
 * do not go to a file unchanged, or always to the file's end.
 */
int64_t gw_channel_file_offset(struct gw_channel *ch);

#endif
