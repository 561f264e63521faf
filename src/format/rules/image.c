/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for the libxc image: headers, the order of records, rounds and ends. Static data is
 * judged in static_data.c, bodies for one guest type in pv.c and hvm.c, pages in pages.c.
 */
#include "format/rules/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

struct gw_image_rules *gw_image_rules_new(const struct gw_findings *out, uint64_t layer_start,
					  enum gw_image_kind kind, uint64_t max_pfns)
{
	struct gw_image_rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		return NULL;
	rules->reporter = (struct gw_reporter){.out = out, .layer_start = layer_start};
	rules->kind = kind;
	rules->max_pfns = max_pfns ? max_pfns : DEFAULT_MAX_PFNS;
	return rules;
}

void gw_image_rules_free(struct gw_image_rules *rules)
{
	if (rules) {
		gw_page_set_free(&rules->populated);
		gw_policy_free(&rules->policy);
	}
	free(rules);
}

void gw_image_rules_config(struct gw_image_rules *rules, const struct gw_config_facts *facts)
{
	rules->config = *facts;
}

const struct gw_image_facts *gw_image_rules_facts(const struct gw_image_rules *rules)
{
	return &rules->facts;
}

/* Offsets of the fields of the two headers. */
#define AT_VERSION    12
#define AT_OPTIONS    16
#define AT_RESERVED1  18
#define AT_RESERVED2  20
#define AT_TYPE	      24
#define AT_PAGE_SHIFT 28
#define AT_RESERVED3  30
#define AT_XEN_MAJOR  32

static int check_reserved_fields(struct gw_image_rules *rules, const struct gw_image_header *h,
				 struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;
	int rc = 0;

	if (h->options & ~1u)
		rc |= gw_broken(r, R_IMAGE_RESERVED, AT_OPTIONS, NULL, err,
				"reserved option bits 0x%x", h->options & ~1u);
	if (h->reserved1)
		rc |= gw_broken(r, R_IMAGE_RESERVED, AT_RESERVED1, NULL, err,
				"reserved field of the image header is 0x%x", h->reserved1);
	if (h->reserved2)
		rc |= gw_broken(r, R_IMAGE_RESERVED, AT_RESERVED2, NULL, err,
				"reserved field of the image header is 0x%x", h->reserved2);
	if (h->reserved3)
		rc |= gw_broken(r, R_IMAGE_RESERVED, AT_RESERVED3, NULL, err,
				"reserved field of the domain header is 0x%x", h->reserved3);
	return rc;
}

int gw_image_rules_header(struct gw_image_rules *rules, const struct gw_image_header *h,
			  struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;
	int rc = check_reserved_fields(rules, h, err);

	rules->facts.version = h->version;
	rules->facts.type = (enum gw_guest_type)h->type;
	if (h->version != 2 && h->version != 3)
		rc |= gw_broken(r, R_IMAGE_VERSION, AT_VERSION, NULL, err,
				"version %u, expected 2 or 3", h->version);
	if (h->options & 1)
		rc |= gw_broken(r, R_IMAGE_ENDIAN, AT_OPTIONS, NULL, err,
				"its byte order is big-endian, expected little-endian");
	if (h->type != GW_GUEST_X86_PV && h->type != GW_GUEST_X86_HVM) {
		rc |= gw_broken(r, R_IMAGE_GUEST, AT_TYPE, NULL, err,
				"guest type %u, expected 1 (x86 PV) or 2 (x86 HVM)", h->type);
		rules->facts.type = GW_GUEST_NONE;
	} else if (rules->config.known && h->type != rules->config.type)
		rc |= gw_broken(r, R_IMAGE_CONFIG_GUEST, AT_TYPE, NULL, err,
				"guest type %u, the config gives %u (1: x86 PV, 2: x86 HVM)",
				h->type, rules->config.type);
	if (h->page_shift != GW_PAGE_SHIFT)
		rc |= gw_broken(r, R_IMAGE_PAGE_SIZE, AT_PAGE_SHIFT, NULL, err,
				"page shift %u, expected 12", h->page_shift);
	if (h->xen_major == 0)
		rc |= gw_broken(r, R_IMAGE_CONVERTED, AT_XEN_MAJOR, NULL, err,
				"it was converted from a legacy image, by version %u",
				h->xen_minor);
	return rc;
}

