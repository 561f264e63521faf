/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Jobs that restore an image: from the front of the input to a domain that is complete.
 */
#include "vmm/incoming.h"

#include "base/util.h"
#include "format/rules/rules.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "migrate/restore.h"
#include "vmm/domain.h"
#include "vmm/genid.h"
#include "vmm/room.h"

/* The image claims memory: this host must have it, before any domain exists. Its CPU policy comes
 * later. Without a config the domain gets what the host has. */
static int take_room(const struct gw_incoming *in, struct gw_error *err)
{
	struct gw_process *p = in->job.process;

	return in->front.sized ? gw_room_take(p, NULL, err)
			       : gw_room_take_rest(p, p->config.type, err);
}

int gw_incoming_create_domain(struct gw_incoming *in, struct gw_error *err)
{
	struct gw_config config = {0};

	if (gw_front_read(in->job.process, &in->front, &in->job.ch, &config, err) < 0)
		return -1;
	gw_process_set_config(in->job.process, &config);
	if (take_room(in, err) < 0)
		return -1;
	return gw_process_create_domain(in->job.process, err);
}

int gw_incoming_check_header(void *opaque, const struct gw_image_header *header,
			     struct gw_error *err)
{
	const struct gw_incoming *in = opaque;
	const struct gw_process_args *args = &in->job.process->args;

	/* For a converted image, the legacy image was checked. */
	if (in->front.converted)
		return 0;
	return gw_acceptance_check(&args->acceptance, gw_generation_of(header), &args->log, err);
}

/*
 * The image came without a config: the domain is as large as its memory, in whole MiB. What is
 * over, pages for Xen and devices, libxl gives on top (GW_CONFIG_SLACK_MEMKB).
 */
static int size_config(struct gw_process *p, struct gw_error *err)
{
	struct gw_domain_info info;
	int ret;

	if (gw_domain_info(p->domain, &info, err) < 0)
		return -1;
	pthread_mutex_lock(&p->lock);
	p->config.max_memkb = GW_MAX(info.nr_pages / 256, UINT64_C(1)) * 1024;
	p->config.target_memkb = 0;
	ret = gw_config_build(&p->config, err);
	pthread_mutex_unlock(&p->lock);
	return ret < 0 ? -1 : gw_room_resize(p, err);
}

static uint64_t expected_pages(void *opaque)
{
	const struct gw_incoming *in = opaque;

	return in->front.sized ? gw_config_pages(&in->job.process->config) : 0;
}

int gw_incoming_restore(struct gw_incoming *in, struct gw_error *err)
{
	struct gw_job *job = &in->job;
	struct gw_restore_result result;
	struct gw_toolstack toolstack;
	struct gw_domain_config created;
	struct gw_restore_args args = {
		.domain = job->process->domain,
		.in = job->ch,
		.origin = in->front.offset,
		.config = &in->front.facts,
		.emulator = &job->process->emulator,
		.toolstack = &toolstack,
		.op = job->running,
		.cancel = gw_job_cancel_token(job),
		.owner = in,
		.header = gw_incoming_check_header,
		.expected_pages = expected_pages,
	};
	int ret;

	gw_job_init_toolstack(job, &toolstack);
	gw_config_to_hypervisor(&job->process->config, &created);
	args.max_pages = created.max_pages;
	ret = in->front.layer == GW_LAYER_LIBXC ? gw_restore_image(&args, &result, err)
						: gw_restore_stream(&args, NULL, &result, err);
	if (ret < 0)
		return -1;
	job->report = result.report;
	if (!in->front.sized && size_config(job->process, err) < 0)
		return -1;
	if (gw_control_restored(args.domain->control, err) < 0)
		return -1;
	return gw_genid_after_restore(job->process, result.fingerprint, err);
}
