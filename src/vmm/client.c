/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sends requests to a domain's process, one at a time.
 */
#include "vmm/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "vmm/config.h"

#define INFO_TIMEOUT_MS 5000
#define ARRIVAL_MS	1000
#define ARRIVAL_ASK_US	5000

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* Connects client to the domain with this id. */
static int connect_by_id(struct gw_client *client, struct gw_runtime *rt, const char *wanted,
			 struct gw_error *err)
{
	char **names;
	size_t n;
	bool found = false;

	if (gw_runtime_list(rt, &names, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && !found; i++) {
		struct gw_error ignored = GW_ERROR_INIT;
		json_t *reply = NULL;
		int fd = gw_runtime_connect(rt, names[i], &ignored);

		if (fd < 0)
			continue;
		gw_conn_init(&client->conn, fd);
		if (gw_client_call(client, json_pack("{s:s}", "request", "info"), -1, NULL, NULL,
				   NULL, INFO_TIMEOUT_MS, &reply, &ignored) == 0)
			found = json_integer_value(json_object_get(reply, "id")) == atoll(wanted);
		json_decref(reply);
		if (!found)
			gw_client_close(client);
	}
	gw_runtime_free_list(names, n);
	return found ? 0 : gw_fail(err, GW_REFUSED, "no domain with id %s exists here", wanted);
}

/* True if a domain of that name has just arrived on its source's host, and the source has not
 * released the name yet. */
static bool is_arriving(struct gw_runtime *rt, const char *name)
{
	char beside[GW_NAME_MAX + 16];
	int fd;

	snprintf(beside, sizeof(beside), "%.*s" GW_NAME_INCOMING, GW_NAME_MAX, name);
	fd = gw_runtime_connect(rt, beside, NULL);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int connect_by_name(struct gw_runtime *rt, const char *name, struct gw_error *err)
{
	uint64_t until = gw_clock_ms() + ARRIVAL_MS;

	for (;;) {
		int fd = gw_runtime_connect(rt, name, err);

		if (fd >= 0 || err->code != GW_REFUSED || gw_clock_ms() > until ||
		    !is_arriving(rt, name))
			return fd;
		gw_error_clear(err);
		usleep(ARRIVAL_ASK_US);
	}
}

int gw_client_connect(struct gw_client *client, struct gw_runtime *rt, const char *name,
		      struct gw_error *err)
{
	struct gw_error by_name = GW_ERROR_INIT;
	int fd = connect_by_name(rt, name, &by_name);

	if (fd < 0 && by_name.code == GW_REFUSED && is_number(name))
		return connect_by_id(client, rt, name, err);
	if (fd < 0)
		return gw_fail_as(err, &by_name);
	gw_conn_init(&client->conn, fd);
	return 0;
}

void gw_client_close(struct gw_client *client)
{
	gw_conn_close(&client->conn);
}

static enum gw_code code_of(const char *name)
{
	for (enum gw_code code = GW_OK; code <= GW_GONE; code++)
		if (name && strcmp(gw_code_name(code), name) == 0)
			return code;
	return GW_PEER;
}

static void read_reasons(const json_t *error, struct gw_error *err)
{
	const json_t *reasons = json_object_get(error, "reasons");
	json_int_t left_out = json_integer_value(json_object_get(error, "reasons_left_out"));
	const json_t *reason;
	size_t i;

	json_array_foreach (reasons, i, reason)
		if (json_is_string(reason))
			gw_fail_reason(err, "%s", json_string_value(reason));
	if (left_out > 0)
		err->reasons_left_out += (unsigned)left_out;
}

static int read_reply(const json_t *message, struct gw_error *err)
{
	const json_t *error = json_object_get(message, "error");
	const char *text = json_string_value(json_object_get(error, "message"));
	enum gw_code code = code_of(json_string_value(json_object_get(error, "code")));
	struct gw_error why = GW_ERROR_INIT;

	if (json_is_true(json_object_get(message, "ok")))
		return 0;
	gw_fail(&why, code == GW_OK ? GW_PEER : code, "%s",
		text ? text : "the domain's process gave no reason");
	read_reasons(error, &why);
	return gw_fail_as(err, &why);
}

/*
 * Reads the messages that have come: 1 with the reply to the request of that name in *reply, 0 if
 * it is not among them, -1. The others go to on_event: events, and the answer to a cancel that was
 * sent after the request.
 */
static int take_messages(struct gw_client *client, const char *name, gw_client_event_fn on_event,
			 void *opaque, json_t **reply, struct gw_error *err)
{
	json_t *message = NULL;
	int got;

	while ((got = gw_conn_next(&client->conn, &message, err)) == 1) {
		const char *to = json_string_value(json_object_get(message, "reply"));

		if (to && strcmp(to, name) == 0) {
			*reply = message;
			return 1;
		}
		if (on_event)
			on_event(opaque, message);
		json_decref(message);
	}
	return got;
}

static int wait_for_bytes(struct gw_client *client, const struct gw_cancel *cancel, bool *asked,
			  uint64_t deadline, struct gw_error *err)
{
	uint64_t now = gw_clock_ms();
	struct pollfd fds[2] = {
		{.fd = client->conn.fd, .events = POLLIN},
		{.fd = *asked ? -1 : gw_cancel_fd(cancel), .events = POLLIN},
	};
	int n;

	if (deadline && now >= deadline)
		return gw_fail(err, GW_PEER, "the domain's process does not answer");
	n = poll(fds, 2, deadline ? (int)(deadline - now) : -1);
	if (n < 0 && errno != EINTR)
		return gw_fail_errno(err, "poll");
	if (!*asked && gw_cancel_is_set(cancel)) {
		*asked = true;
		if (gw_conn_send(&client->conn, json_pack("{s:s}", "request", "cancel"), -1, err) <
		    0)
			return -1;
	}
	return n > 0 && fds[0].revents ? 1 : 0;
}

int gw_client_call(struct gw_client *client, json_t *request, int fd, gw_client_event_fn on_event,
		   void *opaque, const struct gw_cancel *cancel, int timeout_ms, json_t **reply,
		   struct gw_error *err)
{
	uint64_t deadline = timeout_ms >= 0 ? gw_clock_ms() + (uint64_t)timeout_ms : 0;
	const char *to = json_string_value(json_object_get(request, "request"));
	char name[32] = "";
	json_t *message = NULL;
	bool asked = false;
	int ret;

	if (to)
		strncat(name, to, sizeof(name) - 1);
	if (reply)
		*reply = NULL;
	if (gw_conn_send(&client->conn, request, fd, err) < 0)
		return -1;
	while ((ret = take_messages(client, name, on_event, opaque, &message, err)) == 0) {
		int ready = wait_for_bytes(client, cancel, &asked, deadline, err);

		if (ready < 0)
			return -1;
		if (!ready)
			continue;
		ready = gw_conn_receive(&client->conn, err);
		if (ready == 0)
			gw_fail(err, GW_PEER, "the domain's process ended");
		if (ready <= 0)
			return -1;
	}
	if (ret < 0)
		return -1;
	ret = read_reply(message, err);
	if (reply && ret == 0)
		*reply = message;
	else
		json_decref(message);
	return ret;
}
