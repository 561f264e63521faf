/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The thread that sends ALIVE frames.
 */
#include "migrate/alive.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "migrate/frames_internal.h"

struct gw_alive {
	struct gw_frames *f;
	int every_ms;
	int stop_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* held while a frame is written */
};

/* A peer that takes nothing is not told more: what it has not read says that this side works. */
static bool has_room(const struct gw_channel *ch)
{
	struct pollfd fd = {.fd = ch->fd, .events = POLLOUT};

	return ch->fd < 0 || (poll(&fd, 1, 0) == 1 && fd.revents == POLLOUT);
}

/* Unless another frame has been sent since *seen, or is being sent. */
static void tell(struct gw_alive *a, uint64_t *seen)
{
	uint8_t head[GW_FRAME_HEADER_SIZE];
	struct iovec iov = {.iov_base = head, .iov_len = sizeof(head)};
	struct gw_frames *f = a->f;

	if (pthread_mutex_trylock(&a->lock))
		return;
	if (f->ch->write_pos == *seen && !f->partial_frame && has_room(f->ch)) {
		gw_frame_header_encode(head, GW_FRAME_ALIVE, 0);
		head[4] = GW_FRAME_OPTIONAL;
		/* A failure is found again by the next thread that sends or receives. */
		gw_frames_write_locked(f, &iov, 1, NULL);
	}
	*seen = f->ch->write_pos;
	pthread_mutex_unlock(&a->lock);
}

static void *alive_main(void *opaque)
{
	struct gw_alive *a = opaque;
	struct pollfd stop = {.fd = a->stop_fd, .events = POLLIN};
	uint64_t seen = 0;
	int rc;

	while ((rc = poll(&stop, 1, a->every_ms)) <= 0)
		if (rc == 0)
			tell(a, &seen);
		else if (errno != EINTR)
			break;
	return NULL;
}

static int start_thread(struct gw_alive *a, struct gw_error *err)
{
	sigset_t all, before;
	int rc;

	a->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->stop_fd < 0)
		return gw_fail_errno(err, "the descriptor of a connection's second thread");
	pthread_mutex_init(&a->lock, NULL);
	/* Signals are for the threads of the program that uses the library. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&a->thread, NULL, alive_main, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		return 0;
	pthread_mutex_destroy(&a->lock);
	close(a->stop_fd);
	errno = rc;
	return gw_fail_errno(err, "a connection's second thread");
}

struct gw_alive *gw_alive_start(struct gw_frames *f, int every_ms, struct gw_error *err)
{
	struct gw_alive *a = calloc(1, sizeof(*a));

	if (!a) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a connection's second thread");
		return NULL;
	}
	a->f = f;
	a->every_ms = every_ms > 0 ? every_ms : 1;
	if (start_thread(a, err) < 0) {
		free(a);
		return NULL;
	}
	f->alive = a;
	f->write_lock = &a->lock;
	return a;
}

void gw_alive_stop(struct gw_alive *a)
{
	const uint64_t one = 1;

	if (!a)
		return;
	while (write(a->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
	pthread_join(a->thread, NULL);
	a->f->alive = NULL;
	a->f->write_lock = NULL;
	close(a->stop_fd);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
