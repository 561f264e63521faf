/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * getaddrinfo() in a thread of its own when the host is a name, at once when it is a number.
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

/* A question to the name service, held by who asks and by who waits: the last one frees it. */
struct lookup {
	atomic_int holders;
	int done;	   /* an eventfd: readable once the answer is there */
	atomic_bool there; /* the answer, which the one who waits may then read */
	char *host, *port;
	struct addrinfo hints;
	struct addrinfo *answer;
	int status;
	int errnum;
};

static void release(struct lookup *look)
{
	if (atomic_fetch_sub(&look->holders, 1) > 1)
		return;
	if (look->answer)
		freeaddrinfo(look->answer);
	if (look->done >= 0)
		close(look->done);
	free(look->host);
	free(look->port);
	free(look);
}

static void *ask(void *opaque)
{
	static const uint64_t one = 1;
	struct lookup *look = opaque;

	look->status = getaddrinfo(look->host, look->port, &look->hints, &look->answer);
	look->errnum = errno;
	look->there = true;
	ssize_t n = write(look->done, &one, sizeof(one));
	(void)n; /* cannot fail: the counter was 0 */
	release(look);
	return NULL;
}

static struct lookup *new_lookup(const char *host, const char *port, const struct addrinfo *hints)
{
	struct lookup *look = calloc(1, sizeof(*look));

	if (!look)
		return NULL;
	look->holders = 1;
	look->host = strdup(host);
	look->port = strdup(port);
	look->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	look->hints = *hints;
	if (look->host && look->port && look->done >= 0)
		return look;
	release(look);
	return NULL;
}

/* The thread takes no signal: they are for the threads of whoever embeds us. */
static int start(struct lookup *look)
{
	sigset_t all, old;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	look->holders++;
	int rc = pthread_create(&thread, NULL, ask, look);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		look->holders--;
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
	struct lookup *look = new_lookup(host, port, hints);
	struct addrinfo *answer = NULL;
	int rc;

	if (!look) {
		gw_fail_errno(err, "looking up the host %s", host);
		return NULL;
	}
	rc = start(look);
	if (rc) {
		errno = rc;
		gw_fail_errno(err, "a thread to look up the host %s", host);
	} else if (gw_cancel_wait(cancel, look->done, POLLIN, -1, err) < 0) {
		gw_fail_in(err, "looking up the host %s", host);
	} else if (look->there && look->status) {
		fail_status(err, host, look->status, look->errnum);
	} else {
		answer = GW_STEAL(look->answer);
	}
	release(look);
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
