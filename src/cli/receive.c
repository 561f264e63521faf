/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit receive: receives domains from other godwits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/budget.h"
#include "cli/domain.h"
#include "cli/passed.h"
#include "cli/peer.h"
#include "cli/save_options.h"
#include "cli/title.h"
#include "cli/xl.h"
#include "vmm/logs.h"

#define PARALLEL 8 /* migrations of --keep at a time */

struct receiver {
	struct gw_domain_verb dv;
	const struct gw_args *args;
	struct gw_peer peer;
	struct gw_admission admission;
	struct gw_budget budget;
	bool is_passed; /* the connection is a descriptor of the caller's */
	struct gw_address passed;
	char *listens; /* its address; owned */
	struct gw_arrivals arrivals;
};

static int take_turn(void *opaque)
{
	const struct gw_domain_verb *dv = opaque;

	return gw_turns_take(&dv->turns);
}

static int claim_place(void *opaque, struct gw_error *err)
{
	const struct gw_domain_verb *dv = opaque;

	return gw_arrival_claim(&dv->arrival, err);
}

static void heard(void *opaque)
{
	struct gw_domain_verb *dv = opaque;

	gw_arrival_heard(&dv->arrival);
}

/* For tests, which would not wait for the times that the protocol gives a sender. */
static void set_times(struct gw_sender_times *times)
{
	const char *text = getenv("GODWIT_SENDER_TIMES");

	*times = (struct gw_sender_times){0};
	if (text)
		sscanf(text, "%9d,%9d,%9d,%9d,%9d,%9d", &times->hello_ms, &times->config_ms,
		       &times->data_ms, &times->suspend_ms, &times->handover_ms,
		       &times->data_bytes);
}

static int is_wanted(void *opaque, struct gw_error *err)
{
	const struct gw_domain_verb *dv = opaque;

	return gw_arrival_check(&dv->arrival, err);
}

/* For the log of the domain, or of the receiver if none arrives. */
static void note_peer(struct receiver *r, const struct gw_channel *ch)
{
	free(r->dv.peer);
	r->dv.peer = strdup(ch->name);
	gw_output_peer(&r->dv.cli->out, ch->name);
}

/* The process goes on with a guest that nobody has to trust: it needs no key for that. */
static void forget_keys(void *opaque)
{
	struct receiver *r = gw_container_of((struct gw_domain_verb *)opaque, struct receiver, dv);

	gw_peer_close(&r->peer);
}

/* Serves one connection, and the domain that it brings; returns the exit status. */
static int serve(struct receiver *r, struct gw_channel *ch)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_process_args pa;
	struct gw_process *p;

	gw_domain_verb_args(&r->dv, gw_args_text(r->args, "name"),
			    gw_args_flag(r->args, "paused") > 0, !r->dv.own_log, &pa);
	pa.console_raw = gw_args_flag(r->args, "raw") > 0;
	pa.turn = take_turn;
	pa.heard = heard;
	pa.claim = claim_place;
	set_times(&pa.times);
	pa.wanted = is_wanted;
	pa.arrived = forget_keys;
	pa.admission = r->admission;
	pa.budget = r->budget;
	note_peer(r, ch);
	pa.fence = gw_args_text(r->args, "fence");
	pa.no_fence = gw_args_flag(r->args, "no-fence") > 0;
	pa.fence_limit_ms = (int)gw_args_number(r->args, "fence-limit", 0) * 1000;
	pa.silence_ms = (int)gw_args_number(r->args, "silence", 0) * 1000;
	p = gw_process_new(&pa, &err);
	if (!p)
		gw_channel_close(ch);
	if (!p || gw_process_receive(p, ch, &err) < 0) {
		gw_process_free(p);
		return gw_cli_fail(r->dv.cli, &err);
	}
	return gw_domain_verb_run(&r->dv, p);
}

/* In the child that serves it; never returns. */
static void serve_in_child(struct receiver *r, struct gw_channel *ch)
{
	struct gw_error err = GW_ERROR_INIT;
	int status;

	/* Closes the child's copy only: the parent goes on listening. */
	close(gw_listener_fd(r->dv.listener));
	r->dv.listener = NULL;
	gw_receiver_forget(&r->dv.receiver);
	if (gw_background_new_cancel(r->dv.cli, &err) < 0)
		_exit(gw_cli_fail(r->dv.cli, &err));
	sigprocmask(SIG_SETMASK, &r->dv.arrival.mask, NULL);
	gw_channel_set_cancel(ch, r->dv.cli->cancel);
	status = serve(r, ch);
	fflush(NULL);
	_exit(status);
}

