/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Receives a domain that another godwit sends. All reasons against it are reported before it exists
 * here, and it runs here only after its sender has released it. An image that is sent without the
 * protocol is restored, as by "godwit restore".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "channel/deadline.h"
#include "examine/detect.h"
#include "hypervisor/control.h"
#include "migrate/hello.h"
#include "migrate/protect.h"
#include "vmm/client.h"
#include "vmm/domain.h"
#include "vmm/fence.h"
#include "vmm/incoming.h"
#include "vmm/process.h"
#include "vmm/room.h"

#define INFO_TIMEOUT_MS 1000
#define NAME_WAIT_NS	UINT64_C(5000000000) /* for the source to release its name */
/* The first bytes of a connection: enough to detect a legacy image, and not more than the shortest
 * first frame of a godwit. */
#define PEEK_BYTES 16
/* A sender without godwit's protocol may take long to suspend its guest. */
#define IMAGE_SILENCE_MS 300000

struct receive_job {
	struct gw_incoming in;
	enum gw_outcome outcome;
	uint64_t began_ms;	     /* gw_clock_ms() when the sender was proven */
	struct gw_deadline deadline; /* of an image; a converter's thread may use it to the end */
	char *wanted_name;	     /* the domain arrives as NAME--incoming: NAME; or NULL */
};

static struct receive_job *of_job(struct gw_job *job)
{
	return gw_container_of(job, struct receive_job, in.job);
}

/* True if the domain of that name here is the source of this migration: both ends share a host. */
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

static int claim_name(struct receive_job *r, struct gw_claim *claim, const char *name,
		      const struct gw_migration_id *id, struct gw_error *err)
{
	struct gw_process *p = r->in.job.process;
	struct gw_error why = GW_ERROR_INIT;
	char beside[GW_NAME_MAX];

	if (gw_claim_take(claim, &p->runtime, name, &why) == 0)
		return 0;
	if (why.code != GW_BUSY || !is_own_source(p, name, id))
		return gw_fail(err, GW_REFUSED, "%s", why.text);
	if (snprintf(beside, sizeof(beside), "%s" GW_NAME_INCOMING, name) >= (int)sizeof(beside))
		return gw_fail(err, GW_REFUSED,
			       "the name %s is too long for an incoming copy beside the domain",
			       name);
	if (gw_claim_take(claim, &p->runtime, beside, err) < 0)
		return -1;
	r->wanted_name = strdup(name);
	return 0;
}

/* All reasons against the domain here, the name included. */
static int check_offer(struct receive_job *r, struct gw_claim *claim,
		       const struct gw_migration_id *id, const struct gw_policy *policy,
		       struct gw_error *err)
{
	struct gw_process *p = r->in.job.process;
	struct gw_error name = GW_ERROR_INIT, host = GW_ERROR_INIT;

	claim_name(r, claim, p->config.name, id, &name);
	gw_room_take(p, policy, &host);
	if (!name.code && !host.code)
		return 0;
	if (!name.code || !host.code)
		return gw_fail_as(err, name.code ? &name : &host);
	gw_fail(err, GW_REFUSED, "this host cannot take the domain");
	gw_fail_reason(err, "%s", name.text);
	for (unsigned i = 0; i < host.nr_reasons; i++)
		gw_fail_reason(err, "%s", gw_error_reason(&host, i));
	if (host.nr_reasons == 0)
		gw_fail_reason(err, "%s", host.text);
	return -1;
}

static int parse_offer(struct gw_process *p, const char *text, size_t len, enum gw_guest_type type,
		       struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_config config;
	int ret = 0;

	if (gw_config_parse_json(&config, text, len, err) < 0)
		return -1;
	if (config.type != type)
		ret = gw_fail(err, GW_REFUSED, "its config and its image are of different types");
	else if (p->args.name)
		ret = gw_config_rename(&config, p->args.name, err);
	else if (!config.name)
		ret = gw_fail(err, GW_REFUSED, "its config gives no name");
	if (ret == 0 && gw_name_check_given(config.name, &why) < 0)
		ret = gw_fail(err, GW_REFUSED, "%s", why.text);
	if (ret < 0) {
		gw_config_free(&config);
		return -1;
	}
	gw_process_set_config(p, &config);
	return 0;
}

