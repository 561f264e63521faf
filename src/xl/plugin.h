/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plugin xl: domains that libxl owns, for the verbs of "godwit -c xen:". It links libxenlight;
 * a program loads it (hypervisor/plugin.h) and needs none of Xen's libraries itself.
 */
#ifndef GW_XL_PLUGIN_H
#define GW_XL_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/log.h>
#include <godwit/toolstack.h>

#include "migrate/accept.h"
#include "migrate/report.h"

#define GW_XL_PLUGIN "xl"
#define GW_XL_SYMBOL "gw_xl_plugin" /* a struct gw_xl_plugin */

/* One domain of the host, for a list. */
struct gw_xl_domain {
	uint32_t domid;
	const char *name;
	uint64_t memory_kb;
	uint64_t cpu_ns;
	const char *state; /* "running", "idle", "paused", "suspended", "shut down", "dying" */
};

/* What becomes of a domain after its save. */
enum gw_xl_then { GW_XL_DESTROY, GW_XL_RUN, GW_XL_PAUSE };

/* One call of the plugin. All pointers are borrowed. */
struct gw_xl_request {
	const struct gw_cancel *cancel;
	struct gw_log log;
	void (*progress)(void *opaque, const struct gw_progress *progress);
	void *opaque;
	const char *helper; /* the program that saves and restores for libxl; NULL: libxl's own */
	const struct gw_acceptance *acceptance; /* restore, receive; NULL: all */
	const char *name;			/* restore, receive: instead of its own; or NULL */
	bool paused;				/* restore, receive: leave it paused */
	bool live;				/* save, migrate */
	int silence_ms;				/* migrate, receive: the peer's; 0: 30 s */
	enum gw_xl_then then;			/* save */
	/* results */
	struct gw_report report;
	char arrived[80]; /* restore, receive: the domain's name */
	char id[33];	  /* migrate: the migration's id */
};

/*
 * domain: a name or a number. All return 0 or -1, and err says what has become of the domain. The
 * channels stay the caller's.
 */
struct gw_xl_plugin {
	int (*list)(struct gw_xl_request *req,
		    void (*each)(void *opaque, const struct gw_xl_domain *domain), void *opaque,
		    struct gw_error *err);
	/* Writes what "xl save" writes, and finishes out before the domain ends. */
	int (*save)(struct gw_xl_request *req, const char *domain, struct gw_channel *out,
		    struct gw_error *err);
	/* Reads what "xl save" writes. */
	int (*restore)(struct gw_xl_request *req, struct gw_channel *in, struct gw_error *err);
	/* Both speak the protocol between two godwits. */
	int (*migrate)(struct gw_xl_request *req, const char *domain, struct gw_channel *ch,
		       struct gw_error *err);
	int (*receive)(struct gw_xl_request *req, struct gw_channel *ch, struct gw_error *err);
	int (*pause)(struct gw_xl_request *req, const char *domain, struct gw_error *err);
	/* Also one that is suspended after a failed handover (claim), which gets its name back. */
	int (*resume)(struct gw_xl_request *req, const char *domain, bool claim,
		      struct gw_error *err);
	int (*destroy)(struct gw_xl_request *req, const char *domain, struct gw_error *err);
};

#endif