/* A connection that cannot be served is closed; the next one may find more room. */
static int accept_one(struct receiver *r, struct gw_error *err)
{
	struct gw_channel *ch = gw_listener_accept(r->dv.listener, r->dv.cli->cancel, err);
	struct gw_error why = GW_ERROR_INIT;
	int rc;

	if (!ch)
		return -1;
	rc = gw_arrivals_fork(&r->arrivals, ch->fd, &r->dv.arrival, &why);
	if (rc == 1)
		serve_in_child(r, ch);
	if (rc < 0)
		gw_cli_fail(r->dv.cli, &why);
	gw_channel_close(ch);
	return 0;
}

static void stop_listening(struct receiver *r)
{
	gw_listener_close(r->dv.listener);
	r->dv.listener = NULL;
	gw_receiver_leave(&r->dv.receiver);
}

/* The domain's process does the work from now on. This one waits for it in the foreground, as if it
 * were that process. */
static int follow(struct receiver *r)
{
	int status;

	stop_listening(r);
	gw_peer_close(&r->peer);
	gw_arrivals_grant(&r->arrivals);
	status = gw_arrivals_follow(&r->arrivals, r->dv.own_log);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return gw_cli_error(r->dv.cli, GW_EXIT_FAILED,
			    "the domain's process was ended by signal %d", WTERMSIG(status));
}

/* Asked to end: what arrives is cancelled. A handover is not: its domain is waited for. */
static int end_arrivals(struct receiver *r)
{
	struct gw_error err = GW_ERROR_INIT;

	gw_arrivals_end(&r->arrivals);
	while (r->arrivals.nr > 0) {
		if (gw_arrivals_wait(&r->arrivals, -1, NULL, &err) < 0)
			return gw_cli_fail(r->dv.cli, &err);
		if (r->arrivals.claiming)
			return follow(r);
	}
	return GW_EXIT_CANCELLED;
}

/* Serves connections until asked to end or, without --keep, until one has brought the domain. */
static int serve_all(struct receiver *r)
{
	struct gw_cli *cli = r->dv.cli;
	struct gw_error err = GW_ERROR_INIT;
	int ready = 0;

	while (ready >= 0 && !r->arrivals.claiming) {
		ready = gw_arrivals_wait(&r->arrivals, gw_listener_fd(r->dv.listener), cli->cancel,
					 &err);
		gw_output_left_out(&cli->out);
		if (ready == 1)
			ready = accept_one(r, &err);
	}
	if (r->arrivals.claiming)
		return follow(r);
	/* Asked to end while no domain arrives, it has done its work. */
	if (err.code == GW_CANCELLED && r->arrivals.nr == 0)
		return GW_EXIT_OK;
	if (err.code == GW_CANCELLED && r->arrivals.one)
		return end_arrivals(r);
	/* Domains that are in place live on. */
	gw_arrivals_end(&r->arrivals);
	return gw_cli_fail(cli, &err);
}

static int receive_many(struct receiver *r)
{
	struct gw_error err = GW_ERROR_INIT;

	r->dv.say_name = r->dv.own_log = true;
	if (gw_turns_open(&r->dv.turns, (unsigned)gw_args_number(r->args, "max-parallel", PARALLEL),
			  &err) < 0)
		return gw_cli_fail(r->dv.cli, &err);
	return serve_all(r);
}

static int receive_one(struct receiver *r)
{
	r->arrivals.one = true;
	return serve_all(r);
}

/* A background process cannot print, so messages before a domain arrives go to a log. */
static int leave(struct receiver *r, struct gw_error *err)
{
	struct gw_runtime rt;
	int log;

	r->listens = strdup(gw_listener_address(r->dv.listener));
	if (r->dv.own_log || gw_args_flag(r->args, "keep"))
		gw_title_set("receiver", gw_listener_address(r->dv.listener));
	if (r->dv.bg.fd < 0) {
		printf("%s\n", gw_listener_address(r->dv.listener));
		fflush(stdout);
		return 0;
	}
	if (gw_runtime_open(&rt, err) < 0)
		return -1;
	log = gw_log_open_receivers(&rt, err);
	gw_runtime_close(&rt);
	if (log < 0)
		return -1;
	gw_background_leave(&r->dv.bg, gw_listener_address(r->dv.listener), log);
	gw_output_to_log(&r->dv.cli->out, "receiver %s", gw_listener_address(r->dv.listener));
	return 0;
}

