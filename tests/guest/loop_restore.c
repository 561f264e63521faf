/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The small restore loop: gives every record to the hooks and puts every page into the domain, one
 * at a time.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "lib/feed.h"
#include "loop.h"

struct restore {
	struct gw_restore_guest guest;
	struct restore_options *options;
	struct feed feed;
	unsigned version, checkpoints;
	bool static_done, verify, over;
};

static int static_data(struct restore *r, struct gw_error *err)
{
	r->static_done = true;
	return r->guest.ops->static_data_complete(&r->guest, &r->options->missing, err);
}

static int record(struct restore *r, const struct gw_record *rec, struct gw_error *err)
{
	switch (rec->type) {
	case GW_REC_END:
		r->over = true;
		return 0;
	case GW_REC_STATIC_DATA_END:
		return static_data(r, err);
	case GW_REC_VERIFY:
		r->verify = true;
		return 0;
	case GW_REC_CHECKPOINT:
		r->over = r->checkpoints++ == r->options->checkpoint;
		return 0;
	default:
		break;
	}
	if (rec->type == GW_REC_X86_PV_P2M_FRAMES && r->version == 2 && !r->static_done &&
	    static_data(r, err) < 0)
		return -1;

	int taken = r->guest.ops->record(&r->guest, rec, err);

	if (taken == 0 && !(rec->type & GW_RECORD_OPTIONAL))
		return gw_fail(err, GW_INVALID, "record type 0x%x", rec->type);
	return taken < 0 ? -1 : 0;
}

static int one_page(struct restore *r, uint64_t pfn, unsigned type, const uint8_t *data,
		    struct gw_error *err)
{
	struct gw_domain *d = r->guest.domain;
	uint64_t gfn = r->guest.ops->pfn_to_gfn(&r->guest, pfn);
	struct gw_mapping mapping;
	uint8_t page[4096];
	void *to;

	memcpy(page, data, sizeof(page));
	if (r->guest.ops->needs_localise(type) &&
	    r->guest.ops->localise(&r->guest, pfn, type, page, err) < 0)
		return -1;
	if (gw_domain_map(d, 1, &gfn, !r->verify, &to, &mapping, err) < 0)
		return -1;
	if (r->verify)
		r->options->mismatches += memcmp(to, page, sizeof(page)) != 0;
	else
		memcpy(to, page, sizeof(page));
	gw_domain_unmap(d, &mapping);
	return 0;
}

static int pages(struct restore *r, const struct gw_image_reader *reader, struct gw_error *err)
{
	const uint8_t *data = r->feed.data + r->feed.pos;

	if (!reader->well_formed)
		return gw_fail(err, GW_INVALID, "PAGE_DATA is not well formed");
	if (!feed_skip(&r->feed, reader->data_len))
		return gw_fail(err, GW_TRUNCATED, "the bytes end inside PAGE_DATA");
	if (!r->static_done && (r->version > 2 || static_data(r, err) < 0))
		return gw_fail(err, GW_INVALID, "PAGE_DATA before STATIC_DATA_END");
	for (size_t i = 0; i < reader->nr_entries; i++) {
		uint64_t pfn = gw_page_entry_pfn(reader->entries[i]);
		unsigned type = gw_page_entry_type(reader->entries[i]);

		if (pfn >= r->guest.ops->nr_pfns(&r->guest))
			return gw_fail(err, GW_INVALID, "pfn 0x%llx is not valid",
				       (unsigned long long)pfn);
		if (type >= 5 && type <= 8)
			return gw_fail(err, GW_INVALID, "type 0x%x", type);
		if (gw_page_is_populated(type) &&
		    gw_restore_populate(&r->guest, 1, &pfn, &(uint8_t){(uint8_t)type}, err) < 0)
			return -1;
		if (r->guest.ops->set_page_type)
			r->guest.ops->set_page_type(&r->guest, pfn, type);
		if (!gw_page_has_data(type))
			continue;
		if (one_page(r, pfn, type, data, err) < 0)
			return -1;
		data += 4096;
	}
	return 0;
}

static int step(struct restore *r, struct gw_image_reader *reader, struct gw_error *err)
{
	enum gw_image_event event;

	switch (feed_image(&r->feed, reader, &event, err)) {
	case FED_EVENT:
		break;
	case FED_ENDED:
		r->over = true;
		return gw_image_reader_at_boundary(reader) && r->checkpoints > 0
			       ? 0
			       : gw_fail(err, GW_TRUNCATED, "the bytes end inside the image");
	case FED_FAILED:
		return -1;
	}
	switch (event) {
	case GW_IMAGE_HEADER:
		r->version = reader->header.version;
		if (reader->header.type != (uint32_t)r->guest.domain->type)
			return gw_fail(err, GW_INVALID, "guest type %u", reader->header.type);
		return 0;
	case GW_IMAGE_RECORD:
		return record(r, &reader->rec, err);
	case GW_IMAGE_PAGES:
		if (pages(r, reader, err) < 0)
			return -1;
		gw_image_reader_pages_done(reader);
		return 0;
	default:
		return 0;
	}
}

int restore_loop(const struct image *image, struct gw_domain *d, struct restore_options *options,
		 struct gw_error *err)
{
	struct restore r = {
		.guest = {.ops = options->ops ? options->ops : gw_restore_guest_ops(d->type),
			  .domain = d,
			  .store = options->store,
			  .console = options->console},
		.options = options,
		.feed = {image->data, image->len, 0},
	};
	struct gw_image_reader reader;
	int rc = r.guest.ops->setup(&r.guest, err);

	gw_image_reader_init(&reader);
	while (rc == 0 && !r.over)
		rc = step(&r, &reader, err);
	if (rc == 0 && !r.static_done)
		rc = gw_fail(err, GW_INVALID, "no static data");
	if (rc == 0)
		rc = r.guest.ops->stream_complete(&r.guest, err);
	if (rc == 0)
		rc = gw_control_restored(d->control, err);
	options->store_gfn = r.guest.store_gfn;
	options->console_gfn = r.guest.console_gfn;
	r.guest.ops->cleanup(&r.guest);
	gw_image_reader_free(&reader);
	return rc;
}
