/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The relay's thread: passes on one frame at a time, from whichever side has one.
 */
#include "lib/gwtest.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "migrate/frames.h"
#include "relay.h"

/* Reads all of buf, or less at the end of input. */
static size_t take(int fd, uint8_t *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(fd, buf + done, len - done, 0);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static void pass(int fd, const uint8_t *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		buf += n;
		len -= (size_t)n;
	}
}

/* Passes one frame on from side i. False when that side has ended or the connection is cut. */
static bool one_frame(struct relay *r, int i)
{
	uint8_t head[GW_FRAME_HEADER_SIZE];
	uint8_t *body;
	uint64_t len;

	if (take(r->fds[i], head, sizeof(head)) < sizeof(head))
		return false;
	len = gw_get_le64(head + 8);
	body = malloc(len + 1);
	if (take(r->fds[i], body, len) < len) {
		free(body);
		return false;
	}
	if (r->frames == r->cut_at || gw_get_le32(head) == r->cut_on) {
		r->cut_type = gw_get_le32(head);
		r->cut_from_receiver = i == 1;
		if (r->half)
			pass(r->fds[!i], head, sizeof(head) / 2);
		free(body);
		return false;
	}
	r->frames++;
	if (gw_get_le32(head) == GW_FRAME_DATA)
		r->data_bytes += len;
	pass(r->fds[!i], head, sizeof(head));
	pass(r->fds[!i], body, len);
	free(body);
	return true;
}

/* Reads and drops everything until both sides have closed. */
static void swallow(struct relay *r)
{
	uint8_t buf[4096];
	struct pollfd p[2];

	for (int i = 0; i < 2; i++)
		p[i] = (struct pollfd){.fd = r->fds[i], .events = POLLIN};
	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (p[i].fd >= 0 && p[i].revents && recv(p[i].fd, buf, sizeof(buf), 0) <= 0)
				p[i].fd = -1;
	}
}

static void *run(void *arg)
{
	struct relay *r = arg;
	bool open[2] = {true, true};

	while (open[0] || open[1]) {
		struct pollfd p[2];

		for (int i = 0; i < 2; i++)
			p[i] = (struct pollfd){.fd = open[i] ? r->fds[i] : -1, .events = POLLIN};
		if (poll(p, 2, -1) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			if (!open[i] || !p[i].revents || one_frame(r, i))
				continue;
			open[i] = false;
			shutdown(r->fds[!i], SHUT_WR);
			if (r->cut_type)
				goto cut;
		}
	}
cut:
	if (r->mute && r->cut_type)
		swallow(r);
	close(r->fds[0]);
	close(r->fds[1]);
	return NULL;
}

void relay_start(struct relay *r)
{
	int a[2], b[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a), 0);
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
	r->sender = a[0];
	r->receiver = b[0];
	r->fds[0] = a[1];
	r->fds[1] = b[1];
	assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
}

void relay_join(struct relay *r)
{
	pthread_join(r->thread, NULL);
}