static int end_receiver(struct gw_cli *cli, const char *which)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_runtime rt;
	int ret = gw_runtime_open(&rt, &err);

	if (ret == 0) {
		ret = gw_receiver_end(&rt, which, cli->cancel, &err);
		gw_runtime_close(&rt);
	}
	return ret < 0 ? gw_domain_fail(cli, &err) : GW_EXIT_OK;
}

/* Before anything is printed, or forked for the background. */
static int take_passed(struct receiver *r, const struct gw_args *args, struct gw_error *err)
{
	if (gw_address_parse(&r->passed, gw_args_positional(args, 0), err) < 0)
		return -1;
	r->is_passed = r->passed.kind == GW_ADDRESS_FD;
	if (!r->is_passed)
		return 0;
	if (gw_args_flag(args, "keep"))
		return gw_fail(err, GW_USAGE, "--keep needs an address to listen at, not fd:");
	r->admission.images = gw_args_flag(args, "accept-image") > 0;
	return gw_passed_take(&r->passed, err);
}

/* The connection exists already. In the background it goes there once the domain is in place. */
static int receive_passed(struct receiver *r)
{
	struct gw_error err = GW_ERROR_INIT;
	int status;
	struct gw_channel *ch = gw_passed_channel(&r->passed, gw_args_positional(r->args, 0), &err);

	if (!ch)
		return gw_cli_fail(r->dv.cli, &err);
	gw_channel_set_cancel(ch, r->dv.cli->cancel);
	status = serve(r, ch);
	free(r->dv.peer);
	return status;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct receiver r = {.dv = GW_DOMAIN_VERB_INIT(cli), .args = args};
	struct gw_error err = GW_ERROR_INIT;
	bool keep = gw_args_flag(args, "keep") > 0;
	int status;

	if (gw_args_flag(args, "end"))
		return end_receiver(cli, gw_args_positional(args, 0));
	if (keep && gw_args_text(args, "name"))
		return gw_cli_error(cli, GW_EXIT_USAGE,
				    "--keep receives many domains, --name names only one");
	if (gw_args_text(args, "fence") && gw_args_flag(args, "no-fence"))
		return gw_cli_error(cli, GW_EXIT_USAGE,
				    "--fence and --no-fence exclude each other");
	if (gw_domain_verb_accept(&r.dv, args, &err) < 0 ||
	    gw_budget_read(&r.budget, args, &err) < 0 || take_passed(&r, args, &err) < 0)
		return gw_cli_fail(cli, &err);
	if (gw_peer_open(&r.peer, args, gw_args_positional(args, 0), GW_TLS_RECEIVER, cli->cancel,
			 &err) < 0) {
		gw_peer_close(&r.peer);
		return gw_cli_fail(cli, &err);
	}
	gw_peer_warn(args, gw_args_positional(args, 0), GW_TLS_RECEIVER, &cli->out.log);
	r.dv.own_log = gw_args_flag(args, "detach") > 0;
	if (r.dv.own_log && gw_background_split(cli, &r.dv.bg, &status)) {
		gw_peer_close(&r.peer);
		return status;
	}
	if (r.is_passed)
		return receive_passed(&r);
	r.dv.listener =
		gw_peer_listen(&r.peer, args, gw_args_positional(args, 0), &r.admission, &err);
	if (!r.dv.listener ||
	    gw_receiver_enter(&r.dv.receiver, gw_listener_address(r.dv.listener), &err) < 0 ||
	    leave(&r, &err) < 0)
		status = gw_cli_fail(cli, &err);
	else if (gw_output_limit(&cli->out, &err) < 0)
		status = gw_cli_fail(cli, &err);
	else
		status = keep ? receive_many(&r) : receive_one(&r);
	free(r.listens);
	free(r.dv.peer);
	gw_listener_close(r.dv.listener);
	gw_receiver_leave(&r.dv.receiver);
	gw_peer_close(&r.peer);
	return status;
}

