/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The verbs about domains that libxl owns (xl.h).
 */
#include "cli/xl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/util.h"
#include "base/visible.h"
#include "cli/domain.h"
#include "cli/json.h"
#include "cli/passed.h"
#include "cli/peer.h"
#include "config.h"
#include "hypervisor/plugin.h"
#include "xl/plugin.h"

static const struct gw_xl_plugin *load(struct gw_cli *cli, struct gw_xl_request *req,
				       struct gw_error *err)
{
	*req = (struct gw_xl_request){
		.cancel = cli->cancel,
		.log = cli->out.log,
		.progress = gw_output_progress,
		.opaque = &cli->out,
		.helper = access(GW_SAVE_HELPER, X_OK) == 0 ? GW_SAVE_HELPER : NULL,
	};
	return gw_plugin_find(GW_XL_PLUGIN, GW_XL_SYMBOL, err);
}

/* Options that only godwit's own domains have; not each verb has them all. */
static int refuse(const struct gw_args *args, const char *const *options, struct gw_error *err)
{
	for (; *options; options++)
		if (gw_args_takes(args, *options) &&
		    (gw_args_flag(args, *options) || gw_args_text(args, *options)))
			return gw_fail(err, GW_USAGE,
				       "--%s does not apply to domains of xen:", *options);
	return 0;
}

static json_t *list_entry(const struct gw_xl_domain *domain)
{
	return json_pack("{s:o, s:I, s:I, s:s}", "name",
			 gw_json_text(domain->name, strlen(domain->name)), "id",
			 (json_int_t)domain->domid, "memory_kb", (json_int_t)domain->memory_kb,
			 "state", domain->state);
}

static void add_to_list(void *opaque, const struct gw_xl_domain *domain)
{
	json_array_append_new(opaque, list_entry(domain));
}

/* The first one of any list is the domain that controls Xen. */
static void print_domain(void *opaque, const struct gw_xl_domain *domain)
{
	char name[256];

	if (domain->domid == 0)
		printf("%-30s %5s %8s %9s  %s\n", "NAME", "ID", "MEMORY", "CPU", "STATE");
	gw_visible(name, sizeof(name), domain->name);
	printf("%-30s %5u %7lluM %8llus  %s\n", name, domain->domid,
	       (unsigned long long)domain->memory_kb / 1024,
	       (unsigned long long)(domain->cpu_ns / 1000000000), domain->state);
}

int gw_xl_verb_list(struct gw_cli *cli, const struct gw_args *args)
{
	bool as_json = gw_args_flag(args, "json") > 0;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xl_request req;
	const struct gw_xl_plugin *xl = load(cli, &req, &err);
	json_t *all = json_array();
	int rc = -1;

	if (xl)
		rc = xl->list(&req, as_json ? add_to_list : print_domain, all, &err);
	if (rc == 0 && as_json) {
		gw_json_print(all, JSON_INDENT(2) | JSON_PRESERVE_ORDER, stdout);
	}
	json_decref(all);
	return rc < 0 ? gw_domain_fail(cli, &err) : GW_EXIT_OK;
}

int gw_xl_verb_pause(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xl_request req;
	const struct gw_xl_plugin *xl = load(cli, &req, &err);

	if (xl && xl->pause(&req, gw_args_positional(args, 0), &err) == 0)
		return GW_EXIT_OK;
	return gw_domain_fail(cli, &err);
}

int gw_xl_verb_resume(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xl_request req;
	const struct gw_xl_plugin *xl = load(cli, &req, &err);

	if (xl && xl->resume(&req, gw_args_positional(args, 0), gw_args_flag(args, "claim") > 0,
			     &err) == 0)
		return GW_EXIT_OK;
	return gw_domain_fail(cli, &err);
}

