/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries of receivers in the runtime folder.
 */
#include "vmm/receivers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/util.h"

#define SUFFIX	".receiver"
#define ASK_MS	50
#define WAIT_MS 10000 /* for a receiver to end: it may have to cancel what arrives */

struct file_name {
	char text[32];
};

static struct file_name file_of(pid_t pid)
{
	struct file_name f;

	snprintf(f.text, sizeof(f.text), "%d" SUFFIX, (int)pid);
	return f;
}

int gw_receiver_enter(struct gw_receiver_entry *entry, const char *address, struct gw_error *err)
{
	struct file_name f = file_of(getpid());

	*entry = (struct gw_receiver_entry)GW_RECEIVER_NONE;
	if (gw_runtime_open(&entry->rt, err) < 0)
		return -1;
	/* A file of an earlier process with this id has no owner any more. */
	unlinkat(entry->rt.fd, f.text, 0);
	entry->fd = gw_runtime_file(&entry->rt, f.text, O_RDWR | O_CREAT | O_EXCL, err);
	if (entry->fd >= 0 && flock(entry->fd, LOCK_EX) == 0 &&
	    dprintf(entry->fd, "%s\n", address) > 0)
		return 0;
	gw_fail_errno(err, "%s/%s", entry->rt.path, f.text);
	gw_receiver_leave(entry);
	return -1;
}

void gw_receiver_forget(struct gw_receiver_entry *entry)
{
	if (entry->fd >= 0)
		close(entry->fd);
	entry->fd = -1;
	gw_runtime_close(&entry->rt);
}

void gw_receiver_leave(struct gw_receiver_entry *entry)
{
	struct file_name f = file_of(getpid());

	if (entry->fd >= 0)
		unlinkat(entry->rt.fd, f.text, 0);
	gw_receiver_forget(entry);
}

/* The process id in the name of an entry; 0: it is not one. */
static pid_t pid_of(const char *name)
{
	char *end;
	long pid = strtol(name, &end, 10);

	return *name >= '1' && *name <= '9' && pid > 0 && pid < INT32_MAX &&
			       strcmp(end, SUFFIX) == 0
		       ? (pid_t)pid
		       : 0;
}

/* Reads the entry; false if its process is gone, whose file it removes. */
static bool read_entry(const struct gw_runtime *rt, const char *name, struct gw_receiver *receiver)
{
	int fd = gw_runtime_file(rt, name, O_RDONLY, NULL);
	ssize_t n;

	*receiver = (struct gw_receiver){.pid = pid_of(name)};
	if (fd < 0)
		return false;
	n = read(fd, receiver->address, sizeof(receiver->address) - 1);
	receiver->address[n > 0 ? n : 0] = '\0';
	receiver->address[strcspn(receiver->address, "\n")] = '\0';
	if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
		/* Without an address it has just been created and is not locked yet. */
		if (n > 0)
			unlinkat(rt->fd, name, 0);
		n = 0;
	}
	close(fd);
	return n > 0;
}

static int compare(const void *a, const void *b)
{
	const struct gw_receiver *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

int gw_receivers_list(struct gw_runtime *rt, struct gw_receiver **list, size_t *n,
		      struct gw_error *err)
{
	int fd = openat(rt->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int ret = 0;

	*list = NULL;
	*n = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return gw_fail_errno(err, "cannot read the runtime folder %s", rt->path);
	}
	while (ret == 0 && (entry = readdir(dir))) {
		struct gw_receiver one, *more;

		if (!pid_of(entry->d_name) || !read_entry(rt, entry->d_name, &one))
			continue;
		more = reallocarray(*list, *n + 1, sizeof(*more));
		if (!more) {
			ret = gw_fail(err, GW_NO_MEMORY, "no memory");
			continue;
		}
		*list = more;
		more[(*n)++] = one;
	}
	closedir(dir);
	if (*n)
		qsort(*list, *n, sizeof(**list), compare);
	return ret;
}

static pid_t find(struct gw_runtime *rt, const char *which, struct gw_error *err)
{
	struct gw_receiver *list;
	pid_t pid = 0;
	char id[16];
	size_t n;

	if (gw_receivers_list(rt, &list, &n, err) == 0) {
		for (size_t i = 0; i < n && !pid; i++) {
			snprintf(id, sizeof(id), "%d", (int)list[i].pid);
			if (strcmp(which, list[i].address) == 0 || strcmp(which, id) == 0)
				pid = list[i].pid;
		}
		if (!pid)
			gw_fail(err, GW_REFUSED, "no receiver listens at %s here (%s)", which,
				rt->path);
	}
	free(list);
	return pid;
}

int gw_receiver_end(struct gw_runtime *rt, const char *which, const struct gw_cancel *cancel,
		    struct gw_error *err)
{
	pid_t pid = find(rt, which, err);
	struct file_name f = file_of(pid);
	struct gw_receiver one;

	if (!pid)
		return -1;
	if (kill(pid, SIGTERM) < 0 && errno != ESRCH)
		return gw_fail_errno(err, "ending the receiver %d", (int)pid);
	for (int ms = 0; read_entry(rt, f.text, &one); ms += ASK_MS) {
		if (ms >= WAIT_MS)
			return gw_fail(err, GW_BUSY, "the receiver %d has not ended within %d s",
				       (int)pid, WAIT_MS / 1000);
		if (gw_cancel_wait(cancel, -1, 0, ASK_MS, err) < 0)
			return -1;
	}
	return 0;
}
