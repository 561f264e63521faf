/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: the process of a domain reads any bytes as the requests of a client on its control
 * socket. The first byte says in which pieces they come.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bound.h"
#include "hypervisor/host.h"
#include "input.h"
#include "machine.h"
#include "vmm/request.h"

/* A domain in the memory backend, without a runtime folder and without threads: requests that begin
 * an operation lack their descriptor. */
static void open_process(struct gw_process *p, struct machine *m)
{
	machine_open(m, GW_GUEST_X86_HVM, 16);
	*p = (struct gw_process){.args = {.connect = "memory:", .name = "fuzz", .console_fd = -1},
				 .signal_fd = -1,
				 .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
				 .host = m->host,
				 .domain = m->d,
				 .paused = true,
				 .info.shutdown = GW_SHUTDOWN_NONE,
				 .config = {.type = GW_GUEST_X86_HVM, .pvh = true}};
	p->claim = (struct gw_claim)GW_CLAIM_NONE;
	p->claim.name = (char *)(uintptr_t) "fuzz";
	p->config.name = p->claim.name;
	p->console = gw_console_new(NULL);
	if (!p->console || p->wake_fd < 0)
		exit(1);
	pthread_mutex_init(&p->lock, NULL);
	atomic_store(&p->phase, GW_PHASE_LIVE);
	p->sessions.console = p->console;
}

static void close_process(struct gw_process *p, struct machine *m)
{
	gw_console_free(p->console);
	close(p->wake_fd);
	pthread_mutex_destroy(&p->lock);
	machine_close(m);
}

/* What came in so far is answered. False: the client is dropped. */
static bool answer(struct gw_process *p, struct gw_session *s)
{
	struct gw_error err = GW_ERROR_INIT;
	json_t *message;
	int got;

	if (gw_conn_receive(&s->conn, &err) < 0)
		return false;
	while ((got = gw_conn_next(&s->conn, &message, &err)) == 1) {
		gw_request(p, s, message);
		json_decref(message);
		if (gw_conn_flush(&s->conn, NULL) < 0 || s->gone)
			return false;
	}
	if (got < 0) {
		if (!err.text[0])
			abort();
		gw_session_fail(s, "", &err);
		return false;
	}
	return true;
}

/* The client reads what is there, as much as fits. */
static void read_answers(int fd)
{
	char answers[4096];

	while (recv(fd, answers, sizeof(answers), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	size_t piece = 1 + (size_t)input_u8(&in) * 16;
	struct gw_session s = {0};
	struct gw_process p;
	struct machine m;
	bool goes_on = true;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		exit(1);
	open_process(&p, &m);
	gw_conn_init(&s.conn, fds[0]);
	bound_begin();
	while (goes_on && in.len) {
		size_t len = piece;
		const uint8_t *from = input_bytes(&in, &len);

		if (send(fds[1], from, len, MSG_NOSIGNAL) != (ssize_t)len)
			exit(1);
		goes_on = answer(&p, &s);
		read_answers(fds[1]);
	}
	gw_request_abandon(&p, &s);
	gw_conn_close(&s.conn);
	close(fds[1]);
	/* A line, the answers that the client has not read, and both while they grow. */
	bound_check("the control socket", 8u << 20);
	close_process(&p, &m);
	return 0;
}
