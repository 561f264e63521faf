/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the rules of the libxc image: each one is broken by an image made for it, and only that
 * rule reports a finding. An image is described by a string of letters, one for each record.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/rules/page_set.h"
#include "format/rules/rules.h"
#include "lib/hvm_context.h"
#include "rulecheck.h"
#include "rules_policy.h"
#include "rules_pv_vcpu.h"
#include "rules_hvm.h"
#include "lib/feed.h"

static void append(struct gw_buffer *buf, uint32_t type, const void *body, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_record_append(buf, type, body, len, &err), &err);
}

static void append_pages(struct gw_buffer *buf)
{
	const uint64_t entries[] = {gw_page_entry(0x100, GW_PAGE_XTAB),
				    gw_page_entry(0x101, GW_PAGE_NOTAB)};
	static uint8_t raw[32 + GW_PAGE_SIZE];
	struct gw_error err = GW_ERROR_INIT;

	gw_page_data_head_encode(raw, 2, entries, 1);
	assert_ok(gw_buffer_append(buf, raw, sizeof(raw), &err), &err);
}

static void append_context(struct gw_buffer *buf)
{
	struct gw_buffer context = hvm_context(1);

	append(buf, GW_REC_HVM_CONTEXT, context.data, (uint32_t)context.len);
	gw_buffer_free(&context);
}

static void append_p2m(struct gw_buffer *buf, uint32_t start, uint32_t end)
{
	static const uint64_t pfns[] = {0x40, 0x41};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_p2m_frames frames = {start, end, end / 512 - start / 512 + 1};

	assert_ok(gw_p2m_frames_append(buf, &frames, pfns, &err), &err);
}

static void append_param(struct gw_buffer *buf, uint64_t index, uint64_t value)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_hvm_params_append(buf, 1, &index, &value, &err), &err);
}

