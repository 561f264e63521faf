/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The records that HVM and PV guests share (x86.h).
 */
#include "guest/x86.h"

#include <stdlib.h>

#include "base/util.h"
#include "hypervisor/domain.h"

int gw_x86_keep(struct gw_buffer *kept, const void *data, size_t len, struct gw_error *err)
{
	gw_buffer_reset(kept);
	return gw_buffer_append(kept, data, len, err);
}

/* The backend's own state, and its record. */
static const struct {
	const char *name;
	uint32_t record;
} extras[GW_X86_NR_EXTRA] = {
	{GW_EXTRA_XENABI, GW_REC_GODWIT_XENABI},
	{GW_EXTRA_KVM, GW_REC_GODWIT_KVM},
};

static int keep_extra(struct gw_x86_stash *stash, const struct gw_record *rec, struct gw_error *err)
{
	for (size_t i = 0; i < GW_X86_NR_EXTRA; i++)
		if (rec->type == extras[i].record)
			return gw_x86_keep(&stash->extra[i], rec->data, rec->length, err) < 0 ? -1
											      : 1;
	return 0;
}

int gw_x86_stash_record(struct gw_x86_stash *stash, struct gw_restore_guest *g,
			const struct gw_record *rec, struct gw_error *err)
{
	int r;

	switch (rec->type) {
	case GW_REC_X86_CPUID_POLICY:
		r = gw_cpuid_policy_decode(rec, &g->policy, err);
		stash->has_cpuid = r == 0;
		break;
	case GW_REC_X86_MSR_POLICY:
		r = gw_msr_policy_decode(rec, &g->policy, err);
		stash->has_msr = r == 0;
		break;
	case GW_REC_X86_TSC_INFO:
		r = gw_tsc_info_decode(rec, &stash->tsc, err);
		stash->has_tsc = r == 0;
		break;
	default:
		return keep_extra(stash, rec, err);
	}
	return r < 0 ? -1 : 1;
}

int gw_x86_apply_policy(const struct gw_x86_stash *stash, struct gw_restore_guest *g,
			unsigned *missing, struct gw_error *err)
{
	*missing = (stash->has_cpuid ? 0 : 1) | (stash->has_msr ? 0 : 2);
	if (*missing == 3)
		return 0;
	return gw_domain_set_policy(g->domain, &g->policy, err);
}

int gw_x86_apply_state(const struct gw_x86_stash *stash, struct gw_restore_guest *g,
		       struct gw_error *err)
{
	if (stash->has_tsc && gw_domain_set_tsc(g->domain, &stash->tsc, err) < 0)
		return -1;
	for (size_t i = 0; i < GW_X86_NR_EXTRA; i++)
		if (stash->extra[i].len > 0 &&
		    gw_domain_set_extra(g->domain, extras[i].name, stash->extra[i].data,
					stash->extra[i].len, err) < 0)
			return -1;
	return 0;
}

void gw_x86_stash_free(struct gw_x86_stash *stash, struct gw_restore_guest *g)
{
	gw_policy_free(&g->policy);
	for (size_t i = 0; i < GW_X86_NR_EXTRA; i++)
		gw_buffer_free(&stash->extra[i]);
}

int gw_x86_save_policy(struct gw_domain *d, struct gw_buffer *records, struct gw_error *err)
{
	struct gw_policy policy = {0};

	if (gw_domain_get_policy(d, &policy, err) < 0)
		return -1;
	int r = gw_policy_append(records, &policy, err);

	gw_policy_free(&policy);
	return r;
}

int gw_x86_save_tsc(struct gw_domain *d, struct gw_buffer *records, struct gw_error *err)
{
	struct gw_tsc_info tsc;
	uint8_t raw[24];

	if (gw_domain_get_tsc(d, &tsc, err) < 0)
		return -1;
	gw_tsc_info_encode(raw, &tsc);
	return gw_record_append(records, GW_REC_X86_TSC_INFO, raw, sizeof(raw), err);
}

static int save_extra(struct gw_domain *d, const char *name, uint32_t record,
		      struct gw_buffer *records, struct gw_error *err)
{
	void *blob = NULL;
	size_t len = 0;

	if (gw_domain_get_extra(d, name, &blob, &len, err) < 0)
		return -1;
	int r = len ? gw_record_append(records, record, blob, len, err) : 0;

	free(blob);
	return r;
}

int gw_x86_save_extra(struct gw_domain *d, struct gw_buffer *records, struct gw_error *err)
{
	for (size_t i = 0; i < GW_X86_NR_EXTRA; i++)
		if (save_extra(d, extras[i].name, extras[i].record, records, err) < 0)
			return -1;
	return 0;
}
