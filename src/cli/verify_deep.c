/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * verify --deep: restoring into a domain that never runs (verify_deep.h).
 */
#include "cli/verify_deep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/util.h"
#include "channel/kind.h"
#include "cli/input.h"
#include "cli/output.h"
#include "convert/convert.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "migrate/restore.h"

/* What of a vCPU's id may be believed when room is made for it: the memory backend's own limit. */
#define MAX_VCPUS 4096u

/* A channel whose bytes are kept on the way. */
struct tee {
	struct gw_channel ch;
	struct gw_channel *below;
	struct gw_spool *spool;
};

static struct tee *tee_of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct tee, ch);
}

static ssize_t tee_read(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	struct tee *t = tee_of(ch);
	ssize_t got = gw_channel_read_some(t->below, iov[0].iov_base, iov[0].iov_len, err);

	if (got > 0 && gw_spool_put(t->spool, iov[0].iov_base, (size_t)got, err) < 0)
		return gw_fail_in(err, "keeping %s for its restore", ch->name);
	return got;
}

static ssize_t tee_write(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "%s is only read", ch->name);
}

static int tee_finish(struct gw_channel *ch, struct gw_error *err)
{
	return 0;
}

static void tee_close(struct gw_channel *ch)
{
	gw_channel_close(tee_of(ch)->below);
}

static const struct gw_channel_ops tee_ops = {
	.read = tee_read,
	.write = tee_write,
	.skip = gw_channel_skip_by_reading,
	.drain = gw_channel_drain_nothing,
	.finish = tee_finish,
	.close = tee_close,
};

/* Takes below over; it is closed on failure. */
static struct gw_channel *tee(struct gw_channel *below, struct gw_spool *spool,
			      struct gw_error *err)
{
	struct tee *t = calloc(1, sizeof(*t));

	if (!t)
		gw_fail_errno(err, "memory for a channel");
	if (!t || gw_spool_begin(spool, err) < 0 ||
	    gw_channel_init(&t->ch, &tee_ops, below->name, err) < 0) {
		free(t);
		gw_channel_close(below);
		return NULL;
	}
	t->below = below;
	t->spool = spool;
	return &t->ch;
}

struct gw_channel *gw_deep_open(struct gw_deep *deep, struct gw_cli *cli, const char *path,
				struct gw_error *err)
{
	struct gw_channel *in = gw_cli_open(cli, path, err);
	struct stat st;

	deep->spooled = !strcmp(path, "-") || stat(path, &st) < 0 || !S_ISREG(st.st_mode);
	return in && deep->spooled ? tee(in, &deep->spool, err) : in;
}

void gw_deep_close(struct gw_deep *deep)
{
	gw_spool_close(&deep->spool);
}

void gw_deep_layer(struct gw_deep *deep, uint64_t offset)
{
	if (!deep->has_base)
		deep->base = offset;
	deep->has_base = true;
}

static void needs_pfn(struct gw_deep *deep, uint64_t pfn)
{
	deep->nr_pfns = GW_MAX(deep->nr_pfns, pfn + 1);
}

static void look_at_pages(struct gw_deep *deep, const struct gw_image_reader *pages)
{
	for (size_t i = 0; i < pages->nr_entries; i++)
		if (gw_page_is_populated(gw_page_entry_type(pages->entries[i]))) {
			needs_pfn(deep, gw_page_entry_pfn(pages->entries[i]));
			deep->populated++;
		}
}

void gw_deep_record(struct gw_deep *deep, const struct gw_examine_record *record)
{
	const struct gw_record *rec = record->rec;

	if (record->layer == GW_LAYER_LIBXL) {
		deep->colo |= rec->type == GW_STREAM_CHECKPOINT_STATE;
		return;
	}
	if (record->pages)
		look_at_pages(deep, record->pages);
	if (!rec->data || rec->length < 8)
		return;
	switch (rec->type) {
	case GW_REC_X86_PV_P2M_FRAMES:
		needs_pfn(deep, gw_get_le32(rec->data + 4));
		break;
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
		if (rec->length > 8 && gw_get_le32(rec->data) < MAX_VCPUS)
			deep->nr_vcpus = GW_MAX(deep->nr_vcpus, gw_get_le32(rec->data) + 1);
		break;
	default:
		break;
	}
}

/* A domain with room for the image, and no more than this machine can hold. */
static struct gw_domain *make_domain(const struct gw_deep *deep, enum gw_guest_type type,
				     struct gw_error *err)
{
	struct gw_host *host = gw_host_open("memory:", err);
	struct gw_domain_config config = {
		.name = "verify",
		.type = type,
		.vcpus = GW_MAX(deep->nr_vcpus, 1u),
		.seed = 1,
	};
	struct gw_domain *d = NULL;
	uint64_t free_pages;

	if (!host)
		return NULL;
	free_pages = gw_host_free_pages(host);
	config.max_pages = GW_MIN(GW_MAX(deep->nr_pfns, UINT64_C(1)), free_pages);
	/* Pages that come again count again, so this errs only for images near the limit. */
	if (config.max_pages < deep->nr_pfns && deep->populated > free_pages)
		gw_fail(err, GW_NO_MEMORY,
			"--deep holds the domain in memory: the image has %" PRIu64
			" pages, this machine has room for %" PRIu64,
			deep->populated, free_pages);
	else
		d = gw_host_create(host, &config, err);
	gw_host_close(host);
	return d;
}

static struct gw_channel *reopen(struct gw_deep *deep, struct gw_cli *cli, const char *path,
				 struct gw_error *err)
{
	struct gw_channel *in =
		deep->spooled ? gw_spool_read(&deep->spool, err) : gw_cli_open(cli, path, err);