static void append_letter(struct gw_buffer *buf, char letter)
{
	static const uint8_t zeros[GW_PAGE_SIZE];
	static const uint8_t no_subleaf[24] = {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t platform_info[16] = {0xce};
	uint8_t pv_info[8] = {8, 4};
	uint64_t no_params = 0;
	struct gw_error err = GW_ERROR_INIT;

	switch (letter) {
	case 'E':
		return append(buf, GW_REC_END, NULL, 0);
	case 'P':
		return append_pages(buf);
	case 'I':
		return append(buf, GW_REC_X86_PV_INFO, pv_info, 8);
	case 'F':
		return append_p2m(buf, 0, 1023);
	case 'f':
		return append_p2m(buf, 512, 1535);
	case 'B':
		return rules_pv_append_vcpu(buf, GW_REC_X86_PV_VCPU_BASIC, 0, 5168);
	case 'X':
		return rules_pv_append_vcpu(buf, GW_REC_X86_PV_VCPU_EXTENDED, 0, 64);
	case 'x':
		return rules_pv_append_vcpu(buf, GW_REC_X86_PV_VCPU_XSAVE, 0, 592);
	case 'M':
		return rules_pv_append_vcpu(buf, GW_REC_X86_PV_VCPU_MSRS, 0, 16);
	case 'e':
		return rules_pv_append_vcpu(buf, GW_REC_X86_PV_VCPU_MSRS, 70000, 0);
	case '1':
		return rules_pv_append_vcpu(buf, GW_REC_X86_PV_VCPU_XSAVE, 1, 16);
	case 'N':
		return append(buf, GW_REC_SHARED_INFO, zeros, GW_PAGE_SIZE);
	case 'T':
		return append(buf, GW_REC_X86_TSC_INFO, zeros, 24);
	case 'C':
		return append_context(buf);
	case 'H':
		return append_param(buf, 1, 0xfefff);
	case 'h':
		return append_param(buf, 12, 0xfeffb000);
	case 'w':
		assert_ok(gw_hvm_params_append(buf, 0, &no_params, &no_params, &err), &err);
		return;
	case 'k':
		return append(buf, GW_REC_TOOLSTACK, "x", 1);
	case 'V':
		return append(buf, GW_REC_VERIFY, NULL, 0);
	case 'K':
		return append(buf, GW_REC_CHECKPOINT, NULL, 0);
	case 'D':
		return append(buf, GW_REC_CHECKPOINT_DIRTY_PFN_LIST, zeros, 8);
	case 'S':
		return append(buf, GW_REC_STATIC_DATA_END, NULL, 0);
	case 'c':
		return append(buf, GW_REC_X86_CPUID_POLICY, no_subleaf, 24);
	case 'm':
		return append(buf, GW_REC_X86_MSR_POLICY, platform_info, 16);
	case 'U':
		return append(buf, 0x13, NULL, 0);
	case 'O':
		return append(buf, 0x80000007, "xyz", 3);
	case 'A':
		return append(buf, GW_REC_GODWIT_XENABI, zeros, 8);
	case 'G':
		return append(buf, GW_REC_GODWIT_KVM, zeros, 8);
	default:
		fail_msg("no record is called %c", letter);
	}
}

/* An image and the offset of its records. */
struct image {
	struct gw_buffer buf;
	size_t record[64];
};

static struct image make(uint32_t version, uint32_t type, const char *letters)
{
	const struct gw_image_header h = {
		.version = version, .type = type, .page_shift = 12, .xen_major = 4};
	struct gw_error err = GW_ERROR_INIT;
	struct image image = {0};

	assert_ok(gw_buffer_append(&image.buf, NULL, 40, &err), &err);
	gw_image_header_encode(&h, image.buf.data);
	for (size_t i = 0; letters[i]; i++) {
		image.record[i] = image.buf.len;
		append_letter(&image.buf, letters[i]);
	}
	return image;
}

static const uint64_t base = 1000;

/* Of the config before the images; zeroed: there is none. */
static struct gw_config_facts config;

/* Runs reader and rules over an image, as verify does. Returns 0, or -1 where a restore would
 * refuse. */
static int judge(const struct gw_buffer *buf, enum gw_image_kind kind, uint64_t max_pfns,
		 struct seen *seen, struct gw_error *err)
{
	const struct gw_findings out = {rulecheck_report, seen};
	struct gw_image_rules *rules = gw_image_rules_new(&out, base, kind, max_pfns);
	struct gw_error lost = GW_ERROR_INIT;
	struct feed feed = {buf->data, buf->len, 0};
	struct gw_image_reader r;
	int rc = 0;

	gw_image_rules_config(rules, &config);
	memset(seen, 0, sizeof(*seen));
	gw_image_reader_init(&r);
	for (;;) {
		enum gw_image_event event;
		enum fed fed = feed_image(&feed, &r, &event, &lost);

		if (fed == FED_ENDED) {
			bool between = gw_image_reader_at_boundary(&r) && feed.pos == feed.len;

			rc |= gw_image_rules_end(rules, between, NULL, feed.pos, err);
			break;
		}
		if (fed == FED_FAILED) {
			rc |= gw_image_rules_framing(rules, r.rec.offset, &r.rec, lost.text, err);
			break;
		}
		if (event == GW_IMAGE_HEADER)
			rc |= gw_image_rules_header(rules, &r.header, err);
		if (event == GW_IMAGE_RECORD)
			rc |= gw_image_rules_record(rules, &r.rec, err);
		if (event == GW_IMAGE_PAGES) {
			rc |= gw_image_rules_pages(rules, &r, err);
			if (!feed_skip(&feed, r.data_len)) {
				rc |= gw_image_rules_end(rules, false, NULL, feed.pos, err);
				break;
			}
			gw_image_reader_pages_done(&r);
		}
		if (event == GW_IMAGE_DONE) {
			rc |= gw_image_rules_end(rules, true, NULL, feed.pos, err);
			break;
		}
	}
	gw_image_reader_free(&r);
	gw_image_rules_free(rules);
	return rc;
}

/* Exactly these rules report findings, and the result follows from them. */
static void expect(const struct gw_buffer *buf, enum gw_image_kind kind, uint64_t max_pfns,
		   const char *what, const char *ids)
{
	struct gw_error err = GW_ERROR_INIT;
	struct seen seen;
	int rc = judge(buf, kind, max_pfns, &seen, &err);
	size_t n = strlen(seen.ids);

	if (n)
		seen.ids[n - 1] = 0;
	if (strcmp(seen.ids, ids) != 0)
		fail_msg("%s: \"%s\", expected \"%s\" (%s)", what, seen.ids, ids, err.text);
	assert_int_equal(rc < 0, err.code != GW_OK);
}

static void words(uint32_t version, uint32_t type, const char *letters, const char *ids)
{
	struct image image = make(version, type, letters);

	expect(&image.buf, GW_IMAGE_ANY, 0, letters, ids);
	gw_buffer_free(&image.buf);
}

static void hvm(const char *letters, const char *ids)
{
	words(3, GW_GUEST_X86_HVM, letters, ids);
}

static void pv(const char *letters, const char *ids)
{
	words(3, GW_GUEST_X86_PV, letters, ids);
}

/* The same with 32 bits at this offset of record n changed (offset 8 is the start of the body). */
static void patched(uint32_t type, const char *letters, size_t n, size_t at, uint32_t value,
		    const char *ids)
{
	struct image image = make(3, type, letters);

	gw_put_le32(image.buf.data + image.record[n] + at, value);
	expect(&image.buf, GW_IMAGE_ANY, 0, letters, ids);
	gw_buffer_free(&image.buf);
}

#define HVM GW_GUEST_X86_HVM
#define PV  GW_GUEST_X86_PV

/* Short names of what is checked often. */
static const char hvm_word[] = "cmSPTHCE";
static const char pv_word[] = "IcmSFPTNBXxME";

static void images_without_fault(void **state)
{
	hvm(hvm_word, "");
	hvm("SPTHCE", "");
	hvm("cmSPPPTHCKPTHCKPTHC", "image-cut-round");
	hvm("cmSPTHCKPTHCK", "image-checkpointed");
	hvm("cmSPTHCKE", "");
	pv(pv_word, "");
	pv("IcmSFPfPTNBXxM1E", "vcpu-no-basic");
	words(2, HVM, "PTHCE", "static-data-inferred");
	words(2, PV, "IFPTNBE", "static-data-inferred");
}

static void order_of_records(void **state)
{
	hvm("cmSPTCHE", "hvm-context-order");
	hvm("cmSPTCHKPTCHKPTCHK", "hvm-context-order image-checkpointed");
	hvm("cmPSTHCE", "static-data-missing");
	hvm("cmPTHCE",
	    "static-data-missing static-data-early static-data-early static-data-early static-data-missing");
	hvm("cmSSPTHCE", "static-data-twice");
	hvm("cmTSPHCE", "static-data-early");
	hvm("cSmPTHCE", "static-data-late");
	hvm("mScPTHCE", "static-data-late");
	hvm("cmScPTHCE", "static-data-again policy-repeated");
	hvm("cmSmPTHCE", "static-data-again policy-repeated");
	hvm("ccmSPTHCE", "policy-repeated");
	hvm("cmmSPTHCE", "policy-repeated");
	words(2, HVM, "cSPTHCE", "static-data-v2 static-data-v2");
	hvm("cmSHPTCE", "hvm-params-order");
	hvm("cmSPTHHCE", "hvm-params-repeated");
	hvm("cmSPTHCCE", "record-repeated");
	hvm("cmSPTTHCE", "record-repeated");
	hvm("cmSPHCE", "tsc-missing");
	hvm("cmSPTCE", "hvm-params-missing");
	hvm("cmSPThCE", "hvm-params-missing");
	hvm("cmSPTHE", "hvm-context-missing");
	hvm("cmSPTwHCE", "hvm-params-empty");
	hvm("cmSPwwTHCE", "hvm-params-empty");
	hvm("cmSVPTHCE", "verify-mode");
	pv("cmISFPTNBE", "");
	pv("cmSFPTNBE", "pv-order pv-order pv-order pv-order pv-order vcpu0-missing");
	pv("IcmSPTNBE", "pv-order pv-order");
	pv("IcmSFTNBPE", "vcpu-order");
	pv("IcmSFPTNBBE", "vcpu-repeated");
	pv("IcmSFPTNBXXE", "vcpu-repeated");
	pv("IcmSFPTNNBE", "record-repeated");
	pv("IcmSFPTBE", "shared-info-missing");
	pv("IcmSFPTNXE", "vcpu0-missing");
	pv("IcmSFPTNBeeE", "vcpu-empty");
	pv("IIcmSFPTNBE", "pv-info-twice");
	pv("IcmSfPTNBE", "p2m-hole");
	pv("IcmSFPTNBKPTNBK", "image-checkpointed");
}

static void types_of_records(void **state)
{
	hvm("cmSUPTHCE", "record-type");
	hvm("cmSOPTHCE", "record-optional");
	hvm("cmSPTHCKOK", "record-optional-round image-checkpointed");
	hvm("cmSkPTHCE", "record-toolstack");
	hvm("cmSDPTHCE", "record-back-channel");
	hvm("IcmSPTHCE", "record-guest");
	hvm("cmSPTNBHCE", "record-guest record-guest");
	pv("IcmSFPTNBHE", "record-guest");
	hvm("cmSPTHCAE", "godwit-xenabi");
	hvm("cmSPTHCAK", "godwit-xenabi image-checkpointed");
	hvm("cmSPTHAHCE",
	    "godwit-xenabi godwit-xenabi-place hvm-params-repeated godwit-xenabi-place");
	hvm("cmSPTHCAAE", "godwit-xenabi godwit-xenabi-place");
	hvm("cmSPTHCKAK", "godwit-xenabi godwit-xenabi-place image-checkpointed");
	hvm("cmSPTHCGE", "godwit-kvm");
	hvm("cmSPTHCAGE", "godwit-xenabi godwit-kvm");
	hvm("cmSPTHCGAE", "godwit-kvm godwit-xenabi");
	hvm("cmSPTHCGGE", "godwit-kvm godwit-kvm-place");
	hvm("cmSPTHGCE", "godwit-kvm godwit-kvm-place");
	hvm("cmSPTHCKGK", "godwit-kvm godwit-kvm-place image-checkpointed");
	hvm("cmSPTHCKPE", "checkpoint-then-end");
}

static void headers(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *ids;
	} cases[] = {
		{15, 4, "image-version"},     {15, 1, "image-version"},
		{16, 0x80, "image-reserved"}, {18, 1, "image-reserved"},
		{20, 1, "image-reserved"},    {24, 3, "image-guest"},
		{24, 0, "image-guest"},	      {28, 13, "image-page-size"},
		{29, 1, "image-page-size"},   {30, 1, "image-reserved"},
		{32, 0, "image-converted"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		/* Without a guest type, the records of a guest type are not judged. */
		struct image image = make(3, HVM, hvm_word);

		image.buf.data[cases[i].at] = cases[i].value;
		if (i == 1) /* a version before 2 has no rules for static data to break */
			expect(&image.buf, GW_IMAGE_ANY, 0, "header",
			       "image-version static-data-v2 static-data-v2 static-data-v2");
		else
			expect(&image.buf, GW_IMAGE_ANY, 0, "header", cases[i].ids);
		gw_buffer_free(&image.buf);
	}

	struct image image = make(3, HVM, hvm_word);

	image.buf.data[17] = 1;
	/* The rest of a big-endian image cannot be read at all. */
	expect(&image.buf, GW_IMAGE_ANY, 0, "header",
	       "image-endian image-guest image-page-size record-framing");
	image.buf.data[0] = 0;
	expect(&image.buf, GW_IMAGE_ANY, 0, "header", "image-header");
	gw_buffer_free(&image.buf);
}

static void pages(void **state)
{
	const size_t p = 3; /* the PAGE_DATA of hvm_word */

	patched(HVM, hvm_word, p, 8, 0, "page-data-count");
	patched(HVM, hvm_word, p, 8, 5000, "page-data-count");
	patched(HVM, hvm_word, p, 8, 1, "page-data-length");
	patched(HVM, hvm_word, p, 12, 1, "page-data-reserved");
	patched(HVM, hvm_word, p, 20, 0xf0100000, "page-data-reserved");
	patched(HVM, hvm_word, p, 20, 0xe0010000, "page-data-pfn"); /* 2^48 */
	patched(HVM, hvm_word, p, 20, 0xf0010000, ""); /* without a page: libxc takes any */
	patched(HVM, hvm_word, p, 28, 0x10000000, "page-data-tables");
	for (uint32_t type = 5; type <= 8; type++) {
		patched(HVM, hvm_word, p, 20, type << 28, "page-data-type");
		/* In the place of an entry with data, it leaves one page too many. */
		patched(HVM, hvm_word, p, 28, type << 28, "page-data-length page-data-type");
	}
	patched(HVM, hvm_word, p, 28, 0xd0000000, "page-data-length");
	patched(HVM, hvm_word, p, 20, 0xe0000000, "");

	const size_t q = 5; /* the PAGE_DATA of pv_word; its P2M ends at 0x3ff */

	patched(PV, pv_word, q, 16, 0x3ff, "");
	patched(PV, pv_word, q, 16, 0x400, "page-data-pfn");
	patched(PV, pv_word, q, 28, 0xc0000000, "");
	patched(PV, pv_word, q, 28, 0x40000000, "");

	struct image image = make(3, HVM, hvm_word);

	expect(&image.buf, GW_IMAGE_ANY, 0xfeffff, "bounded", "");
	expect(&image.buf, GW_IMAGE_ANY, 0x101, "bounded", "page-data-pfn hvm-params-pfn");
	gw_buffer_free(&image.buf);

	/* A 32-bit guest, whose P2M of 2 pages reaches to 0x7ff. */
	image = make(3, PV, "IcmSFPTNE");
	image.buf.data[image.record[0] + 8] = 4;
	image.buf.data[image.record[0] + 9] = 3;
	gw_put_le32(image.buf.data + image.record[4] + 12, 0x7ff);
	gw_put_le32(image.buf.data + image.record[5] + 28, 0x40000000);
	expect(&image.buf, GW_IMAGE_ANY, 0, "32 bits", "page-data-level vcpu0-missing");
	gw_put_le32(image.buf.data + image.record[5] + 28, 0x30000000);
	expect(&image.buf, GW_IMAGE_ANY, 0, "32 bits", "vcpu0-missing");
	gw_buffer_free(&image.buf);
}

/* A record that has only its first bytes: type, length and a body of zeros. */
static void short_record(uint32_t guest, const char *before, uint32_t type, uint32_t length,
			 const char *after, const char *ids)
{
	static const uint8_t zeros[8192];
	struct image image = make(3, guest, before);

	append(&image.buf, type, zeros, length);
	for (; *after; after++)
		append_letter(&image.buf, *after);
	expect(&image.buf, GW_IMAGE_ANY, 0, before, ids);
	gw_buffer_free(&image.buf);
}

static void vm86_tss_above_4g(void)
{
	struct image image = make(3, HVM, "cmSPTHCE");

	gw_put_le32(image.buf.data + image.record[5] + 16, 15);
	gw_put_le32(image.buf.data + image.record[5] + 28, 1);
	expect(&image.buf, GW_IMAGE_ANY, 0, "VM86_TSS", "hvm-params-vm86-tss hvm-params-missing");
	gw_buffer_free(&image.buf);
}

static void bodies(void **state)
{
	short_record(HVM, "cmS", GW_REC_PAGE_DATA, 7, "PTHCE", "page-data-short");
	short_record(HVM, "cmSPTHC", GW_REC_VERIFY, 8, "E", "record-length verify-mode");
	short_record(HVM, "cm", GW_REC_STATIC_DATA_END, 1, "PTHCE", "record-length");
	short_record(HVM, "m", GW_REC_X86_CPUID_POLICY, 0, "SPTHCE", "policy-body");
	short_record(HVM, "m", GW_REC_X86_CPUID_POLICY, 23, "SPTHCE", "policy-body");
	short_record(HVM, "c", GW_REC_X86_MSR_POLICY, 0, "SPTHCE", "policy-body");
	short_record(HVM, "c", GW_REC_X86_MSR_POLICY, 17, "SPTHCE", "policy-body");
	short_record(HVM, "cmSP", GW_REC_X86_TSC_INFO, 16, "HCE", "tsc-body");
	short_record(HVM, "cmSPT", GW_REC_HVM_PARAMS, 4, "HCE", "hvm-params-body");
	short_record(HVM, "cmSPTH", GW_REC_HVM_CONTEXT, 0, "E", "hvm-context-empty");
	short_record(HVM, "cmSPTH", GW_REC_HVM_CONTEXT, 64, "E", "hvm-context-walk");
	short_record(HVM, "cmSPTHC", GW_REC_GODWIT_XENABI, 0, "E",
		     "godwit-xenabi godwit-xenabi-place");
	short_record(HVM, "cmSPTHC", GW_REC_GODWIT_KVM, 0, "E", "godwit-kvm godwit-kvm-place");
	short_record(PV, "", GW_REC_X86_PV_INFO, 16, "cmSFPTNBE",
		     "pv-info-body pv-order pv-order pv-order pv-order pv-order vcpu0-missing");
	short_record(PV, "IcmS", GW_REC_X86_PV_P2M_FRAMES, 4, "FPTNBE", "p2m-body");
	short_record(PV, "IcmS", GW_REC_X86_PV_P2M_FRAMES, 16, "FPTNBE", "p2m-range");
	short_record(PV, "IcmSFPT", GW_REC_SHARED_INFO, 4095, "BE", "shared-info-body");
	short_record(PV, "IcmSFPTNB", GW_REC_X86_PV_VCPU_BASIC, 100, "E", "vcpu-body");
	short_record(PV, "IcmSFPTNB", GW_REC_X86_PV_VCPU_EXTENDED, 8 + 136, "E", "vcpu-body");
	short_record(PV, "IcmSFPTNB", GW_REC_X86_PV_VCPU_EXTENDED, 8 + 4, "E", "vcpu-body");
	short_record(PV, "IcmSFPTNB", GW_REC_X86_PV_VCPU_XSAVE, 8 + 8, "E", "vcpu-body");
	short_record(PV, "IcmSFPTNB", GW_REC_X86_PV_VCPU_XSAVE, 8 + 576, "E", "vcpu-xsave");
	short_record(PV, "IcmSFPTNB", GW_REC_X86_PV_VCPU_MSRS, 8 + 15, "E", "vcpu-body");

	patched(HVM, "cmSPTHCE", 1, 12, 1, "policy-flags");
	patched(HVM, "cmSPTHCE", 4, 28, 1, "record-reserved");
	patched(HVM, "cmSPTHCE", 4, 8, 3, "tsc-mode");
	patched(HVM, "cmSPTHCE", 5, 8, 2, "hvm-params-body hvm-params-missing");
	patched(HVM, "cmSPTHCE", 5, 12, 2, "record-reserved");
	patched(HVM, "cmSPTHCE", 5, 16, 13, "hvm-params-index hvm-params-missing");
	patched(HVM, "cmSPTHCE", 5, 20, 1, "hvm-params-index hvm-params-missing");
	patched(HVM, "cmSPTHCE", 5, 28, 16, "hvm-params-pfn");
	vm86_tss_above_4g();
	patched(HVM, "cmSPTHCE", 6, 16, 0, "hvm-context-header");
	patched(HVM, "cmSPTHCOE", 7, 11, 0x100, "record-padding record-optional");
	patched(PV, pv_word, 0, 12, 1, "record-reserved");
	patched(PV, "IcmSFE", 0, 8, 0x0408, "tsc-missing shared-info-missing vcpu0-missing");
	patched(PV, pv_word, 8, 8, 8192, "vcpu-id vcpu0-missing");
	patched(PV, pv_word, 8, 12, 1, "record-reserved");
	patched(PV, pv_word, 9, 16, 1, "vcpu-extended");
	patched(PV, pv_word, 9, 20, 65, "vcpu-extended-size");
	patched(PV, pv_word, 11, 20, 1, "vcpu-msrs");
	patched(PV, pv_word, 4, 16, 0x400, "p2m-frame");
	patched(PV, pv_word, 4, 16, 0x3ff, "");
	patched(PV, "IE", 0, 8, 0x0404,
		"pv-info-pair static-data-missing tsc-missing pv-order shared-info-missing vcpu0-missing");
}

static void ends(void **state)
{
	struct image image = make(3, HVM, hvm_word);
	size_t len = image.buf.len;

	/* Cut anywhere, an image is never complete, and the only finding is the cut. */
	while (image.buf.len-- > 0) {
		struct gw_error err = GW_ERROR_INIT;
		struct seen seen;

		assert_true(judge(&image.buf, GW_IMAGE_ANY, 0, &seen, &err) < 0);
		assert_string_equal(seen.ids, "image-truncated ");
		assert_int_equal(err.code, GW_TRUNCATED);
		if (image.buf.len == 0)
			break;
		if (image.buf.len > 200 && image.buf.len < len - 200)
			image.buf.len -= 101;
	}
	gw_buffer_free(&image.buf);

	/* After the first checkpoint a cut image still has a state to restore. */
	image = make(3, HVM, "cmSPTHCKPTHCK");
	image.buf.len--;
	expect(&image.buf, GW_IMAGE_ANY, 0, "cut", "image-cut-round");
	image.buf.len++;
	expect(&image.buf, GW_IMAGE_CHECKPOINTED, 0, "whole", "image-checkpointed");
	expect(&image.buf, GW_IMAGE_PLAIN, 0, "plain",
	       "checkpoint-plain checkpoint-plain image-checkpointed");
	gw_buffer_free(&image.buf);

	image = make(3, HVM, "cmS");
	append(&image.buf, GW_REC_HVM_CONTEXT, NULL, 0);
	gw_put_le32(image.buf.data + image.buf.len - 4, GW_RECORD_MAX + 1);
	expect(&image.buf, GW_IMAGE_ANY, 0, "long", "record-framing");
	gw_buffer_free(&image.buf);
}

/* The config limits the image; 'P' gives pfn 0x101 a page, however often it comes. */
static void configs_limit_images(void **state)
{
	config = (struct gw_config_facts){.known = true, .type = HVM, .vcpus = 1, .max_pages = 1};
	hvm("cmSPTHCE", "");
	hvm("cmSPPPTHCE", "");
	pv(pv_word, "image-config-guest");
	/* The second entry of the second record is another pfn. */
	patched(HVM, "cmSPPPTHCE", 4, 24, 0x102, "page-data-config");
	config.max_pages = 2;
	patched(HVM, "cmSPPPTHCE", 4, 24, 0x102, "");
	config = (struct gw_config_facts){.known = true, .type = PV, .vcpus = 1, .max_pages = 1};
	pv(pv_word, "");
	pv("IcmSFPTNB1E", "pv-vcpu-config vcpu-no-basic");
	hvm("cmSPTHCE", "image-config-guest");
	config.vcpus = 2;
	pv("IcmSFPTNB1E", "vcpu-no-basic");
	config = (struct gw_config_facts){0};
	pv("IcmSFPTNB1E", "vcpu-no-basic");
}

/* Pages that overlap count once; a far one costs little. */
static void sets_of_pages(void **state)
{
	struct gw_page_set set = {0};

	gw_page_set_add(&set, 60, 10);
	assert_int_equal(set.count, 10);
	gw_page_set_add(&set, 0, 64);
	assert_int_equal(set.count, 70);
	gw_page_set_add(&set, 0, 70);
	assert_int_equal(set.count, 70);
	gw_page_set_add(&set, 32760, 16);
	gw_page_set_add(&set, 32767, 2);
	assert_int_equal(set.count, 86);
	gw_page_set_add(&set, (UINT64_C(1) << 36) - 1, 1);
	assert_int_equal(set.count, 87);
	gw_page_set_free(&set);
	assert_int_equal(set.count, 0);
	/* One page in each of more bitmaps than there is room for. */
	for (uint64_t i = 0; i < 20000; i++)
		gw_page_set_add(&set, i * 32768, 1);
	assert_int_equal(set.count, 16384);
	gw_page_set_free(&set);
}

static void findings_say_where(void **state)
{
	struct image image = make(3, HVM, hvm_word);
	struct gw_error err = GW_ERROR_INIT;
	struct seen seen;
	char text[600];

	gw_put_le32(image.buf.data + image.record[3] + 8, 5000);
	assert_fails(
		judge(&image.buf, GW_IMAGE_ANY, 0, &seen, &err), &err, GW_INVALID,
		"image record 3 (PAGE_DATA) at offset 0x450: count 5000 needs 40008 bytes, record has 4120");
	assert_int_equal(seen.last.offset, base + image.record[3]);
	assert_int_equal(seen.last.record_number, 3);
	assert_int_equal(seen.last.record_type, GW_REC_PAGE_DATA);
	gw_buffer_free(&image.buf);

	image = make(3, HVM, "U");
	assert_fails(judge(&image.buf, GW_IMAGE_ANY, 0, &seen, &err), &err, GW_INVALID,
		     "image record 0 (type 0x00000013) at offset 0x410: unknown mandatory record");
	assert_string_equal(
		gw_finding_format(&seen.last, text, sizeof(text)),
		"libxc image at offset 0x418: the input ends between two records, before END");
	gw_buffer_free(&image.buf);
}

/* A rule that is broken again and again is reported a limited number of times; the image is refused
 * all the same. */
static void many_findings_are_few(void **state)
{
	struct image image = make(3, HVM, "cmS");
	struct gw_error err = GW_ERROR_INIT;
	const char *at;
	struct seen seen;
	unsigned n = 0;

	for (int i = 0; i < 10000; i++)
		append_letter(&image.buf, 'O');
	assert_true(judge(&image.buf, GW_IMAGE_ANY, 0, &seen, &err) < 0);
	for (at = seen.ids; (at = strstr(at, "record-optional")); at++)
		n++;
	assert_in_range(n, 10, 100);
	gw_buffer_free(&image.buf);
}

static void rules_learn_facts(void **state)
{
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen};
	struct gw_image_rules *rules = gw_image_rules_new(&out, 0, GW_IMAGE_ANY, 0);
	struct gw_image_header h = {.version = 2, .type = PV, .page_shift = 12, .xen_major = 4};
	uint8_t info_raw[8] = {8, 4};
	struct gw_record info = {.type = GW_REC_X86_PV_INFO, .length = 8, .data = info_raw};
	struct gw_buffer buf = {0};
	struct gw_error err = GW_ERROR_INIT;
	const struct gw_image_facts *facts = gw_image_rules_facts(rules);

	assert_ok(gw_image_rules_header(rules, &h, &err), &err);
	assert_ok(gw_image_rules_record(rules, &info, &err), &err);
	assert_int_equal(facts->pv_width, 8);
	assert_false(facts->static_data_end);
	append_p2m(&buf, 0, 1000);
	struct gw_record p2m = {.type = GW_REC_X86_PV_P2M_FRAMES,
				.length = (uint32_t)buf.len - 8,
				.data = buf.data + 8};
	assert_ok(gw_image_rules_record(rules, &p2m, &err), &err);
	assert_true(facts->static_data_end);
	assert_true(facts->static_data_inferred);
	assert_int_equal(facts->pv_max_pfn, 1000);
	assert_int_equal(facts->type, PV);
	gw_buffer_free(&buf);

	/* The reader stops at END; a caller that goes on gets an error. */
	struct gw_record end = {.type = GW_REC_END, .data = info_raw};

	assert_int_equal(gw_image_rules_record(rules, &end, &err), -1);
	assert_true(facts->ended);
	gw_error_clear(&err);
	seen = (struct seen){0};
	assert_fails(gw_image_rules_record(rules, &info, &err), &err, GW_INVALID,
		     "END came before");
	assert_memory_equal(seen.ids, "record-after-end ", 17);
	gw_image_rules_free(rules);
}

