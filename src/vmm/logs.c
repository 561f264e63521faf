/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opens and removes logs in the runtime folder.
 */
#include "vmm/logs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/config.h"

#define SUFFIX	  ".log"
#define RECEIVERS GW_NAME_RECEIVERS SUFFIX

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

static int open_log(struct gw_runtime *rt, const char *file, int flags, struct gw_error *err)
{
	int fd = gw_runtime_file(rt, file, O_WRONLY | O_CREAT | O_APPEND | flags, err);

	return fd < 0 ? gw_fail_in(err, "cannot open the log") : fd;
}

int gw_log_open_domain(struct gw_runtime *rt, const char *name, struct gw_error *err)
{
	struct file_name f = file_of(name, SUFFIX);

	/* A new file: a process that still has the old one open must not write into this one. */
	unlinkat(rt->fd, f.text, 0);
	return open_log(rt, f.text, 0, err);
}

int gw_log_open_receivers(struct gw_runtime *rt, struct gw_error *err)
{
	return open_log(rt, RECEIVERS, 0, err);
}

void gw_log_remove(struct gw_runtime *rt, const char *name)
{
	struct file_name f = file_of(name, SUFFIX);

	unlinkat(rt->fd, f.text, 0);
}

/* The domain's name in the name of a log: false if that is no log of a domain. */
static bool name_of(const char *file, char name[GW_NAME_MAX])
{
	size_t len = strlen(file), suffix = strlen(SUFFIX);

	if (len <= suffix || len - suffix >= GW_NAME_MAX ||
	    strcmp(file + len - suffix, SUFFIX) != 0 || strcmp(file, RECEIVERS) == 0)
		return false;
	memcpy(name, file, len - suffix);
	name[len - suffix] = '\0';
	return gw_name_is_valid(name);
}

static void remove_if_old(struct gw_runtime *rt, const char *file)
{
	char name[GW_NAME_MAX];
	struct file_name lock;
	struct stat st;

	if (!name_of(file, name))
		return;
	lock = file_of(name, ".lock");
	if (fstatat(rt->fd, lock.text, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	if (fstatat(rt->fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime < time(NULL) - GW_LOG_KEPT_DAYS * 86400)
		unlinkat(rt->fd, file, 0);
}

void gw_logs_remove_old(struct gw_runtime *rt)
{
	int fd = openat(rt->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		remove_if_old(rt, entry->d_name);
	closedir(dir);
}
