/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The children that serve a receiver's connections, and the words between them and the receiver.
 */
#include "cli/arrivals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "channel/local.h"

#define ASK_MS	  1000 /* how often children are looked after at least */
#define LOOK_MS	  50   /* the same, of those that are about to end */
#define ANSWER_MS 5000 /* for the receiver to answer a claim */
#define LOSERS_MS 5000 /* for the others to tell their senders */

/*
 * A child sends HEARD, and CLAIM. The receiver answers YES or NO to a claim, and sends NO as soon
 * as another has won; ROOM and SHARE before it asks a child to end for the sake of others.
 */
enum word { HEARD = 'h', CLAIM = 'c', YES = 'y', NO = 'n', ROOM = 'r', SHARE = 's' };

static void say(int fd, char word)
{
	while (send(fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
		;
}

static void begin_child(struct gw_arrivals *a, int fd, pid_t receiver, struct gw_arrival_end *end)
{
	for (unsigned i = 0; i < a->nr; i++)
		close(a->of[i].fd);
	*end = (struct gw_arrival_end){.fd = fd, .one = a->one};
	if (!a->one)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != receiver)
		_exit(1);
}

static struct gw_arrival_peer peer_of(int connection)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct gw_arrival_peer peer = {0};
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	uid_t uid;

	if (getpeername(connection, (struct sockaddr *)&ss, &len) < 0)
		return peer;
	peer.family = ss.ss_family;
	if (ss.ss_family == AF_INET) {
		memcpy(peer.address, &((struct sockaddr_in *)&ss)->sin_addr, 4);
	} else if (ss.ss_family == AF_INET6) {
		const uint8_t *in6 = ((struct sockaddr_in6 *)&ss)->sin6_addr.s6_addr;
		bool is_mapped = memcmp(in6, mapped, sizeof(mapped)) == 0;

		peer.family = is_mapped ? AF_INET : AF_INET6;
		memcpy(peer.address, is_mapped ? in6 + 12 : in6, is_mapped ? 4 : 8);
	} else if (gw_peer_uid(connection, &uid) == 1) {
		memcpy(peer.address, &uid, sizeof(uid));
	}
	return peer;
}

static bool same_peer(const struct gw_arrival_peer *a, const struct gw_arrival_peer *b)
{
	return a->family == b->family && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

/* That of which nothing was heard for the longest time, of this peer (NULL: of any); or NULL. */
static struct gw_arrival *find_silent(struct gw_arrivals *a, const struct gw_arrival_peer *peer)
{
	struct gw_arrival *found = NULL;

	for (unsigned i = 0; i < a->nr; i++) {
		struct gw_arrival *one = &a->of[i];

		if (!one->heard && !one->leaving && (!peer || same_peer(peer, &one->peer)) &&
		    (!found || one->number < found->number))
			found = one;
	}
	return found;
}

static void send_away(struct gw_arrival *one, char why)
{
	one->leaving = true;
	say(one->fd, why);
	kill(one->pid, SIGTERM);
}

/* The last one has just come. */
static void keep_share(struct gw_arrivals *a)
{
	struct gw_arrival *last = &a->of[a->nr - 1], *silent;
	unsigned n = 0;

	for (unsigned i = 0; i < a->nr; i++)
		n += !a->of[i].leaving && same_peer(&a->of[i].peer, &last->peer);
	if (n <= GW_ARRIVALS_SHARE)
		return;
	/* It may be the last one itself. */
	silent = find_silent(a, &last->peer);
	if (silent)
		send_away(silent, SHARE);
}

static void block_ends(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, old);
}

int gw_arrivals_fork(struct gw_arrivals *a, int connection, struct gw_arrival_end *end,
		     struct gw_error *err)
{
	pid_t receiver = getpid(), pid;
	sigset_t mask;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return gw_fail_errno(err, "a socket for a child process");
	fflush(NULL);
	/* The handlers of the receiver would set its token from the child. */
	block_ends(&mask);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		begin_child(a, fds[1], receiver, end);
		end->mask = mask;
		return 1;
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(fds[1]);
	if (pid < 0) {
		gw_fail_errno(err, "fork");
		close(fds[0]);
		return -1;
	}
	a->of[a->nr++] = (struct gw_arrival){
		.pid = pid, .fd = fds[0], .peer = peer_of(connection), .number = a->came++};
	keep_share(a);
	return 0;
}

/* The child has ended, or its domain is in place. */
static void drop(struct gw_arrivals *a, unsigned i)
{
	close(a->of[i].fd);
	a->of[i] = a->of[--a->nr];
}

/* Forgets the children that have ended. True if one was the winner, with its status. */
static bool reap(struct gw_arrivals *a, int *status)
{
	bool ended = false;
	int one;
	pid_t pid;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
		for (unsigned i = a->nr; i-- > 0;)
			if (a->of[i].pid == pid)
				drop(a, i);
		if (pid == a->winner.pid) {
			*status = one;
			ended = true;
		}
	}
	return ended;
}