static struct gw_domain *accept_domain(void *opaque, const struct gw_migration_id *id,
				       const char *config, size_t config_len,
				       enum gw_guest_type type, const struct gw_policy *policy,
				       struct gw_error *err)
{
	struct receive_job *r = opaque;
	struct gw_process *p = r->in.job.process;
	struct gw_claim claim = GW_CLAIM_NONE;

	if (parse_offer(p, config, config_len, type, err) < 0 || gw_process_open_host(p, err) < 0)
		return NULL;
	if (check_offer(r, &claim, id, policy, err) < 0) {
		gw_claim_release(&claim, &p->runtime);
		return NULL;
	}
	gw_process_set_migration(p, id, GW_SIDE_DESTINATION);
	gw_process_set_claim(p, &claim);
	if (gw_process_create_domain(p, err) < 0)
		return NULL;
	r->in.job.toolstack.domain = p->domain;
	return p->domain;
}

static uint64_t expected_pages(void *opaque)
{
	const struct receive_job *r = opaque;

	return gw_config_pages(&r->in.job.process->config);
}

static int complete_domain(void *opaque, struct gw_error *err)
{
	struct receive_job *r = opaque;

	return gw_control_restored(r->in.job.process->domain->control, err);
}

/* May this process have the domain? */
static int claim_place(struct receive_job *r, struct gw_error *err)
{
	const struct gw_process_args *args = &r->in.job.process->args;

	return args->claim ? args->claim(args->opaque, err) : 0;
}

static int is_wanted(void *opaque, struct gw_error *err)
{
	const struct receive_job *r = opaque;
	const struct gw_process_args *args = &r->in.job.process->args;

	return args->wanted ? args->wanted(args->opaque, err) : 0;
}

/* The first complete checkpoint makes this process that of the copy. */
static int note_checkpoint(void *opaque, uint64_t number, struct gw_error *err)
{
	struct receive_job *r = opaque;
	struct gw_process *p = r->in.job.process;

	if (number == 1 && claim_place(r, err) < 0)
		return -1;
	gw_process_set_protection(p, GW_BACKUP, r->in.job.ch->name, number, gw_clock_ns());
	if (number > 1 && !atomic_exchange(&p->backs_up, true))
		gw_process_wake(p);
	return 0;
}

static int fence(void *opaque, struct gw_error *err)
{
	struct receive_job *r = opaque;

	return gw_fence(r->in.job.process, gw_job_cancel_token(&r->in.job), err);
}

static void drop_copy(void *opaque)
{
	struct receive_job *r = opaque;

	gw_process_release_domain(r->in.job.process);
}

/* From now on the copy here may be the only one. */
static int mark_undecided(void *opaque, struct gw_error *err)
{
	struct receive_job *r = opaque;

	if (claim_place(r, err) < 0)
		return -1;
	atomic_store(&r->in.job.process->phase, GW_PHASE_UNDECIDED);
	return 0;
}

static int start_domain(void *opaque, struct gw_error *err)
{
	struct receive_job *r = opaque;

	return gw_process_start_domain(r->in.job.process, err);
}

/*
 * Peeks at the first bytes of the connection: *image is true if a stored image begins with them.
 * They are given back to the channel.
 */
