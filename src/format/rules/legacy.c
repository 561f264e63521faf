/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules of the legacy image: demands on its chunks and tails before they are mapped to records.
 * A PV guest's vCPUs, frames and page tables are judged by the rules for these records (pv.c and
 * others).
 */
#include "format/legacy/internal.h"
#include "format/rules/internal.h"

#include <string.h>

#include "base/util.h"
#include "format/legacy/map.h"

#define MODEL_MAX      (UINT64_C(256) << 20)
#define COMPRESSED_MAX (GW_PAGE_SIZE + 9) /* most bytes that a page can become */

struct gw_legacy_rules {
	struct gw_reporter reporter;
	bool header_seen;
	bool announced; /* compression, before the first tail */
	/* HVM: valid until they come again */
	uint64_t ioreq_pfn, ioreq_pages;
	/* PV: of the first round */
	uint32_t max_vcpu_id;
	uint64_t vcpu_map[GW_LEGACY_VCPUS_MAX / 64];
	/* of the current round */
	uint32_t came;		    /* a bit for each id of a chunk that came */
	uint64_t pages, compressed; /* entries with contents, and bytes of compressed data */
};

struct gw_legacy_rules *gw_legacy_rules_new(const struct gw_findings *out, uint64_t layer_start)
{
	struct gw_legacy_rules *rules = calloc(1, sizeof(*rules));

	if (rules)
		rules->reporter = (struct gw_reporter){.out = out, .layer_start = layer_start};
	return rules;
}

void gw_legacy_rules_free(struct gw_legacy_rules *rules)
{
	free(rules);
}

/* The current item as a record, for findings. */
static struct gw_record item_of(const struct gw_legacy_reader *r)
{
	return (struct gw_record){
		.type = (uint32_t)r->id,
		.number = r->item,
		.offset = r->item_offset,
	};
}

/* The current item breaks a rule. */
#define BROKEN(rules, r, number, err, ...)                                                         \
	({                                                                                         \
		struct gw_record item_ = item_of(r);                                               \
		gw_broken(&(rules)->reporter, number, item_.offset, &item_, err, __VA_ARGS__);     \
	})

/* The same, but reported only once. */
#define BROKEN_ONCE(rules, r, number, err, ...)                                                    \
	((rules)->reporter.times[number] ? 0 : BROKEN(rules, r, number, err, __VA_ARGS__))

static int check_header(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			struct gw_error *err)
{
	const struct gw_legacy_header *h = &r->header;
	int rc = 0;

	rules->header_seen = true;
	rules->vcpu_map[0] = 1;
	if (h->kind.guest != GW_GUEST_X86_PV)
		return 0;
	if (!h->has_extended_info)
		rc |= gw_broken(&rules->reporter, R_LEGACY_NO_INFO, 0, NULL, err,
				"no extended info: a %u-bit guest, as Xen 3.0 saved it",
				h->guest_width * 8);
	if (h->unknown_blocks)
		rc |= gw_broken(&rules->reporter, R_LEGACY_INFO_BLOCK, 0, NULL, err,
				"%u unknown blocks of extended info are skipped",
				h->unknown_blocks);
	return rc;
}

/* Reports the first entry of each fault; nr_entries: none. An XTAB entry may have any pfn: Xen
 * skips it, and up to Xen 3.4 it was an mfn. */
