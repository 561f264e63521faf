/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the rules of the legacy image: each one is broken, and only that rule reports a finding.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "lib/legacy_compress.h"
#include "legacy_feed.h"
#include "lib/legacy_put.h"
#include "rulecheck.h"

#define PV   GW_GUEST_X86_PV
#define HVM  GW_GUEST_X86_HVM
#define SIZE 0x40u /* pages of the guests here */

/* What the test expects to find in the image. */
struct found {
	struct seen seen;
	char text[600]; /* text of the last finding */
	struct gw_error err;
};

static void report(void *opaque, const struct gw_finding *finding)
{
	struct found *found = opaque;

	rulecheck_report(&found->seen, finding);
	gw_finding_format(finding, found->text, sizeof(found->text));
}

static struct found look(const struct legacy_out *o, enum gw_guest_type guest, size_t len)
{
	struct found found = {0};
	const struct gw_findings out = {report, &found};
	const struct gw_legacy_kind forced = {.guest = guest};
	struct legacy_feed f = {.in = {o->bytes.data, len, 0}};
	enum gw_legacy_event event = GW_LEGACY_MORE;

	f.rules = gw_legacy_rules_new(&out, 0x1000);
	assert_non_null(f.rules);
	gw_legacy_reader_init(&f.r, &forced);
	while (event != GW_LEGACY_DONE && legacy_feed_next(&f, &event))
		;
	found.err = f.rules_err;
	gw_legacy_rules_free(f.rules);
	gw_legacy_reader_free(&f.r);
	if (*found.seen.ids)
		found.seen.ids[strlen(found.seen.ids) - 1] = '\0';
	return found;
}

/* Checks and frees *o: its findings are these, and the text of the last one contains this. */
static void expect_of(struct legacy_out *o, enum gw_guest_type guest, size_t len, const char *ids,
		      const char *text)
{
	struct found found = look(o, guest, len);
	bool error = *ids && found.seen.last.level == GW_LEVEL_ERROR;

	if (strcmp(found.seen.ids, ids) != 0)
		fail_msg("\"%s\", expected \"%s\" (%s)", found.seen.ids, ids, found.text);
	if (text && !strstr(found.text, text))
		fail_msg("\"%s\" does not contain \"%s\"", found.text, text);
	if (error && !strchr(ids, ' '))
		assert_string_equal(found.err.text, found.text);
	assert_int_equal(error, found.err.code != GW_OK);
	gw_buffer_free(&o->bytes);
}

static void expect(struct legacy_out *o, const char *ids, const char *text)
{
	expect_of(o, GW_GUEST_NONE, o->bytes.len, ids, text);
}

static const struct gw_tsc_info tsc = {.mode = 2, .khz = 1000000, .nsec = 77, .incarnation = 1};
static const uint64_t one_vcpu[] = {1};

/* Header, TSC, all pages, VCPU_INFO. */
static struct legacy_out hvm(void)
{
	struct legacy_out o = {.width = 8};
	uint32_t entries[SIZE];

	legacy_put_long(&o, SIZE);
	legacy_put_tsc(&o, &tsc);
	for (uint32_t i = 0; i < SIZE; i++)
		entries[i] = i;
	legacy_put_batch(&o, entries, SIZE);
	legacy_put(&o, NULL, (size_t)SIZE * 4096);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	return o;
}

static void hvm_tail(struct legacy_out *o)
{
	legacy_put_id(o, 0);
	legacy_put(o, NULL, 24);
	legacy_put_context(o, "context", 7);
	legacy_put_model(o, "DeviceModelRecord0002", "QEVM", 4);
}

static void hvm_last(struct legacy_out *o)
{
	legacy_put_id(o, -9);
	hvm_tail(o);
}

static const struct legacy_info plain_info = {
	.vcpu = true, .extv = true, .xcnt = true, .guest_width = 8, .xsave_bytes = 16 + 592};

/* info NULL: no extended info. */
static struct legacy_out pv(const struct legacy_info *info)
{
	struct legacy_out o = {.width = 8};
	uint32_t entries[SIZE];

