/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: a verb reads any bytes as the answers of a domain's process. The first byte chooses
 * the request.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bound.h"
#include "input.h"
#include "vmm/client.h"

static void on_event(void *opaque, const json_t *event)
{
	free(json_dumps(event, JSON_COMPACT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"info", "save", "job", "cancel"};
	struct input in = {data, size};
	const char *name = names[input_u8(&in) % 4];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	json_t *reply = NULL;
	int fds[2], room = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		exit(1);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	/* What finds no room is left away: the answers are cut there. */
	if (in.len && send(fds[1], in.data, in.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		in.len = 0;
	shutdown(fds[1], SHUT_WR);
	gw_conn_init(&client.conn, fds[0]);
	bound_begin();
	if (gw_client_call(&client, json_pack("{s:s}", "request", name), -1, on_event, NULL, NULL,
			   60000, &reply, &err) < 0 &&
	    err.code == GW_OK)
		abort();
	bound_check("the client", 4u << 20);
	json_decref(reply);
	gw_client_close(&client);
	close(fds[1]);
	return 0;
}
