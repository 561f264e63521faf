/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walks a path component by component. Each symbolic link is read here and not followed by the
 * kernel, so that its owner can be judged first.
 */
#include "base/safe_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/util.h"

/* /dev/null: Documentation/admin-guide/devices.txt */
#define NULL_MAJOR 1
#define NULL_MINOR 3

#define LINKS_MAX 40 /* as in the kernel */

struct walk {
	struct gw_safe_path *p;
	const char *path; /* as given, for messages */
	char *rest;	  /* the components that are left; owned */
	unsigned links;
	bool below; /* in a folder of another user that lies in a shared one */
};

bool gw_safe_owner(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static bool others_create_in(const struct stat *st)
{
	return (st->st_mode & S_IWOTH) || ((st->st_mode & S_ISVTX) && (st->st_mode & S_IWGRP));
}

/* Could another user give what lies in the folder another name? */
static bool others_replace_in(const struct stat *st)
{
	bool group = (st->st_mode & S_IWGRP) && st->st_gid != 0 && st->st_gid != getegid();

	return !gw_safe_owner(st->st_uid) ||
	       (!(st->st_mode & S_ISVTX) && ((st->st_mode & S_IWOTH) || group));
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return "FIFO";
	case S_IFLNK:
		return "symbolic link";
	case S_IFSOCK:
		return "socket";
	case S_IFBLK:
	case S_IFCHR:
		return "device";
	case S_IFDIR:
		return "folder";
	default:
		return "file";
	}
}

/* The path of the folder, as the kernel knows it. */
static void folder_name(int dir, char *text, size_t size)
{
	char proc[32];
	ssize_t n;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", dir);
	n = readlink(proc, text, size - 1);
	snprintf(text + GW_MAX(n, (ssize_t)0), n < 0 ? size : 1, "%s", n < 0 ? "its folder" : "");
}

static int refuse(int dir, const char *path, const struct stat *st, const char *what,
		  struct gw_error *err)
{
	char folder[256];

	folder_name(dir, folder, sizeof(folder));
	gw_fail(err, GW_SYSTEM,
		"%s: refused: a %s%s of user %u lies in %s, where other users can create files",
		path, kind_of(st->st_mode), what, (unsigned)st->st_uid, folder);
	errno = EACCES;
	return -1;
}

static int fail(const struct walk *w, struct gw_error *err)
{
	return gw_fail_errno(err, "%s", w->path);
}

/* Continues in the folder fd, which it takes over. */
static int enter(struct walk *w, int fd, struct gw_error *err)
{
	struct stat st;

	if (w->p->dir >= 0)
		close(w->p->dir);
	w->p->dir = fd;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(w, err);
	w->below |= w->p->shared && !gw_safe_owner(st.st_uid);
	w->p->shared = w->below || others_create_in(&st);
	if (!w->p->loose[0] && others_replace_in(&st))
		folder_name(fd, w->p->loose, sizeof(w->p->loose));
	return 0;
}

static int begin(struct walk *w, struct gw_error *err)
{
	if (*w->rest == '/') {
		w->below = false;
		w->p->shared = false;
	}
	return enter(w, open(*w->rest == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC), err);
}

/* Removes the first component from the rest. False if there is none. */
static bool next(struct walk *w, char *name, bool *last, struct gw_error *err)
{
	const char *from = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(from, "/");

	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		fail(w, err);
		return false;
	}
	memcpy(name, from, len);
	name[len] = '\0';
	from += len;
	*last = !from[strspn(from, "/")];
	memmove(w->rest, from, strlen(from) + 1);
	return true;
}

static int follow(struct walk *w, int fd, struct gw_error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
	char *rest;

	if (n > 0 && ++w->links > LINKS_MAX) {
		errno = ELOOP;
		n = -1;
	} else if (n == 0) {
		errno = ENOENT;
		n = -1;
	}
	if (n < 0 || asprintf(&rest, "%.*s%s", (int)n, target, w->rest) < 0)
		return fail(w, err);
	free(w->rest);
	w->rest = rest;
	return *rest == '/' ? begin(w, err) : 0;
}