/* Properties of a record type for the rules of place. */
enum traits {
	T_EMPTY = 1,  /* has no body */
	T_STATIC = 2, /* static data: before its end */
	T_STATE = 4,  /* memory, registers, ...: in version 3 after the end of static data */
	T_V3 = 8,     /* only in version 3 */
	T_PV = 16,    /* PV guests only */
	T_HVM = 32,   /* HVM guests only */
	T_REFUSED = 64,
	T_KNOWN = 128,
};

static unsigned traits_of(uint32_t type)
{
	static const uint8_t traits[] = {
		[GW_REC_END] = T_KNOWN | T_EMPTY,
		[GW_REC_PAGE_DATA] = T_KNOWN,
		[GW_REC_X86_PV_INFO] = T_KNOWN | T_STATIC | T_PV,
		[GW_REC_X86_PV_P2M_FRAMES] = T_KNOWN | T_PV,
		[GW_REC_X86_PV_VCPU_BASIC] = T_KNOWN | T_STATE | T_PV,
		[GW_REC_X86_PV_VCPU_EXTENDED] = T_KNOWN | T_STATE | T_PV,
		[GW_REC_X86_PV_VCPU_XSAVE] = T_KNOWN | T_STATE | T_PV,
		[GW_REC_SHARED_INFO] = T_KNOWN | T_STATE | T_PV,
		[GW_REC_X86_TSC_INFO] = T_KNOWN | T_STATE,
		[GW_REC_HVM_CONTEXT] = T_KNOWN | T_STATE | T_HVM,
		[GW_REC_HVM_PARAMS] = T_KNOWN | T_STATE | T_HVM,
		[GW_REC_TOOLSTACK] = T_REFUSED,
		[GW_REC_X86_PV_VCPU_MSRS] = T_KNOWN | T_STATE | T_PV,
		[GW_REC_VERIFY] = T_KNOWN | T_EMPTY,
		[GW_REC_CHECKPOINT] = T_KNOWN | T_EMPTY,
		[GW_REC_CHECKPOINT_DIRTY_PFN_LIST] = T_REFUSED,
		[GW_REC_STATIC_DATA_END] = T_KNOWN | T_EMPTY | T_V3,
		[GW_REC_X86_CPUID_POLICY] = T_KNOWN | T_STATIC | T_V3,
		[GW_REC_X86_MSR_POLICY] = T_KNOWN | T_STATIC | T_V3,
	};

	return type < GW_ARRAY_SIZE(traits) ? traits[type] : 0;
}

/* A record type that no restore accepts. */
static int check_unknown(struct gw_image_rules *rules, const struct gw_record *rec,
			 struct gw_error *err)
{
	if (rec->type == GW_REC_TOOLSTACK)
		return gw_image_broken(rules, R_RECORD_TOOLSTACK, rec, err,
				       "no version of Xen restores this record");
	if (rec->type == GW_REC_CHECKPOINT_DIRTY_PFN_LIST)
		return gw_image_broken(rules, R_RECORD_BACK_CHANNEL, rec, err,
				       "it belongs on the back channel of COLO");
	if (!(rec->type & GW_RECORD_OPTIONAL))
		return gw_image_broken(rules, R_RECORD_TYPE, rec, err, "unknown mandatory record");
	if (rules->facts.checkpoints)
		return gw_image_broken(rules, R_RECORD_OPTIONAL_ROUND, rec, err,
				       "unknown optional record after the first CHECKPOINT");
	return gw_broken(&rules->reporter, R_RECORD_OPTIONAL, rec->offset, rec, err,
			 "unknown optional record of %u bytes is skipped", rec->length);
}