int gw_xl_verb_destroy(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xl_request req;
	const struct gw_xl_plugin *xl = load(cli, &req, &err);

	if (xl && xl->destroy(&req, gw_args_positional(args, 0), &err) == 0)
		return GW_EXIT_OK;
	return gw_domain_fail(cli, &err);
}

int gw_xl_verb_no_jobs(struct gw_cli *cli, const struct gw_args *args)
{
	return gw_cli_error(
		cli, GW_EXIT_FAILED,
		"the operations on domains of xen: belong to the commands that run them, and are not known here");
}

int gw_xl_verb_no_protect(struct gw_cli *cli, const struct gw_args *args)
{
	return gw_cli_error(
		cli, GW_EXIT_FAILED,
		"domains of xen: are not protected by this command; \"xl remus\" can use godwit's save helper");
}

/* The settings of godwit-save-helper, which libxl starts. */
static void pass_to_helper(const struct gw_args *args)
{
	static const struct {
		const char *option, *variable;
	} settings[] = {
		{"downtime", "GODWIT_DOWNTIME"},
		{"timeout", "GODWIT_TIMEOUT"},
		{"max-rounds", "GODWIT_MAX_ROUNDS"},
		{"bandwidth", "GODWIT_BANDWIDTH"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(settings); i++) {
		char number[32];

		if (!gw_args_text(args, settings[i].option))
			continue;
		snprintf(number, sizeof(number), "%llu",
			 (unsigned long long)gw_args_number(args, settings[i].option, 0));
		setenv(settings[i].variable, number, 1);
	}
	if (gw_args_text(args, "on-stall"))
		setenv("GODWIT_ON_STALL", gw_args_text(args, "on-stall"), 1);
}

static int refuse_throttle(const struct gw_args *args, struct gw_error *err)
{
	const char *on_stall = gw_args_text(args, "on-stall");

	if (!on_stall || strcmp(on_stall, "throttle") != 0)
		return 0;
	return gw_fail(err, GW_UNSUPPORTED, "throttle: xen: cannot slow a domain's vCPUs");
}

static int write_report(const struct gw_xl_request *req, const char *operation, const char *path,
			struct gw_error *err)
{
	struct gw_buffer text = {0};
	json_t *report;
	int rc = gw_report_json(&req->report, operation, &text, err);

	if (rc == 0) {
		report = json_loadb((const char *)text.data, text.len, 0, NULL);
		if (req->id[0])
			json_object_set_new(report, "migration", json_string(req->id));
		rc = gw_domain_write_report(path, report, err);
		json_decref(report);
	}
	gw_buffer_free(&text);
	return rc;
}

static const char *const suspend_options[] = {"suspend-timeout", "force-pause", "allow-forced",
					      "allow-loss",	 "trace",	NULL};

int gw_xl_verb_save(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xl_request req;
	const struct gw_xl_plugin *xl = load(cli, &req, &err);
	struct gw_channel *out = NULL;
	int rc = -1;

	if (xl && refuse(args, suspend_options, &err) == 0 && refuse_throttle(args, &err) == 0)
		out = gw_channel_create(gw_args_positional(args, 1), &err);
	if (out) {
		pass_to_helper(args);
		gw_channel_set_cancel(out, cli->cancel);
		req.live = gw_args_flag(args, "live") > 0;
		req.then = gw_args_flag(args, "keep-running") ? GW_XL_RUN
			   : gw_args_flag(args, "paused")     ? GW_XL_PAUSE
							      : GW_XL_DESTROY;
		rc = xl->save(&req, gw_args_positional(args, 0), out, &err);
		gw_channel_close(out);
	}
	gw_output_erase(&cli->out);
	if (rc == 0)
		rc = write_report(&req, "save", gw_args_text(args, "report"), &err);
	return rc < 0 ? gw_domain_fail(cli, &err) : GW_EXIT_OK;
}

static int accept_option(const struct gw_args *args, struct gw_acceptance *acceptance,
			 struct gw_error *err)
{
	if (gw_acceptance_load(acceptance, err) < 0)
		return -1;
	return gw_acceptance_override(acceptance, gw_args_text(args, "accept"), err);
}

static const char *const own_restore[] = {"detach", "new-genid", "raw", NULL};

int gw_xl_verb_restore(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_acceptance acceptance;
	struct gw_xl_request req;
	const struct gw_xl_plugin *xl = load(cli, &req, &err);
	struct gw_channel *in = NULL;
	int rc = -1;

	if (xl && refuse(args, own_restore, &err) == 0 &&
	    accept_option(args, &acceptance, &err) == 0)
		in = gw_channel_open(gw_args_positional(args, 0), &err);
	if (in) {
		gw_channel_set_cancel(in, cli->cancel);
		in = gw_channel_decompress(in, &err);
	}
	if (in) {
		req.acceptance = &acceptance;
		req.name = gw_args_text(args, "name");
		req.paused = gw_args_flag(args, "paused") > 0;
		rc = xl->restore(&req, in, &err);
		gw_channel_close(in);
	}
	gw_output_erase(&cli->out);
	if (rc < 0)
		return gw_cli_fail(cli, &err);
	gw_print_safe(stdout, req.arrived);
	putchar('\n');
	return GW_EXIT_OK;
}

static void print_moved(const struct gw_cli *cli, const struct gw_args *args,
			const struct gw_report *report, const char *to)
{
	struct gw_buffer text = {0};

	gw_report_text(report, &text, NULL);
	gw_domain_summary(cli, args, "%s has moved to %s\n%.*s", gw_args_positional(args, 0), to,
			  (int)text.len, text.data ? (const char *)text.data : "");
	gw_buffer_free(&text);
}

static struct gw_channel *connect_to(struct gw_peer *peer, const struct gw_args *args,
				     const char *to, const struct gw_cancel *cancel,
				     struct gw_error *err)
{
	struct gw_channel *ch;

	if (gw_peer_open(peer, args, to, GW_TLS_SENDER, cancel, err) < 0)
		return NULL;
	peer->ssh_xen = "xen:";
	ch = gw_peer_connect(peer, to, cancel, err);
	return ch && peer->tls ? gw_channel_tls(ch, peer->tls, peer->host, err) : ch;
}

int gw_xl_verb_migrate(struct gw_cli *cli, const struct gw_args *args)
{
	const char *domain = gw_args_positional(args, 0), *to = gw_args_positional(args, 1);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xl_request req;
	const struct gw_xl_plugin *xl = load(cli, &req, &err);
	struct gw_channel *ch = NULL;
	struct gw_peer peer = {0};
	int rc = -1;

	if (xl && refuse(args, suspend_options, &err) == 0 && refuse_throttle(args, &err) == 0)
		ch = connect_to(&peer, args, to, cli->cancel, &err);
	if (ch) {
		pass_to_helper(args);
		req.live = !gw_args_flag(args, "no-live");
		req.silence_ms = (int)gw_args_number(args, "silence", 0) * 1000;
		rc = xl->migrate(&req, domain, ch, &err);
		gw_channel_close(ch);
		gw_peer_end(&peer, rc < 0, &err);
	}
	gw_peer_close(&peer);
	gw_output_erase(&cli->out);
	if (rc < 0)
		return gw_cli_fail(cli, &err);
	print_moved(cli, args, &req.report, to);
	rc = write_report(&req, "migrate", gw_args_text(args, "report"), &err);
	return rc < 0 ? gw_domain_fail(cli, &err) : GW_EXIT_OK;
}

/* One connection after the other. True if a domain came. */
static bool serve(struct gw_cli *cli, const struct gw_xl_plugin *xl, struct gw_xl_request *req,
		  const struct gw_admission *admission, struct gw_channel *ch, int *status)
{
	struct gw_error err = GW_ERROR_INIT;
	int rc = gw_admit(admission, &ch, &err);

	if (rc == 0)
		rc = xl->receive(req, ch, &err);

	gw_channel_close(ch);
	gw_output_erase(&cli->out);
	if (rc < 0) {
		*status = gw_cli_fail(cli, &err);
		return false;
	}
	gw_print_safe(stdout, req->arrived);
	putchar('\n');
	fflush(stdout);
	*status = GW_EXIT_OK;
	return true;
}

static int listen_on(struct gw_cli *cli, const struct gw_args *args, const struct gw_xl_plugin *xl,
		     struct gw_xl_request *req, const struct gw_admission *admission,
		     struct gw_listener *listener)
{
	bool keep = gw_args_flag(args, "keep") > 0;
	struct gw_error err = GW_ERROR_INIT;
	int status = GW_EXIT_FAILED;

	printf("%s\n", gw_listener_address(listener));
	fflush(stdout);
	for (;;) {
		struct gw_channel *ch = gw_listener_accept(listener, cli->cancel, &err);

		if (!ch)
			return err.code == GW_CANCELLED ? GW_EXIT_OK : gw_cli_fail(cli, &err);
		if (serve(cli, xl, req, admission, ch, &status) && !keep)
			return status;
		if (gw_cancel_is_set(cli->cancel))
			return GW_EXIT_CANCELLED;
	}
}

static const char *const own_receiver[] = {
	"detach", "end", "accept-image", "max-memory", "max-domains", "raw", NULL};

/* One domain over descriptors of the caller's. */
static int receive_passed(struct gw_cli *cli, const struct gw_args *args,
			  const struct gw_xl_plugin *xl, struct gw_xl_request *req,
			  struct gw_address *passed)
{
	static const struct gw_admission everyone;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = NULL;
	int status = GW_EXIT_FAILED;

	if (gw_args_flag(args, "keep"))
		gw_fail(&err, GW_USAGE, "--keep needs an address to listen at, not fd:");
	else if (gw_passed_take(passed, &err) == 0)
		ch = gw_passed_channel(passed, gw_args_positional(args, 0), &err);
	if (!ch)
		return gw_cli_fail(cli, &err);
	gw_channel_set_cancel(ch, cli->cancel);
	serve(cli, xl, req, &everyone, ch, &status);
	return status;
}

static void set_request(struct gw_xl_request *req, const struct gw_args *args,
			const struct gw_acceptance *acceptance)
{
	req->acceptance = acceptance;
	req->name = gw_args_text(args, "name");
	req->paused = gw_args_flag(args, "paused") > 0;
	req->silence_ms = (int)gw_args_number(args, "silence", 0) * 1000;
}

int gw_xl_verb_receive(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_acceptance acceptance;
	struct gw_xl_request req;
	const struct gw_xl_plugin *xl = load(cli, &req, &err);
	struct gw_listener *listener = NULL;
	struct gw_admission admission;
	struct gw_address address;
	struct gw_peer peer = {0};
	int status;

	if (xl && refuse(args, own_receiver, &err) == 0 &&
	    accept_option(args, &acceptance, &err) == 0 &&
	    gw_address_parse(&address, gw_args_positional(args, 0), &err) == 0) {
		set_request(&req, args, &acceptance);
		if (address.kind == GW_ADDRESS_FD)
			return receive_passed(cli, args, xl, &req, &address);
	}
	if (req.acceptance && gw_peer_open(&peer, args, gw_args_positional(args, 0),
					   GW_TLS_RECEIVER, cli->cancel, &err) == 0)
		listener =
			gw_peer_listen(&peer, args, gw_args_positional(args, 0), &admission, &err);
	if (!listener) {
		gw_peer_close(&peer);
		return gw_cli_fail(cli, &err);
	}
	status = listen_on(cli, args, xl, &req, &admission, listener);
	gw_listener_close(listener);
	gw_peer_close(&peer);
	return status;
}