static struct gw_finding last_reported;

static void keep_reported(void *opaque, const struct gw_finding *finding)
{
	last_reported = *finding;
}

/* The level of a rule that Xen 4.since to 4.until have, when 4.xen judges. */
static enum gw_level level_in(uint8_t since, uint8_t until, unsigned xen)
{
	const struct gw_rule rule = {.level = GW_LEVEL_ERROR, .since = since, .until = until};

	return gw_rule_level(&rule, xen);
}

static void releases_differ(void **state)
{
	const struct gw_rule young = {.id = "young", .level = GW_LEVEL_ERROR, .since = 18};
	const struct gw_rule old = {.level = GW_LEVEL_ERROR, .until = 20};
	const struct gw_rule one = {.level = GW_LEVEL_WARNING, .since = 17, .until = 17};
	struct gw_finding finding = {.rule = &young, .text = "CR5 is 1"};
	struct gw_findings out = {.report = keep_reported, .xen = 17};
	struct gw_error err = GW_ERROR_INIT;
	char text[40];

	assert_int_equal(level_in(0, 0, 0), GW_LEVEL_ERROR);
	assert_int_equal(level_in(14, 22, 0), GW_LEVEL_ERROR);
	assert_int_equal(level_in(18, 0, 0), GW_LEVEL_WARNING);
	assert_int_equal(level_in(0, 20, 0), GW_LEVEL_WARNING);
	assert_int_equal(level_in(18, 0, 17), GW_LEVEL_NOTE);
	assert_int_equal(level_in(18, 0, 18), GW_LEVEL_ERROR);
	assert_int_equal(level_in(18, 20, 20), GW_LEVEL_ERROR);
	assert_int_equal(level_in(18, 20, 21), GW_LEVEL_NOTE);
	assert_int_equal(gw_rule_level(&one, 0), GW_LEVEL_WARNING);
	assert_int_equal(gw_rule_level(&one, 18), GW_LEVEL_NOTE);

	assert_string_equal(gw_rule_releases(&young, text, sizeof(text)), "Xen 4.18 and later");
	assert_string_equal(gw_rule_releases(&old, text, sizeof(text)), "Xen 4.14 to 4.20");
	assert_string_equal(gw_rule_releases(&one, text, sizeof(text)), "Xen 4.17");

	assert_int_equal(gw_xen_release("any"), 0);
	assert_int_equal(gw_xen_release("xen-4.14"), 14);
	assert_int_equal(gw_xen_release("xen-4.22"), 22);
	assert_int_equal(gw_xen_release("xen-4.13"), -1);
	assert_int_equal(gw_xen_release("4.17"), -1);

	assert_ok(gw_finding_report(&out, &finding, &err), &err);
	assert_int_equal(last_reported.level, GW_LEVEL_NOTE);
	assert_string_equal(last_reported.text, "CR5 is 1 (refused by Xen 4.18 and later)");
	out.xen = 19;
	assert_int_equal(gw_finding_report(&out, &finding, &err), -1);
	assert_string_equal(err.rule, "young");
	gw_error_clear(&err);
}