	legacy_put_long(&o, SIZE);
	if (info)
		legacy_put_info(&o, info);
	legacy_put_frames(&o, SIZE, 8, 1);
	legacy_put_tsc(&o, &tsc);
	for (uint32_t i = 0; i < SIZE; i++)
		entries[i] = i;
	legacy_put_batch(&o, entries, SIZE);
	legacy_put(&o, NULL, (size_t)SIZE * 4096);
	return o;
}

/* ext false: contexts alone, without extended contexts. xsave UINT32_MAX: none. */
static void pv_tail(struct legacy_out *o, unsigned vcpus, bool ext, uint32_t xsave)
{
	legacy_put_id(o, 0);
	legacy_put32(o, 0);
	for (unsigned i = 0; i < vcpus; i++) {
		legacy_put(o, NULL, 0x1430 + (ext ? 128 : 0));
		if (xsave == UINT32_MAX)
			continue;
		legacy_put64(o, 7);
		legacy_put64(o, xsave);
		legacy_put(o, NULL, xsave);
	}
	legacy_put(o, NULL, 4096);
}

static void pv_last(struct legacy_out *o)
{
	legacy_put_id(o, -9);
	pv_tail(o, 1, true, 592);
}

static void nothing_wrong(void **state)
{
	struct legacy_out o = hvm();

	hvm_last(&o);
	expect(&o, "", NULL);
	o = pv(&plain_info);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	pv_last(&o);
	expect(&o, "", NULL);
}

static void headers(void **state)
{
	struct legacy_info info = plain_info;
	struct legacy_out o = {.width = 8};

	legacy_put_long(&o, 0);
	legacy_put_long(&o, 0);
	expect(&o, "legacy-header", "legacy image at offset 0x1000: it begins with 0x0");
	o = pv(NULL);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	legacy_put_id(&o, -9);
	pv_tail(&o, 1, false, UINT32_MAX);
	expect_of(&o, PV, o.bytes.len, "legacy-no-extended-info",
		  "legacy image at offset 0x1000: no extended info: a 64-bit guest");
	info.unknown = 3;
	o = pv(&info);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	pv_last(&o);
	expect(&o, "legacy-extended-info", "3 unknown blocks");
}

/* The offsets of chunks in an image of hvm(). */
#define AT_TSC	 8u
#define AT_PAGES (AT_TSC + 24)
#define AT_INFO	 (AT_PAGES + 4 + 8 * SIZE + 4096 * SIZE)
#define AT_MORE	 (AT_INFO + 16)

static void framing(void **state)
{
	struct legacy_out o = hvm();
	char where[64];

	legacy_put_id(&o, -22);
	snprintf(where, sizeof(where), "legacy image chunk 3 (id -22) at offset 0x%x: chunk id -22",
		 0x1000 + AT_MORE);
	expect(&o, "legacy-framing", where);
	o = hvm();
	legacy_put_id(&o, 0);
	legacy_put(&o, NULL, 24);
	legacy_put_context(&o, "context", 7);
	legacy_put(&o, "DeviceModelRecord0003", 21);
	snprintf(where, sizeof(where), "legacy image chunk 6 (DEVICE_MODEL) at offset 0x%x: \"Dev",
		 0x1000 + AT_MORE + 4 + 24 + 11);
	expect(&o, "legacy-framing", where);
}