static int check_entries(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			 struct gw_error *err)
{
	size_t type = r->nr_entries, pfn = r->nr_entries;
	int rc = 0;

	for (size_t i = r->nr_entries; i-- > 0;) {
		unsigned t = gw_page_entry_type(r->entries[i]);

		if (t >= 0x5 && t <= 0x8)
			type = i;
		if (t != GW_PAGE_XTAB && gw_page_entry_pfn(r->entries[i]) >= r->header.p2m_size)
			pfn = i;
	}
	if (type < r->nr_entries)
		rc |= BROKEN(rules, r, R_LEGACY_TYPE, err,
			     "entry %zu, pfn 0x%llx of type 0x%x: the type is reserved%s", type,
			     (unsigned long long)gw_page_entry_pfn(r->entries[type]),
			     gw_page_entry_type(r->entries[type]), gw_legacy_doubt(r));
	if (pfn < r->nr_entries)
		rc |= BROKEN(rules, r, R_LEGACY_PFN, err,
			     "entry %zu, pfn 0x%llx of type 0x%x: the guest has 0x%llx pages%s",
			     pfn, (unsigned long long)gw_page_entry_pfn(r->entries[pfn]),
			     gw_page_entry_type(r->entries[pfn]),
			     (unsigned long long)r->header.p2m_size, gw_legacy_doubt(r));
	return rc;
}

static int check_pages(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
		       struct gw_error *err)
{
	rules->pages += r->nr_pages;
	return check_entries(rules, r, err);
}

static int check_compressed(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			    struct gw_error *err)
{
	uint64_t most = rules->pages * COMPRESSED_MAX;

	if (!rules->announced || r->rounds == 0)
		return BROKEN(rules, r, R_LEGACY_COMPRESSION, err, "round %llu is not compressed",
			      (unsigned long long)r->rounds + 1);
	rules->compressed += r->data_len;
	if (rules->compressed > most)
		return BROKEN(rules, r, R_LEGACY_COMPRESSED, err,
			      "%llu bytes so far for %llu pages, expected at most %llu",
			      (unsigned long long)rules->compressed,
			      (unsigned long long)rules->pages, (unsigned long long)most);
	return 0;
}

static int check_repeated(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			  struct gw_error *err)
{
	/* After the first round tmem only forgets pages, and a second list of pools adds to the
	 * first. */
	uint32_t bit = UINT32_C(1) << -r->id;
	bool again = rules->came & bit && r->id != GW_LEG_TMEM_EXTRA && r->id != GW_LEG_TMEM;

	rules->came |= bit;
	return again ? BROKEN(rules, r, R_LEGACY_REPEATED, err, "round %llu already has one",
			      (unsigned long long)r->rounds + 1)
		     : 0;
}

static int check_tmem(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
		      struct gw_error *err)
{
	if (r->id == GW_LEG_TMEM && r->tmem_pages)
		return BROKEN(
			rules, r, R_LEGACY_TMEM_PAGES, err,
			"%llu pages in %llu pools cannot be converted: current Xen has no tmem",
			(unsigned long long)r->tmem_pages, (unsigned long long)r->tmem_pools);
	if (r->id == GW_LEG_TMEM)
		return BROKEN_ONCE(rules, r, R_LEGACY_TMEM, err,
				   "%llu pools without pages are dropped",
				   (unsigned long long)r->tmem_pools);
	return BROKEN_ONCE(rules, r, R_LEGACY_TMEM, err, "%llu pages to forget are dropped",
			   (unsigned long long)r->tmem_pages);
}

/* Without the keys of this record a device model would start with less state than it had, so the
 * record must be convertible. */
static int check_toolstack(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			   struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_buffer keys = {0};
	uint32_t entries;
	int rc = 0;

	if (r->header.kind.guest == GW_GUEST_X86_HVM &&
	    gw_legacy_map_xenstore(r->data, r->len, r->header.kind.width, &keys, &entries, &why) <
		    0)
		rc = BROKEN(rules, r, R_LEGACY_TOOLSTACK, err, "%s", why.text);
	gw_buffer_free(&keys);
	return rc;
}

