/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One connection of the control protocol, either end: JSON objects, one a line, with
 * descriptors beside them (docs/control.md). The meaning of the objects is for the caller.
 */
#ifndef GW_VMM_CONN_H
#define GW_VMM_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <godwit/error.h>

#include "base/buffer.h"

#define GW_CONN_LINE_MAX 65536u	    /* bytes of a line, newline included */
#define GW_CONN_OUT_MAX	 (1u << 20) /* bytes a peer may leave unread before it is dropped */
#define GW_CONN_FDS_MAX	 4	    /* descriptors received and not yet taken */

struct gw_conn {
	int fd;
	struct gw_buffer in, out;
	size_t out_pos; /* bytes of out already sent */
	int fds[GW_CONN_FDS_MAX];
	unsigned nr_fds;
	bool fds_lost; /* some came for which this process had no room: it has too many open */
};

/* Takes the descriptor over. */
void gw_conn_init(struct gw_conn *conn, int fd);
/* Closes everything, descriptors that were not taken included. */
void gw_conn_close(struct gw_conn *conn);

/* Reads everything that has arrived, without waiting: 1 (also when there was nothing), 0 if the
 * peer has closed, -1 with err. */
int gw_conn_receive(struct gw_conn *conn, struct gw_error *err);
/* The next object: 1 (its reference is the caller's), 0 if there is no complete line yet, -1 if the
 * peer breaks the protocol. */
int gw_conn_next(struct gw_conn *conn, json_t **message, struct gw_error *err);
/* The oldest descriptor that was received, now the caller's; -1 if there is none. */
int gw_conn_take_fd(struct gw_conn *conn);

/* Queues an object (its reference is taken over). -1 if the peer does not read, or it cannot be
 * encoded. */
int gw_conn_queue(struct gw_conn *conn, json_t *message, struct gw_error *err);
/* Sends the queue, without waiting. -1 if the peer has closed. */
int gw_conn_flush(struct gw_conn *conn, struct gw_error *err);
bool gw_conn_has_output(const struct gw_conn *conn);

/* Sends one object and, unless fd is -1, a descriptor with it; waits until it is sent. The
 * reference is taken over. */
int gw_conn_send(struct gw_conn *conn, json_t *message, int fd, struct gw_error *err);

#endif
