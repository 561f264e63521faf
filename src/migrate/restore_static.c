/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The static data of an image: kept until it is complete, shown to whoever decides about
 * the domain, then applied to it. Nothing exists before that.
 */
#include "migrate/restore_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "hypervisor/domain.h"

/* Policies and PV_INFO are a few kilobytes; more is no static data. */
#define STATIC_MAX (4u << 20)

/* How a record is kept: this, then its body. */
struct kept {
	uint32_t type, length;
	uint64_t offset, number;
};

int gw_restore_keep_static(struct gw_restore *r, const struct gw_record *rec, struct gw_error *err)
{
	struct kept kept = {rec->type, rec->length, rec->offset, rec->number};
	int rc = 0;

	if ((rec->type & GW_RECORD_OPTIONAL) && !gw_record_name(rec->type))
		return 0;
	if (r->static_records.len + sizeof(kept) + rec->length > STATIC_MAX)
		return gw_fail(err, GW_INVALID,
			       "image record %" PRIu64 " at offset 0x%" PRIx64
			       ": more than %u bytes of static data",
			       rec->number, r->args->base + rec->offset, STATIC_MAX);
	if (rec->type == GW_REC_X86_CPUID_POLICY)
		rc = gw_cpuid_policy_decode(rec, &r->policy, err);
	else if (rec->type == GW_REC_X86_MSR_POLICY)
		rc = gw_msr_policy_decode(rec, &r->policy, err);
	if (rc < 0 || gw_buffer_append(&r->static_records, &kept, sizeof(kept), err) < 0)
		return -1;
	return gw_buffer_append(&r->static_records, rec->data, rec->length, err);
}

static int replay(struct gw_restore *r, struct gw_error *err)
{
	const struct gw_buffer *all = &r->static_records;
	struct kept kept;

	for (size_t pos = 0; pos < all->len; pos += sizeof(kept) + kept.length) {
		struct gw_record rec;

		memcpy(&kept, all->data + pos, sizeof(kept));
		rec = (struct gw_record){
			.type = kept.type,
			.length = kept.length,
			.data = all->data + pos + sizeof(kept),
			.offset = kept.offset,
			.number = kept.number,
		};
		if (gw_restore_record(r, &rec, err) < 0)
			return -1;
	}
	gw_buffer_free(&r->static_records);
	return 0;
}

static int set_up_guest(struct gw_restore *r, struct gw_error *err)
{
	struct gw_domain *d = r->args->domain;
	enum gw_guest_type type = r->reader.header.type;

	if (!d)
		return gw_fail(err, GW_USAGE, "there is no domain to restore into");
	if (d->type != type)
		return gw_fail(err, GW_INVALID,
			       "the image is of a guest of type %d, domain %u is of type %d", type,
			       d->domid, d->type);
	r->guest = (struct gw_restore_guest){
		.ops = gw_restore_guest_ops(type),
		.domain = d,
		.store_gfn = GW_INVALID_PFN,
		.console_gfn = GW_INVALID_PFN,
	};
	if (!r->guest.ops)
		return gw_fail(err, GW_UNSUPPORTED, "guests of type %d cannot be restored", type);
	if (gw_domain_nr_pfns(d, &r->guest.max_pfns, err) < 0)
		return -1;
	r->guest_ready = true;
	return r->guest.ops->setup(&r->guest, err);
}

int gw_restore_static_complete(struct gw_restore *r, struct gw_error *err)
{
	const struct gw_toolstack *ts = r->args->toolstack;
	unsigned missing = 0;

	if (r->args->static_data &&
	    r->args->static_data(r->args->opaque, &r->args->domain, r->reader.header.type,
				 &r->policy, err) < 0)
		return -1;
	if (set_up_guest(r, err) < 0 || replay(r, err) < 0 ||
	    r->guest.ops->static_data_complete(&r->guest, &missing, err) < 0)
		return -1;
	if (ts && ts->static_data_done && ts->static_data_done(ts->opaque, missing, err) < 0)
		return -1;
	r->static_done = true;
	return 0;
}
