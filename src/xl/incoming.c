/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Restoring and receiving a domain that libxl creates. All reasons against it are found before it
 * exists, and it runs only when it is this host's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/xl/file.h"
#include "hypervisor/xen/xen.h"
#include "migrate/operation.h"
#include "migrate/preflight.h"
#include "migrate/protocol.h"
#include "xl/relay.h"
#include "xl/xl.h"

struct incoming {
	struct gw_xl xl;
	struct gw_xl_request *req;
	libxl_domain_config config;
	bool has_config;
	struct gw_xl_run run;
	struct gw_relay relay;
	const struct gw_restore_args *args; /* receive: the protocol's calls; NULL: restore */
	struct gw_channel *ch;		    /* receive */
};

static int begin(struct incoming *in, struct gw_xl_request *req, struct gw_error *err)
{
	*in = (struct incoming){.req = req, .run.domid = (uint32_t)INVALID_DOMID};
	return gw_xl_open(&in->xl, req, err);
}

static void end(struct incoming *in)
{
	if (in->has_config)
		libxl_domain_config_dispose(&in->config);
	gw_xl_close(&in->xl);
}

/* The config as libxl reads it, with the name that the domain gets in the end in req->arrived. */
static int read_config(struct incoming *in, const char *text, size_t len, struct gw_error *err)
{
	char *json = strndup(text, len);
	const char *name;

	if (!json)
		return gw_fail_errno(err, "the domain's config");
	libxl_domain_config_init(&in->config);
	in->has_config = true;
	if (libxl_domain_config_from_json(in->xl.ctx, &in->config, json) != 0) {
		free(json);
		return gw_fail(err, GW_REFUSED, "libxl cannot read the domain's config");
	}
	free(json);
	name = in->req->name ? in->req->name : in->config.c_info.name;
	if (!name || strlen(name) >= sizeof(in->req->arrived))
		return gw_fail(err, GW_REFUSED, "the domain's config has no name of 1 to %zu bytes",
			       sizeof(in->req->arrived) - 1);
	if (strlen(name) >= strlen(GW_XL_INCOMING) &&
	    strcmp(name + strlen(name) - strlen(GW_XL_INCOMING), GW_XL_INCOMING) == 0)
		return gw_fail(err, GW_REFUSED,
			       "the domain is called %.80s: that ends the name of one that arrives",
			       name);
	strcpy(in->req->arrived, name);
	return 0;
}

/* xl's "NAME--incoming", as long as the domain may be here a second time. */
static int set_name(struct incoming *in, const char *added, struct gw_error *err)
{
	char *name;

	if (asprintf(&name, "%s%s", in->req->arrived, added) < 0)
		return gw_fail_errno(err, "the domain's name");
	free(in->config.c_info.name);
	in->config.c_info.name = name;
	return 0;
}

static enum gw_guest_type type_of(const libxl_domain_config *config)
{
	return config->c_info.type == LIBXL_DOMAIN_TYPE_PV ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM;
}

/* A domain of this name that is not the source of this very one. */
static bool name_is_taken(struct incoming *in)
{
	libxl_dominfo info;
	uint32_t domid;
	bool same;

	if (libxl_name_to_domid(in->xl.ctx, in->req->arrived, &domid) != 0)
		return false;
	libxl_dominfo_init(&info);
	same = in->args && libxl_domain_info(in->xl.ctx, &info, domid) == 0 &&
	       libxl_uuid_compare(&info.uuid, &in->config.c_info.uuid) == 0;
	libxl_dominfo_dispose(&info);
	return !same;
}

static int ask_host(struct incoming *in, enum gw_guest_type type, const struct gw_policy *policy,
		    struct gw_error *err)
{
	const struct gw_preflight wanted = {
		.type = type,
		.policy = policy,
		.pages = in->config.b_info.max_memkb / 4,
	};
	struct gw_host *host = gw_xen_host_open("", err);
	int rc = host ? gw_preflight(host, &wanted, err) : -1;

	gw_host_close(host);
	return rc;
}

