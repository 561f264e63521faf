/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain from an image: finds out what stands in front (xl's or xend's header, a libxl stream, a
 * bare image), makes the domain its config describes, and lets the engine fill it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "convert/xend.h"
#include "hypervisor/control.h"
#include "hypervisor/host.h"
#include "vmm/process_private.h"
#include "examine/detect.h"
#include "format/libxc/image.h"
#include "format/legacy/legacy.h"
#include "format/rules/rules.h"
#include "format/libxl/stream.h"
#include "format/xl/file.h"

int gw_restore_judge(void *opaque, const struct gw_image_header *header, struct gw_error *err)
{
	const struct gw_job *job = opaque;
	const struct gw_process_args *args = &job->process->args;

	/* Of what is converted here, something else was judged: what came. */
	if (job->converts)
		return 0;
	return gw_acceptance_check(&args->acceptance, gw_generation_of(header), &args->log, err);
}

int gw_restore_rest(struct gw_job *job, struct gw_operation *op, struct gw_error *err)
{
	struct gw_toolstack toolstack;
	struct gw_restore_args args = {
		.domain = job->process->domain,
		.in = job->ch,
		.origin = job->base,
		.toolstack = &toolstack,
		.op = op,
		.cancel = gw_operation_cancel_token(op),
		.owner = job,
		.header = gw_restore_judge,
	};
	struct gw_restore_result result;
	int rc;

	gw_job_toolstack(job, op, &toolstack);
	gw_channel_set_cancel(job->ch, args.cancel);
	rc = job->layer == GW_LAYER_LIBXC ? gw_restore_image(&args, &result, err)
					  : gw_restore_stream(&args, NULL, &result, err);
	if (rc < 0)
		return -1;
	job->report = result.report;
	return gw_control_restored(args.domain->control, err);
}

static int run_restore(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	return gw_restore_rest(opaque, op, err);
}

static void restore_done(struct gw_process *p, struct gw_job *job, int ret, struct gw_error *err)
{
	if (ret == 0 && !p->destroy_wanted)
		ret = gw_process_go(p, err);
	if (ret == 0)
		return;
	p->end_err = *err;
	gw_process_finish(p, GW_END_NONE);
}

static const struct gw_job_kind restore_kind = {"restore", "restoring", "the image", run_restore,
						restore_done};

/* Input that ends inside xl's header is told in the words verify has for it. */
static int read_front_part(struct gw_channel *in, void *to, size_t len, const char *what,
			   struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	int rc = gw_channel_read(in, to, len, &why);

	if (rc > 0)
		return 0;
	if (rc < 0 && why.code != GW_TRUNCATED)
		return gw_fail(err, why.code, "%s", why.text);
	return gw_rules_report(NULL, "xl-truncated", in->read_pos, err,
			       "the input ends inside the %s", what);
}

/* The optional data behind xl's header, which the length field only promises. */
static int read_optional(struct gw_channel *in, struct gw_xlfile *xl, struct gw_error *err)
{
	size_t left = xl->optional_len;
	char what[48];

	snprintf(what, sizeof(what), "%u bytes of optional data", xl->optional_len);
	while (left > 0) {
		size_t n = left < 65536 ? left : 65536;
		void *to = gw_buffer_reserve(&xl->optional, n, err);

		if (!to || read_front_part(in, to, n, what, err) < 0)
			return -1;
		xl->optional.len += n;
		left -= n;
	}
	return 0;
}

static int config_of(const struct gw_xlfile *xl, struct gw_config *config, struct gw_error *err)
{
	size_t len;
	const char *text = gw_xlfile_config(xl, &len);

	if (!text)
		return gw_fail(err, GW_INVALID,
			       "xl header: there is no config in it, or it is cut");
	if (xl->mandatory_flags & GW_XLFILE_JSON)
		return gw_config_parse_json(config, text, len, err);
	return gw_config_parse_text(config, text, len, err);
}

