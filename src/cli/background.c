/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The split into a waiting parent and a child that goes to the background.
 */
#include "cli/background.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/interrupt.h"

int gw_background_new_cancel(struct gw_cli *cli, struct gw_error *err)
{
	struct gw_cancel *old = cli->cancel;

	cli->cancel = gw_cancel_new(err);
	if (!cli->cancel || gw_interrupt_start(cli->cancel, err) < 0)
		return -1;
	/* The handlers use the new token now. */
	gw_cancel_free(old);
	return 0;
}

/* The child's exit status. */
static int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : GW_EXIT_FAILED;
}

/* Prints the child's output until the child detaches (the pipe ends after a word) or exits. */
static int wait_for_child(struct gw_cli *cli, int fd, pid_t pid)
{
	bool said = false, passed_on = false;
	char buf[256];

	for (;;) {
		struct pollfd fds[2] = {
			{.fd = fd, .events = POLLIN},
			{.fd = passed_on ? -1 : gw_cancel_fd(cli->cancel), .events = POLLIN},
		};
		ssize_t n;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return GW_EXIT_FAILED;
		if (!passed_on && gw_cancel_is_set(cli->cancel)) {
			/* The child failed and printed why; its status becomes the parent's. */
			passed_on = true;
			kill(pid, SIGTERM);
		}
		if (!(fds[0].revents))
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return said ? GW_EXIT_OK : status_of(pid);
		said = true;
		fwrite(buf, 1, (size_t)n, stdout);
	}
}

bool gw_background_split(struct gw_cli *cli, struct gw_background *bg, int *status)
{
	struct gw_error err = GW_ERROR_INIT;
	int fds[2];
	pid_t pid;

	fflush(NULL);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		gw_fail_errno(&err, "a pipe");
		*status = gw_cli_fail(cli, &err);
		return true;
	}
	pid = fork();
	if (pid < 0) {
		gw_fail_errno(&err, "fork");
		*status = gw_cli_fail(cli, &err);
		close(fds[0]);
		close(fds[1]);
		return true;
	}
	if (pid > 0) {
		close(fds[1]);
		*status = wait_for_child(cli, fds[0], pid);
		close(fds[0]);
		return true;
	}
	close(fds[0]);
	bg->fd = fds[1];
	if (gw_background_new_cancel(cli, &err) < 0)
		_exit(gw_cli_fail(cli, &err));
	return false;
}

static void close_if_inherited(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (fd > STDERR_FILENO && flags >= 0 && !(flags & FD_CLOEXEC))
		close(fd);
}

static void close_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!dir) {
		for (int fd = 0; fd < getdtablesize(); fd++)
			close_if_inherited(fd);
		return;
	}
	while ((entry = readdir(dir)))
		close_if_inherited(atoi(entry->d_name));
	closedir(dir);
}

void gw_background_redirect(int log_fd)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	fflush(NULL);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		close(null);
	}
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	close(log_fd);
	close_inherited();
}

void gw_background_leave(struct gw_background *bg, const char *word, int log_fd)
{
	if (bg->fd < 0) {
		if (log_fd >= 0)
			close(log_fd);
		return;
	}
	setsid();
	if (log_fd >= 0)
		gw_background_redirect(log_fd);
	dprintf(bg->fd, "%s\n", word);
	close(bg->fd);
	bg->fd = -1;
}
