/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starts ssh with a receiver on the other host, and ends it.
 */
#include "cli/ssh.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define WORDS_MAX 64
/* The receiver ends with the connection, and ssh with it. */
#define END_MS	    10000
#define END_SOON_MS 2000
#define ASK_MS	    10
/* Exit statuses: of ssh itself, and of a shell that does not find its command. */
#define SSH_FAILED 255
#define NOT_FOUND  127

static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i]) || text[i] == '\'' || text[i] == ' ')
			return false;
	return true;
}

/* The end of the host: at the first colon outside of brackets. */
static const char *end_of_host(const char *rest)
{
	const char *bracket = strchr(rest, '['), *close = bracket ? strchr(bracket, ']') : NULL;
	const char *colon = strchr(rest, ':');

	if (close && (!colon || bracket < colon))
		colon = strchr(close, ':');
	return colon ? colon : rest + strlen(rest);
}

/* Copies a host without the brackets around a number. */
static void copy_host(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (from[i] != '[' && from[i] != ']')
			*to++ = from[i];
	*to = '\0';
}

int gw_ssh_parse(struct gw_ssh_address *address, const char *text, struct gw_error *err)
{
	const char *rest = text + strlen(GW_SSH_SCHEME), *end = end_of_host(rest);
	const char *runtime = *end ? end + 1 : end;

	*address = (struct gw_ssh_address){0};
	/* A host like an option would be one to ssh. */
	if (end == rest || *rest == '-' || end[-1] == '@' ||
	    (size_t)(end - rest) >= sizeof(address->host) ||
	    strlen(runtime) >= sizeof(address->runtime) || !is_plain(rest, strlen(rest)))
		return gw_fail(err, GW_USAGE, "\"%.300s\": ssh:[USER@]HOST[:RUNTIME] is expected",
			       text);
	copy_host(address->host, rest, (size_t)(end - rest));
	strcpy(address->runtime, runtime);
	return 0;
}

/* What the shell of the other host runs. */
static void compose(char *text, size_t size, const struct gw_ssh_address *address,
		    const char *connect)
{
	size_t len = 0;

	if (*address->runtime)
		len += (size_t)snprintf(text, size, "GODWIT_RUNTIME_DIR='%s' ", address->runtime);
	if (connect)
		snprintf(text + len, size - len, "godwit -c '%s' receive fd:0,1", connect);
	else
		snprintf(text + len, size - len, "godwit receive -d fd:0,1");
}

/* In the child. */
static void run(char **words, int fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Ctrl-C cancels the migration, for which the connection is needed. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		execvp(words[0], words);
	dprintf(STDERR_FILENO, "godwit: %s: %s\n", words[0], strerror(errno));
	_exit(NOT_FOUND);
}

static pid_t start(const char *command, const char *host, char *remote, int fd,
		   struct gw_error *err)
{
	GW_FREE_ON_EXIT char *copy = strdup(command), *name = strdup(host);
	char *words[WORDS_MAX + 3], *at = NULL;
	unsigned n = 0;
	pid_t pid;

	if (!copy || !name)
		return gw_fail_errno(err, "starting %s", command);
	for (char *word = strtok_r(copy, " \t", &at); word; word = strtok_r(NULL, " \t", &at)) {
		if (n == WORDS_MAX)
			return gw_fail(err, GW_USAGE, "--ssh has more than %d words", WORDS_MAX);
		words[n++] = word;
	}
	if (n == 0)
		return gw_fail(err, GW_USAGE, "--ssh names no command");
	words[n++] = name;
	words[n++] = remote;
	words[n] = NULL;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run(words, fd);
	return pid < 0 ? gw_fail_errno(err, "fork") : pid;
}

struct gw_channel *gw_ssh_connect(const struct gw_ssh_address *address, const char *command,
				  const char *connect, const char *name, pid_t *pid,
				  struct gw_error *err)
{
	struct gw_channel *ch = NULL;
	char remote[1024];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		gw_fail_errno(err, "a socket for ssh");
		return NULL;
	}
	compose(remote, sizeof(remote), address, connect);
	*pid = start(command ? command : "ssh", address->host, remote, fds[1], err);
	close(fds[1]);
	if (*pid > 0)
		ch = gw_channel_from_fd(fds[0], true, name, err);
	if (!ch)
		close(fds[0]);
	return ch;
}

/* Waits at most ms for the end of the process. */
static bool has_ended(pid_t pid, int ms, int *status)
{
	uint64_t until = gw_clock_ms() + (uint64_t)ms;

	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid || (got < 0 && errno != EINTR))
			return true;
		if (gw_clock_ms() >= until)
			return false;
		usleep(ASK_MS * 1000);
	}
}

static void add_status(int status, struct gw_error *err)
{
	const char *why = status == SSH_FAILED	? ": the connection failed"
			  : status == NOT_FOUND ? ": there is no such command"
						: "";

	gw_fail_more(err, " (ssh ended with status %d%s)", status, why);
	/* There was no receiver: what the sender heard of it is not a receiver's fault. */
	if (*why && err && (err->code == GW_INVALID || err->code == GW_PEER))
		err->code = GW_SYSTEM;
}

void gw_ssh_end(pid_t pid, bool failed, struct gw_error *err)
{
	int status = 0;

	if (pid <= 0)
		return;
	if (!has_ended(pid, failed ? END_SOON_MS : END_MS, &status)) {
		kill(pid, SIGTERM);
		if (!has_ended(pid, END_SOON_MS, &status)) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
		return;
	}
	if (failed && WIFEXITED(status) && WEXITSTATUS(status))
		add_status(WEXITSTATUS(status), err);
}