static void cuts(void **state)
{
	struct legacy_out o = hvm();

	expect(&o, "legacy-truncated",
	       "the input ends between two chunks, before the end of the first tail");
	o = hvm();
	expect_of(&o, GW_GUEST_NONE, AT_PAGES + 30, "legacy-truncated",
		  "legacy image chunk 1 (pages) at offset 0x1020: the input ends inside a part");
	o = hvm();
	expect_of(&o, GW_GUEST_NONE, AT_PAGES + 10000, "legacy-truncated", "(at 0x3730)");
	o = hvm();
	expect_of(&o, GW_GUEST_NONE, 12, "legacy-truncated", "the input ends in the header");
	o = hvm();
	hvm_tail(&o);
	expect_of(&o, GW_GUEST_NONE, o.bytes.len - 1, "legacy-truncated", "chunk 6 (DEVICE_MODEL)");
	/* Before the record of the device model: 21 bytes of signature, 4 of length, 4 of state. */
	o = hvm();
	hvm_tail(&o);
	expect_of(&o, GW_GUEST_NONE, o.bytes.len - 29, "legacy-truncated",
		  "chunk 6 (DEVICE_MODEL)");
	o = hvm();
	hvm_last(&o);
	expect_of(&o, GW_GUEST_NONE, o.bytes.len - 29, "legacy-no-device-model",
		  "without device model state");
	o = hvm();
	hvm_last(&o);
	expect_of(&o, GW_GUEST_NONE, o.bytes.len - 28, "legacy-truncated", "(DEVICE_MODEL)");
	o = hvm();
	hvm_tail(&o);
	expect(&o, "legacy-no-last-checkpoint", "after the tail of round 1");
	o = hvm();
	hvm_tail(&o);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	expect(&o, "legacy-cut-round", "legacy image at offset 0x");
	o = hvm();
	hvm_tail(&o);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	hvm_tail(&o);
	legacy_put_id(&o, 0);
	legacy_put(&o, NULL, 3);
	expect(&o, "legacy-cut-round",
	       "the input ends in round 3; it is complete up to the tail of round 2");
	o = pv(&plain_info);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	pv_last(&o);
	expect_of(&o, GW_GUEST_NONE, o.bytes.len - 1, "legacy-truncated", "(SHARED_INFO)");
}

/* xend's signature ends an image without LAST_CHECKPOINT. */
static void end_of_xend(void **state)
{
	struct legacy_out o = hvm();

	legacy_put_id(&o, 0);
	legacy_put(&o, NULL, 24);
	legacy_put_context(&o, "context", 7);
	legacy_put_model(&o, "QemuDeviceModelRecord", "QEVM and more", 13);
	expect(&o, "", NULL);
}

static void guests(void **state)
{
	struct legacy_out o = pv(&plain_info);

	legacy_put_vcpu_info(&o, 0, one_vcpu);
	legacy_put_param(&o, -8, 3);
	pv_last(&o);
	expect(&o, "legacy-guest", "(HVM_CONSOLE_PFN)");
}

static void repeated(void **state)
{
	struct legacy_out o = hvm();

	legacy_put_tsc(&o, &tsc);
	hvm_last(&o);
	expect(&o, "legacy-repeated", "(TSC_INFO)");
	o = hvm();
	legacy_put_param(&o, -3, 1);
	legacy_put_param(&o, -3, 2);
	hvm_last(&o);
	expect(&o, "legacy-repeated", "round 1 already has one");
	/* In a later round it is not a repetition. */
	o = hvm();
	hvm_tail(&o);
	legacy_put_tsc(&o, &tsc);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	hvm_last(&o);
	expect(&o, "", NULL);
}

static void toolstack(void **state)
{
	/* Version, count; an entry whose name is "x", with the stray bytes of 64-bit tools. */
	static const uint8_t record[8 + 28 + 2 + 4] = {[0] = 1, [4] = 1, [8 + 24] = 2, [36] = 'x'};
	struct legacy_out o = hvm();

	legacy_put_blob(&o, -18, record, sizeof(record));
	hvm_last(&o);
	expect(&o, "", NULL);
	o = hvm();
	legacy_put_blob(&o, -18, record, sizeof(record) - 4);
	hvm_last(&o);
	expect(&o, "legacy-toolstack",
	       "(TOOLSTACK) at offset 0x41234: toolstack record, which fits 32-bit tools but not 64-bit");
	o = hvm();
	legacy_put_blob(&o, -18, record, 4);
	hvm_last(&o);
	expect(&o, "legacy-toolstack", "it has 4 bytes, at least 8 expected");
	/* Nobody reads the toolstack record of a PV guest. */
	o = pv(&plain_info);
	legacy_put_blob(&o, -18, record, 4);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	pv_last(&o);
	expect(&o, "", NULL);
}