static int check(struct incoming *in, enum gw_guest_type type, const struct gw_policy *policy,
		 struct gw_error *err)
{
	if (type_of(&in->config) != type)
		return gw_fail(err, GW_REFUSED, "its config and its image are of different types");
	if (name_is_taken(in)) {
		struct gw_error host = GW_ERROR_INIT;

		gw_fail(err, GW_REFUSED, "this host cannot take the domain");
		gw_fail_reason(err, "the name %s is in use here", in->req->arrived);
		if (ask_host(in, type, policy, &host) < 0 && host.nr_reasons == 0)
			gw_fail_reason(err, "%s", host.text);
		for (unsigned i = 0; i < host.nr_reasons; i++)
			gw_fail_reason(err, "%s", gw_error_reason(&host, i));
		return -1;
	}
	return ask_host(in, type, policy, err);
}

static int check_header(void *owner, const struct gw_image_header *header, struct gw_error *err)
{
	struct incoming *in = owner;

	if (in->args)
		return in->args->header(in->args->owner, header, err);
	if (!in->req->acceptance)
		return 0;
	return gw_acceptance_check(in->req->acceptance, gw_generation_of(header), &in->req->log,
				   err);
}

/* The domain is accepted: libxl creates it. */
static int static_data_passed(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
			      struct gw_error *err)
{
	struct incoming *in = owner;
	struct gw_domain *none = NULL;
	int rc = in->args ? in->args->static_data(in->args->owner, &none, type, policy, err)
			  : check(in, type, policy, err);

	if (rc < 0)
		return -1;
	in->run = (struct gw_xl_run){
		.xl = &in->xl, .config = &in->config, .domid = (uint32_t)INVALID_DOMID};
	if (gw_xl_run_start(&in->run, err) < 0)
		return -1;
	in->relay.to = in->run.ours;
	return 0;
}

static int carry(struct incoming *in, struct gw_channel *from, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	int rc;

	in->relay = (struct gw_relay){
		.from = from,
		.pvh = in->has_config && in->config.c_info.type == LIBXL_DOMAIN_TYPE_PVH,
		.owner = in,
		.header = check_header,
		.static_data = static_data_passed,
	};
	rc = gw_relay_run(&in->relay, &failure);
	rc = gw_xl_run_end(&in->run, rc, &failure, in->relay.to_failed, err);
	in->req->report.pages = in->relay.pages;
	in->req->report.bytes = in->relay.bytes;
	return rc;
}

/* libxl never created domain 0: it is not destroyed, whatever went wrong. */
static void destroy(struct incoming *in)
{
	if (in->run.domid != (uint32_t)INVALID_DOMID && in->run.domid != 0)
		libxl_domain_destroy(in->xl.ctx, in->run.domid, NULL);
}

static int start(struct incoming *in, struct gw_error *err)
{
	int rc = in->req->paused ? 0 : libxl_domain_unpause(in->xl.ctx, in->run.domid, NULL);

	return rc ? gw_xl_fail(&in->xl, rc, err, "unpausing %s", in->req->arrived) : 0;
}

static int read_file_config(struct incoming *in, struct gw_channel *ch, struct gw_error *err)
{
	uint8_t raw[GW_XLFILE_HEADER_SIZE];
	struct gw_xlfile xl = {0};
	const char *text;
	void *to;
	size_t len;
	int rc;

	if (gw_channel_read(ch, raw, sizeof(raw), err) <= 0)
		return gw_fail(err, GW_TRUNCATED, "%s ends inside its header", ch->name);
	if (gw_xlfile_header_decode(raw, &xl, err) < 0)
		return -1;
	if (xl.mandatory_flags != (GW_XLFILE_JSON | GW_XLFILE_STREAM_V2) ||
	    xl.byteorder != GW_XLFILE_BYTEORDER || xl.optional_len > GW_XLFILE_CONFIG_MAX)
		return gw_fail(err, GW_UNSUPPORTED,
			       "%s is not a file of xl from Xen 4.6 or later (\"godwit convert\")",
			       ch->name);
	to = gw_buffer_reserve(&xl.optional, xl.optional_len, err);
	rc = to ? gw_channel_read(ch, to, xl.optional_len, err) : -1;
	if (rc > 0) {
		xl.optional.len = xl.optional_len;
		text = gw_xlfile_config(&xl, &len);
		rc = text ? read_config(in, text, len, err)
			  : gw_fail(err, GW_INVALID, "%s has no config", ch->name);
	} else {
		rc = gw_fail(err, GW_TRUNCATED, "%s ends inside its config", ch->name);
	}
	gw_xlfile_free(&xl);
	return rc;
}

