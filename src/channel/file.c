/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files created by path. An unfinished file never replaces a complete one. file_reader.c opens
 * files for reading.
 */
#include "channel/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "channel/path.h"

/* Interval between attempts to open a FIFO: nothing reports the arrival of a reader. */
#define FIFO_ASK_MS 20

struct gw_file {
	struct gw_fd f;
	struct gw_place place; /* of the final file; dir is -1 if it is written directly */
	char *temporary;       /* name of the temporary file in that folder, until it is renamed */
	char *fifo;	       /* path of a FIFO that is not open yet */
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

	while (file->fifo) {
		int fd = open(file->fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0) {
			fcntl(fd, F_SETFL, O_WRONLY);
			if (gw_fd_attach(&file->f, fd, true, err)) {
				close(fd);
				return -1;
			}
			free(GW_STEAL(file->fifo));
		} else if (errno != ENXIO && errno != EINTR) {
			return gw_fail_errno(err, "opening %s", ch->name);
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
	if (!file->temporary)
		return 0;
	if (renameat(file->place.dir, file->temporary, file->place.dir, file->place.name) < 0)
		return gw_fail_errno(err, "giving %s its name", ch->name);
	free(GW_STEAL(file->temporary));
	gw_place_sync(&file->place);
	return 0;
}

static void file_close(struct gw_channel *ch)
{
	struct gw_file *file = of(ch);

	if (file->temporary)
		unlinkat(file->place.dir, file->temporary, 0);
	free(file->temporary);
	free(file->fifo);
	gw_place_close(&file->place);
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

/* Creates a file with an unused name in the folder of the final file. Returns its descriptor or -1.
 */
static int create_temporary(struct gw_file *file, struct gw_error *err)
{
	const char *path = file->f.ch.name;

	for (;;) {
		uint32_t salt;

		if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
			return gw_fail_errno(err, "a temporary file for %s", path);
		/* The precision keeps the name within NAME_MAX. */
		if (asprintf(&file->temporary, ".%.200s.godwit-%08x", file->place.name, salt) < 0) {
			file->temporary = NULL;
			return gw_fail_errno(err, "a temporary file for %s", path);
		}

		int fd = openat(file->place.dir, file->temporary,
				O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd >= 0)
			return fd;
		free(GW_STEAL(file->temporary));
		if (errno != EEXIST)
			return gw_fail_errno(err, "creating a temporary file beside %s", path);
	}
}

/* A symbolic link stays: the file to which it points is replaced. */
static int open_place(struct gw_file *file, bool exists, struct gw_error *err)
{
	const char *path = file->f.ch.name;
	GW_FREE_ON_EXIT char *real = exists ? realpath(path, NULL) : strdup(path);

	if (!real)
		return gw_fail_errno(err, "%s", path);
	if (exists && faccessat(AT_FDCWD, real, W_OK, AT_EACCESS) < 0)
		return gw_fail_errno(err, "replacing %s", path);
	return gw_place_open(&file->place, real, err);
}

static int create_regular(struct gw_file *file, bool exists, struct gw_error *err)
{
	if (open_place(file, exists, err))
		return -1;

	int fd = create_temporary(file, err);

	if (fd < 0)
		return -1;
	/* The mode does not depend on the umask. */
	if (fchmod(fd, 0600) < 0)
		gw_fail_errno(err, "the mode of %s", file->f.ch.name);
	else if (gw_fd_attach(&file->f, fd, true, err) == 0)
		return 0;
	close(fd);
	return -1;
}

static int create_direct(struct gw_file *file, const struct stat *st, struct gw_error *err)
{
	const char *path = file->f.ch.name;

	if (S_ISFIFO(st->st_mode)) {
		file->fifo = strdup(path);
		return file->fifo ? 0 : gw_fail_errno(err, "%s", path);
	}

	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return gw_fail_errno(err, "opening %s for writing", path);
	if (gw_fd_attach(&file->f, fd, true, err) == 0)
		return 0;
	close(fd);
	return -1;
}

static int create(struct gw_file *file, struct gw_error *err)
{
	const char *path = file->f.ch.name;
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISREG(st.st_mode) ? create_regular(file, true, err)
					   : create_direct(file, &st, err);
	if (errno != ENOENT)
		return gw_fail_errno(err, "creating %s", path);
	return create_regular(file, false, err);
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
	file->place.dir = -1;
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
