/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a shell command in a process group of its own, within a time limit.
 */
#include "vmm/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

extern char **environ;

static bool is_replaced(const char *own, char *const *variables)
{
	for (; *variables; variables++)
		if (!strncmp(own, *variables, strcspn(*variables, "=") + 1))
			return true;
	return false;
}

/* The process's own environment with the variables, which replace those of the same name.
 * malloc'ed, or NULL. */
static char **make_environment(char *const *variables)
{
	size_t own = 0, more = 0;
	char **all;

	while (environ[own])
		own++;
	while (variables[more])
		more++;
	all = calloc(own + more + 1, sizeof(*all));
	if (!all)
		return NULL;
	memcpy(all, variables, more * sizeof(*all));
	for (size_t i = 0; i < own; i++)
		if (!is_replaced(environ[i], variables))
			all[more++] = environ[i];
	return all;
}

static int spawn(const char *command, char **environment, pid_t *pid)
{
	char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
			      (char *)(uintptr_t)command, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setpgroup(&attr, 0);
	/* This process blocks the signals that end a command. */
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawn(pid, "/bin/sh", &files, &attr, argv, environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

static int wait_for(pid_t pid, int limit_ms, const struct gw_cancel *cancel, int *status,
		    struct gw_error *err)
{
	GW_CLOSE_ON_EXIT int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int ready = fd < 0 ? gw_fail_errno(err, "waiting for the command")
			   : gw_cancel_wait(cancel, fd, POLLIN, limit_ms, err);

	if (ready <= 0)
		kill(-pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	if (ready == 0)
		return gw_fail(err, GW_SYSTEM, "it has not ended within %d ms", limit_ms);
	return ready < 0 ? -1 : 0;
}

static int judge(int status, struct gw_error *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return gw_fail(err, GW_SYSTEM, "it exits with status %d", WEXITSTATUS(status));
	return gw_fail(err, GW_SYSTEM, "it was ended by signal %d", WTERMSIG(status));
}

int gw_command_run(const char *command, char *const *variables, int limit_ms,
		   const struct gw_cancel *cancel, struct gw_error *err)
{
	char **environment = make_environment(variables);
	int status = 0, rc;
	pid_t pid;

	if (!environment)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a command's environment");
	rc = spawn(command, environment, &pid);
	free(environment);
	if (rc != 0) {
		errno = rc;
		gw_fail_errno(err, "starting /bin/sh");
	} else if (wait_for(pid, limit_ms, cancel, &status, err) == 0) {
		rc = judge(status, err);
	} else {
		rc = -1;
	}
	return rc == 0 ? 0 : gw_fail_in(err, "the command \"%.200s\"", command);
}
