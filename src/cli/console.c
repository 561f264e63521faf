/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit console: prints the console output of a guest.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/terminal.h"
#include "cli/domain.h"

struct printer {
	bool filtered;
	struct gw_terminal terminal;
	struct gw_buffer out;
};

static int write_all(const void *bytes, size_t len, struct gw_error *err)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gw_fail_errno(err, "standard output");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int print(struct printer *p, const void *bytes, size_t len, struct gw_error *err)
{
	if (!p->filtered)
		return write_all(bytes, len, err);
	gw_buffer_reset(&p->out);
	if (gw_terminal_filter(&p->terminal, bytes, len, &p->out, err) < 0)
		return -1;
	return write_all(p->out.data, p->out.len, err);
}

static void end(struct printer *p)
{
	gw_buffer_reset(&p->out);
	if (p->filtered && gw_terminal_end(&p->terminal, &p->out, NULL) == 0)
		write_all(p->out.data, p->out.len, NULL);
	gw_buffer_free(&p->out);
}

/* Copies output until the domain ends or the user interrupts. */
static int follow(struct gw_cli *cli, struct gw_client *client, struct printer *to,
		  struct gw_error *err)
{
	char buf[16384];

	/* Output that arrived together with the reply. */
	if (print(to, client->conn.in.data, client->conn.in.len, err) < 0)
		return -1;
	for (;;) {
		ssize_t n;

		if (gw_cancel_wait(cli->cancel, client->conn.fd, POLLIN, -1, err) < 0) {
			if (err->code != GW_CANCELLED)
				return -1;
			gw_error_clear(err);
			return 0;
		}
		n = read(client->conn.fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		if (print(to, buf, (size_t)n, err) < 0)
			return -1;
	}
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	json_t *request = json_pack("{s:s, s:b, s:b}", "request", "console", "live_only",
				    gw_args_flag(args, "live-only") > 0, "follow",
				    gw_args_flag(args, "no-follow") == 0);
	struct printer to = {.filtered = isatty(STDOUT_FILENO) && !gw_args_flag(args, "raw")};
	int status = GW_EXIT_OK;

	if (gw_domain_connect(cli, gw_args_positional(args, 0), &client, &status) < 0) {
		json_decref(request);
		return status;
	}
	if (gw_client_call(&client, request, -1, NULL, NULL, NULL, -1, NULL, &err) < 0 ||
	    follow(cli, &client, &to, &err) < 0)
		status = gw_domain_fail(cli, &err);
	end(&to);
	gw_client_close(&client);
	return status;
}

const struct gw_verb gw_verb_console = {
	.name = "console",
	.group = GW_GROUP_DOMAINS,
	.summary = "print the console output of a guest",
	.description =
		"Prints the last 64 KiB of the guest's console output, then new output as it comes, until "
		"the domain ends or moves away, or until Ctrl-C.\n\n"
		"On a terminal text, newlines, tabs, backspaces and colours pass, and colours end with their line. "
		"Everything else with which a guest could command the terminal, change its title or let it answer, or hide "
		"or turn around text, is shown as \\xNN or \\uNNNN. --raw lets it all pass. A pipe or a file gets "
		"every byte as it is.",
	.options =
		(const struct gw_option[]){
			{"live-only", 0, GW_KIND_FLAG, .help = "print only new output"},
			{"no-follow", 0, GW_KIND_FLAG,
			 .help = "print only the stored output, then end"},
			GW_OPTION_RAW,
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit console g1", "Follows the console of g1."},
			{0},
		},
	.run = run,
};