int gw_xl_restore(struct gw_xl_request *req, struct gw_channel *ch, struct gw_error *err)
{
	struct incoming in;
	int rc = -1;

	if (begin(&in, req, err) < 0)
		return -1;
	if (read_file_config(&in, ch, err) == 0 && set_name(&in, "", err) == 0 &&
	    carry(&in, ch, err) == 0)
		rc = start(&in, err);
	if (rc < 0)
		destroy(&in);
	end(&in);
	return rc;
}

static int check_offer(void *opaque, const struct gw_migration_id *id, const char *config,
		       size_t config_len, enum gw_guest_type type, const struct gw_policy *policy,
		       struct gw_error *err)
{
	struct incoming *in = opaque;

	if (read_config(in, config, config_len, err) < 0 || check(in, type, policy, err) < 0)
		return -1;
	return set_name(in, GW_XL_INCOMING, err);
}

static int judge_header(void *opaque, const struct gw_image_header *header, struct gw_error *err)
{
	struct incoming *in = opaque;

	if (!in->req->acceptance)
		return 0;
	return gw_acceptance_check(in->req->acceptance, gw_generation_of(header), &in->req->log,
				   err);
}

static int read_stream(void *opaque, struct gw_channel *from, const struct gw_restore_args *args,
		       struct gw_error *err)
{
	struct incoming *in = opaque;
	int rc;

	in->args = args;
	rc = carry(in, from, err);
	in->args = NULL;
	return rc;
}

/* The domain exists, paused, under a name that says what it is: that outlives this process. */
static int mine(void *opaque, struct gw_error *err)
{
	return 0;
}

static int run(void *opaque, struct gw_error *err)
{
	struct incoming *in = opaque;
	int rc = libxl_domain_rename(in->xl.ctx, in->run.domid, in->config.c_info.name,
				     in->req->arrived);

	/* It is the only copy now: it runs under any name. */
	if (rc)
		gw_logf(&in->req->log, GW_LOG_WARNING, "%s keeps its name: %s",
			in->config.c_info.name, in->xl.said);
	return start(in, err);
}

static int run_receive(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct incoming *in = opaque;
	const struct gw_toolstack toolstack = {
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.log = in->req->log,
	};
	const struct gw_receiver receiver = {
		.opaque = in,
		.check = check_offer,
		.stream = read_stream,
		.header = judge_header,
		.mine = mine,
		.run = run,
		.toolstack = &toolstack,
		.silence_ms = in->req->silence_ms,
	};
	enum gw_outcome outcome;

	in->req->cancel = gw_operation_cancel_token(op);
	gw_migrate_receive(in->ch, &receiver, op, &in->req->report, &outcome, err);
	if (outcome == GW_OUTCOME_MOVED)
		return 0;
	if (outcome == GW_OUTCOME_SOURCE)
		destroy(in);
	else
		gw_fail_more(
			err,
			"; the domain stays paused here (\"godwit -c xen: resume --claim %s\" or \"destroy\")",
			in->config.c_info.name);
	return -1;
}

int gw_xl_receive(struct gw_xl_request *req, struct gw_channel *ch, struct gw_error *err)
{
	const struct gw_cancel *cancel = req->cancel;
	struct gw_operation *op;
	struct incoming in;
	int rc = -1;

	if (begin(&in, req, err) < 0)
		return -1;
	in.ch = ch;
	op = gw_operation_start("the reception", run_receive, &in, err);
	if (op)
		rc = gw_xl_follow(op, cancel, &req->log, err);
	req->cancel = cancel;
	end(&in);
	return rc;
}