/* Rules about the place of a record whose type is known. */
/* A policy of that kind came where it counts. */
static bool came_in_time(const struct gw_image_rules *rules, uint32_t type)
{
	return type == GW_REC_X86_CPUID_POLICY ? rules->cpuid_seen
					       : type == GW_REC_X86_MSR_POLICY && rules->msrs_seen;
}

static int check_place(struct gw_image_rules *rules, const struct gw_record *rec, unsigned traits,
		       struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;
	bool v3 = rules->facts.version >= 3;
	int rc = 0;

	if (traits & T_PV && rules->facts.type == GW_GUEST_X86_HVM)
		rc |= gw_image_broken(rules, R_RECORD_GUEST, rec, err,
				      "the record is for PV guests, the guest of the image is HVM");
	if (traits & T_HVM && rules->facts.type == GW_GUEST_X86_PV)
		rc |= gw_image_broken(rules, R_RECORD_GUEST, rec, err,
				      "the record is for HVM guests, the guest of the image is PV");
	if (traits & T_EMPTY && rec->length)
		rc |= gw_broken(r, R_RECORD_LENGTH, rec->offset, rec, err,
				"length is %u, expected 0", rec->length);
	if (traits & T_V3 && !v3)
		rc |= gw_broken(r, R_STATIC_V2, rec->offset, rec, err,
				"the record belongs to version 3, the image has version %u",
				rules->facts.version);
	if (traits & T_STATIC && rules->facts.static_data_end)
		rc |= gw_image_broken(
			rules, came_in_time(rules, rec->type) ? R_STATIC_AGAIN : R_STATIC_LATE, rec,
			err, "static data after STATIC_DATA_END is never applied");
	if (traits & T_STATE && v3 && !rules->facts.static_data_end)
		rc |= gw_image_broken(rules, R_STATIC_EARLY, rec, err,
				      "no STATIC_DATA_END came before it");
	return rc;
}

#define TSC_MODE_MAX 2u

static int check_tsc(struct gw_image_rules *rules, const struct gw_record *rec,
		     struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_tsc_info tsc;
	int rc = 0;

	if (rules->round_tsc)
		rc = gw_image_broken(rules, R_RECORD_REPEATED, rec, err,
				     "a record of this type came before");
	rules->round_tsc = rules->tsc_seen = true;
	if (gw_tsc_info_decode(rec, &tsc, &why) < 0)
		return rc | gw_image_broken(rules, R_TSC_BODY, rec, err, why.text);
	if (tsc.mode > TSC_MODE_MAX)
		rc |= gw_broken(&rules->reporter, R_TSC_MODE, rec->offset, rec, err,
				"mode %u, expected 0 to %u", tsc.mode, TSC_MODE_MAX);
	if (gw_get_le32(rec->data + 20))
		rc |= gw_image_broken(rules, R_RECORD_RESERVED, rec, err,
				      "the reserved field is not 0");
	return rc;
}

/* A record of godwit's own. */
struct own_record {
	bool *seen;
	enum gw_rule_number note, place;
	const char *meaning;
};

static int check_own(struct gw_image_rules *rules, const struct gw_record *rec,
		     const struct own_record *own, struct gw_error *err)
{
	int rc = 0;

	if (!*own->seen)
		rc = gw_image_broken(rules, own->note, rec, err, own->meaning);
	if (*own->seen || rules->facts.checkpoints)
		rc |= gw_image_broken(rules, own->place, rec, err,
				      "expected at most one, before the first CHECKPOINT");
	if (rec->length == 0)
		rc |= gw_image_broken(rules, own->place, rec, err, "it is empty");
	*own->seen = rules->facts.not_for_stock_xen = true;
	return rc;
}

