/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The client of a domain's control socket: the verbs send their requests with it.
 */
#ifndef GW_VMM_CLIENT_H
#define GW_VMM_CLIENT_H

#include <jansson.h>

#include <godwit/cancel.h>
#include <godwit/error.h>

#include "vmm/conn.h"
#include "vmm/runtime.h"

struct gw_client {
	struct gw_conn conn;
};

/* name: a domain's name, or the id that list shows. */
int gw_client_connect(struct gw_client *client, struct gw_runtime *rt, const char *name,
		      struct gw_error *err);
void gw_client_close(struct gw_client *client);

/* Called for each message that comes before the reply: events, and the answer to a cancel ("reply":
 * "cancel"). */
typedef void (*gw_client_event_fn)(void *opaque, const json_t *event);

/*
 * Sends request (its reference is taken over) with fd (-1: none) and waits for the reply. 0 with
 * the reply, owned by the caller, in *reply (may be NULL); -1 with the error of the domain's
 * process. Once cancel is set, asks the process to cancel and waits on for its reply. All other
 * waits are limited by timeout_ms (-1: none).
 */
int gw_client_call(struct gw_client *client, json_t *request, int fd, gw_client_event_fn on_event,
		   void *opaque, const struct gw_cancel *cancel, int timeout_ms, json_t **reply,
		   struct gw_error *err);

#endif