static int check_vcpu_info(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			   struct gw_error *err)
{
	size_t words = r->max_vcpu_id / 64 + 1;
	bool same = r->max_vcpu_id == rules->max_vcpu_id &&
		    !memcmp(rules->vcpu_map, r->vcpu_map, words * sizeof(uint64_t));

	if (r->header.kind.guest != GW_GUEST_X86_PV || same)
		return 0;
	if (r->rounds)
		return BROKEN_ONCE(rules, r, R_LEGACY_VCPU_MAP, err,
				   "the vCPUs of round %llu differ from those of the first round",
				   (unsigned long long)r->rounds + 1);
	rules->max_vcpu_id = r->max_vcpu_id;
	memset(rules->vcpu_map, 0, sizeof(rules->vcpu_map));
	memcpy(rules->vcpu_map, r->vcpu_map, words * sizeof(uint64_t));
	return 0;
}

static int check_param(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
		       struct gw_error *err)
{
	if (r->header.kind.guest != GW_GUEST_X86_HVM)
		return BROKEN(rules, r, R_LEGACY_GUEST, err,
			      "the param is for HVM guests, the guest of the image is PV");
	switch (r->id) {
	case GW_LEG_HVM_IOREQ_SERVER_PFN:
		rules->ioreq_pfn = r->value;
		return 0;
	case GW_LEG_HVM_NR_IOREQ_SERVER_PAGES:
		rules->ioreq_pages = r->value;
		return 0;
	default:
		return 0;
	}
}

static int check_chunk(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
		       struct gw_error *err)
{
	int rc = check_repeated(rules, r, err);

	if (gw_legacy_id_param(r->id) >= 0)
		return rc | check_param(rules, r, err);
	switch (r->id) {
	case GW_LEG_VERIFY:
		return rc | BROKEN_ONCE(rules, r, R_LEGACY_VERIFY, err,
					"pages after it are only compared, not restored");
	case GW_LEG_VCPU_INFO:
		return rc | check_vcpu_info(rules, r, err);
	case GW_LEG_TMEM:
	case GW_LEG_TMEM_EXTRA:
		return rc | check_tmem(rules, r, err);
	case GW_LEG_TOOLSTACK:
		return rc | check_toolstack(rules, r, err);
	case GW_LEG_ENABLE_COMPRESSION:
		if (r->rounds == 0)
			rules->announced = true;
		if (rules->announced)
			return rc;
		return rc | BROKEN(rules, r, R_LEGACY_COMPRESSION, err,
				   "it is in round %llu, where Xen does not read it",
				   (unsigned long long)r->rounds + 1);
	default:
		return rc;
	}
}

static int check_body(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
		      struct gw_error *err)
{
	int rc = 0;

	if (!rules->ioreq_pfn != !rules->ioreq_pages)
		rc |= BROKEN(rules, r, R_LEGACY_IOREQ, err,
			     "ioreq servers have 0x%llx pages from pfn 0x%llx",
			     (unsigned long long)rules->ioreq_pages,
			     (unsigned long long)rules->ioreq_pfn);
	if (r->rounds == 0 && rules->pages == 0)
		rc |= BROKEN(
			rules, r, R_LEGACY_NO_PAGES, err,
			"the body ends without a page; is it that of %s guest, saved by %u-bit tools?",
			r->header.kind.guest == GW_GUEST_X86_PV ? "a PV" : "an HVM",
			r->header.kind.width * 8);
	/* Each compressed page has at least one byte. */
	if (rules->announced && r->rounds && rules->compressed < rules->pages)
		rc |= BROKEN(rules, r, R_LEGACY_COMPRESSED, err,
			     "the body ends with %llu bytes for %llu pages",
			     (unsigned long long)rules->compressed,
			     (unsigned long long)rules->pages);
	return rc;
}

static int check_unmapped(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			  struct gw_error *err)
{
	for (size_t i = 0; i < r->nr_entries; i++)
		if (r->entries[i] >= r->header.p2m_size)
			return BROKEN(rules, r, R_LEGACY_UNMAPPED, err,
				      "pfn 0x%llx without memory: the guest has 0x%llx pages",
				      (unsigned long long)r->entries[i],
				      (unsigned long long)r->header.p2m_size);
	return 0;
}

static int check_vcpu(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
		      struct gw_error *err)
{
	const struct gw_legacy_vcpu *v = &r->vcpu;
	int rc = 0;

