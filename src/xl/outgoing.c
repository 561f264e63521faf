/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saving and migrating a domain of libxl's. libxl suspends it and its helper writes the stream; at
 * no time may two copies run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/util.h"
#include "format/xl/file.h"
#include "migrate/hello.h"
#include "migrate/operation.h"
#include "migrate/protocol.h"
#include "xl/relay.h"
#include "xl/xl.h"

struct outgoing {
	struct gw_xl xl;
	struct gw_xl_request *req;
	uint32_t domid;
	char *name, *json;
	libxl_domain_config config;
	const struct gw_save_layer *layer; /* around the stream; NULL: none */
	uint64_t state_ns;		   /* when the state of the suspended domain began */
	/* a migration */
	struct gw_channel *ch;
	struct gw_migration_id id;
	bool away; /* it has the name of a domain that has left */
};

static int begin(struct outgoing *o, struct gw_xl_request *req, const char *domain,
		 struct gw_error *err)
{
	*o = (struct outgoing){.req = req};
	if (gw_xl_open(&o->xl, req, err) < 0)
		return -1;
	if (gw_xl_find(&o->xl, domain, &o->domid, &o->name, err) == 0 &&
	    gw_xl_config(&o->xl, o->domid, &o->config, &o->json, err) == 0)
		return 0;
	free(o->name);
	gw_xl_close(&o->xl);
	return -1;
}

static void end(struct outgoing *o)
{
	libxl_domain_config_dispose(&o->config);
	free(o->json);
	free(o->name);
	gw_xl_close(&o->xl);
}

static int static_data_passed(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
			      struct gw_error *err)
{
	const struct gw_save_layer *layer = ((struct outgoing *)owner)->layer;

	return layer ? layer->static_data_written(layer->opaque, err) : 0;
}

static int state_begins(void *owner, struct gw_error *err)
{
	struct outgoing *o = owner;

	o->state_ns = gw_clock_ns();
	return o->layer ? o->layer->switchover(o->layer->opaque, err) : 0;
}

/* The stream of the domain, from libxl to out. */
static int carry(struct outgoing *o, struct gw_channel *out, struct gw_report *report,
		 struct gw_error *err)
{
	struct gw_xl_run run = {.xl = &o->xl, .domid = o->domid, .live = o->req->live};
	struct gw_relay relay = {
		.to = out,
		.pvh = o->config.c_info.type == LIBXL_DOMAIN_TYPE_PVH,
		.owner = o,
		.static_data = static_data_passed,
		.state = state_begins,
	};
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t start = gw_clock_ns();
	int rc;

	if (gw_xl_run_start(&run, err) < 0)
		return -1;
	relay.from = run.ours;
	rc = gw_relay_run(&relay, &failure);
	rc = gw_xl_run_end(&run, rc, &failure, failure.code == GW_TRUNCATED, err);
	report->pages = relay.pages;
	report->bytes = relay.bytes;
	report->total_ns = gw_clock_ns() - start;
	if (o->state_ns)
		report->device_state_ns = gw_clock_ns() - o->state_ns;
	return rc;
}

/* After a failure: the domain runs on, whatever of it was done, unless it has ended. Adds that to
 * err. Returns -1. */
static int go_on(struct outgoing *o, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;

	if (gw_xl_resume(&o->xl, o->domid, &why) == 0)
		return gw_fail_more(err, "; %s runs on here", o->name);
	if (why.code != GW_GONE)
		return gw_fail_more(err, "; %s stays suspended here: %.200s", o->name, why.text);
	gw_error_clear(err);
	return gw_fail(err, GW_GONE, "%s: %s; it is gone", o->name, why.text);
}

static int write_header(struct outgoing *o, struct gw_channel *out, struct gw_error *err)
{
	struct gw_buffer header = {0};
	int rc = gw_xlfile_append(&header, GW_XLFILE_JSON | GW_XLFILE_STREAM_V2, o->json,
				  strlen(o->json), err);

	if (rc == 0)
		rc = gw_channel_write(out, header.data, header.len, err);
	gw_buffer_free(&header);
	return rc;
}

