/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of a verb of the godwit command. The parser (args.c), the help texts
 * (help/usage.c), the manual pages (help/manual.c) and the shell completions
 * (help/completion.c) are all made from these tables; a verb is described nowhere else.
 *
 * To add a verb NAME: src/cli/NAME.c with "const struct gw_verb gw_verb_NAME", and its name in the
 * list in src/cli/meson.build.
 */
#ifndef GW_CLI_VERB_H
#define GW_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/error.h>
#include <godwit/log.h>

#include "cli/output.h"

/* The command's exit statuses. Scripts rely on them. */
enum gw_exit {
	GW_EXIT_OK = 0,
	GW_EXIT_BAD = 1,    /* a negative answer: an invalid image, a refused preflight, images that
			       differ */
	GW_EXIT_USAGE = 2,  /* the command line is invalid */
	GW_EXIT_FAILED = 3, /* the operation failed; the message gives the state of the domain */
	GW_EXIT_CANCELLED = 4, /* cancelled: the domain runs where it was */
};

/* The type of an option's or positional's argument: how it is checked and completed. */
enum gw_kind {
	GW_KIND_FLAG,	/* options only: no argument; may be given more than once */
	GW_KIND_TEXT,	/* any text; choices: what a shell offers */
	GW_KIND_LIST,	/* any text, words with commas between them; choices: the same */
	GW_KIND_NUMBER, /* a number, decimal or 0x..., in [min, max] */
	GW_KIND_SIZE, /* bytes: a number with an optional K, M, G, T (powers of 1024), in [min, max]
		       */
	GW_KIND_CHOICE,	 /* one of the words in choices */
	GW_KIND_FILE,	 /* a path, or "-" */
	GW_KIND_DOMAIN,	 /* a domain's name */
	GW_KIND_ADDRESS, /* tcp:HOST:PORT, unix:PATH, fd:N */
};

struct gw_option {
	const char *name; /* long name, without dashes; NULL ends a list */
	char letter;	  /* 0: none */
	enum gw_kind kind;
	const char *arg;     /* the argument's name in the help: "FILE"; unused for flags and
				choices */
	const char *help;    /* one or two sentences, no full stop at the end; NULL: hidden */
	const char *choices; /* GW_KIND_CHOICE: "auto|never|json"; TEXT, LIST: NULL is fine */
	uint64_t min, max;   /* GW_KIND_NUMBER and GW_KIND_SIZE; max 0: no bound */
};

struct gw_positional {
	const char *name;  /* "FILE"; NULL ends a list */
	enum gw_kind kind; /* FILE, DOMAIN, ADDRESS, TEXT or CHOICE */
	const char *help;
	const char *choices; /* GW_KIND_CHOICE */
	bool optional;	     /* it and all after it */
	bool many;	     /* the last one only: may be repeated */
};

struct gw_example {
	const char *command; /* "godwit verify domain.xz"; NULL ends a list */
	const char *text;    /* what it does, one sentence */
};

/* The headings under which "godwit --help" lists verbs, in this order. */
enum gw_group {
	GW_GROUP_IMAGES,  /* stored images */
	GW_GROUP_DOMAINS, /* domains of this host */
	GW_GROUP_MOVING,  /* save, restore, migrate, protect */
	GW_GROUP_QEMU,	  /* QEMU streams and schemas */
	GW_GROUP_OTHER,
	GW_GROUP_HIDDEN, /* listed nowhere */
};

/* What a verb uses of the hypervisor that -c names. */
enum gw_connects {
	GW_CONNECTS_DOMAINS, /* domains that exist: their processes */
	GW_CONNECTS_CREATES, /* a host, on which it creates a domain */
	GW_CONNECTS_NOTHING, /* -c is refused */
};

/* What a running verb works with. Lives as long as the process. */
struct gw_cli {
	const struct gw_verb *verb;
	const char *connect; /* -c: which hypervisor, "emu:" unless given */
	bool connect_given;
	unsigned verbose; /* how often -v was given */
	bool quiet;	  /* -q */
	struct gw_cancel
		*cancel; /* set by SIGINT, SIGTERM, SIGHUP; given to every operation and channel */
	struct gw_output out; /* progress and remarks; out.log is what operations log to */
};

struct gw_args;

struct gw_verb {
	const char *name;
	enum gw_group group;
	const char *synopsis;	 /* after the name; NULL: made from options and positionals */
	const char *summary;	 /* half a sentence for lists, lower case, no full stop */
	const char *description; /* paragraphs separated by an empty line */
	const struct gw_option *options;	 /* NULL: none */
	const struct gw_positional *positionals; /* NULL: none */
	const struct gw_example *examples;	 /* NULL: none */
	enum gw_connects connects;
	const char *json; /* the page of the documentation that describes its JSON; NULL: none */
	const char *bad;  /* when it exits with 1, for the manual: "the image breaks a rule"; NULL:
			     never */
	/* Does the work: enum gw_exit. Failures are shown with gw_cli_fail. */
	int (*run)(struct gw_cli *cli, const struct gw_args *args);
	/* The same with "-c xen:", for domains that libxl owns. NULL: run does both, or knows no
	 * domains. */
	int (*run_xen)(struct gw_cli *cli, const struct gw_args *args);
};

extern const struct gw_option gw_global_options[];

/* All verbs in the order of src/cli/meson.build, hidden ones included. */
extern const struct gw_verb *const gw_verbs[];
extern const size_t gw_nr_verbs;

const char *gw_group_title(enum gw_group group);

/* NULL if there is none of that name. */
const struct gw_verb *gw_verb_find(const char *name);
/* Puts name into *best if it is near to what was typed and nearer than *best_distance, which it
 * then lowers. Start with NULL and ~0u. */
void gw_name_consider(const char *typed, const char *name, const char **best,
		      unsigned *best_distance);
/* The listed verb whose name is nearest to a mistyped one; NULL if none is near. */
const char *gw_verb_suggest(const char *name);
/* The option of the verb (NULL: global ones only), or the global one, nearest to a mistyped name;
 * NULL if none is. */
const char *gw_option_suggest(const struct gw_verb *verb, const char *name);

/*
 * Shows "godwit: VERB: text" and returns the exit status that belongs to the error's code: invalid,
 * truncated or refused 1, usage 2, cancelled 4, all others 3.
 */
int gw_cli_fail(struct gw_cli *cli, const struct gw_error *err);
/* The same for a message of the verb's own, with its status. */
int gw_cli_error(struct gw_cli *cli, enum gw_exit status, const char *fmt, ...) GW_PRINTF(3, 4);

#endif