static bool is_magic(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static int end_at(struct walk *w, const char *name, struct gw_error *err)
{
	w->p->name = strdup(*name ? name : ".");
	return w->p->name ? 0 : fail(w, err);
}

/* A component that exists, opened as fd. Returns 1 at the end of the path, 0 to go on, or -1. */
static int step(struct walk *w, const char *name, int fd, bool last, bool stay,
		struct gw_error *err)
{
	struct gw_safe_path *p = w->p;
	GW_CLOSE_ON_EXIT int owned = fd;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(w, err);
	if (S_ISLNK(st.st_mode) && !(last && stay)) {
		if (p->shared && !gw_safe_owner(st.st_uid))
			return refuse(p->dir, w->path, &st, "", err);
		if (!is_magic(fd))
			return follow(w, fd, err);
		p->is_magic = last;
		close(fd);
		owned = fd = openat(p->dir, name, O_PATH | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			return fail(w, err);
	}
	if (last && (S_ISDIR(st.st_mode) || !*w->rest)) {
		p->exists = true;
		p->st = st;
		return end_at(w, name, err) < 0 ? -1 : 1;
	}
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return fail(w, err);
	}
	owned = -1;
	return enter(w, fd, err);
}

static int walk(struct walk *w, bool stay, struct gw_error *err)
{
	char name[NAME_MAX + 1];
	bool last;
	int rc;

	if (!*w->rest) {
		errno = ENOENT;
		return fail(w, err);
	}
	rc = begin(w, err);
	while (rc == 0) {
		int fd;

		if (!next(w, name, &last, err))
			return -1;
		fd = openat(w->p->dir, *name ? name : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && last && !*w->rest)
			return end_at(w, name, err);
		rc = fd < 0 ? fail(w, err) : step(w, name, fd, last, stay, err);
	}
	return rc < 0 ? -1 : 0;
}

int gw_safe_path_walk(struct gw_safe_path *p, const char *path, enum gw_safe_last last,
		      struct gw_error *err)
{
	struct walk w = {.p = p, .path = path, .rest = strdup(path)};
	int rc, errnum;

	*p = (struct gw_safe_path)GW_SAFE_PATH_NONE;
	rc = w.rest ? walk(&w, last == GW_SAFE_STAY, err) : fail(&w, err);
	errnum = errno;
	free(w.rest);
	errno = errnum;
	return rc;
}

void gw_safe_path_close(struct gw_safe_path *p)
{
	if (p->dir >= 0)
		close(p->dir);
	free(p->name);
	*p = (struct gw_safe_path)GW_SAFE_PATH_NONE;
}

int gw_safe_path_check(const struct gw_safe_path *p, const char *path, enum gw_safe_use use,
		       struct gw_error *err)
{
	bool trusted = gw_safe_owner(p->st.st_uid);
	bool linked = S_ISREG(p->st.st_mode) && p->st.st_nlink > 1;

	if (!p->exists || !p->shared || S_ISDIR(p->st.st_mode))
		return 0;
	if (linked && (use == GW_SAFE_PRIVATE || !trusted))
		return refuse(p->dir, path, &p->st, " with several names (hard links)", err);
	if (!trusted && (use == GW_SAFE_PRIVATE || !S_ISREG(p->st.st_mode)))
		return refuse(p->dir, path, &p->st, "", err);
	return 0;
}

int gw_safe_path_open(const struct gw_safe_path *p, const char *path, int flags, mode_t mode,
		      struct gw_error *err)
{
	struct stat st;
	int fd;

	flags |= O_CLOEXEC | O_NOCTTY | (p->is_magic ? 0 : O_NOFOLLOW);
	if (p->exists)
		flags &= ~(O_CREAT | O_EXCL);
	else if (flags & O_CREAT)
		flags |= O_EXCL;
	fd = openat(p->dir, p->name, flags, mode);
	if (fd < 0)
		return gw_fail_errno(err, "opening %s", path);
	if (p->exists &&
	    (fstat(fd, &st) < 0 || st.st_dev != p->st.st_dev || st.st_ino != p->st.st_ino)) {
		close(fd);
		gw_fail(err, GW_SYSTEM, "opening %s: another file has taken its place meanwhile",
			path);
		errno = ESTALE;
		return -1;
	}
	return fd;
}

int gw_safe_check_regular(int fd, const char *path, struct gw_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return gw_fail_errno(err, "%s", path);
	if (S_ISREG(st.st_mode) ||
	    (S_ISCHR(st.st_mode) && st.st_rdev == makedev(NULL_MAJOR, NULL_MINOR)))
		return 0;
	gw_fail(err, GW_SYSTEM, "%s is a %s, not a regular file", path, kind_of(st.st_mode));
	errno = EINVAL;
	return -1;
}

int gw_safe_open_regular(int dir, const char *name, const char *path, int flags, mode_t mode,
			 struct gw_error *err)
{
	int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);

	/* A FIFO without a reader, or a socket. */
	if (fd < 0 && errno == ENXIO)
		return gw_fail(err, GW_SYSTEM, "%s is not a regular file", path);
	if (fd < 0)
		return gw_fail_errno(err, "%s", path);
	if (gw_safe_check_regular(fd, path, err) == 0)
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

int gw_safe_open(const char *path, int flags, mode_t mode, enum gw_safe_use use,
		 struct gw_error *err)
{
	struct gw_safe_path p;
	int fd = -1, errnum;

	if (gw_safe_path_walk(&p, path, GW_SAFE_FOLLOW, err) == 0 &&
	    gw_safe_path_check(&p, path, use, err) == 0)
		fd = gw_safe_path_open(&p, path, flags, mode, err);
	errnum = errno;
	gw_safe_path_close(&p);
	errno = errnum;
	return fd;
}
