/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Messages to libxl, and its answers (libxl_pipe.h).
 */
#include "helper/save_helper/libxl_pipe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

/* With the longest text a message still fits into PIPE_BUF, so that it is written as one piece. */
#define TEXT_MAX    1500
#define MESSAGE_MAX 4096

struct message {
	uint8_t bytes[MESSAGE_MAX];
	size_t len;
};

static void put(struct message *m, const void *bytes, size_t len)
{
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
}

static void put_u32(struct message *m, uint32_t value)
{
	put(m, &value, sizeof(value));
}

static void put_u64(struct message *m, uint64_t value)
{
	put(m, &value, sizeof(value));
}

/* u32 size with the NUL, then the bytes. */
static void put_text(struct message *m, const char *text)
{
	size_t len = strnlen(text, TEXT_MAX);

	put_u32(m, (uint32_t)len + 1);
	put(m, text, len);
	put(m, "", 1);
}

static struct message begin(enum gw_libxl_message number)
{
	struct message m = {.len = sizeof(uint16_t)};
	uint16_t id = (uint16_t)number;

	put(&m, &id, sizeof(id));
	return m;
}

static void lose(struct gw_libxl_pipe *p)
{
	atomic_store(&p->gone, true);
	gw_cancel_set(p->cancel);
}

static int fail_gone(struct gw_error *err)
{
	return gw_fail(err, GW_PEER, "libxl has closed the pipe to its helper");
}

/*
 * Waits until fd is ready. A cancel, before or meanwhile, leaves libxl its grace. 1 ready, 0 the
 * grace is over, -1.
 */
static int wait_ready(struct gw_libxl_pipe *p, int fd, short events, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	int rc = gw_cancel_wait(p->cancel, fd, events, -1, &why);
	uint64_t now;

	if (rc > 0)
		return rc;
	if (why.code != GW_CANCELLED)
		return gw_fail_as(err, &why);
	now = gw_clock_ms();
	if (p->grace_end_ms == 0)
		p->grace_end_ms = now + p->grace_ms;
	return gw_cancel_wait(NULL, fd, events,
			      now < p->grace_end_ms ? (int)(p->grace_end_ms - now) : 0, err);
}

/* poll promises room for PIPE_BUF bytes: no write of a message blocks. */
static int transmit(struct gw_libxl_pipe *p, struct message *m, struct gw_error *err)
{
	uint16_t len = (uint16_t)(m->len - sizeof(len));

	memcpy(m->bytes, &len, sizeof(len));
	for (size_t done = 0; done < m->len;) {
		int rc = atomic_load(&p->gone) ? fail_gone(err)
					       : wait_ready(p, p->out, POLLOUT, err);
		ssize_t n;

		if (rc <= 0)
			return rc < 0 ? -1 : gw_fail(err, GW_CANCELLED, "libxl does not read");
		n = write(p->out, m->bytes + done, m->len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			lose(p);
	}
	return 0;
}

void gw_libxl_log(struct gw_libxl_pipe *p, enum gw_libxl_level level, int errnum,
		  const char *context, const char *text)
{
	struct message m = begin(GW_LIBXL_LOG);

	put_u32(&m, level);
	put_u32(&m, (uint32_t)errnum);
	put_text(&m, context);
	put_text(&m, text);
	transmit(p, &m, NULL);
}

void gw_libxl_progress(struct gw_libxl_pipe *p, const char *what, uint64_t done, uint64_t total)
{
	struct message m = begin(GW_LIBXL_PROGRESS);

	put_text(&m, "xc");
	put_text(&m, what);
	put_u64(&m, done);
	put_u64(&m, total);
	transmit(p, &m, NULL);
}

void gw_libxl_restore_results(struct gw_libxl_pipe *p, uint64_t store_gfn, uint64_t console_gfn)
{
	struct message m = begin(GW_LIBXL_RESTORE_RESULTS);

	put_u64(&m, store_gfn);
	put_u64(&m, console_gfn);
	transmit(p, &m, NULL);
}

/* Reads the answer, which may come in pieces. 1, 0 if it does not come in time, -1. */
static int read_answer(struct gw_libxl_pipe *p, int32_t *answer, struct gw_error *err)
{
	uint8_t bytes[sizeof(*answer)] = {0};
	size_t done = 0;

	while (done < sizeof(bytes)) {
		int rc = wait_ready(p, p->in, POLLIN, err);
		ssize_t n;

		if (rc <= 0)
			return rc;
		n = read(p->in, bytes + done, sizeof(bytes) - done);
		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0) {
			lose(p);
			return fail_gone(err);
		} else if (errno != EINTR && errno != EAGAIN) {
			return gw_fail_errno(err, "reading an answer of libxl");
		}
	}
	memcpy(answer, bytes, sizeof(*answer));
	return 1;
}