static bool is_own(uint32_t type)
{
	return type == GW_REC_GODWIT_XENABI || type == GW_REC_GODWIT_KVM;
}

static int check_own_record(struct gw_image_rules *rules, const struct gw_record *rec,
			    struct gw_error *err)
{
	const struct own_record xenabi = {
		&rules->xenabi_seen, R_XENABI, R_XENABI_PLACE,
		"the guest was paused by force: stock Xen cannot resume it"};
	const struct own_record kvm = {
		&rules->kvm_seen, R_KVM, R_KVM_PLACE,
		"the guest has state in KVM: stock Xen would lose that state"};

	return check_own(rules, rec, rec->type == GW_REC_GODWIT_KVM ? &kvm : &xenabi, err);
}

/* The policies by which the guest's registers are judged; the last of each counts. One that cannot
 * be read was reported. */
static void keep_policy(struct gw_image_rules *rules, const struct gw_record *rec)
{
	if (rec->type == GW_REC_X86_CPUID_POLICY)
		gw_cpuid_policy_decode(rec, &rules->policy, NULL);
	else if (rec->type == GW_REC_X86_MSR_POLICY)
		gw_msr_policy_decode(rec, &rules->policy, NULL);
}

/* At an END or CHECKPOINT: the first round must have a complete state of the guest. Later rounds
 * build on it. */
static int check_complete(struct gw_image_rules *rules, const struct gw_record *rec,
			  struct gw_error *err)
{
	int rc = 0;

	if (rules->facts.checkpoints)
		return 0;
	if (!rules->facts.static_data_end && rules->facts.version >= 3)
		rc |= gw_image_broken(rules, R_STATIC_MISSING, rec, err,
				      "no STATIC_DATA_END came before it");
	if (!rules->tsc_seen)
		rc |= gw_image_broken(rules, R_TSC_MISSING, rec, err,
				      "no X86_TSC_INFO came before it");
	if (rules->facts.type == GW_GUEST_X86_PV)
		rc |= gw_rules_pv_complete(rules, rec, err);
	if (rules->facts.type == GW_GUEST_X86_HVM)
		rc |= gw_rules_hvm_complete(rules, rec, err);
	return rc;
}

static int check_end(struct gw_image_rules *rules, const struct gw_record *rec,
		     struct gw_error *err)
{
	int rc = check_complete(rules, rec, err);

	rules->facts.ended = true;
	/* round_records includes END itself. */
	if (rules->facts.checkpoints && rules->round_records > 1)
		rc |= gw_broken(&rules->reporter, R_CHECKPOINT_THEN_END, rec->offset, rec, err,
				"%llu records since CHECKPOINT %llu are not applied",
				(unsigned long long)rules->round_records - 1,
				(unsigned long long)rules->facts.checkpoints);
	return rc;
}

static int check_checkpoint(struct gw_image_rules *rules, const struct gw_record *rec,
			    struct gw_error *err)
{
	int rc = check_complete(rules, rec, err);

	if (rules->kind == GW_IMAGE_PLAIN)
		rc |= gw_image_broken(rules, R_CHECKPOINT_PLAIN, rec, err,
				      "the sender announced an image without checkpoints");
	rules->facts.checkpoints++;
	rules->round_records = 0;
	rules->round_params = 0;
	rules->round_context = rules->round_params_seen = false;
	rules->round_tsc = rules->round_shared_info = false;
	gw_rules_pv_new_round(rules);
	return rc;
}