static int find_image(const struct receive_job *r, bool *image, struct gw_error *err)
{
	const struct gw_sender_times *times = &r->in.job.process->args.times;
	int ms = times->hello_ms ? times->hello_ms : GW_HELLO_MS;
	struct gw_deadline deadline = {
		.at_ms = r->began_ms + (uint64_t)ms, .ms = ms, .what = "its HELLO"};
	struct gw_channel *ch = r->in.job.ch;
	uint8_t first[PEEK_BYTES];
	size_t len = 0;
	ssize_t got = 1;

	gw_channel_set_deadline(ch, &deadline);
	while (len < sizeof(first) && got > 0) {
		got = gw_channel_read_some(ch, first + len, sizeof(first) - len, err);
		len += got > 0 ? (size_t)got : 0;
	}
	gw_channel_set_deadline(ch, NULL);
	if (got < 0)
		return gw_fail_in(err, "neither a godwit nor an image");
	gw_channel_unread(ch, first, len);
	*image = !gw_hello_is_possible(first, len) && gw_file_format_is_xen(gw_detect(first, len));
	return 0;
}

static void say_heard(const struct receive_job *r)
{
	const struct gw_process_args *args = &r->in.job.process->args;

	if (args->heard)
		args->heard(args->opaque);
}

static int restore_image(struct receive_job *r, struct gw_error *err)
{
	if (gw_incoming_create_domain(&r->in, err) < 0)
		return -1;
	say_heard(r);
	return gw_incoming_restore(&r->in, err);
}

/* The sender of such an image gets no answer. */
static int receive_image(struct receive_job *r, struct gw_error *err)
{
	const struct gw_sender_times *times = &r->in.job.process->args.times;
	int ms = times->data_ms ? times->data_ms : GW_DATA_MS;
	struct gw_channel *ch = r->in.job.ch;
	int rc;

	r->deadline = (struct gw_deadline){
		.at_ms = gw_clock_ms() + (uint64_t)ms,
		.ms = ms,
		.what = "enough of the image",
		.bytes = (uint64_t)(times->data_bytes ? times->data_bytes : GW_DATA_BYTES),
		.from_pos = ch->read_pos,
	};
	gw_channel_set_silence(ch, IMAGE_SILENCE_MS);
	gw_channel_set_deadline(ch, &r->deadline);
	rc = restore_image(r, err);
	gw_channel_set_deadline(r->in.job.ch, NULL);
	if (rc < 0 || claim_place(r, err) < 0 ||
	    gw_process_start_domain(r->in.job.process, err) < 0)
		return -1;
	r->outcome = GW_OUTCOME_MOVED;
	return 0;
}

static int is_turn(void *opaque, struct gw_error *err)
{
	const struct receive_job *r = opaque;
	const struct gw_process_args *args = &r->in.job.process->args;

	say_heard(r);
	return args->turn ? args->turn(args->opaque) : 1;
}

static int receive_migration(struct receive_job *r, struct gw_error *err)
{
	const struct gw_process_args *args = &r->in.job.process->args;
	const struct gw_backup backup = {
		.window_ns = gw_fence_window_ns(args),
		.applied = note_checkpoint,
		.fence = args->fence ? fence : NULL,
		.drop = drop_copy,
	};
	struct gw_toolstack toolstack;
	struct gw_receiver receiver = {
		.opaque = r,
		.turn = is_turn,
		.accept = accept_domain,
		.expected_pages = expected_pages,
		.header = gw_incoming_check_header,
		.complete = complete_domain,
		.wanted = is_wanted,
		.mine = mark_undecided,
		.run = start_domain,
		.toolstack = &toolstack,
		.silence_ms = args->silence_ms,
		.backup = args->fence || args->no_fence ? &backup : NULL,
		.times = args->times,
		.emulator = &r->in.job.process->emulator,
	};
	struct gw_job *job = &r->in.job;

	receiver.times.from_ms = r->began_ms;
	gw_job_init_toolstack(job, &toolstack);
	return gw_migrate_receive(job->ch, &receiver, job->running, &job->report, &r->outcome, err);
}

