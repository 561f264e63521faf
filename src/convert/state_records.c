/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * State records one after another in a buffer, and merging those of two rounds.
 */
#include "convert/state_records.h"

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/util.h"

#define KINDS  4u /* of records that each vCPU has */
#define VCPUS  8192u
#define PARAMS 64u

int gw_state_records_add(struct gw_buffer *records, const struct gw_record *rec,
			 struct gw_error *err)
{
	uint8_t head[GW_RECORD_HEADER_SIZE];

	if (records->len + rec->length > GW_STATE_RECORDS_MAX)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the records after the pages have more than %llu bytes, more than any guest has",
			(unsigned long long)GW_STATE_RECORDS_MAX);
	gw_record_header_encode(head, rec->type, rec->length);
	if (gw_buffer_append(records, head, sizeof(head), err) < 0 ||
	    gw_buffer_append(records, rec->data, rec->length, err) < 0)
		return -1;
	return gw_buffer_append(records, rec->padding, gw_record_padding(rec->length), err);
}

/* The record at *pos, which moves to the next; false at the end. */
static bool next_record(const struct gw_buffer *records, size_t *pos, struct gw_record *rec)
{
	if (*pos >= records->len)
		return false;
	*rec = (struct gw_record){.offset = *pos};
	gw_record_header_decode(records->data + *pos, &rec->type, &rec->length);
	rec->data = records->data + *pos + GW_RECORD_HEADER_SIZE;
	*pos += GW_RECORD_HEADER_SIZE + rec->length + gw_record_padding(rec->length);
	return true;
}

/* The records of a round, by type. */
struct seen {
	uint64_t types; /* of those that come once */
	uint64_t params;
	uint64_t vcpus[GW_BITMAP_WORDS(KINDS * VCPUS)];
};

/* The index of a vCPU record among all of them; -1 for any other record. */
static long vcpu_bit(const struct gw_record *rec)
{
	static const uint32_t types[KINDS] = {
		GW_REC_X86_PV_VCPU_BASIC,
		GW_REC_X86_PV_VCPU_EXTENDED,
		GW_REC_X86_PV_VCPU_XSAVE,
		GW_REC_X86_PV_VCPU_MSRS,
	};

	for (unsigned i = 0; i < KINDS && rec->length >= 4; i++)
		if (rec->type == types[i])
			return (long)(i * VCPUS + gw_get_le32(rec->data) % VCPUS);
	return -1;
}

static void see_params(struct seen *seen, const struct gw_record *rec)
{
	uint64_t index, value;
	uint32_t count;

	if (gw_hvm_params_decode(rec, &count, NULL) < 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		gw_hvm_params_get(rec, i, &index, &value);
		if (index < PARAMS)
			seen->params |= UINT64_C(1) << index;
	}
}

static void see(struct seen *seen, const struct gw_record *rec)
{
	long vcpu = vcpu_bit(rec);

	if (vcpu >= 0)
		gw_bitmap_set(seen->vcpus, (uint64_t)vcpu);
	else if (rec->type == GW_REC_HVM_PARAMS)
		see_params(seen, rec);
	else if (rec->type < 64)
		seen->types |= UINT64_C(1) << rec->type;
}

static bool is_replaced(const struct seen *seen, const struct gw_record *rec)
{
	long vcpu = vcpu_bit(rec);

	if (vcpu >= 0)
		return gw_bitmap_test(seen->vcpus, (uint64_t)vcpu);
	return rec->type < 64 && seen->types >> rec->type & 1;
}

/* Appends the params of an older record that no newer record has. */
static int keep_params(struct gw_buffer *records, const struct seen *seen,
		       const struct gw_record *rec, struct gw_error *err)
{
	uint64_t index[PARAMS], value[PARAMS];
	uint32_t count, n = 0;

	if (gw_hvm_params_decode(rec, &count, NULL) < 0)
		return 0;
	for (uint32_t i = 0; i < count && n < PARAMS; i++) {
		gw_hvm_params_get(rec, i, &index[n], &value[n]);
		n += index[n] < PARAMS && !(seen->params >> index[n] & 1);
	}
	return n ? gw_hvm_params_append(records, n, index, value, err) : 0;
}

int gw_state_records_merge(struct gw_buffer *records, const struct gw_buffer *older,
			   struct gw_error *err)
{
	GW_FREE_ON_EXIT struct seen *seen = calloc(1, sizeof(*seen));
	struct gw_record rec;
	int rc = 0;

	if (!seen)
		return gw_fail_errno(err, "memory for the records of a round");
	for (size_t pos = 0; next_record(records, &pos, &rec);)
		see(seen, &rec);
	for (size_t pos = 0; rc == 0 && next_record(older, &pos, &rec);) {
		if (rec.type == GW_REC_HVM_PARAMS)
			rc = keep_params(records, seen, &rec, err);
		else if (!is_replaced(seen, &rec))
			rc = gw_state_records_add(records, &rec, err);
	}
	return rc;
}
