/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for PAGE_DATA. For each kind of fault in a record only the first entry is named.
 */
#include "format/rules/image.h"

/* Limits for the entries of a record, which depend on the guest. */
struct limits {
	uint64_t end;	   /* one past the highest pfn */
	bool any_pfn;	   /* an entry that asks for no page may name any */
	unsigned reserved; /* a bit for each type that is not defined */
	unsigned tables;   /* a bit for each type of page table, if the guest has none */
	unsigned too_deep; /* a bit for each type of page table that it has no level for */
};

#define TYPE_BIT(type) (1u << (type))

static struct limits limits_of(const struct gw_image_rules *rules)
{
	bool pv = rules->facts.type == GW_GUEST_X86_PV;
	struct limits l = {
		.end = pv && rules->p2m_seen ? rules->facts.pv_max_pfn + 1 : rules->max_pfns,
		.any_pfn = rules->facts.type == GW_GUEST_X86_HVM,
	};

	for (unsigned type = 0; type < 16; type++) {
		unsigned level = gw_page_table_level(type);

		if (type >= 0x5 && type <= 0x8)
			l.reserved |= TYPE_BIT(type);
		if (level && rules->facts.type == GW_GUEST_X86_HVM)
			l.tables |= TYPE_BIT(type);
		if (level == 4 && pv && rules->facts.pv_width == 4)
			l.too_deep |= TYPE_BIT(type);
	}
	return l;
}

/* libxc checks no pfn of an HVM guest; one that gets no page does no harm. */
static bool is_beyond(const struct limits *l, uint64_t end, unsigned type)
{
	return end > l->end && !(l->any_pfn && !gw_page_is_populated(type));
}

/* An image has a million entries and hardly ever a fault, so this quick check comes first. */
static bool all_well(const struct limits *l, const uint64_t *entries, size_t n)
{
	unsigned bad_types = l->reserved | l->tables | l->too_deep;
	size_t run;

	for (size_t i = 0; i < n; i += run) {
		uint64_t first = entries[i];

		run = gw_page_entry_run(entries + i, n - i);
		if (first & GW_PAGE_ENTRY_RESERVED ||
		    TYPE_BIT(gw_page_entry_type(first)) & bad_types ||
		    is_beyond(l, gw_page_entry_pfn(first) + run, gw_page_entry_type(first)))
			return false;
	}
	return true;
}

/* First entry of each fault; -1: none. */
struct faults {
	ssize_t type, reserved, pfn, table, level;
};

static void note(ssize_t *fault, size_t i)
{
	if (*fault < 0)
		*fault = (ssize_t)i;
}

static struct faults find_faults(const struct limits *l, const uint64_t *entries, size_t n)
{
	struct faults f = {-1, -1, -1, -1, -1};

	for (size_t i = 0; i < n; i++) {
		unsigned type = TYPE_BIT(gw_page_entry_type(entries[i]));

		if (is_beyond(l, gw_page_entry_pfn(entries[i]) + 1, gw_page_entry_type(entries[i])))
			note(&f.pfn, i);
		if (entries[i] & GW_PAGE_ENTRY_RESERVED)
			note(&f.reserved, i);
		if (type & l->reserved)
			note(&f.type, i);
		if (type & l->tables)
			note(&f.table, i);
		if (type & l->too_deep)
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
	const struct limits limits = limits_of(rules);
	bool bounded = rules->facts.type == GW_GUEST_X86_PV && rules->p2m_seen;
	struct faults f;
	int rc = 0;

	if (all_well(&limits, reader->entries, reader->nr_entries))
		return 0;
	f = find_faults(&limits, reader->entries, reader->nr_entries);
	rc |= name_fault(rules, R_PAGES_TYPE, reader, f.type, "the type is reserved", err);
	rc |= name_fault(rules, R_PAGES_PFN, reader, f.pfn,
			 bounded ? "the P2M ends below this pfn" : "no guest has this pfn", err);
	rc |= name_fault(rules, R_PAGES_LEVEL, reader, f.level, "the guest has 32 bits", err);
	rc |= name_fault(rules, R_PAGES_TABLES, reader, f.table,
			 "an HVM guest has no page table types", err);
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

/* Xen gives the domain no page beyond its limit, however often the image sends each. */
static int check_number(struct gw_image_rules *rules, const struct gw_image_reader *reader,
			struct gw_error *err)
{
	const struct gw_config_facts *config = &rules->config;
	size_t run;

	for (size_t i = 0; i < reader->nr_entries; i += run) {
		uint64_t first = reader->entries[i];

		run = gw_page_entry_run(reader->entries + i, reader->nr_entries - i);
		if (gw_page_is_populated(gw_page_entry_type(first)) &&
		    gw_page_entry_pfn(first) + run <= rules->max_pfns)
			gw_page_set_add(&rules->populated, gw_page_entry_pfn(first), run);
	}
	if (config->max_pages == 0 || rules->populated.count <= config->max_pages)
		return 0;
	return GW_BROKEN_ONCE(&rules->reporter, R_PAGES_CONFIG, reader->rec.offset, &reader->rec,
			      err, "%llu pages so far, the config gives the domain %llu",
			      (unsigned long long)rules->populated.count,
			      (unsigned long long)config->max_pages);
}

int gw_image_rules_pages(struct gw_image_rules *rules, const struct gw_image_reader *reader,
			 struct gw_error *err)
{
	const struct gw_record *rec = &reader->rec;
	int rc = gw_rules_any_record(rules, rec, err);

	rc |= gw_rules_memory_begins(rules, rec, err);
	if (rules->facts.type == GW_GUEST_X86_PV && !rules->p2m_seen)
		rc |= gw_image_broken(rules, R_PV_ORDER, rec, err,
				      "no X86_PV_P2M_FRAMES came before it");
	rules->pages_seen = true;
	rc |= check_shape(rules, reader, err);
	if (reader->reserved)
		rc |= gw_image_broken(rules, R_PAGES_RESERVED, rec, err,
				      "the reserved field is not 0");
	rc |= check_entries(rules, reader, err);
	return rc | check_number(rules, reader, err);
}