/* Bytes that answer nothing would be taken for the answer to the next message. */
static int check_silence(struct gw_libxl_pipe *p, struct gw_error *err)
{
	uint8_t byte;

	if (gw_cancel_wait(NULL, p->in, POLLIN, 0, NULL) <= 0)
		return 0;
	if (read(p->in, &byte, sizeof(byte)) > 0)
		return gw_fail(err, GW_PEER, "libxl has sent an answer to no question");
	lose(p);
	return fail_gone(err);
}

static struct message question(enum gw_libxl_message number, size_t n, const uint32_t *fields)
{
	struct message m = begin(number);

	for (size_t i = 0; i < n; i++)
		put_u32(&m, fields[i]);
	return m;
}

int gw_libxl_ask_finally(struct gw_libxl_pipe *p, enum gw_libxl_message number, size_t n,
			 const uint32_t *fields, int32_t *answer, struct gw_error *err)
{
	struct message m = question(number, n, fields);
	int rc;

	if (atomic_load(&p->gone))
		return fail_gone(err);
	if (p->answer_owed) {
		transmit(p, &m, NULL);
		return gw_fail(err, GW_CANCELLED, "libxl still owes an earlier answer");
	}
	if (check_silence(p, err) < 0 || transmit(p, &m, err) < 0)
		return -1;
	rc = read_answer(p, answer, err);
	if (rc > 0)
		return 0;
	p->answer_owed = rc == 0;
	return rc < 0 ? -1 : gw_fail(err, GW_CANCELLED, "libxl does not answer");
}

int gw_libxl_ask(struct gw_libxl_pipe *p, enum gw_libxl_message number, size_t n,
		 const uint32_t *fields, int32_t *answer, struct gw_error *err)
{
	if (atomic_load(&p->gone))
		return fail_gone(err);
	if (!gw_cancel_is_set(p->cancel) &&
	    gw_libxl_ask_finally(p, number, n, fields, answer, err) < 0)
		return -1;
	if (gw_cancel_is_set(p->cancel))
		return atomic_load(&p->gone) ? fail_gone(err)
					     : gw_fail(err, GW_CANCELLED, "libxl has cancelled");
	return 0;
}

/* POLLHUP needs no event: it comes once every writer has closed the pipe, bytes in it or not. */
static void *watch(void *opaque)
{
	struct gw_libxl_pipe *p = opaque;

	if (gw_cancel_wait(p->stop, p->in, 0, -1, NULL) == 1)
		lose(p);
	return NULL;
}

int gw_libxl_pipe_init(struct gw_libxl_pipe *p, int in, int out, struct gw_cancel *cancel,
		       struct gw_error *err)
{
	int rc;

	*p = (struct gw_libxl_pipe){
		.in = in,
		.out = out,
		.cancel = cancel,
		.grace_ms = GW_LIBXL_GRACE_MS,
	};
	p->stop = gw_cancel_new(err);
	if (!p->stop)
		return -1;
	rc = pthread_create(&p->watcher, NULL, watch, p);
	if (rc == 0) {
		p->watched = true;
		return 0;
	}
	gw_cancel_free(p->stop);
	p->stop = NULL;
	errno = rc;
	return gw_fail_errno(err, "a thread that watches libxl");
}

void gw_libxl_pipe_fini(struct gw_libxl_pipe *p)
{
	if (!p->watched)
		return;
	gw_cancel_set(p->stop);
	pthread_join(p->watcher, NULL);
	gw_cancel_free(p->stop);
	p->stop = NULL;
	p->watched = false;
}
