/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domain of a rehearsal, the restore into it, and its refusals as findings.
 */
#include "migrate/rehearse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "migrate/restore.h"

/* What of a vCPU's id may be believed when room is made for it: the memory backend's own limit. */
#define MAX_VCPUS      4096u
#define PAGES_MAX      (UINT64_C(1) << 28) /* 1 TiB */
#define HVM_PFNS_MAX   (UINT64_C(1) << 32)
#define TIMES_PER_RULE 40u

static void needs_pfn(struct gw_rehearsal *r, uint64_t pfn)
{
	r->nr_pfns = GW_MAX(r->nr_pfns, pfn + 1);
}

static void needs_pages(struct gw_rehearsal *r, const struct gw_image_reader *pages)
{
	for (size_t i = 0; i < pages->nr_entries; i++)
		if (gw_page_is_populated(gw_page_entry_type(pages->entries[i]))) {
			needs_pfn(r, gw_page_entry_pfn(pages->entries[i]));
			r->populated++;
		}
}

static void needs_vcpu(struct gw_rehearsal *r, const struct gw_record *rec)
{
	uint32_t id = gw_get_le32(rec->data);

	if (rec->length > 8 && id < MAX_VCPUS)
		r->nr_vcpus = GW_MAX(r->nr_vcpus, id + 1);
}

void gw_rehearsal_record(struct gw_rehearsal *r, enum gw_layer layer, const struct gw_record *rec,
			 const struct gw_image_reader *pages)
{
	if (layer == GW_LAYER_LIBXL) {
		r->colo |= rec->type == GW_STREAM_CHECKPOINT_STATE;
		return;
	}
	if (pages)
		needs_pages(r, pages);
	if (!rec->data || rec->length < 8)
		return;
	switch (rec->type) {
	case GW_REC_X86_PV_P2M_FRAMES:
		needs_pfn(r, gw_get_le32(rec->data + 4));
		break;
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
		needs_vcpu(r, rec);
		break;
	default:
		break;
	}
}

/* Findings */

/* A rule and how often it was broken. */
struct times {
	const struct gw_rule *rule;
	unsigned n;
};

struct stage {
	const struct gw_rehearsal_args *args;
	struct times times[16]; /* more than there are rules that only a restore sees broken */
	size_t nr_times;
	uint64_t populated;	     /* entries of pages in the image */
	struct gw_progress progress; /* the last */
};

/* How often the rule was broken, this time included. */
static unsigned count(struct stage *s, const struct gw_rule *rule)
{
	for (size_t i = 0; i < s->nr_times; i++)
		if (s->times[i].rule == rule)
			return ++s->times[i].n;
	if (s->nr_times < GW_ARRAY_SIZE(s->times))
		s->times[s->nr_times++] = (struct times){rule, 1};
	return 1;
}

/* gw_restore_args.refused. What is broken in no one record, and whatever is in a converted image,
 * is reported with the place where the image begins. */
static void on_refused(void *owner, const struct gw_refusal *refusal)
{
	struct stage *s = owner;
	bool has_record = refusal->has_record && !s->args->converted;
	struct gw_finding finding = {
		.rule = gw_rule_find(refusal->rule),
		.offset = has_record ? refusal->offset : s->args->origin,
		.has_record = has_record,
		.record_number = has_record ? refusal->record_number : 0,
		.record_type = has_record ? refusal->record_type : 0,
	};
	unsigned times = count(s, finding.rule);
	int len;

	if (times > TIMES_PER_RULE)
		return;
	if (refusal->has_record && s->args->converted)
		len = snprintf(finding.text, sizeof(finding.text),
			       "as version 3, record %" PRIu64 ": %.300s", refusal->record_number,
			       refusal->text);
	else
		len = snprintf(finding.text, sizeof(finding.text), "%s", refusal->text);
	if (times == TIMES_PER_RULE && len < (int)sizeof(finding.text))
		snprintf(finding.text + len, sizeof(finding.text) - (size_t)len,
			 " (further findings of this rule are not reported)");
	gw_finding_report(s->args->findings, &finding, NULL);
}

/* gw_domain_config.bad_table: a page table that Xen would refuse. */
static void on_bad_table(void *owner, const struct gw_error *fault)
{
	struct gw_refusal refusal = {.rule = "pv-table-tree"};

	snprintf(refusal.text, sizeof(refusal.text), "%.*s", (int)sizeof(refusal.text) - 1,
		 fault->text);
	on_refused(owner, &refusal);
}

/*
 * A domain with room for the image, and no more than its config gives it or this machine can hold.
 */