static void verify_mode(void **state)
{
	struct legacy_out o = hvm();

	legacy_put_id(&o, -1);
	hvm_last(&o);
	expect(&o, "legacy-verify-mode", NULL);
}

static void entry(uint32_t entry, bool contents, const char *ids, const char *text)
{
	struct legacy_out o = hvm();
	const uint32_t entries[] = {3, entry, entry};

	legacy_put_batch(&o, entries, 3);
	legacy_put(&o, NULL, 4096 * (1 + 2 * (size_t)contents));
	hvm_last(&o);
	expect(&o, ids, text);
}

static void pages(void **state)
{
	entry(0xf0000000, false, "", NULL);
	entry(0xd0000003, false, "", NULL);
	entry(0xe0000003, false, "", NULL);
	entry(SIZE - 1, true, "", NULL);
	entry(SIZE, true, "legacy-page-pfn",
	      "entry 1, pfn 0x40 of type 0x0: the guest has 0x40 pages");
	entry(0xd0000000 | SIZE, false, "legacy-page-pfn", "type 0xd");
	entry(0xe0000000 | SIZE, false, "legacy-page-pfn", "type 0xe");
	/* An mfn of Xen 3.4. */
	entry(0xf0000000 | SIZE, false, "", NULL);
	entry(0xffffffff, false, "", NULL);
	entry(0x0fffffff, true, "legacy-page-pfn", "pfn 0xfffffff");
	entry(0x50000003, true, "legacy-page-type", "entry 1, pfn 0x3 of type 0x5");
	entry(0x80000003, true, "legacy-page-type", "type 0x8");
	entry(0x90000003, true, "", NULL);
}

/* An HVM image of 32-bit tools that is read as that of a PV guest can look like this. */
static void no_pages(void **state)
{
	static const uint32_t fillers[] = {0xf0000000, 0xf0000000};
	struct legacy_out o = {.width = 4};

	legacy_put_long(&o, SIZE);
	legacy_put_frames(&o, SIZE, 4, 1);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	legacy_put_id(&o, -9);
	legacy_put_id(&o, 0);
	legacy_put_long(&o, 0);
	legacy_put(&o, NULL, 0xaf0 + 4096);
	expect_of(&o, PV, o.bytes.len, "legacy-no-extended-info legacy-no-pages",
		  "is it that of a PV guest, saved by 32-bit tools?");
	o = (struct legacy_out){.width = 8};
	legacy_put_long(&o, SIZE);
	legacy_put_batch(&o, fillers, 2);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	hvm_last(&o);
	expect(&o, "legacy-no-pages", "chunk 3 (END) at offset 0x1030: the body ends");
	/* A later round may have no changed pages. */
	o = hvm();
	hvm_tail(&o);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	hvm_last(&o);
	expect(&o, "", NULL);
}

static void unmapped(uint64_t pfn, const char *ids)
{
	struct legacy_out o = pv(&plain_info);

	legacy_put_vcpu_info(&o, 0, one_vcpu);
	legacy_put_id(&o, -9);
	legacy_put_id(&o, 0);
	legacy_put32(&o, 2);
	legacy_put_long(&o, 1);
	legacy_put_long(&o, pfn);
	legacy_put(&o, NULL, 0x1430 + 128);
	legacy_put64(&o, 7);
	legacy_put64(&o, 592);
	legacy_put(&o, NULL, 592 + 4096);
	expect(&o, ids, *ids ? "(UNMAPPED_PFNS)" : NULL);
}

static void unmapped_pfns(void **state)
{
	unmapped(SIZE - 1, "");
	unmapped(SIZE, "legacy-unmapped-pfn");
	unmapped(UINT64_MAX, "legacy-unmapped-pfn");
}

