/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the verbs around domains share: becoming a domain's process, and asking one for something.
 */
#ifndef GW_CLI_DOMAIN_H
#define GW_CLI_DOMAIN_H

#include <jansson.h>

#include "cli/args.h"
#include "cli/background.h"
#include "cli/verb.h"
#include "vmm/client.h"
#include "vmm/process.h"

/* A verb that becomes a domain's process. */
struct gw_domain_verb {
	struct gw_cli *cli;
	struct gw_background bg;
	bool own_log;  /* what is printed goes to the domain's log from the moment it is in place */
	bool say_name; /* on stdout, when it is in place */
	struct gw_listener *listener; /* closed when it is in place; NULL: none */
	struct gw_acceptance acceptance;
};

/* The option --accept of verbs that take images in, for their tables. */
#define GW_OPTION_ACCEPT                                                                           \
	{                                                                                          \
		"accept", 0, GW_KIND_TEXT, "LIST",                                                 \
			"accept only images of these generations, separated by commas: v3, "       \
			"v2, legacy (Xen 4.5 or older, converted while read), converted "          \
			"(converted before they came here); replaces the setting in "              \
			"/etc/godwit/godwit.conf (godwit.conf(5))"                                 \
	}

/* Reads the site's settings and --accept into dv->acceptance. 0 or -1. */
int gw_domain_verb_accept(struct gw_domain_verb *dv, const struct gw_args *args,
			  struct gw_error *err);

/* Fills args for a process of this verb; name may be NULL. */
void gw_domain_verb_args(struct gw_domain_verb *dv, const char *name, bool paused, bool console,
			 struct gw_process_args *args);

/* Runs p until its domain has left, says how it left, frees p. *status is what to exit with. */
enum gw_process_end gw_domain_verb_end(struct gw_domain_verb *dv, struct gw_process *p,
				       int *status);
/* The same for a verb that has nothing to do afterwards: the exit status. */
int gw_domain_verb_run(struct gw_domain_verb *dv, struct gw_process *p);

/* Asks the domain named for something: 0 with the reply (may be NULL), or -1 with *status, the
 * failure shown. */
int gw_domain_ask(struct gw_cli *cli, const char *domain, json_t *request, json_t **reply,
		  int *status);

/* Shows a failure that says nothing about the goodness of what was asked for: 2, 4, or 3. */
int gw_domain_fail(struct gw_cli *cli, const struct gw_error *err);

/* gw_cli_fail for an error with several reasons, one a line. */
int gw_domain_fail_lines(struct gw_cli *cli, const struct gw_error *err);

/* Connects to a domain; -1 with *status, the failure shown. */
int gw_domain_connect(struct gw_cli *cli, const char *domain, struct gw_client *client,
		      int *status);

/* Hands an event of a running operation to the progress display; opaque is the gw_cli. */
void gw_domain_event(void *opaque, const json_t *event);

/* Writes the report to a file (--report; NULL: nothing). 0 or -1. */
int gw_domain_write_report(const char *path, const json_t *report, struct gw_error *err);

#endif
