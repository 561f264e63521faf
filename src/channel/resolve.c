/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Host names: getaddrinfo() in a thread of its own, or directly if the host is a number.
 */
#include "channel/resolve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/util.h"

/* A lookup, shared by the thread that asks and the one that waits. The last one frees it. */
struct lookup {
	atomic_int holders;
	int answered_fd;      /* an eventfd: readable after the answer */
	atomic_bool answered; /* answer, status and errnum are set */
	char *host, *port;
	struct addrinfo hints;
	struct addrinfo *answer;
	int status;
	int errnum;
};

static void release(struct lookup *lookup)
{
	if (atomic_fetch_sub(&lookup->holders, 1) > 1)
		return;
	if (lookup->answer)
		freeaddrinfo(lookup->answer);
	if (lookup->answered_fd >= 0)
		close(lookup->answered_fd);
	free(lookup->host);
	free(lookup->port);
	free(lookup);
}

static void *run_lookup(void *opaque)
{
	static const uint64_t one = 1;
	struct lookup *lookup = opaque;

	lookup->status = getaddrinfo(lookup->host, lookup->port, &lookup->hints, &lookup->answer);
	lookup->errnum = errno;
	lookup->answered = true;
	ssize_t n = write(lookup->answered_fd, &one, sizeof(one));
	(void)n; /* cannot fail: the counter was 0 */
	release(lookup);
	return NULL;
}

static struct lookup *new_lookup(const char *host, const char *port, const struct addrinfo *hints)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return NULL;
	lookup->holders = 1;
	lookup->host = strdup(host);
	lookup->port = strdup(port);
	lookup->answered_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	lookup->hints = *hints;
	if (lookup->host && lookup->port && lookup->answered_fd >= 0)
		return lookup;
	release(lookup);
	return NULL;
}

/* Starts the thread with all signals blocked: they are the caller's. */
static int start(struct lookup *lookup)
{
	sigset_t all, old;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	lookup->holders++;
	int rc = pthread_create(&thread, NULL, run_lookup, lookup);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		lookup->holders--;
	else
		pthread_detach(thread);
	return rc;
}

static int fail_status(struct gw_error *err, const char *host, int status, int errnum)
{
	if (status != EAI_SYSTEM)
		return gw_fail(err, GW_SYSTEM, "looking up the host %s: %s", host,
			       gai_strerror(status));
	errno = errnum;
	return gw_fail_errno(err, "looking up the host %s", host);
}

static struct addrinfo *resolve_name(const char *host, const char *port,
				     const struct addrinfo *hints, const struct gw_cancel *cancel,
				     struct gw_error *err)
{
	struct lookup *lookup = new_lookup(host, port, hints);
	struct addrinfo *answer = NULL;
	int rc;

	if (!lookup) {
		gw_fail_errno(err, "looking up the host %s", host);
		return NULL;
	}
	rc = start(lookup);
	if (rc) {
		errno = rc;
		gw_fail_errno(err, "a thread to look up the host %s", host);
	} else if (gw_cancel_wait(cancel, lookup->answered_fd, POLLIN, -1, err) < 0) {
		gw_fail_in(err, "looking up the host %s", host);
	} else if (lookup->answered && lookup->status) {
		fail_status(err, host, lookup->status, lookup->errnum);
	} else {
		answer = GW_STEAL(lookup->answer);
	}
	release(lookup);
	return answer;
}

struct addrinfo *gw_resolve(const char *host, const char *port, bool passive,
			    const struct gw_cancel *cancel, struct gw_error *err)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST | (passive ? AI_PASSIVE : 0),
	};
	struct addrinfo *answer = NULL;
	int status = getaddrinfo(host, port, &hints, &answer);

	if (status == 0)
		return answer;
	if (status == EAI_NONAME) {
		hints.ai_flags &= ~AI_NUMERICHOST;
		return resolve_name(host, port, &hints, cancel, err);
	}
	fail_status(err, host, status, errno);
	return NULL;
}