static void tmem(void **state)
{
	static const uint32_t none[] = {0, 0}, some[] = {0, 2};
	struct legacy_out o = hvm();

	legacy_put_tmem(&o, none, 2, false);
	legacy_put_tmem_extra(&o, 3);
	hvm_last(&o);
	expect(&o, "legacy-tmem", "2 pools without pages");
	o = hvm();
	legacy_put_tmem_extra(&o, 3);
	hvm_last(&o);
	expect(&o, "legacy-tmem", "3 pages to forget");
	o = hvm();
	legacy_put_tmem(&o, some, 2, false);
	hvm_last(&o);
	expect(&o, "legacy-tmem-pages", "2 pages in 2 pools cannot be converted");
	o = hvm();
	legacy_put_tmem(&o, some, 2, true);
	hvm_last(&o);
	expect(&o, "legacy-tmem-pages", "2 pages in 2 pools cannot be converted");
}

static void compression_place(void **state)
{
	struct legacy_out o = hvm();

	/* The chunk's id, and nothing after it. */
	legacy_put_id(&o, -13);
	hvm_last(&o);
	expect(&o, "", NULL);
	o = hvm();
	hvm_tail(&o);
	legacy_put_id(&o, -13);
	hvm_last(&o);
	expect(&o, "legacy-compression", "it is in round 2, where Xen does not read it");
	o = hvm();
	legacy_put_id(&o, -12);
	legacy_put_long(&o, 1);
	legacy_put(&o, NULL, 1);
	hvm_last(&o);
	expect(&o, "legacy-compression", "round 1 is not compressed");
	o = hvm();
	hvm_tail(&o);
	legacy_put_id(&o, -12);
	legacy_put_long(&o, 1);
	legacy_put(&o, NULL, 1);
	hvm_last(&o);
	expect(&o, "legacy-compression", "round 2 is not compressed");
}

/* A compressed round of three pages whose data has chunks of these sizes. */
static struct legacy_out compressed(size_t first, size_t second)
{
	static const uint32_t entries[] = {3, 0xf0000000, 4, 5};
	struct legacy_out o = hvm();

	legacy_put_id(&o, -13);
	hvm_tail(&o);
	legacy_put_batch(&o, entries, 4);
	legacy_put_id(&o, -12);
	legacy_put_long(&o, first);
	legacy_put(&o, NULL, first);
	legacy_put_id(&o, -12);
	legacy_put_long(&o, second);
	legacy_put(&o, NULL, second);
	hvm_last(&o);
	return o;
}

static void compressed_data(void **state)
{
	struct legacy_out o = compressed(1, 2);

	expect(&o, "", NULL);
	o = compressed(LEGACY_COMPRESS_MAX, 2 * LEGACY_COMPRESS_MAX);
	expect(&o, "", NULL);
	o = compressed(LEGACY_COMPRESS_MAX, 2 * LEGACY_COMPRESS_MAX + 1);
	expect(&o, "legacy-compressed-data",
	       "12316 bytes so far for 3 pages, expected at most 12315");
	o = compressed(1, 1);
	expect(&o, "legacy-compressed-data", "the body ends with 2 bytes for 3 pages");
}

/* A fault that the caller finds in the data. */
static void invalid_delta(void **state)
{
	struct legacy_out o = compressed(1, 2);
	struct found found = {0};
	const struct gw_findings out = {report, &found};
	struct legacy_feed f = {.in = {o.bytes.data, o.bytes.len, 0}};
	enum gw_legacy_event event = GW_LEGACY_MORE;

	f.rules = gw_legacy_rules_new(&out, 0);
	gw_legacy_reader_init(&f.r, NULL);
	while (event != GW_LEGACY_COMPRESSED)
		assert_true(legacy_feed_next(&f, &event));
	assert_int_equal(gw_legacy_rules_framing(f.rules, &f.r, "an empty run", &f.err), -1);
	assert_string_equal(found.seen.ids, "legacy-compressed-data ");
	assert_non_null(strstr(f.err.text, "(COMPRESSED_DATA) at offset 0x"));
	assert_non_null(strstr(f.err.text, ": an empty run"));
	gw_legacy_rules_free(f.rules);
	gw_legacy_reader_free(&f.r);
	gw_buffer_free(&o.bytes);
}

