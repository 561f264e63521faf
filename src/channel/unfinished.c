/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files that are created without a name, or with a hidden one, and get their name when they are
 * complete.
 */
#include "channel/unfinished.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define SALT_DIGITS 8
/* The precision keeps the name within NAME_MAX. */
#define HIDDEN ".%.200s.godwit-"

/* Draws a hidden name for the place. The caller's to free; NULL with err. */
static char *hidden_name(const struct gw_unfinished *u, const char *path, struct gw_error *err)
{
	uint32_t salt;
	char *name;

	if (getrandom(&salt, sizeof(salt), 0) == sizeof(salt) &&
	    asprintf(&name, HIDDEN "%08x", u->place.name, salt) >= 0)
		return name;
	gw_fail_errno(err, "a temporary file for %s", path);
	return NULL;
}

/* Is this one of the hidden names of the place? */
static bool is_hidden_name(const struct gw_unfinished *u, const char *name)
{
	char prefix[256];
	int len = snprintf(prefix, sizeof(prefix), HIDDEN, u->place.name);

	return strncmp(name, prefix, (size_t)len) == 0 &&
	       strlen(name) == (size_t)len + SALT_DIGITS &&
	       strspn(name + len, "0123456789abcdef") == SALT_DIGITS;
}

/* Removes the file of a process that is gone: nobody has it locked. */
static void remove_if_stale(const struct gw_unfinished *u, const char *name)
{
	int fd = openat(u->place.dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(u->place.dir, name, 0);
	close(fd);
}

static void remove_stale(const struct gw_unfinished *u)
{
	int fd = openat(u->place.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return; /* a folder that may be written but not read */
	}
	while ((entry = readdir(dir)))
		if (is_hidden_name(u, entry->d_name))
			remove_if_stale(u, entry->d_name);
	closedir(dir);
}

/* The name of an open file for linkat(). */
static void proc_name(int fd, char name[32])
{
	snprintf(name, 32, "/proc/self/fd/%d", fd);
}

/* A file without a name; -1 if there is no such thing here. */
static int create_nameless(const struct gw_unfinished *u)
{
	int fd = openat(u->place.dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char proc[32];

	if (fd < 0)
		return -1;
	/* It gets its name through /proc, which a chroot may lack. */
	proc_name(fd, proc);
	if (access(proc, F_OK) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Locks a file that was just created. False if a process that removes stale files was faster. */
static bool lock(int fd)
{
	struct stat st;

	/* A file system without locks: then no process can take this file for a stale one. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return false;
	return fstat(fd, &st) < 0 || st.st_nlink > 0;
}

static int create_hidden(struct gw_unfinished *u, const char *path, struct gw_error *err)
{
	for (;;) {
		u->hidden = hidden_name(u, path, err);
		if (!u->hidden)
			return -1;

		int fd = openat(u->place.dir, u->hidden,
				O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd >= 0 && lock(fd))
			return fd;
		free(GW_STEAL(u->hidden));
		if (fd >= 0)
			close(fd);
		else if (errno != EEXIST)
			return gw_fail_errno(err, "creating a temporary file beside %s", path);
	}
}

int gw_unfinished_create(struct gw_unfinished *u, const char *path, struct gw_error *err)
{
	remove_stale(u);
	u->fd = create_nameless(u);
	if (u->fd >= 0)
		lock(u->fd);
	else
		u->fd = create_hidden(u, path, err);
	/* The mode does not depend on the umask. */
	if (u->fd >= 0 && fchmod(u->fd, 0600) < 0) {
		gw_fail_errno(err, "the mode of %s", path);
		close(u->fd);
		u->fd = -1;
	}
	return u->fd;
}

/* Gives a file without a name the given one, which nothing may have. 0 or -1 with errno. */
static int link_as(const struct gw_unfinished *u, const char *name)
{
	char proc[32];

	proc_name(u->fd, proc);
	return linkat(AT_FDCWD, proc, u->place.dir, name, AT_SYMLINK_FOLLOW);
}

int gw_unfinished_publish(struct gw_unfinished *u, const char *path, struct gw_error *err)
{
	if (!u->hidden && link_as(u, u->place.name) == 0) {
		u->fd = -1;
		gw_place_sync(&u->place);
		return 0;
	}
	/* A link cannot replace a file, but a rename can. */
	while (!u->hidden) {
		if (errno != EEXIST)
			return gw_fail_errno(err, "giving %s its name", path);
		u->hidden = hidden_name(u, path, err);
		if (!u->hidden)
			return -1;
		if (link_as(u, u->hidden) < 0)
			free(GW_STEAL(u->hidden));
	}
	if (renameat(u->place.dir, u->hidden, u->place.dir, u->place.name) < 0)
		return gw_fail_errno(err, "giving %s its name", path);
	free(GW_STEAL(u->hidden));
	u->fd = -1;
	gw_place_sync(&u->place);
	return 0;
}

void gw_unfinished_close(struct gw_unfinished *u)
{
	if (u->hidden)
		unlinkat(u->place.dir, u->hidden, 0);
	free(GW_STEAL(u->hidden));
	gw_place_close(&u->place);
	u->fd = -1;
}
