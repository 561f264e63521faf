/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit save: saves a domain to a file that "xl restore" accepts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/safe_path.h"
#include "cli/domain.h"
#include "cli/save_options.h"
#include "cli/xl.h"

#define FIFO_ASK_MS 20

/* A FIFO's descriptor can be passed on only when it has a reader; no event reports that. */
static struct gw_channel *open_fifo(struct gw_cli *cli, const struct gw_safe_path *at,
				    const char *path, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_channel *ch;
	int fd;

	while ((fd = gw_safe_path_open(at, path, O_WRONLY | O_NONBLOCK, 0, &why)) < 0) {
		if (errno != ENXIO && errno != EINTR) {
			gw_fail_as(err, &why);
			return NULL;
		}
		gw_error_clear(&why);
		if (gw_cancel_wait(cli->cancel, -1, 0, FIFO_ASK_MS, err) < 0)
			return NULL;
	}
	ch = gw_channel_from_fd(fd, true, path, err);
	if (!ch)
		close(fd);
	return ch;
}

static struct gw_channel *create(struct gw_cli *cli, const char *path, struct gw_error *err)
{
	struct gw_safe_path at = GW_SAFE_PATH_NONE;
	struct gw_channel *ch = NULL;

	if (strcmp(path, "-") != 0 && gw_safe_path_walk(&at, path, GW_SAFE_FOLLOW, NULL) == 0 &&
	    at.exists && S_ISFIFO(at.st.st_mode)) {
		if (gw_safe_path_check(&at, path, GW_SAFE_DATA, err) == 0)
			ch = open_fifo(cli, &at, path, err);
	} else {
		ch = gw_channel_create(path, err);
	}
	gw_safe_path_close(&at);
	return ch;
}

/* The image is complete: it gets its name, and only then the domain may end. */
static int keep_image(struct gw_client *client, struct gw_channel *file, const char *then,
		      json_t *report, struct gw_error *err)
{
	json_t *reply = NULL;

	if (gw_channel_finish(file, err) < 0)
		return gw_fail_in(err, "nothing was saved and the domain runs on");
	if (gw_client_call(client, json_pack("{s:s, s:s}", "request", "keep", "then", then), -1,
			   NULL, NULL, NULL, -1, &reply, err) < 0)
		return gw_fail_in(err, "the image is complete, but");
	/* The downtime is known only now. */
	json_object_set(json_object_get(report, "downtime"), "resume_ns",
			json_object_get(reply, "resume_ns"));
	json_decref(reply);
	return 0;
}

static int save(struct gw_cli *cli, const struct gw_args *args, struct gw_client *client,
		struct gw_channel *file, struct gw_error *err)
{
	bool static_only = gw_args_flag(args, "static-only") > 0;
	const char *then = gw_args_flag(args, "keep-running") || static_only ? "run"
			   : gw_args_flag(args, "paused")		     ? "pause"
									     : "destroy";
	json_t *request = gw_save_options_request(args, "save", gw_args_flag(args, "live") > 0);
	json_t *reply = NULL, *report;
	struct gw_save_events events;
	int ret;

	json_object_set_new(request, "static_only", json_boolean(static_only));
	if (gw_save_events_begin(&events, cli, args, err) < 0) {
		json_decref(request);
		return -1;
	}
	ret = gw_client_call(client, request, file->fd, gw_save_event, &events, cli->cancel, -1,
			     &reply, err);
	gw_output_erase(&cli->out);
	gw_save_events_end(&events);
	if (ret == 0) {
		report = json_object_get(reply, "report");
		ret = keep_image(client, file, then, report, err);
		if (ret == 0)
			ret = gw_domain_write_report(gw_args_text(args, "report"), report, err);
		if (ret == 0 && strcmp(then, "run") == 0)
			gw_save_warn_missed(cli, report);
		if (ret == 0 && cli->verbose)
			fprintf(stderr, "%s", json_string_value(json_object_get(reply, "summary")));
	}
	json_decref(reply);
	return ret;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	struct gw_channel *file;
	int status = GW_EXIT_OK;