/* A legacy image comes next on job->ch: from now on that gives a current one. */
static int read_converted(struct gw_job *job, enum gw_guest_type guest, struct gw_error *err)
{
	const struct gw_process_args *args = &job->process->args;
	struct gw_convert_args convert = {
		.in = job->ch,
		.from = GW_CONVERT_LEGACY,
		.to = GW_CONVERT_LIBXL,
		.legacy = {.guest = guest},
		.toolstack = &job->convert_toolstack,
	};
	struct gw_channel *ch;

	if (gw_acceptance_check(&args->acceptance, GW_GENERATION_LEGACY, &args->log, err) < 0)
		return -1;
	job->convert_toolstack = (struct gw_toolstack){GW_TOOLSTACK_HEAD, .log = args->log};
	ch = gw_convert_channel(&convert, NULL, err);
	if (!ch)
		return -1;
	job->ch = ch;
	job->converts = true;
	return 0;
}

static int read_xl_header(struct gw_config *config, struct gw_job *job, const uint8_t *first8,
			  struct gw_error *err)
{
	uint8_t raw[GW_XLFILE_HEADER_SIZE];
	struct gw_xlfile xl = {0};
	int ret;

	memcpy(raw, first8, 8);
	if (read_front_part(job->ch, raw + 8, sizeof(raw) - 8, "48 bytes of the header", err) < 0)
		return -1;
	if (gw_xlfile_header_decode(raw, &xl, err) < 0)
		return -1;
	/* The header before its length is trusted, then what is in it. */
	ret = gw_xlfile_rules(&xl, NULL, 0, err);
	if (ret == 0)
		ret = read_optional(job->ch, &xl, err);
	if (ret == 0)
		ret = gw_xlfile_rules(&xl, NULL, 0, err);
	if (ret == 0)
		ret = config_of(&xl, config, err);
	if (ret == 0 && !(xl.mandatory_flags & GW_XLFILE_STREAM_V2))
		ret = read_converted(job, config->type, err);
	/* What is converted has offsets of its own. */
	job->base = job->converts ? 0 : sizeof(raw) + xl.optional_len;
	gw_xlfile_free(&xl);
	return ret;
}

/* There is no config: a PVH (or PV) domain as large as the host gives. */
static int config_of_nothing(struct gw_process *p, struct gw_config *config,
			     enum gw_guest_type type, struct gw_error *err)
{
	struct gw_host *host;

	if (!p->args.name)
		return gw_fail(err, GW_USAGE,
			       "there is no config in front of this image: give --name");
	host = gw_host_open(p->args.connect, err);
	if (!host)
		return -1;
	pthread_mutex_lock(&p->lock);
	p->host = host;
	pthread_mutex_unlock(&p->lock);
	config->type = type;
	config->pvh = type == GW_GUEST_X86_HVM;
	config->max_memkb = gw_host_free_pages(host) * 4;
	config->name = strdup(p->args.name);
	return config->name ? gw_config_build(config, err)
			    : gw_fail(err, GW_NO_MEMORY, "no memory");
}

/* xend gives it to an HVM guest beside its maxmem, 4 MiB unless told otherwise. */
static uint64_t video_memkb(const struct gw_xend_config *xend)
{
	return (xend->videoram ? GW_MIN(xend->videoram, (uint64_t)1024) : 4) * 1024;
}

/* What the config says; the kind of the guest is what its image says. Nothing else depends on it:
 * one that cannot be read is as good as none. */
static int config_of_xend(struct gw_process *p, struct gw_config *config,
			  const struct gw_xend *xend, enum gw_guest_type type, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_xend_config said;
	int ret =
		gw_xend_config_read((const char *)xend->config.data, xend->config.len, &said, &why);

	said.guest = type;
	if (ret == 0)
		ret = gw_config_from_xend(config, &said, &why);
	if (ret == 0 && type == GW_GUEST_X86_HVM)
		config->max_memkb += video_memkb(&said);
	if (ret == 0)
		ret = gw_config_build(config, &why);
	if (ret == 0)
		return 0;
	gw_config_free(config);
	if (p->args.name)
		return config_of_nothing(p, config, type, err);
	return gw_fail(err, GW_USAGE,
		       "the config in front of this image cannot be read (%s): give --name",
		       why.text);
}