static void hear(struct gw_arrivals *a, unsigned i)
{
	char word;
	ssize_t n = recv(a->of[i].fd, &word, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		drop(a, i);
	else if (word == HEARD)
		a->of[i].heard = true;
	else if (word == CLAIM && a->one)
		a->claiming = a->of[i].pid;
}

/* No room: a connection is waited for only if something can be done for it. */
static bool can_make_room(struct gw_arrivals *a)
{
	for (unsigned i = 0; i < a->nr; i++)
		if (a->of[i].leaving)
			return false;
	return find_silent(a, NULL);
}

int gw_arrivals_wait(struct gw_arrivals *a, int listen_fd, const struct gw_cancel *cancel,
		     struct gw_error *err)
{
	const bool full = a->nr == GW_ARRIVALS_MAX;
	struct pollfd fds[GW_ARRIVALS_MAX + 2] = {
		{.fd = gw_cancel_fd(cancel), .events = POLLIN},
		{.fd = full && !can_make_room(a) ? -1 : listen_fd, .events = POLLIN},
	};

	for (unsigned i = 0; i < a->nr; i++)
		fds[i + 2] = (struct pollfd){.fd = a->of[i].fd, .events = POLLIN};
	if (poll(fds, a->nr + 2, ASK_MS) < 0) {
		if (errno != EINTR)
			return gw_fail_errno(err, "poll");
		fds[1].revents = 0;
	} else {
		/* From the end: what is dropped is replaced by a later one, which was heard. */
		for (unsigned i = a->nr; i-- > 0 && !a->claiming;)
			if (fds[i + 2].revents)
				hear(a, i);
	}
	if (gw_cancel_is_set(cancel))
		return gw_fail(err, GW_CANCELLED, "cancelled");
	/* The status of one that claims the place is not lost: gw_arrivals_follow() asks for it. */
	if (a->claiming)
		return 0;
	reap(a, NULL);
	if (!fds[1].revents || !full)
		return fds[1].revents ? 1 : 0;
	if (a->nr == GW_ARRIVALS_MAX && can_make_room(a))
		send_away(find_silent(a, NULL), ROOM);
	return 0;
}

void gw_arrivals_end(const struct gw_arrivals *a)
{
	for (unsigned i = 0; i < a->nr; i++)
		kill(a->of[i].pid, SIGTERM);
}

void gw_arrivals_grant(struct gw_arrivals *a)
{
	for (unsigned i = 0; i < a->nr; i++) {
		if (a->of[i].pid == a->claiming) {
			a->winner = a->of[i];
			continue;
		}
		say(a->of[i].fd, NO);
		kill(a->of[i].pid, SIGTERM);
	}
	say(a->winner.fd, YES);
	a->claiming = 0;
}

/* Blocks the signals that end a process, unless they are ignored, and that of a child's end. */
static int open_signals(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < GW_ARRAY_SIZE(ends); i++) {
		struct sigaction now;

		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void pass_on(int signals, pid_t to)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD && to > 0)
			kill(to, SIGTERM);
}

static bool has_losers(const struct gw_arrivals *a)
{
	for (unsigned i = 0; i < a->nr; i++)
		if (a->of[i].pid != a->winner.pid)
			return true;
	return false;
}

int gw_arrivals_follow(struct gw_arrivals *a, bool in_background)
{
	struct pollfd fds[2] = {
		{.fd = open_signals(), .events = POLLIN},
		{.fd = in_background ? a->winner.fd : -1, .events = POLLIN},
	};
	uint64_t until = gw_clock_ms() + LOSERS_MS;
	bool over = false;
	int status = 0;

	for (;;) {
		over = reap(a, &status) || over;
		if (over && (!has_losers(a) || gw_clock_ms() > until))
			break;
		if (over)
			fds[1].fd = -1;
		if (poll(fds, 2, over || fds[0].fd < 0 ? LOOK_MS : -1) <= 0)
			continue;
		pass_on(fds[0].fd, over ? 0 : a->winner.pid);
		over = over || fds[1].revents;
	}
	if (fds[0].fd >= 0)
		close(fds[0].fd);
	return status;
}

int gw_arrival_check(const struct gw_arrival_end *end, struct gw_error *err)
{
	char word = 0;

	if (end->fd < 0 || recv(end->fd, &word, 1, MSG_DONTWAIT | MSG_PEEK) != 1)
		return 0;
	switch (word) {
	case NO:
		return gw_fail(err, GW_REFUSED,
			       "this receiver takes one domain, and another one has arrived");
	case ROOM:
		return gw_fail(
			err, GW_REFUSED,
			"this receiver has %d connections, others wait, and of this one nothing was heard for the longest time",
			GW_ARRIVALS_MAX);
	case SHARE:
		return gw_fail(err, GW_REFUSED,
			       "this receiver has %d connections from this address already",
			       GW_ARRIVALS_SHARE);
	default:
		return 0;
	}
}

void gw_arrival_heard(struct gw_arrival_end *end)
{
	if (end->fd >= 0 && !end->heard)
		say(end->fd, HEARD);
	end->heard = true;
}

int gw_arrival_claim(const struct gw_arrival_end *end, struct gw_error *err)
{
	struct pollfd fd = {.fd = end->fd, .events = POLLIN};
	uint64_t until = gw_clock_ms() + ANSWER_MS;
	char word = 0;

	if (end->fd < 0 || !end->one)
		return 0;
	say(end->fd, CLAIM);
	for (;;) {
		uint64_t now = gw_clock_ms();
		int rc = now < until ? poll(&fd, 1, (int)(until - now)) : 0;

		if (rc == 0)
			return gw_fail(err, GW_SYSTEM, "the receiver does not answer");
		if (rc > 0)
			break;
	}
	if (gw_arrival_check(end, err) < 0)
		return -1;
	if (recv(end->fd, &word, 1, MSG_DONTWAIT) == 1 && word == YES)
		return 0;
	return gw_fail(err, GW_SYSTEM, "the receiver has ended");
}

void gw_arrival_detach(struct gw_arrival_end *end)
{
	if (end->fd < 0)
		return;
	if (end->one)
		prctl(PR_SET_PDEATHSIG, 0);
	close(end->fd);
	end->fd = -1;
}
