/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Verbs of the plugin that carry no stream: list, pause, resume, destroy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "xl/xl.h"

static const char *state_of(const libxl_dominfo *info)
{
	if (info->dying)
		return "dying";
	if (info->shutdown)
		return info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND ? "suspended"
									      : "shut down";
	if (info->paused)
		return "paused";
	return info->running ? "running" : "idle";
}

int gw_xl_list(struct gw_xl_request *req,
	       void (*each)(void *opaque, const struct gw_xl_domain *domain), void *opaque,
	       struct gw_error *err)
{
	libxl_dominfo *all;
	struct gw_xl xl;
	int n = 0;

	if (gw_xl_open(&xl, req, err) < 0)
		return -1;
	all = libxl_list_domain(xl.ctx, &n);
	for (int i = 0; i < n; i++) {
		char *name = libxl_domid_to_name(xl.ctx, all[i].domid);
		const struct gw_xl_domain domain = {
			.domid = all[i].domid,
			.name = name ? name : "",
			.memory_kb = all[i].current_memkb,
			.cpu_ns = all[i].cpu_time,
			.state = state_of(&all[i]),
		};

		each(opaque, &domain);
		free(name);
	}
	if (!all)
		gw_xl_fail(&xl, ERROR_FAIL, err, "the list of domains");
	libxl_dominfo_list_free(all, n);
	gw_xl_close(&xl);
	return all ? 0 : -1;
}

static int act(struct gw_xl_request *req, const char *domain,
	       int (*fn)(struct gw_xl *xl, uint32_t domid, const char *name, struct gw_error *err),
	       struct gw_error *err)
{
	uint32_t domid;
	struct gw_xl xl;
	char *name;
	int rc = -1;

	if (gw_xl_open(&xl, req, err) < 0)
		return -1;
	if (gw_xl_find(&xl, domain, &domid, &name, err) == 0) {
		rc = fn(&xl, domid, name, err);
		free(name);
	}
	gw_xl_close(&xl);
	return rc;
}

static int pause_it(struct gw_xl *xl, uint32_t domid, const char *name, struct gw_error *err)
{
	int rc = libxl_domain_pause(xl->ctx, domid, NULL);

	return rc ? gw_xl_fail(xl, rc, err, "pausing %s", name) : 0;
}

int gw_xl_pause(struct gw_xl_request *req, const char *domain, struct gw_error *err)
{
	return act(req, domain, pause_it, err);
}

static int destroy_it(struct gw_xl *xl, uint32_t domid, const char *name, struct gw_error *err)
{
	int rc = libxl_domain_destroy(xl->ctx, domid, NULL);

	return rc ? gw_xl_fail(xl, rc, err, "destroying %s", name) : 0;
}

int gw_xl_destroy(struct gw_xl_request *req, const char *domain, struct gw_error *err)
{
	return act(req, domain, destroy_it, err);
}

/* Of a copy whose migration failed in the handover: the name without what was added to it. */
static int get_name_back(struct gw_xl *xl, uint32_t domid, const char *name, struct gw_error *err)
{
	static const char *const added[] = {GW_XL_AWAY, GW_XL_INCOMING};
	int rc = 0;

	for (size_t i = 0; i < GW_ARRAY_SIZE(added); i++) {
		size_t len = strlen(name), tail = strlen(added[i]);
		char own[256];

		if (len <= tail || len >= sizeof(own) || strcmp(name + len - tail, added[i]) != 0)
			continue;
		snprintf(own, sizeof(own), "%.*s", (int)(len - tail), name);
		rc = libxl_domain_rename(xl->ctx, domid, name, own);
		break;
	}
	return rc ? gw_xl_fail(xl, rc, err, "renaming %s", name) : 0;
}

static int unpause(struct gw_xl *xl, uint32_t domid, const char *name, struct gw_error *err)
{
	int rc;

	if (gw_xl_resume(xl, domid, err) < 0)
		return -1;
	rc = libxl_domain_unpause(xl->ctx, domid, NULL);
	return rc ? gw_xl_fail(xl, rc, err, "unpausing %s", name) : 0;
}

static bool undecided(const char *name)
{
	return strstr(name, GW_XL_AWAY) || strstr(name, GW_XL_INCOMING);
}

static int resume_it(struct gw_xl *xl, uint32_t domid, const char *name, struct gw_error *err)
{
	if (undecided(name))
		return gw_fail(
			err, GW_REFUSED,
			"%s is one of two copies of a migration; if the other one is destroyed, or never claimed: \"resume --claim\"",
			name);
	return unpause(xl, domid, name, err);
}

static int claim_it(struct gw_xl *xl, uint32_t domid, const char *name, struct gw_error *err)
{
	return get_name_back(xl, domid, name, err) < 0 ? -1 : unpause(xl, domid, name, err);
}

int gw_xl_unpause(struct gw_xl_request *req, const char *domain, bool claim, struct gw_error *err)
{
	return act(req, domain, claim ? claim_it : resume_it, err);
}
