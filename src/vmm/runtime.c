/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names, locks and sockets in the runtime folder.
 */
#include "vmm/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/safe_path.h"
#include "base/util.h"
#include "channel/local.h"
#include "channel/socket.h"
#include "vmm/config.h"

static int runtime_path(char **path, struct gw_error *err)
{
	const char *dir = getenv("GODWIT_RUNTIME_DIR");
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int n;

	if (dir && *dir)
		n = asprintf(path, "%s", dir);
	else if (geteuid() == 0)
		n = asprintf(path, "/run/godwit");
	else if (xdg && *xdg)
		n = asprintf(path, "%s/godwit", xdg);
	else
		return gw_fail(err, GW_USAGE,
			       "no runtime folder: set XDG_RUNTIME_DIR or GODWIT_RUNTIME_DIR");
	return n < 0 ? gw_fail(err, GW_NO_MEMORY, "no memory") : 0;
}

static int check_folder(const struct gw_runtime *rt, struct gw_error *err)
{
	struct stat st;

	if (fstat(rt->fd, &st) < 0)
		return gw_fail_errno(err, "%s", rt->path);
	if (st.st_uid != geteuid())
		return gw_fail(err, GW_REFUSED,
			       "the runtime folder %s belongs to user %u, not to %u", rt->path,
			       (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & 077)
		return gw_fail(
			err, GW_REFUSED,
			"the runtime folder %s has mode %03o: others may enter it, expected 700",
			rt->path, (unsigned)(st.st_mode & 0777));
	return 0;
}

/*
 * Nobody else may lead the path to another folder: files there are removed, and what answers at its
 * sockets is believed.
 */
static int open_folder(struct gw_runtime *rt, struct gw_error *err)
{
	struct gw_safe_path at;
	int rc = gw_safe_path_walk(&at, rt->path, GW_SAFE_FOLLOW, err);

	if (rc < 0)
		gw_fail_in(err, "the runtime folder");
	else if (at.loose[0])
		rc = gw_fail(
			err, GW_REFUSED,
			"the runtime folder %s is refused: users other than you and root can replace files in %s",
			rt->path, at.loose);
	else if (!at.exists && mkdirat(at.dir, at.name, 0700) < 0 && errno != EEXIST)
		rc = gw_fail_errno(err, "cannot create the runtime folder %s", rt->path);
	if (rc == 0) {
		rt->fd = openat(at.dir, at.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (rt->fd < 0)
			rc = gw_fail_errno(err, "cannot open the runtime folder %s", rt->path);
	}
	gw_safe_path_close(&at);
	return rc;
}

int gw_runtime_open(struct gw_runtime *rt, struct gw_error *err)
{
	rt->fd = -1;
	rt->path = NULL;
	if (runtime_path(&rt->path, err) < 0)
		return -1;
	for (size_t len = strlen(rt->path); len > 1 && rt->path[len - 1] == '/'; len--)
		rt->path[len - 1] = '\0';
	if (open_folder(rt, err) == 0 && check_folder(rt, err) == 0)
		return 0;
	gw_runtime_close(rt);
	return -1;
}

void gw_runtime_close(struct gw_runtime *rt)
{
	if (rt->fd >= 0)
		close(rt->fd);
	free(rt->path);
	rt->fd = -1;
	rt->path = NULL;
}

int gw_runtime_file(const struct gw_runtime *rt, const char *name, int flags, struct gw_error *err)
{
	GW_FREE_ON_EXIT char *path = NULL;

	if (asprintf(&path, "%s/%s", rt->path, name) < 0) {
		path = NULL;
		return gw_fail(err, GW_NO_MEMORY, "no memory");
	}
	return gw_safe_open_regular(rt->fd, name, path, flags, 0600, err);
}

int gw_name_check(const char *name, struct gw_error *err)
{
	if (gw_name_is_valid(name))
		return 0;
	return gw_fail(
		err, GW_USAGE,
		"\"%.80s\" cannot be a domain's name here: 1 to %d letters, digits and ._+-, not beginning with a dot or hyphen",
		name, GW_NAME_MAX - 1);
}

int gw_name_check_given(const char *name, struct gw_error *err)
{
	static const char suffix[] = GW_NAME_INCOMING;
	size_t len = strlen(name), suffix_len = sizeof(suffix) - 1;

	if (gw_name_check(name, err) < 0)
		return -1;
	if (strcmp(name, GW_NAME_RECEIVERS) == 0)
		return gw_fail(
			err, GW_USAGE,
			"\"%s\" cannot be a domain's name here: its log would be that of the receivers",
			name);
	if (len >= suffix_len && strcmp(name + len - suffix_len, suffix) == 0)
		return gw_fail(
			err, GW_USAGE,
			"\"%s\" cannot be a domain's name here: %s ends the name of one that arrives beside its source",
			name, suffix);
	return 0;
}

/* Holds the longest file name of a domain's name. */
struct file_name {
	char text[GW_NAME_MAX + 8];
};

static struct file_name file_of(const char *name, const char *suffix)
{
	struct file_name f;

	snprintf(f.text, sizeof(f.text), "%.*s%s", GW_NAME_MAX - 1, name, suffix);
	return f;
}

/* Through the descriptor of the folder that was checked. Its path could be too long, too. */
static int socket_address(const struct gw_runtime *rt, const char *name, struct sockaddr_un *sun,
			  struct gw_error *err)
{
	return gw_socket_path(sun, rt->fd, file_of(name, ".sock").text, err);
}

/* True if the folder still has fd under that name: its last holder may have removed it. */
static bool is_current(const struct gw_runtime *rt, int fd, const char *file)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(rt->fd, file, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Locks NAME.lock: returns its descriptor, or -1 with err (GW_BUSY: a running process has it). */
static int take_lock(const struct gw_runtime *rt, const char *name, bool create,
		     struct gw_error *err)
{
	struct file_name f = file_of(name, ".lock");

	for (;;) {
		int fd = gw_runtime_file(rt, f.text, O_RDWR | (create ? O_CREAT : 0), err);

		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			int busy = errno == EWOULDBLOCK;

			close(fd);
			if (busy)
				return gw_fail(err, GW_BUSY,
					       "a domain named \"%s\" exists here already", name);
			return gw_fail_errno(err, "cannot lock %s/%s", rt->path, f.text);
		}
		if (is_current(rt, fd, f.text))
			return fd;
		close(fd);
	}
}

static void remove_files(const struct gw_runtime *rt, const char *name)
{
	struct file_name sock = file_of(name, ".sock"), lock = file_of(name, ".lock");

	unlinkat(rt->fd, sock.text, 0);
	unlinkat(rt->fd, lock.text, 0);
}

static int listen_at(const struct gw_runtime *rt, const char *name, struct gw_error *err)
{
	struct file_name f = file_of(name, ".sock");
	struct sockaddr_un sun;
	int fd;

	if (socket_address(rt, name, &sun, err) < 0)
		return -1;
	unlinkat(rt->fd, f.text, 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gw_fail_errno(err, "a control socket");
	/* Nobody can connect before listen(), so the mode is in place in time. */
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    fchmodat(rt->fd, f.text, 0600, 0) < 0 || listen(fd, 16) < 0) {
		gw_fail_errno(err, "the control socket %s/%s", rt->path, f.text);
		close(fd);
		return -1;
	}
	return fd;
}

int gw_claim_take(struct gw_claim *claim, struct gw_runtime *rt, const char *name,
		  struct gw_error *err)
{
	claim->listen_fd = -1;
	claim->lock_fd = -1;
	claim->name = NULL;
	if (gw_name_check(name, err) < 0)
		return -1;
	claim->lock_fd = take_lock(rt, name, true, err);
	if (claim->lock_fd < 0)
		return -1;
	claim->name = strdup(name);
	if (!claim->name)
		gw_fail(err, GW_NO_MEMORY, "no memory");
	else
		claim->listen_fd = listen_at(rt, name, err);
	if (claim->listen_fd < 0) {
		gw_claim_release(claim, rt);
		return -1;
	}
	return 0;
}

void gw_claim_release(struct gw_claim *claim, struct gw_runtime *rt)
{
	if (claim->lock_fd >= 0 && claim->name)
		remove_files(rt, claim->name);
	if (claim->listen_fd >= 0)
		close(claim->listen_fd);
	if (claim->lock_fd >= 0)
		close(claim->lock_fd);
	free(claim->name);
	*claim = (struct gw_claim)GW_CLAIM_NONE;
}

/* Removes the files of a name whose process is gone. True if the process is running. */
static bool lives_or_clean(struct gw_runtime *rt, const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	int fd = take_lock(rt, name, false, &err);

	if (fd < 0)
		return err.code == GW_BUSY;
	remove_files(rt, name);
	close(fd);
	return false;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends a copy of name. */
static int push(char ***names, size_t *n, const char *name, struct gw_error *err)
{
	char **more = realloc(*names, (*n + 1) * sizeof(*more));

	if (!more)
		return gw_fail(err, GW_NO_MEMORY, "no memory");
	*names = more;
	more[*n] = strdup(name);
	if (!more[*n])
		return gw_fail(err, GW_NO_MEMORY, "no memory");
	++*n;
	return 0;
}

int gw_runtime_list(struct gw_runtime *rt, char ***names, size_t *n, struct gw_error *err)
{
	int fd = openat(rt->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int ret = 0;

	*names = NULL;
	*n = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return gw_fail_errno(err, "cannot read the runtime folder %s", rt->path);
	}
	while (ret == 0 && (entry = readdir(dir))) {
		char name[GW_NAME_MAX];
		size_t len = strlen(entry->d_name);

		if (len <= 5 || len - 5 >= sizeof(name) ||
		    strcmp(entry->d_name + len - 5, ".lock") != 0)
			continue;
		memcpy(name, entry->d_name, len - 5);
		name[len - 5] = '\0';
		if (gw_name_is_valid(name) && lives_or_clean(rt, name))
			ret = push(names, n, name, err);
	}
	closedir(dir);
	if (ret < 0) {
		gw_runtime_free_list(*names, *n);
		return -1;
	}
	if (*n)
		qsort(*names, *n, sizeof(**names), compare_names);
	return 0;
}

void gw_runtime_free_list(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* Descriptors go to a process of this user or of root alone, and its answers are believed. */
static int check_server(int fd, const char *name, struct gw_error *err)
{
	uid_t uid;

	if (!gw_peer_uid(fd, &uid))
		return gw_fail_errno(err, "the user of the control socket of \"%s\"", name);
	if (gw_safe_owner(uid))
		return 0;
	return gw_fail(
		err, GW_SYSTEM,
		"the control socket of \"%s\" is held by a process of user %u, neither yours nor root's",
		name, (unsigned)uid);
}

int gw_runtime_connect(struct gw_runtime *rt, const char *name, struct gw_error *err)
{
	struct sockaddr_un sun;
	int fd;

	if (gw_name_check(name, err) < 0 || socket_address(rt, name, &sun, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return gw_fail_errno(err, "a socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0) {
		if (check_server(fd, name, err) == 0)
			return fd;
	} else if (errno == ENOENT || errno == ECONNREFUSED) {
		gw_fail(err, GW_REFUSED, "no domain named \"%s\" exists here (%s)", name, rt->path);
	} else {
		gw_fail_errno(err, "cannot reach the domain \"%s\"", name);
	}
	close(fd);
	return -1;
}
