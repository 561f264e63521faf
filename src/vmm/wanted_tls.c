/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the member "tls" of a request, and starts TLS on the connection of its job.
 */
#include "vmm/wanted_tls.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int gw_wanted_tls_read(struct gw_wanted_tls *m, const json_t *message, struct gw_error *err)
{
	const json_t *tls = json_object_get(message, "tls");
	/* Borrowed from the message. */
	const struct gw_tls_texts texts = {
		.cert = (char *)(uintptr_t)text_of(tls, "cert"),
		.key = (char *)(uintptr_t)text_of(tls, "key"),
		.ca = (char *)(uintptr_t)text_of(tls, "ca"),
		.psk = (char *)(uintptr_t)text_of(tls, "psk"),
	};
	const char *host = text_of(tls, "host");

	if (!tls)
		return 0;
	if (!host)
		return gw_fail(err, GW_USAGE, "tls: expected the name of the host");
	m->host = strdup(host);
	m->tls = m->host ? gw_tls_new(&texts, GW_TLS_SENDER, err) : NULL;
	return m->tls ? 0 : gw_fail_errno(err, "tls");
}

int gw_wanted_tls_begin(const struct gw_wanted_tls *m, struct gw_job *job, struct gw_error *err)
{
	if (!m->tls)
		return 0;
	gw_channel_set_cancel(job->ch, gw_job_cancel_token(job));
	job->ch = gw_channel_tls(job->ch, m->tls, m->host, err);
	return job->ch ? 0 : -1;
}

void gw_wanted_tls_free(struct gw_wanted_tls *m)
{
	gw_tls_free(m->tls);
	free(m->host);
}
