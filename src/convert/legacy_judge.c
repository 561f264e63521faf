/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checks the records that a legacy image converts to against the rules of version 3, which know the
 * requirements on a PV guest's vCPUs and frames. A finding names the legacy item of the record.
 */
#include "convert/legacy.h"

/* Number and place of the item at hand. */
static struct gw_record here(const struct gw_conv_legacy *l, uint32_t type)
{
	return (struct gw_record){
		.type = type,
		.number = l->r->item,
		.offset = l->r->item_offset,
		.data = (const uint8_t *)"",
	};
}

static int say(int rc, struct gw_error *err)
{
	return rc < 0 ? gw_fail_in(err, "as version 3") : 0;
}

int gw_conv_legacy_judge(struct gw_conv_legacy *l, uint32_t type, struct gw_error *err)
{
	const struct gw_record rec = here(l, type);

	return say(gw_image_rules_record(l->mapped, &rec, err), err);
}

int gw_conv_legacy_judge_records(struct gw_conv_legacy *l, const struct gw_buffer *records,
				 size_t at, struct gw_error *err)
{
	int rc = 0;

	while (rc == 0 && at < records->len) {
		struct gw_record rec = here(l, 0);

		gw_record_header_decode(records->data + at, &rec.type, &rec.length);
		rec.data = records->data + at + GW_RECORD_HEADER_SIZE;
		rc = gw_image_rules_record(l->mapped, &rec, err);
		at += GW_RECORD_HEADER_SIZE + rec.length + gw_record_padding(rec.length);
	}
	return say(rc, err);
}

int gw_conv_legacy_judge_begin(struct gw_conv_legacy *l, const struct gw_buffer *header,
			       struct gw_error *err)
{
	struct gw_image_header h;

	l->mapped = gw_image_rules_new(NULL, l->reading.offset, GW_IMAGE_ANY, 0);
	if (!l->mapped)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the rules of an image");
	if (gw_image_header_decode(header->data, &h, err) < 0 ||
	    gw_image_rules_header(l->mapped, &h, err) < 0)
		return say(-1, err);
	return gw_conv_legacy_judge_records(l, header, GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE,
					    err);
}

int gw_conv_legacy_judge_pages(struct gw_conv_legacy *l, const uint64_t *entries, size_t n,
			       size_t nr_pages, struct gw_error *err)
{
	struct gw_image_reader pages = {
		.rec = here(l, GW_REC_PAGE_DATA),
		.entries = entries,
		.nr_entries = n,
		.nr_pages = nr_pages,
		.claimed_count = (uint32_t)n,
		.data_len = nr_pages * (uint64_t)GW_PAGE_SIZE,
		.well_formed = true,
	};

	pages.rec.length = (uint32_t)(8 + 8 * n + pages.data_len);
	return say(gw_image_rules_pages(l->mapped, &pages, err), err);
}
