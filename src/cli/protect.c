/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit protect: keeps a copy of a running domain on another host.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/safe_path.h"
#include "cli/domain.h"
#include "cli/peer.h"
#include "cli/save_options.h"
#include "cli/xl.h"

struct protecting {
	struct gw_cli *cli;
	const struct gw_args *args;
	const char *domain, *dest;
	struct gw_channel *report; /* NULL: none */
	struct gw_error err;	   /* the first failure of writing it */
	bool said;
};

static void write_line(struct protecting *p, const json_t *event)
{
	json_t *line = json_copy((json_t *)(uintptr_t)event);
	char *text;

	json_object_del(line, "event");
	text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(line);
	if (text && gw_channel_write(p->report, text, strlen(text), &p->err) == 0)
		gw_channel_write(p->report, "\n", 1, &p->err);
	free(text);
}

static void on_event(void *opaque, const json_t *event)
{
	struct protecting *p = opaque;
	const char *name = json_string_value(json_object_get(event, "event"));

	if (!name || strcmp(name, "checkpoint") != 0) {
		/* The progress of the first copy; later ones are too short to be shown. */
		if (!p->said)
			gw_domain_event(p->cli, event);
		return;
	}
	if (p->report && !p->err.code)
		write_line(p, event);
	if (p->said)
		return;
	p->said = true;
	gw_output_erase(&p->cli->out);
	gw_domain_summary(p->cli, p->args, "%s is protected by %s\n", p->domain, p->dest);
	fflush(stdout);
}

static void set_number(json_t *request, const char *member, const struct gw_args *args,
		       const char *option, unsigned scale)
{
	if (gw_args_text(args, option))
		json_object_set_new(
			request, member,
			json_integer((json_int_t)(gw_args_number(args, option, 0) * scale)));
}

static json_t *make_request(const struct gw_args *args, const struct gw_channel *ch)
{
	const char *hook = gw_args_text(args, "output-hook");
	const char *on_loss = gw_args_text(args, "on-backup-loss");
	json_t *request =
		json_pack("{s:s, s:s%, s:b, s:b}", "request", "protect", "peer", ch->name,
			  strlen(ch->name), "stop_on_loss", on_loss && !strcmp(on_loss, "stop"),
			  "allow_loss", gw_args_flag(args, "allow-loss") > 0);

	if (hook)
		json_object_set_new(request, "output_hook", json_string(hook));
	set_number(request, "interval_ms", args, "interval", 1);
	set_number(request, "copy_limit", args, "copy-limit", 1);
	set_number(request, "max_lag_ms", args, "max-lag", 1);
	set_number(request, "until_ms", args, "until", 1000);
	set_number(request, "silence_ms", args, "silence", 1000);
	set_number(request, "suspend_timeout_ms", args, "suspend-timeout", 1000);
	set_number(request, "bandwidth", args, "bandwidth", 1);
	return request;
}

static int protect(struct protecting *p, const struct gw_args *args, struct gw_peer *peer,
		   struct gw_client *client, json_t **reply, struct gw_error *err)
{
	struct gw_channel *ch = gw_peer_connect(peer, p->dest, p->cli->cancel, err);
	json_t *request;
	int ret = -1;

	if (!ch)
		return -1;
	if (ch->fd < 0) {
		gw_fail(err, GW_UNSUPPORTED, "%s cannot be passed to the domain's process",
			ch->name);
	} else {
		request = make_request(args, ch);
		gw_peer_add_to_request(peer, request);
		ret = gw_client_call(client, request, ch->fd, on_event, p, p->cli->cancel, -1,
				     reply, err);
		gw_output_erase(&p->cli->out);
	}
	gw_channel_close(ch);
	gw_peer_end(peer, ret < 0, err);
	return ret;
}

static int open_report(struct protecting *p, const struct gw_args *args, struct gw_error *err)
{
	const char *path = gw_args_text(args, "report");
	bool own = path && strcmp(path, "-") != 0;
	int fd;

	if (!path)
		return 0;
	/* Not by gw_channel_create(), which shows a file when it is complete: each line is to be
	 * seen at once. */
	fd = own ? gw_safe_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, GW_SAFE_DATA, err)
		 : STDOUT_FILENO;
	if (fd < 0)
		return -1;
	p->report = gw_channel_from_fd(fd, own, path, err);
	if (!p->report && own)
		close(fd);
	return p->report ? 0 : -1;
}

static void close_report(struct protecting *p)
{
	gw_channel_close(p->report);
	if (p->err.code)
		gw_logf(&p->cli->out.log, GW_LOG_WARNING, "the report is lost: %s", p->err.text);
}

static void print_summary(const struct protecting *p, const json_t *reply)
{
	double worst = (double)json_integer_value(json_object_get(reply, "worst_pause_ns")) / 1e6;
	json_int_t n = json_integer_value(json_object_get(reply, "checkpoints"));

	gw_domain_summary(
		p->cli, p->args,
		"%s is not protected any more, and runs on here: %lld checkpoints, longest pause %.1f ms\n",
		p->domain, (long long)n, worst);
}