/* No magic: a legacy image, or nothing that is known. xend: what stood in front of it, or NULL. */
static int read_bare_legacy(struct gw_process *p, struct gw_job *job, struct gw_config *config,
			    const struct gw_xend *xend, struct gw_error *err)
{
	struct gw_legacy_kind kind = {0};
	struct gw_error why = GW_ERROR_INIT;
	uint8_t first[GW_LEGACY_DETECT];
	int got = gw_channel_read(job->ch, first, sizeof(first), &why);

	if (got < 0 && why.code != GW_TRUNCATED)
		return gw_fail(err, why.code, "%s", why.text);
	if (got <= 0 || gw_detect(first, sizeof(first)) != GW_FILE_LEGACY)
		return gw_fail(
			err, GW_INVALID,
			xend ? "behind the xend header stands no legacy image"
			     : "neither a file of xl or xend, nor a libxl stream, nor a libxc image, nor a legacy image");
	gw_channel_unread(job->ch, first, sizeof(first));
	if (gw_legacy_detect(first, sizeof(first), &kind, err) < 0 ||
	    (xend ? config_of_xend(p, config, xend, kind.guest, err)
		  : config_of_nothing(p, config, kind.guest, err)) < 0)
		return -1;
	return read_converted(job, kind.guest, err);
}

static int read_xend_header(struct gw_process *p, struct gw_job *job, struct gw_config *config,
			    struct gw_error *err)
{
	struct gw_xend xend = {0};
	int ret = gw_xend_read(job->ch, NULL, &xend, err);

	if (ret == 0)
		ret = read_bare_legacy(p, job, config, &xend, err);
	gw_xend_free(&xend);
	return ret;
}

static int read_front(struct gw_process *p, struct gw_job *job, struct gw_config *config,
		      struct gw_error *err)
{
	uint8_t first[8];
	int got = gw_channel_read(job->ch, first, sizeof(first), err);

	if (got == 0)
		return gw_fail(err, GW_TRUNCATED, "the file is empty");
	if (got < 0)
		return -1;
	job->layer = GW_LAYER_LIBXL;
	if (gw_xlfile_is_magic(first, sizeof(first)))
		return read_xl_header(config, job, first, err);
	gw_channel_unread(job->ch, first, sizeof(first));
	if (gw_xend_is_magic(first, sizeof(first)))
		return read_xend_header(p, job, config, err);
	if (gw_get_be64(first) == UINT64_MAX)
		job->layer = GW_LAYER_LIBXC;
	else if (memcmp(first, "LibxlFmt", 8) != 0)
		return read_bare_legacy(p, job, config, NULL, err);
	return config_of_nothing(p, config, GW_GUEST_X86_HVM, err);
}

static int read_named_front(struct gw_process *p, struct gw_job *job, struct gw_config *config,
			    struct gw_error *err)
{
	if (read_front(p, job, config, err) < 0 ||
	    (p->args.name && gw_config_rename(config, p->args.name, err) < 0))
		return -1;
	return config->name ? 0 : gw_fail(err, GW_USAGE, "the config has no name: give --name");
}

int gw_restore_front(struct gw_process *p, struct gw_job *job, struct gw_error *err)
{
	struct gw_config config = {0};

	if (read_named_front(p, job, &config, err) < 0) {
		gw_config_free(&config);
		return -1;
	}
	pthread_mutex_lock(&p->lock);
	gw_config_free(&p->config);
	p->config = config;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int gw_process_restore(struct gw_process *p, struct gw_channel *in, struct gw_error *err)
{
	struct gw_job *job = gw_job_new(p, &restore_kind);

	if (!job) {
		gw_channel_close(in);
		return gw_fail(err, GW_NO_MEMORY, "no memory");
	}
	job->ch = in;
	if (gw_restore_front(p, job, err) < 0 || gw_process_create(p, err) < 0) {
		gw_job_free(job);
		return -1;
	}
	job->toolstack.domain = p->domain;
	return gw_job_start(p, job, err);
}