static int check_body(struct gw_image_rules *rules, const struct gw_record *rec, unsigned traits,
		      struct gw_error *err)
{
	if (traits & T_PV)
		return gw_rules_pv_record(rules, rec, err);
	if (traits & T_HVM)
		return gw_rules_hvm_record(rules, rec, err);
	switch (rec->type) {
	case GW_REC_END:
		return check_end(rules, rec, err);
	case GW_REC_CHECKPOINT:
		return check_checkpoint(rules, rec, err);
	case GW_REC_STATIC_DATA_END:
	case GW_REC_X86_CPUID_POLICY:
	case GW_REC_X86_MSR_POLICY:
		keep_policy(rules, rec);
		return gw_rules_static_data(rules, rec, err);
	case GW_REC_X86_TSC_INFO:
		return check_tsc(rules, rec, err);
	case GW_REC_VERIFY:
		rules->facts.verify_mode = true;
		return GW_BROKEN_ONCE(&rules->reporter, R_VERIFY_MODE, rec->offset, rec, err,
				      "pages after it are only compared, not restored");
	default:
		return 0;
	}
}

int gw_rules_any_record(struct gw_image_rules *rules, const struct gw_record *rec,
			struct gw_error *err)
{
	int rc = 0;

	if (rules->facts.ended)
		rc |= gw_image_broken(rules, R_RECORD_AFTER_END, rec, err, "END came before it");
	if (!rules->facts.checkpoints && rec->type != GW_REC_END &&
	    rec->type != GW_REC_CHECKPOINT && !is_own(rec->type)) {
		if (rules->xenabi_seen)
			rc |= gw_image_broken(
				rules, R_XENABI_PLACE, rec, err,
				"GODWIT_XENABI came before it, and only END or CHECKPOINT may follow that");
		if (rules->kvm_seen)
			rc |= gw_image_broken(
				rules, R_KVM_PLACE, rec, err,
				"GODWIT_KVM came before it, and only END or CHECKPOINT may follow that");
	}
	rules->round_records++;
	return rc;
}

int gw_image_rules_record(struct gw_image_rules *rules, const struct gw_record *rec,
			  struct gw_error *err)
{
	unsigned traits = traits_of(rec->type);
	int rc = gw_rules_any_record(rules, rec, err);

	if (!gw_padding_is_zero(rec))
		rc |= gw_image_broken(rules, R_RECORD_PADDING, rec, err, "non-zero padding");
	if (is_own(rec->type))
		return rc | check_own_record(rules, rec, err);
	if (!(traits & T_KNOWN))
		return rc | check_unknown(rules, rec, err);
	/* A record of the other guest type is not judged any further. */
	if ((traits & T_PV && rules->facts.type != GW_GUEST_X86_PV) ||
	    (traits & T_HVM && rules->facts.type != GW_GUEST_X86_HVM))
		return rc | check_place(rules, rec, traits, err);
	rc |= check_place(rules, rec, traits, err);
	return rc | check_body(rules, rec, traits, err);
}

int gw_image_rules_end(struct gw_image_rules *rules, bool at_boundary,
		       const struct gw_record *inside, uint64_t offset, struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;
	unsigned long long checkpoints = rules->facts.checkpoints;

	if (rules->facts.ended)
		return 0;
	if (checkpoints && at_boundary && rules->round_records == 0)
		return gw_broken(
			r, R_IMAGE_CHECKPOINTED, offset, NULL, err,
			"it ends after CHECKPOINT %llu and is complete up to it; plain xl "
			"restore refuses it (\"Found checkpoint in non-checkpointed stream\")",
			checkpoints);
	if (checkpoints)
		return gw_cut(r, R_IMAGE_CUT_ROUND, inside, offset, err,
			      "the input ends in round %llu; it is complete up to CHECKPOINT %llu",
			      checkpoints + 1, checkpoints);
	return gw_cut(r, R_IMAGE_TRUNCATED, inside, offset, err, "the input ends %s, before END",
		      at_boundary ? "between two records" : "inside a record");
}

int gw_image_rules_framing(struct gw_image_rules *rules, uint64_t offset,
			   const struct gw_record *rec, const char *text, struct gw_error *err)
{
	/* Without a header there is no image at all. */
	enum gw_rule_number number = rules->facts.version ? R_RECORD_FRAMING : R_IMAGE_HEADER;

	return gw_broken(&rules->reporter, number, offset, rec, err, "%s", text);
}