const struct gw_verb gw_verb_receive = {
	.name = "receive",
	.group = GW_GROUP_MOVING,
	.summary =
		"receive a domain from \"godwit migrate\", or the copy of one from \"godwit protect\"",
	.description =
		"Receives one domain at ADDRESS. It prints the address it listens at (tcp:127.0.0.1:0 "
		"takes any free port). Several may begin to arrive; the first that is complete is received, and the "
		"others are refused with that reason. Console output goes to "
		"standard output then, and the command ends when the domain does, with its status. With --keep it goes on "
		"listening. Each domain gets a process of its own, with --keep or --detach in the background; --keep prints its name. A receiver ends with SIGINT, "
		"SIGTERM or SIGHUP: with status 0 if no domain is arriving, else with 4 after the arrivals are cancelled. Domains "
		"that have arrived live on.\n\n"
		"A domain that cannot run here (CPU features, memory, guest type, a name already in use) "
		"is refused with all reasons before a page is sent. The memory of one that is accepted is reserved: "
		"no other domain of this user gets it, even if the guest has not used it yet. --max-memory and --max-domains say how much this "
		"receiver may have in all; godwit.conf(5) sets them for every receiver. An empty HOST means 127.0.0.1.\n\n"
		"Anyone who may connect can start a domain here. With tls: that is who has a certificate of --tls-ca, or a key of "
		"--tls-psk; with unix: this user and root, or --allow-uid; with tcp: on 127.0.0.1 or ::1 every user of this "
		"host. tcp: on any other address is refused without --insecure.\n\n"
		"fd:N is a connection that exists already, fd:IN,OUT one with a descriptor for each direction: fd:0,1 is what ssh "
		"gives. Nothing is printed to standard output then. With --detach it goes to the background when the domain has arrived.\n\n"
		"With --fence or --no-fence it also takes the copy of a domain that \"godwit protect\" protects. \"godwit list\" shows it as a backup; it runs "
		"when the protected domain's host is lost. The command goes to the background, or on listening, as for a domain that has arrived.\n\n"
		"With --accept-image the address also takes a saved image (\"nc HOST PORT <web1.save\") and restores it like "
		"\"godwit restore\", without a reply to the sender. An image without a config needs --name.\n\n"
		"With \"-c xen:\" libxl creates the domains that arrive, which are xl's from then on; they come one "
		"after the other, only from \"godwit -c xen: migrate\".",
	.options =
		(const struct gw_option[]){
			{"name", 'n', GW_KIND_TEXT, "NAME",
			 "name the domain NAME, instead of the name it arrives with"},
			{"keep", 'k', GW_KIND_FLAG, .help = "receive any number of domains"},
			{"max-parallel", 0, GW_KIND_NUMBER, "N",
			 "with --keep: receive at most N domains at a time, 8 unless given; the others wait for "
			 "their turn, and their senders say so",
			 .min = 1, .max = GW_ARRIVALS_MAX},
			{"detach", 'd', GW_KIND_FLAG,
			 .help = "go to the background after the address is printed"},
			{"end", 0, GW_KIND_FLAG,
			 .help = "end the receiver that listens at ADDRESS (or whose process id that is: "
				 "\"godwit list --all\"), but not the domains it has received"},
			{"paused", 0, GW_KIND_FLAG,
			 .help = "leave the domain paused until \"godwit resume\""},
			GW_OPTION_RAW,
			{"fence", 0, GW_KIND_TEXT, "COMMAND",
			 "also take the copy of a \"godwit protect\". If its host is lost, this shell command must make "
			 "certain that the host, or its domain, is dead, and exit with 0 only then. After that the copy "
			 "runs; otherwise it stays paused. It gets GODWIT_DOMAIN, GODWIT_UUID, GODWIT_PEER (the sender's address) and GODWIT_MIGRATION (the protection's id)"},
			{"fence-limit", 0, GW_KIND_NUMBER, "SECONDS",
			 "time for the command of --fence; 10 unless given", .min = 1, .max = 600},
			{"no-fence", 0, GW_KIND_FLAG,
			 .help = "also take the copy of a \"godwit protect\", and run it as soon as its host is lost. "
				 "If that host is alive and only the network between the two has failed, THE DOMAIN THEN RUNS "
				 "TWICE: both write to the same disks and answer at the same addresses, and its data can be lost"},
			GW_BUDGET_OPTIONS,
			GW_SILENCE_OPTION,
			GW_PEER_OPTIONS,
			GW_ADMISSION_OPTIONS,
			GW_OPTION_ACCEPT,
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"ADDRESS", GW_KIND_ADDRESS,
			 "tls:HOST:PORT, tcp:HOST:PORT, unix:PATH, fd:N or fd:IN,OUT"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit receive tcp::7000", "Receives one domain from this machine."},
			{"godwit receive --keep -d --tls-psk hosts.psk tls:10.0.0.2:7000",
			 "Receives domains from the hosts that have a key in hosts.psk."},
			{"godwit receive --end tls:10.0.0.2:7000",
			 "Ends that receiver; its domains run on."},
			{0},
		},
	.connects = GW_CONNECTS_CREATES,
	.run = run,
	.run_xen = gw_xl_verb_receive,
};
