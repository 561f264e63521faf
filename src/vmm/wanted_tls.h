/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TLS on the connection that a client passes to a domain's process: the client has read the files
 * of keys, which may be only its own.
 */
#ifndef GW_VMM_WANTED_TLS_H
#define GW_VMM_WANTED_TLS_H

#include "channel/tls.h"
#include "vmm/job.h"

struct gw_wanted_tls {
	struct gw_tls *tls; /* NULL: the connection is used as it is */
	char *host;	    /* the name that the receiver must prove */
};

/* The member "tls" of a request. 0 or -1. The caller frees it in each case. */
int gw_wanted_tls_read(struct gw_wanted_tls *m, const json_t *message, struct gw_error *err);
/* In run: the handshake on the job's channel, if TLS is wanted. 0 or -1. */
int gw_wanted_tls_begin(const struct gw_wanted_tls *m, struct gw_job *job, struct gw_error *err);
void gw_wanted_tls_free(struct gw_wanted_tls *m);

#endif
