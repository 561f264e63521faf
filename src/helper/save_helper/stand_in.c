/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domain of a test, and its guest's writes (stand_in.h).
 */
#include "helper/save_helper/stand_in.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "migrate/restore.h"
#include "migrate/save.h"

#define DEFAULT_URI "xen:"

struct gw_stand_in {
	struct gw_helper *helper;
	const char *keep, *writes; /* of the environment; NULL: none */
	unsigned round;		   /* suspends so far */
	bool running;		   /* its vCPUs, as far as it has any */
};

const char *gw_stand_in_uri(void)
{
	return getenv("GODWIT_HELPER_CONNECT") ?: DEFAULT_URI;
}

static int start(struct gw_stand_in *s, struct gw_error *err)
{
	struct gw_control *control = s->helper->domain->control;

	if (gw_control_restored(control, err) < 0 || gw_control_unpause(control, err) < 0)
		return -1;
	s->running = true;
	return 0;
}

/* The guest of a save: what an image says it is. */
static int fill(struct gw_stand_in *s, const char *path, struct gw_error *err)
{
	struct gw_channel *in = gw_channel_open(path, err);
	const struct gw_restore_args args = {.domain = s->helper->domain, .in = in};
	int rc = in ? gw_restore_image(&args, NULL, err) : -1;

	gw_channel_close(in);
	return rc < 0 ? -1 : start(s, err);
}

int gw_stand_in_new(struct gw_helper *h, struct gw_stand_in **stand_in, struct gw_error *err)
{
	const char *image = getenv("GODWIT_HELPER_IMAGE");
	const char *grace = getenv("GODWIT_HELPER_GRACE");
	struct gw_stand_in *s;

	*stand_in = NULL;
	if (!getenv("GODWIT_HELPER_CONNECT") || !h->domain->control)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return gw_fail_errno(err, "a domain for tests");
	s->helper = h;
	s->keep = getenv("GODWIT_HELPER_KEEP");
	s->writes = getenv("GODWIT_HELPER_WRITES");
	if (grace)
		h->pipe.grace_ms = strtoull(grace, NULL, 10);
	*stand_in = s;
	return !h->args.restore && image ? fill(s, image, err) : 0;
}

void gw_stand_in_free(struct gw_stand_in *s)
{
	free(s);
}

static int write_page(struct gw_stand_in *s, uint64_t pfn, struct gw_error *err)
{
	struct gw_domain *d = s->helper->domain;
	struct gw_mapping mapping;
	uint8_t result;
	void *page;

	if (gw_domain_map_each(d, 1, &pfn, true, &page, &result, &mapping, err) < 0)
		return -1;
	if (page)
		memset(page, 0xa5 ^ (int)s->round, GW_PAGE_SIZE);
	gw_domain_unmap(d, &mapping);
	return page ? 0
		    : gw_fail(err, GW_USAGE, "pfn 0x%llx cannot be written",
			      (unsigned long long)pfn);
}

/* What the guest writes in this round: the list at s->writes, which moves on to the next one. */
static int write_pages(struct gw_stand_in *s, struct gw_error *err)
{
	while (s->writes && *s->writes && *s->writes != ';') {
		char *end;
		uint64_t pfn = strtoull(s->writes, &end, 0);

		if (end == s->writes)
			return gw_fail(err, GW_USAGE, "GODWIT_HELPER_WRITES: \"%s\"", end);
		if (write_page(s, pfn, err) < 0)
			return -1;
		s->writes = end + (*end == ',');
	}
	if (s->writes && *s->writes == ';')
		s->writes++;
	return 0;
}

int gw_stand_in_suspend(struct gw_stand_in *s, struct gw_error *err)
{
	if (!s)
		return 0;
	if (write_pages(s, err) < 0 ||
	    gw_control_suspend(s->helper->domain->control, 0, NULL, err) < 0)
		return -1;
	s->round++;
	return 0;
}

int gw_stand_in_resume(struct gw_stand_in *s, struct gw_error *err)
{
	int rc;

	if (!s)
		return 0;
	rc = s->running ? gw_control_resume(s->helper->domain->control, err) : start(s, err);
	/* libxl makes the hypervisor log what the secondary of COLO writes. */
	if (rc == 0 && s->helper->args.restore)
		rc = gw_domain_logdirty_start(s->helper->domain, err);
	return rc;
}

int gw_stand_in_restored(struct gw_stand_in *s, struct gw_error *err)
{
	return s && !s->running ? start(s, err) : 0;
}

static int suspend_to_keep(void *owner, struct gw_error *err)
{
	const struct gw_stand_in *s = owner;

	return gw_control_suspend(s->helper->domain->control, 0, NULL, err) < 0 ? -1 : 0;
}

static int save_to(struct gw_stand_in *s, struct gw_channel *out, struct gw_error *err)
{
	const struct gw_toolstack toolstack = {
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = s,
		.suspend = suspend_to_keep,
	};
	const struct gw_save_args args = {
		.domain = s->helper->domain,
		.out = out,
		.toolstack = &toolstack,
	};

	return gw_save_image(&args, NULL, err) < 0 ? -1 : gw_channel_finish(out, err);
}

int gw_stand_in_keep(struct gw_stand_in *s, struct gw_error *err)
{
	struct gw_channel *out;
	uint64_t dirty;
	int rc;

	if (!s)
		return 0;
	if (!s->helper->args.restore &&
	    gw_domain_logdirty_peek(s->helper->domain, &dirty, NULL) == 0)
		return gw_fail(err, GW_BUSY, "log-dirty is still on");
	/* A domain that was not restored has nothing to keep. */
	if (!s->keep || !s->running)
		return 0;
	out = gw_channel_create(s->keep, err);
	rc = out ? save_to(s, out, err) : -1;
	gw_channel_close(out);
	return rc;
}
