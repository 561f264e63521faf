/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls that the verbs about domains share: becoming a domain's process, and sending it a request.
 */
#ifndef GW_CLI_DOMAIN_H
#define GW_CLI_DOMAIN_H

#include <jansson.h>

#include "cli/args.h"
#include "cli/arrivals.h"
#include "cli/background.h"
#include "cli/turns.h"
#include "cli/verb.h"
#include "vmm/client.h"
#include "vmm/process.h"
#include "vmm/receivers.h"

/* A verb that becomes a domain's process. */
struct gw_domain_verb {
	struct gw_cli *cli;
	struct gw_background bg;
	bool own_log;  /* output goes to the domain's log once the domain is created */
	bool say_name; /* printed on stdout once the domain is created */
	struct gw_listener *listener; /* closed once the domain is created; NULL: none */
	const char *input;	      /* the file that the domain comes from; NULL: none */
	char *peer;		      /* the address that the domain comes from; owned; or NULL */
	struct gw_receiver_entry receiver; /* removed with it */
	struct gw_turns
		turns; /* of receive --max-parallel; given back when the domain is in place */
	struct gw_arrival_end arrival; /* of a child of receive */
	struct gw_acceptance acceptance;
};

#define GW_DOMAIN_VERB_INIT(of)                                                                    \
	{                                                                                          \
		.cli = (of), .bg = GW_BACKGROUND_NONE, .receiver = GW_RECEIVER_NONE,               \
		.turns.fd = -1, .arrival = GW_ARRIVAL_NONE                                         \
	}

/* The option --accept of verbs that restore images, for their tables. */
#define GW_OPTION_ACCEPT                                                                           \
	{                                                                                          \
		"accept", 0, GW_KIND_LIST, "LIST",                                                 \
			"accept only images of these generations, separated by commas: v3, "       \
			"v2, legacy (Xen 4.5 or older, converted while read), converted "          \
			"(converted before they came here); replaces the setting in "              \
			"/etc/godwit/godwit.conf (godwit.conf(5))",                                \
			.choices = "v3|v2|legacy|converted"                                        \
	}

/* The option --raw of verbs that print a guest's console, for their tables. */
#define GW_OPTION_RAW                                                                              \
	{                                                                                          \
		"raw", 0, GW_KIND_FLAG,                                                            \
			.help = "let the guest's console command the terminal (godwit-console(1))" \
	}

/* Reads the host's settings and --accept into dv->acceptance. 0 or -1. */
int gw_domain_verb_accept(struct gw_domain_verb *dv, const struct gw_args *args,
			  struct gw_error *err);

/* Fills args for a process of this verb; name may be NULL. */
void gw_domain_verb_args(struct gw_domain_verb *dv, const char *name, bool paused, bool console,
			 struct gw_process_args *args);

/* Puts the name of the input before an error about what is in it, unless it begins so. */
void gw_domain_name_input(const struct gw_domain_verb *dv, struct gw_error *err);

/* Runs p until its domain has ended, prints the reason, frees p. Returns the exit status. */
int gw_domain_verb_run(struct gw_domain_verb *dv, struct gw_process *p);

/* Sends a request to the named domain: 0 with the reply (may be NULL), or -1 with *status after
 * printing the failure. */
int gw_domain_ask(struct gw_cli *cli, const char *domain, json_t *request, json_t **reply,
		  int *status);

/* Prints a failure that is no negative answer. Returns 2, 3 or 4. */
int gw_domain_fail(struct gw_cli *cli, const struct gw_error *err);

/* Connects to a domain; -1 with *status after printing the failure. */
int gw_domain_connect(struct gw_cli *cli, const char *domain, struct gw_client *client,
		      int *status);

/* Passes an event of a running operation to the progress display; opaque is the gw_cli. */
void gw_domain_event(void *opaque, const json_t *event);

/* Prints a summary for people: on stderr if the report (--report -) has stdout, not at all with
 * --quiet. */
void gw_domain_summary(const struct gw_cli *cli, const struct gw_args *args, const char *fmt, ...)
	GW_PRINTF(3, 4);
/* Writes the report to a file (--report; NULL: nothing). 0 or -1. */
int gw_domain_write_report(const char *path, const json_t *report, struct gw_error *err);

#endif
