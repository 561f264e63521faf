/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for PAGE_DATA. Of each kind of fault in one record only the first entry is named.
 */
#include "format/rules_image.h"

/* First entry of each fault; -1 none. */
struct faults {
	ssize_t type, reserved, pfn, table, level;
};

static void note(ssize_t *fault, size_t i)
{
	if (*fault < 0)
		*fault = (ssize_t)i;
}

static struct faults look(const struct gw_image_rules *rules, const uint64_t *entries, size_t n)
{
	struct faults f = {-1, -1, -1, -1, -1};
	bool pv = rules->facts.type == GW_GUEST_X86_PV;
	bool hvm = rules->facts.type == GW_GUEST_X86_HVM;
	uint64_t end = pv && rules->p2m_seen ? rules->facts.pv_max_pfn + 1 : rules->max_pfns;

	for (size_t i = 0; i < n; i++) {
		unsigned type = gw_page_entry_type(entries[i]);

		if (gw_page_entry_pfn(entries[i]) >= end)
			note(&f.pfn, i);
		if (entries[i] & GW_PAGE_ENTRY_RESERVED)
			note(&f.reserved, i);
		if (type == GW_PAGE_NOTAB)
			continue;
		if (type >= 0x5 && type <= 0x8)
			note(&f.type, i);
		if (hvm && gw_page_table_level(type))
			note(&f.table, i);
		if (pv && rules->facts.pv_width == 4 && gw_page_table_level(type) == 4)
			note(&f.level, i);
	}
	return f;
}

static int name_fault(struct gw_image_rules *rules, enum gw_rule_number number,
		      const struct gw_image_reader *reader, ssize_t i, const char *what,
		      struct gw_error *err)
{
	if (i < 0)
		return 0;

	uint64_t entry = reader->entries[i];

	return gw_broken(&rules->reporter, number, reader->rec.offset, &reader->rec, err,
			 "entry %zd (0x%016llx), pfn 0x%llx of type 0x%x: %s", i,
			 (unsigned long long)entry, (unsigned long long)gw_page_entry_pfn(entry),
			 gw_page_entry_type(entry), what);
}

static int check_entries(struct gw_image_rules *rules, const struct gw_image_reader *reader,
			 struct gw_error *err)
{
	struct faults f = look(rules, reader->entries, reader->nr_entries);
	bool bounded = rules->facts.type == GW_GUEST_X86_PV && rules->p2m_seen;
	int rc = 0;

	rc |= name_fault(rules, R_PAGES_TYPE, reader, f.type, "the type is reserved", err);
	rc |= name_fault(rules, R_PAGES_PFN, reader, f.pfn,
			 bounded ? "the P2M ends below this pfn" : "no guest has this pfn", err);
	rc |= name_fault(rules, R_PAGES_LEVEL, reader, f.level, "the guest has 32 bits", err);
	rc |= name_fault(rules, R_PAGES_TABLES, reader, f.table,
			 "a page table, in the image of an HVM guest", err);
	rc |= name_fault(rules, R_PAGES_RESERVED, reader, f.reserved, "reserved bits are set", err);
	return rc;
}

static int check_shape(struct gw_image_rules *rules, const struct gw_image_reader *reader,
		       struct gw_error *err)
{
	const struct gw_record *rec = &reader->rec;
	unsigned long long count = reader->claimed_count;

	if (rec->length < 8)
		return gw_broken(&rules->reporter, R_PAGES_SHORT, rec->offset, rec, err,
				 "length is %u, expected at least 8", rec->length);
	if (count == 0)
		return gw_image_broken(rules, R_PAGES_COUNT, rec, err, "count is 0");
	if (reader->nr_entries != count)
		return gw_broken(&rules->reporter, R_PAGES_COUNT, rec->offset, rec, err,
				 "count %llu needs %llu bytes, record has %u", count, 8 + 8 * count,
				 rec->length);
	if (!reader->well_formed)
		return gw_broken(&rules->reporter, R_PAGES_LENGTH, rec->offset, rec, err,
				 "%llu entries with %zu pages need %llu bytes, record has %u",
				 count, reader->nr_pages,
				 8 + 8 * count +
					 GW_PAGE_SIZE * (unsigned long long)reader->nr_pages,
				 rec->length);
	return 0;
}

int gw_image_rules_pages(struct gw_image_rules *rules, const struct gw_image_reader *reader,
			 struct gw_error *err)
{
	const struct gw_record *rec = &reader->rec;
	int rc = gw_rules_any_record(rules, rec, err);

	rc |= gw_rules_memory_begins(rules, rec, err);
	if (rules->facts.type == GW_GUEST_X86_PV && !rules->p2m_seen)
		rc |= gw_image_broken(rules, R_PV_ORDER, rec, err,
				      "no X86_PV_P2M_FRAMES was before it");
	rules->pages_seen = true;
	rc |= check_shape(rules, reader, err);
	if (reader->reserved)
		rc |= gw_image_broken(rules, R_PAGES_RESERVED, rec, err,
				      "the reserved field is not 0");
	return rc | check_entries(rules, reader, err);
}
