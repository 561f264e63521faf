/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of one call of the plugin xl, shared by its files only: libxl's context, its messages,
 * and a save or restore of libxl's under way.
 */
#ifndef GW_XL_XL_H
#define GW_XL_XL_H

#include <pthread.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "xl/plugin.h"

struct gw_xl {
	xentoollog_logger logger; /* first: libxl passes it back */
	libxl_ctx *ctx;
	struct gw_xl_request *req;
	pthread_mutex_t lock;
	char said[400]; /* the first error of libxl's since gw_xl_forget() */
};

/* context.c */
int gw_xl_open(struct gw_xl *xl, struct gw_xl_request *req, struct gw_error *err);
void gw_xl_close(struct gw_xl *xl);
/* A call of libxl's failed with this ERROR_. Adds what libxl said. Returns -1. */
int gw_xl_fail(struct gw_xl *xl, int rc, struct gw_error *err, const char *fmt, ...)
	GW_PRINTF(4, 5);
void gw_xl_forget(struct gw_xl *xl);
/* The number and the name (for free()) of a domain. */
int gw_xl_find(struct gw_xl *xl, const char *domain, uint32_t *domid, char **name,
	       struct gw_error *err);
/* The config of a domain as an xl save file holds it. */
int gw_xl_config(struct gw_xl *xl, uint32_t domid, libxl_domain_config *config, char **json,
		 struct gw_error *err);
/* Lets a domain run on that libxl has suspended; a running one is left as it is. */
int gw_xl_resume(struct gw_xl *xl, uint32_t domid, struct gw_error *err);

/* run.c: a save or a restore of libxl's, in a thread, over a pipe. */
struct gw_xl_run {
	struct gw_xl *xl;
	uint32_t domid; /* restore: set when it is over; INVALID_DOMID: there is none */
	libxl_domain_config *config; /* restore: what to create; NULL: save */
	bool live;
	/* private */
	struct gw_channel *ours; /* our end of the pipe */
	int theirs;
	pthread_t thread;
	bool started;
	int rc;
};
/* Starts it. run->ours is then the channel with the stream. */
int gw_xl_run_start(struct gw_xl_run *run, struct gw_error *err);
/*
 * Closes our end and waits for libxl. carried: what carrying the stream came to, with its failure.
 * libxl_first: it failed because libxl had given up; then libxl's reason is the failure. 0 or -1.
 */
int gw_xl_run_end(struct gw_xl_run *run, int carried, const struct gw_error *failure,
		  bool libxl_first, struct gw_error *err);

/* Added to a domain's name while there are two copies of it, as xl does. */
#define GW_XL_INCOMING "--incoming"
#define GW_XL_AWAY     "--migratedaway"

struct gw_operation;
/* Waits for an operation; a cancel asks it to end, until it is too late. What it returned. */
int gw_xl_follow(struct gw_operation *op, const struct gw_cancel *cancel, const struct gw_log *log,
		 struct gw_error *err);

/* domains.c, outgoing.c, incoming.c: entries of struct gw_xl_plugin. */
int gw_xl_list(struct gw_xl_request *req,
	       void (*each)(void *opaque, const struct gw_xl_domain *domain), void *opaque,
	       struct gw_error *err);
int gw_xl_pause(struct gw_xl_request *req, const char *domain, struct gw_error *err);
int gw_xl_unpause(struct gw_xl_request *req, const char *domain, bool claim, struct gw_error *err);
int gw_xl_destroy(struct gw_xl_request *req, const char *domain, struct gw_error *err);
int gw_xl_save(struct gw_xl_request *req, const char *domain, struct gw_channel *out,
	       struct gw_error *err);
int gw_xl_migrate(struct gw_xl_request *req, const char *domain, struct gw_channel *ch,
		  struct gw_error *err);
int gw_xl_restore(struct gw_xl_request *req, struct gw_channel *in, struct gw_error *err);
int gw_xl_receive(struct gw_xl_request *req, struct gw_channel *ch, struct gw_error *err);

#endif