/* The image is complete. */
static int conclude_save(struct outgoing *o, struct gw_error *err)
{
	int rc = 0;

	if (o->req->then == GW_XL_DESTROY) {
		rc = libxl_domain_destroy(o->xl.ctx, o->domid, NULL);
		return rc ? gw_xl_fail(&o->xl, rc, err, "the image is complete, but destroying %s",
				       o->name)
			  : 0;
	}
	if (o->req->then == GW_XL_PAUSE)
		rc = libxl_domain_pause(o->xl.ctx, o->domid, NULL);
	if (rc)
		return gw_xl_fail(&o->xl, rc, err, "the image is complete, but pausing %s",
				  o->name);
	return gw_xl_resume(&o->xl, o->domid, err);
}

int gw_xl_save(struct gw_xl_request *req, const char *domain, struct gw_channel *out,
	       struct gw_error *err)
{
	struct outgoing o;
	int rc;

	if (begin(&o, req, domain, err) < 0)
		return -1;
	if (write_header(&o, out, err) < 0 || carry(&o, out, &req->report, err) < 0 ||
	    gw_channel_finish(out, err) < 0)
		rc = go_on(&o, err);
	else
		rc = conclude_save(&o, err);
	end(&o);
	return rc;
}

static int rename_to(struct outgoing *o, const char *from, const char *to, struct gw_error *err)
{
	int rc = libxl_domain_rename(o->xl.ctx, o->domid, from, to);

	return rc ? gw_xl_fail(&o->xl, rc, err, "renaming %s", from) : 0;
}

/* Before the receiver may take the name: it may be on this host. */
static int leave_name(struct outgoing *o, struct gw_error *err)
{
	char away[256];

	snprintf(away, sizeof(away), "%s" GW_XL_AWAY, o->name);
	if (rename_to(o, o->name, away, err) < 0)
		return -1;
	o->away = true;
	return 0;
}

static int write_stream(void *opaque, struct gw_channel *out, const struct gw_save_layer *layer,
			struct gw_report *report, struct gw_error *err)
{
	struct outgoing *o = opaque;

	o->layer = layer;
	return carry(o, out, report, err) < 0 ? -1 : leave_name(o, err);
}

static int conclude_here(struct outgoing *o, struct gw_error *err)
{
	char away[256];

	snprintf(away, sizeof(away), "%s" GW_XL_AWAY, o->name);
	if (o->away)
		rename_to(o, away, o->name, NULL);
	return go_on(o, err);
}

static int conclude_moved(struct outgoing *o, struct gw_error *err)
{
	int rc = libxl_domain_destroy(o->xl.ctx, o->domid, NULL);

	if (rc == 0)
		return 0;
	return gw_xl_fail(&o->xl, rc, err,
			  "%s runs at the receiver, but its copy here cannot be destroyed",
			  o->name);
}

static int run_migrate(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct outgoing *o = opaque;
	const struct gw_stream_writer writer = {.opaque = o, .write = write_stream};
	const struct gw_migration_offer offer = {
		.id = o->id,
		.config = o->json,
		.config_len = strlen(o->json),
		.live = o->req->live,
		.silence_ms = o->req->silence_ms,
		.stream = &writer,
	};
	const struct gw_save_args none = {0};
	enum gw_outcome outcome;

	o->req->cancel = gw_operation_cancel_token(op);
	gw_migrate_send(o->ch, &offer, &none, op, &o->req->report, &outcome, err);
	switch (outcome) {
	case GW_OUTCOME_MOVED:
		return conclude_moved(o, err);
	case GW_OUTCOME_SOURCE:
		return conclude_here(o, err);
	default:
		gw_fail_more(err,
			     " (\"godwit -c xen: resume --claim %s" GW_XL_AWAY "\" or \"destroy\")",
			     o->name);
		return -1;
	}
}

int gw_xl_migrate(struct gw_xl_request *req, const char *domain, struct gw_channel *ch,
		  struct gw_error *err)
{
	const struct gw_cancel *cancel = req->cancel;
	struct gw_operation *op;
	struct outgoing o;
	int rc = -1;

	if (begin(&o, req, domain, err) < 0)
		return -1;
	o.ch = ch;
	if (getrandom(&o.id, sizeof(o.id), 0) != (ssize_t)sizeof(o.id)) {
		rc = gw_fail_errno(err, "random bytes for a migration's id");
	} else {
		for (unsigned i = 0; i < sizeof(o.id); i++)
			sprintf(req->id + 2 * i, "%02x", o.id.bytes[i]);
		op = gw_operation_start("the migration", run_migrate, &o, err);
		if (op)
			rc = gw_xl_follow(op, cancel, &req->log, err);
	}
	req->cancel = cancel;
	end(&o);
	return rc;
}
