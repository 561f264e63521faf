/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking in a domain that another godwit sends: everything that speaks against it is said before it
 * exists here, and it runs here only when its sender has let it go. An image that comes without a
 * godwit is restored (restore.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vmm/client.h"
#include "vmm/process_private.h"
#include "examine/detect.h"
#include "hypervisor/control.h"
#include "migrate/hello.h"
#include "migrate/preflight.h"

#define INFO_TIMEOUT_MS 1000
#define NAME_WAIT_NS	UINT64_C(5000000000) /* for the source to give its name up */
/* The first bytes of a connection: all of a legacy image that detection needs, and no more than a
 * godwit's shortest first frame has. */
#define PEEK_BYTES	 16
#define HELLO_SILENCE_MS 30000
/* A sender without our protocol may take long to suspend its guest. */
#define IMAGE_SILENCE_MS 300000

/* True if the domain of that name here is the one that this migration brings: both ends share a
 * host. */
static bool is_own_source(struct gw_process *p, const char *name, const struct gw_migration_id *id)
{
	struct gw_client client;
	json_t *info = NULL;
	const json_t *migration;
	const char *text;
	char wanted[33];
	bool same = false;

	gw_migration_id_format(id, wanted);
	if (gw_client_connect(&client, &p->runtime, name, NULL) < 0)
		return false;
	if (gw_client_call(&client, json_pack("{s:s}", "request", "info"), -1, NULL, NULL, NULL,
			   INFO_TIMEOUT_MS, &info, NULL) == 0) {
		migration = json_object_get(info, "migration");
		text = json_string_value(json_object_get(migration, "id"));
		same = text && strcmp(text, wanted) == 0;
	}
	json_decref(info);
	gw_client_close(&client);
	return same;
}

static int take_name(struct gw_process *p, struct gw_claim *claim, const char *name,
		     const struct gw_migration_id *id, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	char beside[GW_NAME_MAX];

	if (gw_claim_take(claim, &p->runtime, name, &why) == 0)
		return 0;
	if (why.code != GW_BUSY || !is_own_source(p, name, id))
		return gw_fail(err, GW_REFUSED, "%s", why.text);
	if (snprintf(beside, sizeof(beside), "%s" GW_NAME_INCOMING, name) >= (int)sizeof(beside))
		return gw_fail(err, GW_REFUSED, "the name %s is too long to arrive beside itself",
			       name);
	if (gw_claim_take(claim, &p->runtime, beside, err) < 0)
		return -1;
	p->wanted_name = strdup(name);
	return 0;
}

/* All that speaks against the domain here, the name included: one reason a line. */
static int check(struct gw_process *p, struct gw_claim *claim, const struct gw_migration_id *id,
		 const struct gw_policy *policy, struct gw_error *err)
{
	struct gw_preflight wanted = {
		.type = p->config.type,
		.policy = policy,
		.pages = p->config.max_memkb / 4,
	};
	struct gw_error name = GW_ERROR_INIT, host = GW_ERROR_INIT;

	take_name(p, claim, p->config.name, id, &name);
	gw_preflight(p->host, &wanted, &host);
	if (!name.code && !host.code)
		return 0;
	return gw_fail(err, GW_REFUSED, "%s%s%.900s", name.text, name.code && host.code ? "\n" : "",
		       host.text);
}

static int parse_offer(struct gw_process *p, const char *text, size_t len, enum gw_guest_type type,
		       struct gw_error *err)
{
	struct gw_config config;

	if (gw_config_parse_json(&config, text, len, err) < 0)
		return -1;
	pthread_mutex_lock(&p->lock);
	gw_config_free(&p->config);
	p->config = config;
	pthread_mutex_unlock(&p->lock);
	if (config.type != type)
		return gw_fail(err, GW_REFUSED, "its config and its image are of different types");
	if (p->args.name)
		return gw_config_rename(&p->config, p->args.name, err);
	if (!config.name)
		return gw_fail(err, GW_REFUSED, "its config gives no name");
	return 0;
}

static struct gw_domain *accept_domain(void *opaque, const struct gw_migration_id *id,
				       const char *config, size_t config_len,
				       enum gw_guest_type type, const struct gw_policy *policy,
				       struct gw_error *err)
{
	struct gw_job *job = opaque;
	struct gw_process *p = job->process;
	struct gw_claim claim = GW_CLAIM_NONE;

	if (parse_offer(p, config, config_len, type, err) < 0)
		return NULL;
	if (!p->host) {
		struct gw_host *host = gw_host_open(p->args.connect, err);

		if (!host)
			return NULL;
		p->host = host;
	}
	if (check(p, &claim, id, policy, err) < 0) {
		gw_claim_release(&claim, &p->runtime);
		return NULL;
	}
	pthread_mutex_lock(&p->lock);
	p->claim = claim;
	job->id = *id;
	p->migration = *id;
	p->side = GW_SIDE_DESTINATION;
	pthread_mutex_unlock(&p->lock);
	if (gw_process_create(p, err) < 0)
		return NULL;
	job->toolstack.domain = p->domain;
	return p->domain;
}

static int complete_domain(void *opaque, struct gw_error *err)
{
	struct gw_job *job = opaque;

	return gw_control_restored(job->process->domain->control, err);
}

static int now_mine(void *opaque, struct gw_error *err)
{
	struct gw_job *job = opaque;

	atomic_store(&job->process->phase, GW_PHASE_UNDECIDED);
	return 0;
}

static int let_run(void *opaque, struct gw_error *err)
{
	struct gw_job *job = opaque;

	return gw_process_go(job->process, err);
}

/*
 * Peeks at the first bytes of the connection: *image is true if a stored image begins with them.
 * They are given back to the channel.
 */
static int find_image(struct gw_channel *ch, bool *image, struct gw_error *err)
{
	uint8_t first[PEEK_BYTES];
	size_t len = 0;
	ssize_t got = 1;

	gw_channel_set_silence(ch, HELLO_SILENCE_MS);
	while (len < sizeof(first) && got > 0) {
		got = gw_channel_read_some(ch, first + len, sizeof(first) - len, err);
		len += got > 0 ? (size_t)got : 0;
	}
	gw_channel_set_silence(ch, 0);
	if (got < 0)
		return gw_fail_in(err, "neither a godwit nor an image");
	gw_channel_unread(ch, first, len);
	*image = !gw_hello_is_possible(first, len) && gw_file_format_is_read(gw_detect(first, len));
	return 0;
}

/* An image comes through the connection, as from "godwit restore": nobody waits for an answer. */
static int receive_image(struct gw_job *job, struct gw_operation *op, struct gw_error *err)
{
	struct gw_process *p = job->process;

	gw_channel_set_silence(job->ch, IMAGE_SILENCE_MS);
	if (gw_restore_front(p, job, err) < 0 || gw_process_create(p, err) < 0)
		return -1;
	job->toolstack.domain = p->domain;
	if (gw_restore_rest(job, op, err) < 0 || gw_process_go(p, err) < 0)
		return -1;
	job->outcome = GW_OUTCOME_MOVED;
	return 0;
}

static int run_receive(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct gw_job *job = opaque;
	struct gw_toolstack toolstack;
	struct gw_receiver receiver = {
		.opaque = job,
		.accept = accept_domain,
		.header = gw_restore_judge,
		.complete = complete_domain,
		.mine = now_mine,
		.run = let_run,
		.toolstack = &toolstack,
	};
	bool image = false;

	gw_job_toolstack(job, op, &toolstack);
	gw_channel_set_cancel(job->ch, gw_operation_cancel_token(op));
	if (find_image(job->ch, &image, err) < 0)
		return -1;
	if (image)
		return receive_image(job, op, err);
	return gw_migrate_receive(job->ch, &receiver, op, &job->report, &job->outcome, err);
}

static void receive_done(struct gw_process *p, struct gw_job *job, int ret, struct gw_error *err)
{
	if (job->outcome == GW_OUTCOME_SOURCE) {
		gw_fail(err, GW_PEER, "nothing arrived");
		/* Whether it was given up here or by the sender decides what our caller does next.
		 */
		if (p->destroy_wanted)
			err->code = GW_CANCELLED;
		else if (err->code == GW_CANCELLED)
			err->code = GW_PEER;
		p->end_err = *err;
		gw_process_finish(p, GW_END_NONE);
		return;
	}
	p->wanted_until_ns = gw_clock_ns() + NAME_WAIT_NS;
	if (job->outcome == GW_OUTCOME_UNKNOWN) {
		atomic_store(&p->phase, GW_PHASE_UNDECIDED);
		gw_logf(&p->args.log, GW_LOG_ERROR,
			"%s; the connection failed while the domain was handed over: it stays paused here until \"godwit resume --claim\" or \"godwit destroy\" decides",
			err->text);
	}
}

static const struct gw_job_kind receive_kind = {"receive", "receiving", "the connection",
						run_receive, receive_done};

int gw_process_receive(struct gw_process *p, struct gw_channel *ch, struct gw_error *err)
{
	struct gw_job *job = gw_job_new(p, &receive_kind);

	if (!job) {
		gw_channel_close(ch);
		return gw_fail(err, GW_NO_MEMORY, "no memory");
	}
	job->ch = ch;
	return gw_job_start(p, job, err);
}