static int run_with(struct protecting *p, const struct gw_args *args, struct gw_peer *peer)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	json_t *reply = NULL;
	int status = GW_EXIT_OK;

	if (gw_domain_connect(p->cli, p->domain, &client, &status) < 0)
		return status;
	if (open_report(p, args, &err) < 0 || protect(p, args, peer, &client, &reply, &err) < 0)
		status = gw_cli_fail(p->cli, &err);
	else
		print_summary(p, reply);
	close_report(p);
	json_decref(reply);
	gw_client_close(&client);
	return status;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct protecting p = {
		.cli = cli,
		.args = args,
		.domain = gw_args_positional(args, 0),
		.dest = gw_args_positional(args, 1),
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_peer peer;
	int status;

	if (!strncmp(p.dest, "ssh:", 4))
		return gw_cli_error(
			cli, GW_EXIT_USAGE,
			"%s: a backup needs a receiver that listens, with --fence or --no-fence",
			p.dest);
	if (gw_peer_open(&peer, args, p.dest, GW_TLS_SENDER, cli->cancel, &err) < 0)
		status = gw_domain_fail(cli, &err);
	else
		status = run_with(&p, args, &peer);
	gw_peer_close(&peer);
	return status;
}

const struct gw_verb gw_verb_protect = {
	.name = "protect",
	.group = GW_GROUP_MOVING,
	.summary =
		"keep a copy of a running domain on another host, which takes over if this one dies",
	.description =
		"Sends checkpoints of the running domain to the \"godwit receive --fence COMMAND\" (or \"--no-fence\") that "
		"listens at DEST: the backup. It keeps the last complete one. When this host is lost, the backup makes certain "
		"that it is dead (--fence), then runs its copy.\n\n"
		"What the guest prints leaves this host only after the backup has the checkpoint that contains it. So nobody "
		"ever sees something that the copy does not know. What it sends to a network is held back by --output-hook; "
		"without that it leaves at once, and a failover undoes what others may have seen.\n\n"
		"The command runs until Ctrl-C, \"godwit cancel\", --until or the guest's end. Then the backup destroys its copy, "
		"and the domain runs on here; the exit status is 0. It is 3 if the protection ended for another reason.\n\n"
		"If the backup is lost, the guest runs on unprotected (--on-backup-loss run). Its output waits until the backup "
		"cannot take over any more: twice the backup's --silence, the time limit of its fence, and a second, and a tenth of it all. With "
		"--on-backup-loss stop the domain is paused instead, until \"godwit resume --claim\" or \"godwit destroy\".\n\n"
		"The guest is asked to suspend itself at each checkpoint, so it must support that. A domain that was taken over "
		"can be protected again, in the other direction.",
	.options =
		(const struct gw_option[]){
			{"interval", 0, GW_KIND_NUMBER, "MS",
			 "time from one checkpoint to the next; 200 ms unless given, at most half of --silence",
			 .min = 10, .max = 3600000},
			{"until", 0, GW_KIND_NUMBER, "SECONDS",
			 "end the protection SECONDS after it has begun", .min = 1,
			 .max = 1000000000},
			{"max-lag", 0, GW_KIND_NUMBER, "MS",
			 "pause the guest while what the backup has is older than MS milliseconds",
			 .min = 1, .max = 3600000},
			{"on-backup-loss", 0, GW_KIND_CHOICE, .choices = "run|stop",
			 .help = "when the backup is lost: let the guest run on (the default), or pause it"},
			{"output-hook", 0, GW_KIND_TEXT, "COMMAND",
			 "a shell command that holds back what the guest sends to its network. GODWIT_EVENT is "
			 "\"plug\" while the guest is stopped for checkpoint GODWIT_CHECKPOINT: what it sends from "
			 "now on must wait; \"release\": what it sent before the plug of that number may leave; "
			 "\"end\": everything may. GODWIT_DOMAIN is the domain"},
			{"copy-limit", 0, GW_KIND_SIZE, "SIZE",
			 "copy up to SIZE of dirty pages while the guest stands, and send them when it runs again; 128M "
			 "unless given. If there are more, it stands until all are sent"},
			{"report", 0, GW_KIND_FILE, "FILE",
			 "write a line of JSON for each checkpoint: what was sent, and the time of each stage"},
			{"silence", 0, GW_KIND_NUMBER, "SECONDS",
			 "the backup is lost after SECONDS without a sign of life; 5 unless given",
			 .min = 1, .max = 3600},
			{"bandwidth", 0, GW_KIND_SIZE, "RATE",
			 "limit on bytes per second of the first copy", .min = 1},
			{"suspend-timeout", 0, GW_KIND_NUMBER, "SECONDS",
			 "time for the guest to suspend itself; 10 s unless given", .min = 1,
			 .max = 3600},
			{"allow-loss", 0, GW_KIND_FLAG,
			 .help = "go on although the device model's state is lost or older than the guest's"},
			GW_PEER_OPTIONS,
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{"DEST", GW_KIND_ADDRESS,
			 "tls:HOST:PORT, tcp:HOST:PORT, unix:PATH or fd:N"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit protect --tls-psk hosts.psk g1 tls:10.0.0.2:7000",
			 "Protects g1 by the receiver on 10.0.0.2."},
			{"godwit protect --interval 25 --report r.json g1 tcp::7000",
			 "Sends 40 checkpoints a second and reports each."},
			{0},
		},
	.bad = "the receiver refuses the domain",
	.json = "report-json.md",
	.run = run,
	.run_xen = gw_xl_verb_no_protect,
};