/* Must run last. */
static void every_rule_was_broken(void **state)
{
	rulecheck_all_were_broken(GW_LAYER_LIBXC, GW_LAYER_LIBXC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_without_fault),
		cmocka_unit_test(order_of_records),
		cmocka_unit_test(types_of_records),
		cmocka_unit_test(headers),
		cmocka_unit_test(pages),
		cmocka_unit_test(bodies),
		cmocka_unit_test(rules_pv_vcpu_broken_one_by_one),
		cmocka_unit_test(rules_pv_vcpu_takes),
		cmocka_unit_test(rules_pv_msrs_need_features),
		cmocka_unit_test(ends),
		cmocka_unit_test(configs_limit_images),
		cmocka_unit_test(sets_of_pages),
		cmocka_unit_test(findings_say_where),
		cmocka_unit_test(many_findings_are_few),
		cmocka_unit_test(rules_learn_facts),
		cmocka_unit_test(releases_differ),
		cmocka_unit_test(policies_of_every_size),
		cmocka_unit_test(policies_with_foreign_leaves),
		cmocka_unit_test(policies_with_maxima),
		cmocka_unit_test(policies_with_foreign_msrs),
		cmocka_unit_test(policies_of_a_vendor),
		cmocka_unit_test(hvm_contexts_without_fault),
		cmocka_unit_test(hvm_entries),
		cmocka_unit_test(hvm_chains),
		cmocka_unit_test(hvm_policies),
		cmocka_unit_test(hvm_configs),
		cmocka_unit_test(hvm_params),
		cmocka_unit_test(hvm_params_of_rounds),
		cmocka_unit_test(hvm_releases),
		cmocka_unit_test(every_rule_was_broken),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