	if (gw_args_flag(args, "keep-running") && gw_args_flag(args, "paused"))
		return gw_cli_error(cli, GW_EXIT_USAGE,
				    "--keep-running and --paused exclude each other");
	if (gw_args_flag(args, "static-only") &&
	    (gw_args_flag(args, "live") || gw_args_flag(args, "paused")))
		return gw_cli_error(
			cli, GW_EXIT_USAGE,
			"--static-only excludes --live and --paused: nothing is copied that changes");
	if (gw_args_text(args, "report") && !strcmp(gw_args_text(args, "report"), "-") &&
	    !strcmp(gw_args_positional(args, 1), "-"))
		return gw_cli_error(cli, GW_EXIT_USAGE,
				    "the image and its report cannot both go to standard output");
	if (gw_args_text(args, "trace") && !gw_args_flag(args, "live"))
		return gw_cli_error(cli, GW_EXIT_USAGE,
				    "--trace needs --live: only live rounds are recorded");
	if (gw_domain_connect(cli, gw_args_positional(args, 0), &client, &status) < 0)
		return status;
	file = create(cli, gw_args_positional(args, 1), &err);
	if (!file || save(cli, args, &client, file, &err) < 0)
		status = gw_cli_fail(cli, &err);
	/* Without "keep" the domain runs on; closing the connection requests that. */
	gw_client_close(&client);
	gw_channel_close(file);
	return status;
}

const struct gw_verb gw_verb_save = {
	.name = "save",
	.group = GW_GROUP_MOVING,
	.summary = "save a domain to a file",
	.description =
		"Suspends the domain, writes it to FILE and ends it, like \"xl save\". \"xl restore\" and "
		"\"godwit restore\" restore it. The guest is asked to suspend itself. Of a guest that cannot be asked, "
		"because its domain is paused or because it never announced how to ask it, only godwit could restore the image: "
		"the save is refused (status 1), unless --allow-forced is given. --force-pause does not ask a guest that "
		"could be asked. A PV guest is never paused by force.\n\n"
		"What an image said of its device model stays with the domain and is in the next image, too. "
		"A guest that has run here is ahead of that state, and one of type hvm without it cannot be "
		"restored by Xen: --allow-loss saves them all the same.\n\n"
		"FILE appears under its name only when it is complete, even if this command is killed (docs/control.md). After a failure or Ctrl-C there is "
		"no file, and the domain runs on. If the guest shuts down meanwhile, or does so instead of suspending, "
		"the domain is gone: the message says that, and the exit status is 3.\n\n"
		"With --static-only the file is an xl header and a libxl stream whose libxc image ends after "
		"STATIC_DATA_END. It holds what another host needs to know before a migration: \"godwit inspect "
		"--policy\" shows it, \"godwit verify\" checks every record of it, and then reports that the "
		"guest itself is missing. No restore accepts it.\n\n"
		"With \"-c xen:\" DOMAIN is one of xl's; libxl suspends it. It asks a paused guest, too, and the save "
		"fails when the guest does not answer.",
	.options =
		(const struct gw_option[]){
			{"live", 0, GW_KIND_FLAG,
			 .help = "let the guest run while most of its memory is written"},
			{"keep-running", 'k', GW_KIND_FLAG,
			 .help = "resume the domain after the save"},
			{"paused", 'p', GW_KIND_FLAG,
			 .help = "leave the domain paused after the save"},
			{"static-only", 0, GW_KIND_FLAG,
			 .help = "write only what does not change (config and CPU policy, no memory), "
				 "and let the domain run on"},
			GW_SAVE_SUSPEND_OPTIONS,
			{"allow-forced", 0, GW_KIND_FLAG,
			 .help = "save a guest that cannot be asked to suspend (it is paused, or never "
				 "announced how to ask it), although only godwit can restore that image"},
			GW_SAVE_PRECOPY_OPTIONS,
			GW_SAVE_REPORT_OPTION,
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{"FILE", GW_KIND_FILE, "the image; \"-\" is standard output"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit save g1 g1.save", "Saves g1 and ends it."},
			{"godwit save --live -k g1 - | zstd >g1.save.zst",
			 "Writes a compressed copy of a running domain."},
			{0},
		},
	.bad = "the domain is refused: its image would not be what the options ask for",
	.json = "report-json.md",
	.run = run,
	.run_xen = gw_xl_verb_save,
};
