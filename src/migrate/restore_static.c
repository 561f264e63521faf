/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keeps records of static data, one after another in a buffer.
 */
#include "migrate/restore_static.h"

#include <inttypes.h>
#include <string.h>

/* Policies and PV_INFO are a few kilobytes; larger static data is refused. */
#define STATIC_MAX (4u << 20)

/* The header before the body of each record in the buffer. */
struct head {
	uint32_t type, length;
	uint64_t offset, number;
};

int gw_static_data_keep(struct gw_static_data *s, const struct gw_record *rec, uint64_t origin,
			struct gw_error *err)
{
	struct head head = {rec->type, rec->length, rec->offset, rec->number};
	int rc = 0;

	if ((rec->type & GW_RECORD_OPTIONAL) && !gw_record_name(rec->type))
		return 0;
	if (s->records.len + sizeof(head) + rec->length > STATIC_MAX)
		return gw_fail(err, GW_INVALID,
			       "image record %" PRIu64 " at offset 0x%" PRIx64
			       ": more than %u bytes of static data",
			       rec->number, origin + rec->offset, STATIC_MAX);
	if (rec->type == GW_REC_X86_CPUID_POLICY)
		rc = gw_cpuid_policy_decode(rec, &s->policy, err);
	else if (rec->type == GW_REC_X86_MSR_POLICY)
		rc = gw_msr_policy_decode(rec, &s->policy, err);
	if (rc < 0 || gw_buffer_append(&s->records, &head, sizeof(head), err) < 0)
		return -1;
	return gw_buffer_append(&s->records, rec->data, rec->length, err);
}

bool gw_static_data_next(const struct gw_static_data *s, size_t *pos, struct gw_record *rec)
{
	struct head head;

	if (*pos >= s->records.len)
		return false;
	memcpy(&head, s->records.data + *pos, sizeof(head));
	*rec = (struct gw_record){
		.type = head.type,
		.length = head.length,
		.data = s->records.data + *pos + sizeof(head),
		.offset = head.offset,
		.number = head.number,
	};
	*pos += sizeof(head) + head.length;
	return true;
}

void gw_static_data_free(struct gw_static_data *s)
{
	gw_policy_free(&s->policy);
	gw_buffer_free(&s->records);
}