static void params(void **state)
{
	struct legacy_out o = hvm();

	legacy_put_param(&o, -10, 1);
	legacy_put_param(&o, -19, 5);
	legacy_put_param(&o, -20, 2);
	hvm_last(&o);
	expect(&o, "", NULL);
	o = hvm();
	legacy_put_param(&o, -20, 2);
	hvm_last(&o);
	expect(&o, "legacy-ioreq-server", "(END)");
	o = hvm();
	legacy_put_param(&o, -19, 2);
	hvm_last(&o);
	expect(&o, "legacy-ioreq-server", "ioreq servers have 0x0 pages from pfn 0x2");
	/* The params of the first round still count. */
	o = hvm();
	legacy_put_param(&o, -19, 5);
	legacy_put_param(&o, -20, 2);
	hvm_tail(&o);
	legacy_put_param(&o, -19, 6);
	hvm_last(&o);
	expect(&o, "", NULL);
}

static void device_models(void **state)
{
	struct legacy_out o = hvm();

	legacy_put_id(&o, -9);
	legacy_put_id(&o, 0);
	legacy_put(&o, NULL, 24);
	legacy_put_context(&o, "context", 7);
	legacy_put(&o, "RemusDeviceModelState", 21);
	legacy_put32(&o, (256u << 20) + 1);
	expect(&o, "legacy-device-model-size legacy-truncated", NULL);
}

static void vcpus(void **state)
{
	static const uint64_t two[] = {3}, gap[] = {5};
	struct legacy_out o = pv(&plain_info);

	pv_last(&o);
	expect(&o, "legacy-vcpu-info-missing",
	       "(VCPU) at offset 0x"); /* and vCPU 0 was read: the image is complete */
	o = pv(&plain_info);
	legacy_put_vcpu_info(&o, 1, two);
	pv_tail(&o, 2, true, 592);
	legacy_put_vcpu_info(&o, 2, gap);
	legacy_put_id(&o, -9);
	pv_tail(&o, 2, true, 592);
	expect(&o, "legacy-vcpu-map", "the vCPUs of round 2 differ from those of the first round");
	o = pv(&plain_info);
	legacy_put_vcpu_info(&o, 1, two);
	pv_tail(&o, 2, true, 592);
	legacy_put_vcpu_info(&o, 1, two);
	legacy_put_id(&o, -9);
	pv_tail(&o, 2, true, 592);
	expect(&o, "", NULL);
	o = pv(&plain_info);
	legacy_put_vcpu_info(&o, 0, one_vcpu);
	legacy_put_id(&o, -9);
	pv_tail(&o, 1, true, 600);
	expect(&o, "legacy-xsave-size",
	       "vCPU 0 has 600 bytes of extended state, the extended info gives 592");
}

static void every_rule_was_broken(void **state)
{
	rulecheck_all_were_broken(GW_LAYER_LEGACY, GW_LAYER_LEGACY);
	assert_string_equal(gw_layer_name(GW_LAYER_LEGACY), "legacy image");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_wrong),
		cmocka_unit_test(headers),
		cmocka_unit_test(framing),
		cmocka_unit_test(cuts),
		cmocka_unit_test(end_of_xend),
		cmocka_unit_test(guests),
		cmocka_unit_test(repeated),
		cmocka_unit_test(toolstack),
		cmocka_unit_test(verify_mode),
		cmocka_unit_test(pages),
		cmocka_unit_test(no_pages),
		cmocka_unit_test(unmapped_pfns),
		cmocka_unit_test(tmem),
		cmocka_unit_test(compression_place),
		cmocka_unit_test(compressed_data),
		cmocka_unit_test(invalid_delta),
		cmocka_unit_test(params),
		cmocka_unit_test(device_models),
		cmocka_unit_test(vcpus),
		cmocka_unit_test(every_rule_was_broken),
	};

	return cmocka_run_group_tests_name("rules_legacy", tests, NULL, NULL);
}
