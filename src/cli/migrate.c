/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit migrate: moves a running domain to another godwit.
 */
#include <stdio.h>

#include "cli/domain.h"
#include "cli/peer.h"
#include "cli/save_options.h"
#include "cli/xl.h"

static int migrate(struct gw_cli *cli, const struct gw_args *args, struct gw_peer *peer,
		   struct gw_client *client, json_t **reply, struct gw_error *err)
{
	bool live = !gw_args_flag(args, "no-live");
	struct gw_channel *ch =
		gw_peer_connect(peer, gw_args_positional(args, 1), cli->cancel, err);
	struct gw_save_events events;
	json_t *request;
	int ret = -1;

	if (!ch)
		return -1;
	if (ch->fd < 0) {
		gw_fail(err, GW_UNSUPPORTED, "%s cannot be passed to the domain's process",
			ch->name);
	} else if (gw_save_events_begin(&events, cli, args, err) == 0) {
		request = gw_save_options_request(args, "migrate", live);
		gw_peer_add_to_request(peer, request);
		ret = gw_client_call(client, request, ch->fd, gw_save_event, &events, cli->cancel,
				     -1, reply, err);
		gw_output_erase(&cli->out);
		gw_save_events_end(&events);
	}
	gw_channel_close(ch);
	gw_peer_end(peer, ret < 0, err);
	return ret;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	const char *domain = gw_args_positional(args, 0);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	struct gw_peer peer;
	json_t *reply = NULL, *report;
	int status = GW_EXIT_OK;

	if (gw_args_text(args, "trace") && gw_args_flag(args, "no-live"))
		return gw_cli_error(
			cli, GW_EXIT_USAGE,
			"--trace and --no-live exclude each other: only live rounds are recorded");
	if (gw_peer_open(&peer, args, gw_args_positional(args, 1), GW_TLS_SENDER, cli->cancel,
			 &err) < 0) {
		gw_peer_close(&peer);
		return gw_domain_fail(cli, &err);
	}
	gw_peer_warn(args, gw_args_positional(args, 1), GW_TLS_SENDER, &cli->out.log);
	if (gw_domain_connect(cli, domain, &client, &status) < 0) {
		gw_peer_close(&peer);
		return status;
	}
	if (migrate(cli, args, &peer, &client, &reply, &err) < 0) {
		status = gw_cli_fail(cli, &err);
	} else {
		report = json_object_get(reply, "report");
		json_object_set(report, "migration", json_object_get(reply, "migration"));
		gw_domain_summary(cli, args, "%s has moved to %s\n%s", domain,
				  gw_args_positional(args, 1),
				  json_string_value(json_object_get(reply, "summary")));
		fflush(stdout);
		gw_save_warn_missed(cli, report);
		if (gw_domain_write_report(gw_args_text(args, "report"), report, &err) < 0)
			status = gw_domain_fail(cli, &err);
	}
	json_decref(reply);
	gw_client_close(&client);
	gw_peer_close(&peer);
	return status;
}

const struct gw_verb gw_verb_migrate = {
	.name = "migrate",
	.group = GW_GROUP_MOVING,
	.summary = "move a running domain to another godwit",
	.description =
		"Moves the running domain to the \"godwit receive\" that listens at DEST. Memory is sent in "
		"rounds. The guest is suspended when the remaining pages, its state and the receiver's part "
		"are expected to take --downtime at most. When another round would bring that no nearer (it "
		"would not be smaller by a quarter, or the memory was sent twice), --on-stall decides. A "
		"target that was missed is reported, with how far the estimate was off.\n\n"
		"Before any page is sent the receiver checks the domain's config and CPU policy. If it "
		"refuses, all its reasons are printed and the exit status is 1. Ctrl-C, a failure, or the "
		"death of this command leaves the domain running at the source. Only during the handover "
		"it is too late to cancel; if the connection fails then, both copies stay paused (see "
		"\"godwit resume --claim\"). If the guest shuts down meanwhile, or does so when it is asked to "
		"suspend, the domain is gone: the message says that, and the exit status is 3.\n\n"
		"With ssh: no receiver has to listen: ssh starts \"godwit receive -d fd:0,1\" on HOST, where its domain then runs in "
		"the background (RUNTIME: its GODWIT_RUNTIME_DIR). tls: needs a certificate or a key on both sides. tcp: to another "
		"host needs --insecure.\n\n"
		"With \"-c xen:\" DOMAIN is one of xl's, and the receiver is a \"godwit -c xen: receive\".",
	.options =
		(const struct gw_option[]){
			{"no-live", 0, GW_KIND_FLAG,
			 .help = "suspend the guest before its memory is sent"},
			GW_SAVE_PRECOPY_OPTIONS,
			GW_SAVE_SUSPEND_OPTIONS,
			GW_SILENCE_OPTION,
			GW_PEER_OPTIONS,
			GW_PEER_SSH_OPTION,
			GW_SAVE_REPORT_OPTION,
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{"DEST", GW_KIND_ADDRESS,
			 "ssh:[USER@]HOST[:RUNTIME], tls:HOST:PORT, tcp:HOST:PORT, unix:PATH or fd:N"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit migrate g1 ssh:root@b.example", "Moves g1 to b.example, by ssh."},
			{"godwit migrate --tls-psk hosts.psk g1 tls:10.0.0.2:7000",
			 "Moves g1 to the host 10.0.0.2, which has the same key."},
			{"godwit migrate --downtime 50 --report r.json g1 unix:/tmp/in",
			 "Aims at a downtime of 50 ms and writes a report."},
			{0},
		},
	.bad = "the receiver refuses the domain",
	.json = "report-json.md",
	.run = run,
	.run_xen = gw_xl_verb_migrate,
};