	if (v->assumed)
		rc |= BROKEN_ONCE(rules, r, R_LEGACY_VCPU_INFO, err,
				  "no VCPU_INFO came before it: the guest has only vCPU 0, online");
	if (v->xsave && v->xsave_len + 16 != r->header.xsave_bytes)
		rc |= BROKEN(rules, r, R_LEGACY_XSAVE, err,
			     "vCPU %u has %u bytes of extended state, the extended info gives %u",
			     v->id, v->xsave_len, r->header.xsave_bytes - 16);
	return rc;
}

static int check_model(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
		       struct gw_error *err)
{
	if (r->data_len == UINT64_MAX || r->data_len <= MODEL_MAX)
		return 0;
	return BROKEN(rules, r, R_LEGACY_MODEL, err,
		      "the device model's state has %llu bytes, expected at most %llu",
		      (unsigned long long)r->data_len, (unsigned long long)MODEL_MAX);
}

int gw_legacy_rules_event(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			  enum gw_legacy_event event, struct gw_error *err)
{
	switch (event) {
	case GW_LEGACY_HEADER:
		return check_header(rules, r, err);
	case GW_LEGACY_CHUNK:
		return check_chunk(rules, r, err);
	case GW_LEGACY_PAGES:
		return check_pages(rules, r, err);
	case GW_LEGACY_COMPRESSED:
		return check_compressed(rules, r, err);
	case GW_LEGACY_BODY_END:
		return check_body(rules, r, err);
	case GW_LEGACY_UNMAPPED:
		return check_unmapped(rules, r, err);
	case GW_LEGACY_VCPU:
		return check_vcpu(rules, r, err);
	case GW_LEGACY_DEVICE_MODEL:
		return check_model(rules, r, err);
	case GW_LEGACY_CHECKPOINT:
		rules->came = 0;
		rules->pages = rules->compressed = 0;
		return 0;
	default:
		return 0;
	}
}

int gw_legacy_rules_framing(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			    const char *text, struct gw_error *err)
{
	/* At the end of the body the only possible fault is incomplete compressed data. */
	enum gw_rule_number number = r->id == GW_LEG_COMPRESSED_DATA || r->id == GW_LEG_END
					     ? R_LEGACY_COMPRESSED
					     : R_LEGACY_FRAMING;

	if (!rules->header_seen)
		return gw_broken(&rules->reporter, R_LEGACY_HEADER, 0, NULL, err, "%s", text);
	return BROKEN(rules, r, number, err, "%s", text);
}

int gw_legacy_rules_no_model(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			     struct gw_error *err)
{
	return gw_broken(
		&rules->reporter, R_LEGACY_NO_MODEL, r->offset, NULL, err,
		"the input ends after the guest's context, without device model state: only a PVH guest can run from it");
}

int gw_legacy_rules_end(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			bool at_boundary, uint64_t offset, struct gw_error *err)
{
	struct gw_record item = item_of(r);
	const struct gw_record *inside =
		rules->header_seen && gw_legacy_reader_in_item(r) ? &item : NULL;
	unsigned long long rounds = r->rounds;

	if (at_boundary && r->ends)
		return 0;
	if (at_boundary)
		return gw_broken(
			&rules->reporter, R_LEGACY_NO_LAST, offset, NULL, err,
			"the input ends after the tail of round %llu, without LAST_CHECKPOINT",
			rounds);
	if (rounds)
		return gw_cut(
			&rules->reporter, R_LEGACY_CUT_ROUND, inside, offset, err,
			"the input ends in round %llu; it is complete up to the tail of round %llu",
			rounds + 1, rounds);
	return gw_cut(&rules->reporter, R_LEGACY_TRUNCATED, inside, offset, err,
		      "the input ends %s, before the end of the first tail",
		      !rules->header_seen ? "in the header"
		      : inside		  ? "inside a part"
					  : "between two chunks");
}
