/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libxl's context and its messages, and the small questions about a domain.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hypervisor/domain.h"
#include "xl/xl.h"

static void message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
		    const char *context, const char *format, va_list al)
{
	struct gw_xl *xl = (struct gw_xl *)logger;
	int errnum = errno;
	char text[700];

	vsnprintf(text, sizeof(text), format, al);
	pthread_mutex_lock(&xl->lock);
	if (level >= XTL_ERROR && !xl->said[0])
		snprintf(xl->said, sizeof(xl->said), "%.*s", (int)sizeof(xl->said) - 1, text);
	pthread_mutex_unlock(&xl->lock);
	gw_logf(&xl->req->log, level >= XTL_WARN ? GW_LOG_INFO : GW_LOG_DEBUG, "%s: %s",
		context ? context : "libxl", text);
	errno = errnum;
}

/* The save helper's progress: "Frames iteration N", or a stage. */
static void progress(struct xentoollog_logger *logger, const char *context, const char *doing,
		     int percent, unsigned long done, unsigned long total)
{
	const struct gw_xl *xl = (const struct gw_xl *)logger;
	struct gw_progress p = {.pages_done = done, .pages_total = total};

	if (sscanf(doing, "Frames iteration %u", &p.round) == 1)
		p.stage = GW_STAGE_MEMORY;
	else
		p.stage = gw_stage_from_name(doing);
	if (p.stage != GW_STAGE_NONE && xl->req->progress)
		xl->req->progress(xl->req->opaque, &p);
}

static void destroy(struct xentoollog_logger *logger)
{
}

int gw_xl_open(struct gw_xl *xl, struct gw_xl_request *req, struct gw_error *err)
{
	int rc;

	*xl = (struct gw_xl){
		.logger = {.vmessage = message, .progress = progress, .destroy = destroy},
		.req = req,
	};
	pthread_mutex_init(&xl->lock, NULL);
	if (req->helper && !getenv("LIBXL_SAVE_HELPER"))
		setenv("LIBXL_SAVE_HELPER", req->helper, 1);
	rc = libxl_ctx_alloc(&xl->ctx, LIBXL_VERSION, 0, &xl->logger);
	if (rc == 0)
		return 0;
	gw_xl_fail(xl, rc, err, "xen: libxl cannot be used (does this machine run Xen?)");
	pthread_mutex_destroy(&xl->lock);
	return -1;
}

void gw_xl_close(struct gw_xl *xl)
{
	libxl_ctx_free(xl->ctx);
	pthread_mutex_destroy(&xl->lock);
}

static enum gw_code code_of(int rc)
{
	switch (rc) {
	case ERROR_NOMEM:
		return GW_NO_MEMORY;
	case ERROR_GUEST_TIMEDOUT:
		return GW_GUEST;
	case ERROR_DOMAIN_NOTFOUND:
		return GW_USAGE;
	default:
		return GW_SYSTEM;
	}
}

int gw_xl_fail(struct gw_xl *xl, int rc, struct gw_error *err, const char *fmt, ...)
{
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&xl->lock);
	gw_fail(err, code_of(rc), "%s: %s (libxl error %d)", what,
		xl->said[0] ? xl->said : libxl_error_to_string(rc), rc);
	pthread_mutex_unlock(&xl->lock);
	return -1;
}

void gw_xl_forget(struct gw_xl *xl)
{
	pthread_mutex_lock(&xl->lock);
	xl->said[0] = '\0';
	pthread_mutex_unlock(&xl->lock);
}

int gw_xl_find(struct gw_xl *xl, const char *domain, uint32_t *domid, char **name,
	       struct gw_error *err)
{
	if (libxl_domain_qualifier_to_domid(xl->ctx, domain, domid) != 0 || *domid == 0)
		return gw_fail(err, GW_USAGE, "there is no domain \"%s\"", domain);
	*name = libxl_domid_to_name(xl->ctx, *domid);
	return *name ? 0 : gw_fail(err, GW_USAGE, "there is no domain %u", *domid);
}

int gw_xl_config(struct gw_xl *xl, uint32_t domid, libxl_domain_config *config, char **json,
		 struct gw_error *err)
{
	int rc;

	libxl_domain_config_init(config);
	rc = libxl_retrieve_domain_configuration(xl->ctx, domid, config, NULL);
	config->c_info.domid = 0;
	*json = rc == 0 ? libxl_domain_config_to_json(xl->ctx, config) : NULL;
	if (*json)
		return 0;
	libxl_domain_config_dispose(config);
	return gw_xl_fail(xl, rc, err, "the config of domain %u", domid);
}

int gw_xl_resume(struct gw_xl *xl, uint32_t domid, struct gw_error *err)
{
	libxl_dominfo info;
	bool suspended, ended;
	int rc, reason;

	libxl_dominfo_init(&info);
	rc = libxl_domain_info(xl->ctx, &info, domid);
	suspended =
		rc == 0 && info.shutdown && info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
	ended = rc == 0 && info.shutdown && !suspended;
	reason = rc == 0 ? (int)info.shutdown_reason : -1;
	libxl_dominfo_dispose(&info);
	if (rc == ERROR_DOMAIN_NOTFOUND)
		return gw_fail(err, GW_GONE, "it was destroyed");
	if (rc != 0)
		return gw_xl_fail(xl, rc, err, "looking up domain %u", domid);
	if (ended)
		return gw_fail(err, GW_GONE, "the guest %s",
			       gw_shutdown_words((enum gw_shutdown_reason)reason));
	rc = suspended ? libxl_domain_resume(xl->ctx, domid, 1, NULL) : 0;
	return rc ? gw_xl_fail(xl, rc, err, "resuming domain %u", domid) : 0;
}