	if (!in)
		return NULL;
	gw_channel_set_cancel(in, cli->cancel);
	if (deep->base == 0 || gw_channel_skip(in, deep->base, err) > 0)
		return in;
	gw_fail(err, GW_TRUNCATED, "%s: it has become shorter since it was checked", path);
	gw_channel_close(in);
	return NULL;
}

/* A legacy image as the one of version 3 that it becomes. Takes in over, also on failure. */
static struct gw_channel *converted(struct gw_channel *in, struct gw_error *err)
{
	const struct gw_convert_args args = {
		.in = in,
		.to = GW_CONVERT_LIBXC,
		.from = GW_CONVERT_LEGACY,
		.cancel = in->cancel,
	};
	struct gw_channel *ch = gw_convert_channel(&args, NULL, err);

	if (!ch)
		gw_channel_close(in);
	return ch;
}

/* Numbers and offsets of a converted image are not those of the file. */
static void place_in_legacy(struct gw_refusal *refusal, uint64_t base)
{
	char text[sizeof(refusal->text)];

	if (refusal->has_record) {
		snprintf(text, sizeof(text), "as version 3, record %" PRIu64 ": %.300s",
			 refusal->record_number, refusal->text);
		memcpy(refusal->text, text, sizeof(text));
	}
	refusal->has_record = false;
	refusal->offset = base;
}

static void report(const struct gw_findings *out, const struct gw_refusal *refusal)
{
	struct gw_finding finding = {
		.offset = refusal->offset,
		.has_record = refusal->has_record,
		.record_number = refusal->record_number,
		.record_type = refusal->record_type,
	};
	size_t n;
	const struct gw_rule *rules = gw_rules(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(rules[i].id, refusal->rule))
			finding.rule = &rules[i];
	finding.level = finding.rule->level;
	snprintf(finding.text, sizeof(finding.text), "%s", refusal->text);
	out->report(out->opaque, &finding);
}

/*
 * Params beside the rings whose pages restore itself must have: what they name, as Xen numbers
 * them. The pages of ioreq servers are not among them: Xen takes those out of the guest.
 */
static const struct {
	uint32_t param;
	unsigned shift; /* of an address; 0: it is a pfn */
} page_params[] = {{12, 12}, {27, 0}, {28, 0}, {29, 0}, {37, 12}};

static int check_params(struct gw_domain *d, uint64_t offset, const struct gw_findings *out,
			struct gw_error *err)
{
	for (size_t i = 0; d->hvm && i < GW_ARRAY_SIZE(page_params); i++) {
		struct gw_refusal refusal = {.rule = "hvm-params-absent", .offset = offset};
		uint64_t value, pfn;
		uint8_t type;

		if (gw_domain_get_param(d, page_params[i].param, &value, err) < 0)
			return -1;
		/* VM86_TSS_SIZED has the size above the address. */
		pfn = page_params[i].shift ? (uint32_t)value >> page_params[i].shift : value;
		if (pfn == 0)
			continue;
		if (gw_domain_page_types(d, 1, &pfn, &type, err) < 0)
			return -1;
		if (type != GW_PAGE_XTAB)
			continue;
		snprintf(refusal.text, sizeof(refusal.text),
			 "HVM param %s: pfn 0x%" PRIx64 " has no page",
			 gw_hvm_param_name(page_params[i].param), pfn);
		report(out, &refusal);
	}
	return 0;
}

static void on_progress(void *opaque, const struct gw_progress *progress)
{
	gw_output_progress(&((struct gw_cli *)opaque)->out, progress);
}

static int restore(struct gw_deep *deep, const struct gw_restore_args *args,
		   const struct gw_examination *examination, const struct gw_findings *out,
		   struct gw_error *err)
{
	bool legacy = examination->has_legacy;
	struct gw_restore_result result;
	int rc = examination->has_stream ? gw_restore_stream(args, NULL, &result, err)
					 : gw_restore_image(args, &result, err);

	if (rc == 0 && gw_control_restored(args->domain->control, err) < 0)
		return -1;
	if (rc == 0)
		return check_params(args->domain, deep->base, out, err);
	if (!result.refusal.rule)
		return -1;
	/* What is broken in no one record is told with the place where the image begins. */
	if (legacy)
		place_in_legacy(&result.refusal, deep->base);
	else if (!result.refusal.has_record)
		result.refusal.offset = deep->base;
	report(out, &result.refusal);
	gw_error_clear(err);
	return 0;
}

int gw_deep_check(struct gw_deep *deep, struct gw_cli *cli, const char *path,
		  const struct gw_examination *examination, const struct gw_findings *out,
		  struct gw_error *err)
{
	struct gw_toolstack toolstack = {
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = cli, .progress = on_progress};
	struct gw_restore_args args = {
		.origin = deep->base,
		.toolstack = &toolstack,
		.cancel = cli->cancel,
		.stream_type = deep->colo ? GW_STREAM_COLO : GW_STREAM_PLAIN,
	};
	int rc = -1;

	args.domain = make_domain(deep, (enum gw_guest_type)examination->image.type, err);
	if (!args.domain)
		return -1;
	args.in = reopen(deep, cli, path, err);
	if (args.in && examination->has_legacy)
		args.in = converted(args.in, err);
	if (args.in) {
		rc = restore(deep, &args, examination, out, err);
		gw_channel_close(args.in);
	}
	gw_control_destroy(args.domain->control);
	return rc;
}
