/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files created by path. An unfinished file (unfinished.h) never replaces a complete one.
 * file_reader.c opens files for reading.
 */
#include "channel/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/safe_path.h"
#include "base/util.h"
#include "channel/unfinished.h"

/* Interval between attempts to open a FIFO: nothing reports the arrival of a reader. */
#define FIFO_ASK_MS 20

struct gw_file {
	struct gw_fd f;
	struct gw_unfinished unfinished; /* fd is -1 if the file is written directly */
	struct gw_safe_path at;		 /* its path */
	bool waits;			 /* at is a FIFO that is not open yet */
};

static struct gw_file *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct gw_file, f.ch);
}

/* Opens a FIFO once a process has opened it for reading. */
static int open_fifo(struct gw_file *file, struct gw_error *err)
{
	const struct gw_channel *ch = &file->f.ch;
	uint64_t began = gw_clock_ms();

	while (file->waits) {
		struct gw_error why = GW_ERROR_INIT;
		int fd = gw_safe_path_open(&file->at, ch->name, O_WRONLY | O_NONBLOCK, 0, &why);

		if (fd >= 0) {
			fcntl(fd, F_SETFL, O_WRONLY);
			if (gw_fd_attach(&file->f, fd, true, err)) {
				close(fd);
				return -1;
			}
			file->waits = false;
		} else if (errno != ENXIO && errno != EINTR) {
			return gw_fail_as(err, &why);
		} else if (ch->silence_ms && gw_clock_ms() - began >= (uint64_t)ch->silence_ms) {
			return gw_channel_fail_silent(ch, GW_WRITING, err);
		} else if (gw_cancel_wait(ch->cancel, -1, 0, FIFO_ASK_MS, err) < 0) {
			return gw_fail_in(err, "waiting for a reader of %s", ch->name);
		}
	}
	return 0;
}

static ssize_t file_write(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	return open_fifo(of(ch), err) ? -1 : gw_fd_write(ch, iov, n, err);
}

static ssize_t file_read(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "%s was created for writing", ch->name);
}

static int64_t file_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	return file_read(ch, NULL, 0, err);
}

static int file_finish(struct gw_channel *ch, struct gw_error *err)
{
	struct gw_file *file = of(ch);

	if (open_fifo(file, err) || gw_fd_finish(ch, err))
		return -1;
	return file->unfinished.fd < 0 ? 0
				       : gw_unfinished_publish(&file->unfinished, ch->name, err);
}

static void file_close(struct gw_channel *ch)
{
	struct gw_file *file = of(ch);

	/* The name goes before the lock. */
	gw_unfinished_close(&file->unfinished);
	gw_safe_path_close(&file->at);
	gw_fd_close(ch);
}

static const struct gw_channel_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.skip = file_skip,
	.drain = gw_channel_drain_nothing,
	.finish = file_finish,
	.close = file_close,
	.splice_fd = gw_fd_splice_fd,
};

static int create_regular(struct gw_file *file, struct gw_error *err)
{
	const char *path = file->f.ch.name;

	if (file->at.exists && faccessat(file->at.dir, file->at.name, W_OK, AT_EACCESS) < 0)
		return gw_fail_errno(err, "replacing %s", path);
	if (gw_place_open(&file->unfinished.place, &file->at, path, err) < 0)
		return -1;

	int fd = gw_unfinished_create(&file->unfinished, path, err);

	if (fd < 0)
		return -1;
	if (gw_fd_attach(&file->f, fd, true, err) == 0)
		return 0;
	close(fd);
	return -1;
}

static int create_direct(struct gw_file *file, struct gw_error *err)
{
	const char *path = file->f.ch.name;

	if (S_ISFIFO(file->at.st.st_mode)) {
		file->waits = true;
		return 0;
	}

	int fd = gw_safe_path_open(&file->at, path, O_WRONLY | O_TRUNC, 0, err);

	if (fd < 0)
		return -1;
	if (gw_fd_attach(&file->f, fd, true, err) == 0)
		return 0;
	close(fd);
	return -1;
}

/* A link of /proc to an open file: the file has a name, too, if it was not removed. */
static void find_name(struct gw_file *file)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(file->at.dir, file->at.name, target, sizeof(target) - 1);
	struct gw_safe_path named;

	target[GW_MAX(n, (ssize_t)0)] = '\0';
	if (gw_safe_path_walk(&named, target, GW_SAFE_STAY, NULL) == 0 && named.exists &&
	    named.st.st_dev == file->at.st.st_dev && named.st.st_ino == file->at.st.st_ino) {
		gw_safe_path_close(&file->at);
		file->at = named;
	} else {
		gw_safe_path_close(&named);
	}
}

/* A symbolic link stays: the file to which it points is replaced. */
static int create(struct gw_file *file, struct gw_error *err)
{
	const char *path = file->f.ch.name;

	if (!*path || path[strlen(path) - 1] == '/')
		return gw_fail(err, GW_USAGE, "\"%s\" names no file", path);
	if (gw_safe_path_walk(&file->at, path, GW_SAFE_FOLLOW, err) < 0)
		return -1;
	if (file->at.is_magic && S_ISREG(file->at.st.st_mode))
		find_name(file);
	if (gw_safe_path_check(&file->at, path, GW_SAFE_DATA, err) < 0)
		return -1;
	if (!file->at.exists || (S_ISREG(file->at.st.st_mode) && !file->at.is_magic))
		return create_regular(file, err);
	return create_direct(file, err);
}

struct gw_channel *gw_channel_create(const char *path, struct gw_error *err)
{
	struct gw_file *file;

	if (strcmp(path, "-") == 0)
		return gw_channel_from_fd(STDOUT_FILENO, false, "standard output", err);
	file = calloc(1, sizeof(*file));
	if (!file) {
		gw_fail_errno(err, "a channel for %s", path);
		return NULL;
	}
	file->unfinished = (struct gw_unfinished){.place.dir = -1, .fd = -1};
	file->at = (struct gw_safe_path)GW_SAFE_PATH_NONE;
	if (gw_fd_init(&file->f, &file_ops, path, err)) {
		free(file);
		return NULL;
	}
	if (create(file, err)) {
		gw_channel_close(&file->f.ch);
		return NULL;
	}
	return &file->f.ch;
}
