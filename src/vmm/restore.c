/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Restoring the process's domain from an image.
 */
#include "base/util.h"
#include "channel/kind.h"
#include "vmm/domain.h"
#include "vmm/incoming.h"
#include "vmm/process.h"

static struct gw_incoming *of_job(struct gw_job *job)
{
	return gw_container_of(job, struct gw_incoming, job);
}

static int run_restore(struct gw_job *job, struct gw_error *err)
{
	return gw_incoming_restore(of_job(job), err) < 0
		       ? -1
		       : gw_channel_check_compressed(job->ch, err);
}

static void restore_done(struct gw_job *job, int ret, struct gw_error *err)
{
	struct gw_process *p = job->process;

	if (ret == 0 && !p->destroy_wanted)
		ret = gw_process_start_domain(p, err);
	if (ret < 0)
		gw_process_end_failed(p, err);
}

static const struct gw_job_kind restore_kind = {
	.name = "restore",
	.state = "restoring",
	.channel = "the image",
	.size = sizeof(struct gw_incoming),
	.run = run_restore,
	.done = restore_done,
};

int gw_process_restore(struct gw_process *p, struct gw_channel *in, struct gw_error *err)
{
	struct gw_job *job = gw_job_new(p, &restore_kind, in, err);

	if (!job)
		return -1;
	if (gw_incoming_create_domain(of_job(job), err) < 0) {
		gw_job_free(job);
		return -1;
	}
	p->arriving = true;
	return gw_job_start(job, err);
}
