/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The cancel token: a flag and an eventfd that is written once and never read.
 */
#include <godwit/cancel.h>

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

struct gw_cancel {
	atomic_bool set;
	int fd;
};

struct gw_cancel *gw_cancel_new(struct gw_error *err)
{
	struct gw_cancel *cancel = calloc(1, sizeof(*cancel));

	if (!cancel) {
		gw_fail_errno(err, "a cancel token");
		return NULL;
	}
	cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (cancel->fd < 0) {
		gw_fail_errno(err, "an eventfd for a cancel token");
		free(cancel);
		return NULL;
	}
	return cancel;
}

void gw_cancel_free(struct gw_cancel *cancel)
{
	if (!cancel)
		return;
	close(cancel->fd);
	free(cancel);
}

void gw_cancel_set(struct gw_cancel *cancel)
{
	static const uint64_t one = 1;
	int saved = errno;

	atomic_store(&cancel->set, true);
	/* Fails only when the counter is full, and then it is readable already. */
	ssize_t n = write(cancel->fd, &one, sizeof(one));
	(void)n;
	errno = saved;
}

bool gw_cancel_is_set(const struct gw_cancel *cancel)
{
	return cancel && atomic_load(&cancel->set);
}

int gw_cancel_fd(const struct gw_cancel *cancel)
{
	return cancel ? cancel->fd : -1;
}

int gw_cancel_wait(const struct gw_cancel *cancel, int fd, short events, int timeout_ms,
		   struct gw_error *err)
{
	uint64_t deadline = gw_clock_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);

	for (;;) {
		struct pollfd fds[2] = {
			{.fd = fd, .events = events},
			{.fd = gw_cancel_fd(cancel), .events = POLLIN},
		};
		int left = timeout_ms;

		if (timeout_ms > 0) {
			uint64_t now = gw_clock_ms();
			left = now < deadline ? (int)(deadline - now) : 0;
		}

		int n = poll(fds, 2, left);

		if (gw_cancel_is_set(cancel))
			return gw_fail(err, GW_CANCELLED, "cancelled");
		if (n < 0 && errno != EINTR)
			return gw_fail_errno(err, "poll");
		if (n > 0 && fds[0].revents)
			return 1;
		if (n == 0)
			return 0;
	}
}