static struct gw_domain *make_domain(const struct gw_rehearsal *r, struct stage *s,
				     struct gw_error *err)
{
	struct gw_host *host = gw_host_open("memory:", err);
	struct gw_domain_config config = {
		.name = "verify",
		.type = s->args->guest,
		.vcpus = GW_MAX(r->nr_vcpus, 1u),
		.seed = 1,
		.bad_table = on_bad_table,
		.bad_table_owner = s,
	};
	struct gw_domain *d = NULL;
	uint64_t free_pages;

	if (!host)
		return NULL;
	free_pages = gw_host_free_pages(host);
	if (s->args->guest == GW_GUEST_X86_HVM)
		config.max_pfns = GW_MIN(GW_MAX(r->nr_pfns, UINT64_C(1)), HVM_PFNS_MAX);
	config.max_pages = GW_MAX(GW_MIN(r->nr_pfns, PAGES_MAX), UINT64_C(1));
	/* Pages that come again count again, so this errs only for images near the limit. */
	if (config.max_pages > free_pages && r->populated > free_pages)
		gw_fail(err, GW_NO_MEMORY,
			"--deep holds the domain in memory: the image has %" PRIu64
			" pages, this machine has room for %" PRIu64,
			r->populated, free_pages);
	else
		d = gw_host_create(host, &config, err);
	gw_host_close(host);
	return d;
}

/*
 * Params that name a page, as Xen numbers them; the first two are the rings of xenstore and
 * console. The pages of ioreq servers are not among them: Xen takes those out of the guest.
 */
static const struct {
	const char *rule;
	uint32_t param;
	unsigned shift; /* of an address; 0: it is a pfn */
} page_params[] = {
	{"hvm-params-ring", 1, 0},     {"hvm-params-ring", 17, 0},   {"hvm-params-absent", 12, 12},
	{"hvm-params-absent", 27, 0},  {"hvm-params-absent", 28, 0}, {"hvm-params-absent", 29, 0},
	{"hvm-params-absent", 37, 12},
};

static int check_params(struct stage *s, struct gw_domain *d, struct gw_error *err)
{
	for (size_t i = 0; d->hvm && i < GW_ARRAY_SIZE(page_params); i++) {
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
		if (type == GW_PAGE_XTAB)
			gw_rules_report(s->args->findings, page_params[i].rule, s->args->origin,
					NULL, "HVM param %s: pfn 0x%" PRIx64 " has no page",
					gw_hvm_param_name(page_params[i].param), pfn);
	}
	return 0;
}

static void on_progress(void *owner, const struct gw_progress *progress)
{
	struct stage *s = owner;
	const struct gw_observer *observer = s->args->observer;

	s->progress = *progress;
	if (observer && observer->progress)
		observer->progress(observer->owner, progress);
}

static void report_done(struct stage *s)
{
	struct gw_progress done = s->progress;

	done.stage = GW_STAGE_DONE;
	done.bytes_total = done.bytes;
	done.percent = 100;
	on_progress(s, &done);
}

/* gw_restore_args.expected_pages: as many as the first reading counted. */
static uint64_t expected_pages(void *owner)
{
	const struct stage *s = owner;

	return s->populated;
}

static int restore(const struct gw_rehearsal *r, struct stage *s, struct gw_domain *d,
		   struct gw_error *err)
{
	const struct gw_rehearsal_args *args = s->args;
	const struct gw_toolstack toolstack = {
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = s,
		.progress = on_progress,
	};
	const struct gw_restore_args restore_args = {
		.domain = d,
		.in = args->in,
		.origin = args->origin,
		.toolstack = &toolstack,
		.cancel = args->cancel,
		.stream_type = r->colo ? GW_STREAM_COLO : GW_STREAM_PLAIN,
		.owner = s,
		.expected_pages = expected_pages,
		.refused = on_refused,
	};
	struct gw_restore_result result;
	int rc = args->in_stream ? gw_restore_stream(&restore_args, NULL, &result, err)
				 : gw_restore_image(&restore_args, &result, err);

	if (rc < 0 && !result.refusal.rule)
		return -1;
	/* It was reported as a finding. */
	if (err)
		gw_error_clear(err);
	return check_params(s, d, err);
}

int gw_rehearse(const struct gw_rehearsal *r, const struct gw_rehearsal_args *args,
		struct gw_error *err)
{
	struct stage s = {.args = args, .populated = r->populated};
	struct gw_domain *d = make_domain(r, &s, err);
	int rc;

	if (!d)
		return -1;
	rc = restore(r, &s, d, err);
	if (rc == 0)
		report_done(&s);
	gw_control_destroy(d->control);
	return rc;
}