static int run_receive(struct gw_job *job, struct gw_error *err)
{
	struct receive_job *r = of_job(job);
	struct gw_error why = GW_ERROR_INIT;
	bool image = false;

	gw_channel_set_cancel(job->ch, gw_job_cancel_token(job));
	if (gw_admit(&job->process->args.admission, &job->ch, err) < 0)
		return -1;
	r->began_ms = gw_clock_ms();
	if (find_image(r, &image, err) < 0) {
		/* It may be a godwit that has said nothing yet. */
		if (is_wanted(r, &why) < 0)
			*err = why;
		if (err->code == GW_REFUSED || err->code == GW_PEER)
			gw_migrate_turn_away(job->ch, err);
		return -1;
	}
	if (!image)
		return receive_migration(r, err);
	if (!job->process->args.admission.images)
		return gw_fail(
			err, GW_REFUSED,
			"a stored image came, and this receiver takes domains only from a godwit: --accept-image takes both");
	return receive_image(r, err);
}

static void conclude_nothing(struct gw_process *p, struct gw_error *err)
{
	gw_fail(err, GW_PEER, "nothing arrived");
	if (p->config.name)
		gw_fail_in(err, "%s", p->config.name);
	/* After a cancel here the verb ends; after a cancel by the sender it listens again. */
	if (p->destroy_wanted)
		err->code = GW_CANCELLED;
	else if (err->code == GW_CANCELLED)
		err->code = GW_PEER;
	gw_process_end_failed(p, err);
}

/* The sender of a protected domain is lost. */
static void conclude_backup(struct receive_job *r, const struct gw_error *err)
{
	struct gw_process *p = r->in.job.process;

	if (r->outcome == GW_OUTCOME_MOVED) {
		gw_logf(&p->args.log, GW_LOG_WARNING,
			"the primary %s is lost: the domain runs here, from checkpoint %llu on",
			p->protection.peer, (unsigned long long)p->protection.checkpoints);
		gw_process_set_migration(p, NULL, GW_SIDE_DESTINATION);
		gw_process_set_protection(p, GW_UNPROTECTED, NULL, 0, 0);
		return;
	}
	atomic_store(&p->phase, GW_PHASE_UNDECIDED);
	gw_logf(&p->args.log, GW_LOG_ERROR,
		"%s: the copy stays paused here until \"godwit resume --claim\" or \"godwit destroy\" decides",
		err->text);
}

static void receive_done(struct gw_job *job, int ret, struct gw_error *err)
{
	struct receive_job *r = of_job(job);
	struct gw_process *p = job->process;

	if (r->outcome == GW_OUTCOME_SOURCE) {
		free(r->wanted_name);
		conclude_nothing(p, err);
		return;
	}
	if (r->outcome == GW_OUTCOME_DROPPED) {
		free(r->wanted_name);
		gw_process_end(p, GW_END_DROPPED);
		return;
	}
	p->wanted_name = r->wanted_name;
	p->wanted_until_ns = gw_clock_ns() + NAME_WAIT_NS;
	if (p->protection.role == GW_BACKUP) {
		conclude_backup(r, err);
		return;
	}
	if (r->outcome == GW_OUTCOME_MOVED) {
		/* What it took here, it may take elsewhere. */
		p->cost.receiver_ns = r->in.job.report.device_state_ns + r->in.job.report.resume_ns;
		gw_process_set_migration(p, NULL, GW_SIDE_DESTINATION);
		return;
	}
	atomic_store(&p->phase, GW_PHASE_UNDECIDED);
	gw_logf(&p->args.log, GW_LOG_ERROR,
		"%s; the connection failed during the handover: the domain stays paused here until \"godwit resume --claim\" or \"godwit destroy\" decides",
		err->text);
}

static void receive_release(struct gw_job *job)
{
	const struct gw_process_args *args = &job->process->args;

	if (of_job(job)->outcome != GW_OUTCOME_SOURCE && args->arrived)
		args->arrived(args->opaque);
}

static const struct gw_job_kind receive_kind = {
	.name = "receive",
	.state = "receiving",
	.channel = "the connection",
	.size = sizeof(struct receive_job),
	.run = run_receive,
	.done = receive_done,
	.release = receive_release,
};

int gw_process_receive(struct gw_process *p, struct gw_channel *ch, struct gw_error *err)
{
	struct gw_job *job = gw_job_new(p, &receive_kind, ch, err);

	p->arriving = true;
	return job ? gw_job_start(job, err) : -1;
}
