/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the rules of the libxl stream, of the headers of xl and xend and of whole files: each one
 * is broken, and only that rule reports a finding.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/rules/rules.h"
#include "rulecheck.h"

#define HVM GW_GUEST_X86_HVM
#define PV  GW_GUEST_X86_PV

static void expect_xl(uint32_t byteorder, uint32_t mandatory, uint32_t optional, const void *data,
		      size_t len, const char *ids)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xlfile xl = {byteorder, mandatory, optional, (uint32_t)len, {0}};
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen};
	int rc;

	assert_ok(gw_buffer_append(&xl.optional, data, len < 4096 ? len : 0, &err), &err);
	rc = gw_xlfile_rules(&xl, &out, 0, &err);
	if (*seen.ids)
		seen.ids[strlen(seen.ids) - 1] = 0;
	assert_string_equal(seen.ids, ids);
	assert_int_equal(rc < 0, err.code != GW_OK);
	gw_xlfile_free(&xl);
}

static void headers_of_xl(void **state)
{
	const uint32_t order = GW_XLFILE_BYTEORDER;

	expect_xl(order, 3, 0, "\3\0\0\0{}", 7, "");
	expect_xl(0x04030201, 3, 0, "\3\0\0\0{}", 7, "xl-byteorder");
	expect_xl(order, 7, 0, "\3\0\0\0{}", 7, "xl-flags");
	expect_xl(order, 1, 0, "\3\0\0\0{}", 7, "xl-legacy");
	expect_xl(order, 3, 8, "\3\0\0\0{}", 7, "xl-optional-flags");
	expect_xl(order, 3, 0, NULL, GW_XLFILE_CONFIG_MAX + 1, "xl-size");
	expect_xl(order, 3, 0, NULL, 5000, ""); /* a cut, which the caller reports */
	expect_xl(order, 3, 0, NULL, 0, "xl-config-missing");
	expect_xl(order, 3, 0, "\0\0\0", 4, "xl-config-missing");
	expect_xl(order, 3, 0, "\0\0\0", 3, "xl-config-length");
	expect_xl(order, 3, 0, "\4\0\0\0{}", 7, "xl-config-length");
	expect_xl(order, 3, 0, "\2\0\0\x80{}", 7, "xl-config-length");
	expect_xl(order, 3, 0, "\2\0\0\0{}", 6, "xl-config-nul");
	expect_xl(order, 3, 0, "\4\0\0\0{\0}", 8, "xl-config-nul");
	expect_xl(order, 2, 0, "\2\0\0\0{}", 6, ""); /* a config in text form needs no NUL */
	expect_xl(order, 3, 0, "\3\0\0\0{}\0more", 11, "xl-config-more");
}

/* A config between c_info and b_info members of a guest that is complete otherwise. */
#define C_INFO(type, more) "{\"c_info\":{\"type\":\"" type "\",\"name\":\"n\"" more "},"
#define B_INFO(type, more) "\"b_info\":{\"type." type "\":{}" more "}}"
#define PV_WITH(more)	   C_INFO("pv", "") B_INFO("pv", more)
#define HVM_WITH(more)	   C_INFO("hvm", "") B_INFO("hvm", ",\"max_memkb\":8192" more)

#define WITH_DISK(vdev, format)                                                                    \
	C_INFO("pv", "")                                                                           \
	"\"disks\":[{\"vdev\":\"" vdev "\",\"format\":\"" format "\"}]," B_INFO("pv", "")

static void expect_config(bool json, const char *text, const char *ids)
{
	const struct gw_config_text from = {
		.text = text, .len = strlen(text), .json = json, .offset = 52};
	struct gw_error err = GW_ERROR_INIT;
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen};
	struct gw_config config;
	int rc = gw_config_rules(&from, &config, &out, &err);

	if (*seen.ids)
		seen.ids[strlen(seen.ids) - 1] = 0;
	if (strcmp(seen.ids, ids) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", text, seen.ids, ids);
	assert_int_equal(rc < 0, err.code != GW_OK);
	if (*ids)
		assert_in_range(seen.last.offset, 52, 52 + from.len);
	gw_config_free(&config);
}

/* A text that would take many times its size in memory is not parsed. */
static void configs_beyond_bounds(void **state)
{
	static const struct {
		const char *piece;
		size_t times;
		const char *ids;
	} cases[] = {
		{"{},", 20000, "config-json"},
		{"{},", 40000, "config-size"},
		{"1,", 70000, "config-size"},
		{"\"\\\",{\",", 2000, "config-json"}, /* what a string contains does not count */
		{"[", 65, "config-size"},
		{"{\"a\":", 65, "config-size"},
		{"[", 63, "config-json"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_buffer text = {0};

		assert_ok(gw_buffer_append(&text, "[", 1, &err), &err);
		for (size_t n = 0; n < cases[i].times; n++)
			assert_ok(gw_buffer_append(&text, cases[i].piece, strlen(cases[i].piece),
						   &err),
				  &err);
		assert_ok(gw_buffer_append(&text, "", 1, &err), &err);
		expect_config(true, (const char *)text.data, cases[i].ids);
		gw_buffer_free(&text);
	}
}

static void configs_in_json(void **state)
{
	static const struct {
		const char *text, *ids;
	} cases[] = {
		{PV_WITH(""), ""},
		{PV_WITH(",\"max_vcpus\":8192,\"max_memkb\":4096,\"target_memkb\":4096"), ""},
		{" " PV_WITH("") " \r\n\t", ""},
		{C_INFO("HVM", "") B_INFO("hvm", ",\"shadow_memkb\":1024"), ""},
		{C_INFO("pvh", "") B_INFO("pvh", ",\"max_memkb\":8192"), ""},
		{C_INFO("pvh", "") B_INFO("pvh", ",\"max_memkb\":8192,\"max_vcpus\":0"),
		 "config-vcpus-zero config-paging-memory"},
		{C_INFO("pvh", "")
			 B_INFO("pvh", ",\"max_memkb\":8192,\"max_vcpus\":0,\"shadow_memkb\":1024"),
		 "config-vcpus-zero"},
		{C_INFO("pvh", "") B_INFO("pvh", ",\"max_memkb\":131072,\"max_vcpus\":0"),
		 "config-vcpus-zero"},
		{C_INFO("pvh", "") B_INFO("pvh", ",\"shadow_memkb\":63"), "config-paging-memory"},
		{C_INFO("pvh", "") B_INFO("pvh", ",\"max_memkb\":null"),
		 "config-field-type config-paging-memory"},
		{C_INFO("pv", "") "\"on_crash\":\"Preserve\"," B_INFO("pv", ""), ""},
		{C_INFO("pv", "") "\"on_crash\":\"keep\"," B_INFO("pv", ""), "config-word"},
		{PV_WITH(",\"extra\":[\"a\",1]"), "config-list"},
		{PV_WITH(",\"irqs\":[1,\"a\"]"), "config-list"},
		{PV_WITH(",\"cpuid\":[{}]"), ""},
		{PV_WITH(",\"cpuid\":{\"cpuid\":[{}],\"msr\":[]}"), ""},
		{PV_WITH(",\"cpuid\":{}"), "config-list"},
		{PV_WITH(",\"video_memkb\":-1"), "config-number"},
		{PV_WITH(",\"event_channels\":4294967296"), "config-number"},
		{PV_WITH(",\"tsc_mode\":\"fast\""), "config-word"},
		{PV_WITH(",\"sched_params\":{\"sched\":\"bvt\"}"), "config-word"},
		{WITH_DISK("xvda", "qcow2"), ""},
		{WITH_DISK("xvda", "qcow3"), "config-word"},
		{WITH_DISK("xvdaa15", "raw"), ""},
		{WITH_DISK("hdd63", "raw"), ""},
		{WITH_DISK("sdp15", "raw"), ""},
		{WITH_DISK("d5p3", "raw"), ""},
		{WITH_DISK("0x300", "raw"), ""},
		{WITH_DISK("nonsense", "raw"), "config-disk"},
		{WITH_DISK("hde", "raw"), "config-disk"},
		{WITH_DISK("hda64", "raw"), "config-disk"},
		{WITH_DISK("sdq", "raw"), "config-disk"},
		{WITH_DISK("xvda01", "raw"), "config-disk"},
		{WITH_DISK("xvda256", "raw"), "config-disk"},
		{WITH_DISK("xvdzzzzzz", "raw"), "config-disk"},
		{WITH_DISK("d5p256", "raw"), "config-disk"},
		{"", "config-json"},
		{"{", "config-json"},
		{"name = 'x'", "config-json"},
		{PV_WITH(",\"x\":99999999999999999999"), "config-json"},
		{PV_WITH("") "x", "config-json-trailing"},
		{PV_WITH("") "{}", "config-json-trailing"},
		{PV_WITH(",\"kernel\":\"a\",\"kernel\":\"b\""), "config-key-twice"},
		{"[]", "config-sections"},
		{"{\"c_info\":{}}", "config-sections"},
		{"{\"b_info\":{}}", "config-sections"},
		{"{\"c_info\":[],\"b_info\":{}}", "config-sections"},
		{C_INFO("arm", "") B_INFO("pv", ""), "config-type"},
		{"{\"c_info\":{\"name\":\"n\"}," B_INFO("pv", ""), "config-type"},
		{"{\"c_info\":{\"name\":\"n\",\"type\":2}," B_INFO("pv", ""),
		 "config-field-type config-type"},
		{"{\"c_info\":{\"name\":\"n\",\"type\":null}," B_INFO("pv", ""), "config-type"},
		{C_INFO("pv", "") "\"b_info\":{}}", "config-build-type"},
		{C_INFO("pv", "") "\"b_info\":{\"type.pv\":1}}", "config-build-type"},
		{C_INFO("pv", "") B_INFO("hvm", ""), "config-build-type"},
		{C_INFO("hvm", "") B_INFO("pvh", ",\"max_memkb\":8192"), "config-build-type"},
		{C_INFO("pv", ",\"uuid\":\"26048224-a4e3-46de-877b-620f1f54cb13\"")
			 B_INFO("pv", ""),
		 ""},
		{C_INFO("pv", ",\"uuid\":\"26048224a4e346de877b620f1f54cb13\"") B_INFO("pv", ""),
		 "config-uuid"},
		{C_INFO("pv", ",\"uuid\":\"26048224-a4e3-46de-877b-620f1f54cb1g\"")
			 B_INFO("pv", ""),
		 "config-uuid"},
		{C_INFO("pv", ",\"uuid\":7") B_INFO("pv", ""), "config-field-type"},
		{"{\"c_info\":{\"type\":\"pv\"}," B_INFO("pv", ""), "config-name"},
		{"{\"c_info\":{\"type\":\"pv\",\"name\":\"a b\"}," B_INFO("pv", ""),
		 "config-name-here"},
		{PV_WITH(",\"max_memkb\":0"), "config-memory"},
		{PV_WITH(",\"max_memkb\":3,\"target_memkb\":3"), "config-memory"},
		{PV_WITH(",\"max_memkb\":-4"), "config-memory"},
		{PV_WITH(",\"target_memkb\":-4"), "config-memory"},
		{PV_WITH(",\"max_memkb\":17592186044417,\"target_memkb\":4"), "config-memory"},
		{PV_WITH(",\"target_memkb\":17592186044417"), "config-memory"},
		{PV_WITH(",\"max_memkb\":4096,\"target_memkb\":4097"), "config-target"},
		{PV_WITH(",\"max_memkb\":\"4096\""), "config-field-type"},
		{PV_WITH(",\"max_memkb\":4096.5"), "config-field-type"},
		{PV_WITH(",\"max_memkb\":{\"a\":[]}"), "config-field-type"},
		{PV_WITH(",\"target_memkb\":[4096]"), "config-field-type"},
		{PV_WITH(",\"kernel\":7"), "config-field-type"},
		{PV_WITH(",\"kernel\":null,\"cmdline\":null"), ""},
		{PV_WITH(",\"max_vcpus\":8193"), "config-vcpus"},
		{PV_WITH(",\"max_vcpus\":-1"), "config-vcpus"},
		{PV_WITH(",\"max_vcpus\":0"), "config-vcpus-zero"},
		{PV_WITH(",\"max_vcpus\":true"), "config-field-type"},
		{HVM_WITH(",\"max_vcpus\":128"), ""},
		{HVM_WITH(",\"max_vcpus\":129"), "config-vcpus"},
		{HVM_WITH(",\"device_model_version\":\"qemu_xen\""), ""},
		{HVM_WITH(",\"device_model_version\":\"qemu_xen_traditional\""),
		 "config-device-model"},
		{PV_WITH(",\"device_model_version\":\"qemu_xen_traditional\""), ""},
		{C_INFO("pv", ",\"run_hotplug_scripts\":\"False\",\"hap\":\"<default>\"")
			 B_INFO("pv", ",\"nested_hvm\":\"Truely\",\"localtime\":true"),
		 ""},
		{C_INFO("pv", ",\"run_hotplug_scripts\":\"false\"") B_INFO("pv", ""),
		 "config-word"},
		{PV_WITH(",\"nested_hvm\":\"\""), "config-word"},
		{PV_WITH(",\"type.hvm\":{\"apic\":\"yes\"}"), "config-word"},
		{PV_WITH(",\"sched_params\":{\"sched\":\"Credit2\",\"weight\":65535,\"cap\":100}"),
		 ""},
		{PV_WITH(",\"sched_params\":{\"sched\":\"credit\",\"weight\":-1,\"cap\":-1}"), ""},
		{PV_WITH(",\"sched_params\":{\"sched\":\"null\",\"weight\":0}"), ""},
		{PV_WITH(",\"sched_params\":{\"sched\":\"fast\"}"), "config-word"},
		{PV_WITH(",\"sched_params\":{\"sched\":\"credit2\",\"weight\":0}"),
		 "config-scheduler"},
		{PV_WITH(",\"sched_params\":{\"sched\":\"credit2\",\"weight\":65536}"),
		 "config-scheduler"},
		{PV_WITH(",\"max_vcpus\":2,\"sched_params\":{\"sched\":\"credit\",\"cap\":201}"),
		 "config-scheduler"},
		{PV_WITH(",\"max_vcpus\":2,\"vcpu_hard_affinity\":[[0],[0]]"), ""},
		{PV_WITH(",\"vcpu_soft_affinity\":[[0],[0]]"), "config-scheduler"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++)
		expect_config(true, cases[i].text, cases[i].ids);
}

static void configs_in_text(void **state)
{
	expect_config(false, "name='n'\nmemory = 32\nmaxmem=64\nvcpus = 2\n", "");
	expect_config(false, "name = \"n\"\nbuilder = 'hvm'\nmemory = 32", "");
	expect_config(false, "memory = 32", "config-name");
	expect_config(false, "name = 'n'\nmemory = lots", "config-memory");
	expect_config(false, "name = 'n'\nmemory = -5", "config-memory");
	expect_config(false, "name = 'n'\nmemory = 64\nmaxmem = 32", "config-target");
	expect_config(false, "name = 'n'\nmaxmem = 99999999999999999999", "config-memory");
	expect_config(false, "name = 'n'\nvcpus = 1x", "config-vcpus");
	expect_config(false, "name = 'n'\nvcpus = 0", "config-vcpus-zero");
	expect_config(false, "name = 'n'\ntype = 'arm'", "config-type");
	expect_config(false, "name = 'n'\nuuid = 'x'", "config-uuid");
}

/* What the rules of the layers below get to know. */
static void facts_of_configs(void **state)
{
	const char text[] = HVM_WITH(",\"max_vcpus\":3,\"target_memkb\":"
				     "4096,\"device_model_stubdomain\":\"True\"");
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xlfile xl = {.byteorder = GW_XLFILE_BYTEORDER, .mandatory_flags = 3};
	struct gw_config_facts facts;
	uint8_t len[4] = {sizeof(text)};

	len[1] = (uint8_t)(sizeof(text) >> 8);
	assert_ok(gw_xlfile_config_rules(&xl, false, &facts, NULL, 0, &err), &err);
	assert_false(facts.known);
	assert_ok(gw_buffer_append(&xl.optional, len, 4, &err), &err);
	assert_ok(gw_buffer_append(&xl.optional, text, sizeof(text), &err), &err);
	assert_ok(gw_xlfile_config_rules(&xl, false, &facts, NULL, 0, &err), &err);
	assert_true(facts.known && facts.stubdom && !facts.pvh);
	assert_int_equal(facts.type, HVM);
	assert_int_equal(facts.vcpus, 3);
	/* 4 MiB, and the MiB that libxl adds. */
	assert_int_equal(facts.max_pages, 1280);
	xl.optional.data[5] = '!';
	assert_fails(gw_xlfile_config_rules(&xl, false, &facts, NULL, 0, &err), &err, GW_INVALID,
		     "not JSON");
	assert_false(facts.known);
	gw_xlfile_free(&xl);
}

static void expect_xend(int32_t config_len, const char *config, const char *ids)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xend xend = {.config_len = config_len};
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen};
	int rc;

	assert_ok(gw_buffer_append(&xend.config, config, strlen(config), &err), &err);
	rc = gw_xend_rules(&xend, &out, 100, &err);
	if (*seen.ids)
		seen.ids[strlen(seen.ids) - 1] = 0;
	assert_string_equal(seen.ids, ids);
	assert_int_equal(rc < 0, err.code != GW_OK);
	if (*ids)
		assert_int_equal(seen.last.offset, strcmp(ids, "xend-config") ? 116 : 120);
	gw_xend_free(&xend);
}

static void headers_of_xend(void **state)
{
	expect_xend(17, "(domain (name a))", "");
	expect_xend(-1, "", "xend-config-length");
	expect_xend(INT32_MIN, "", "xend-config-length");
	expect_xend((int32_t)GW_XEND_CONFIG_MAX + 1, "", "xend-size");
	expect_xend(INT32_MAX, "", "xend-size");
	expect_xend((int32_t)GW_XEND_CONFIG_MAX, "(domain", ""); /* a cut, as above */
	expect_xend(16, "(domain (name a)", "xend-config");
	expect_xend(0, "", "xend-config");
	expect_xend(13, "{\"c_info\":{}}", "xend-config");
}

/* Records of the libxl layer, each as a letter for the number of its type; 'k': a CHECKPOINT of the
 * image. */
static void expect_stream_with(const struct gw_config_facts *config, enum gw_guest_type guest,
			       const char *letters, const void *body, uint32_t len,
			       bool at_boundary, const char *ids)
{
	struct gw_error err = GW_ERROR_INIT;
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen};
	struct gw_stream_rules *rules = gw_stream_rules_new(&out, 0);
	int rc = 0;

	if (config)
		gw_stream_rules_config(rules, config);
	for (uint32_t i = 0; letters[i]; i++) {
		struct gw_record rec = {.type = (uint32_t)(letters[i] - '0'),
					.offset = 16 + i,
					.number = i,
					.data = (const uint8_t *)"\2\0\0\0\0\0\0"};

		if (letters[i] == 'k') {
			gw_stream_rules_checkpoint(rules);
			continue;
		}
		if (rec.type == GW_STREAM_EMULATOR_CONTEXT ||
		    rec.type == GW_STREAM_EMULATOR_XENSTORE_DATA)
			rec.length = 8;
		if (rec.type == GW_STREAM_CHECKPOINT_STATE) {
			rec.length = 4;
			rec.data = (const uint8_t *)"\0\0\0";
		}
		if (body && letters[i + 1] == '*') {
			rec.data = body;
			rec.length = len;
		}
		if (letters[i] != '*')
			rc |= gw_stream_rules_record(rules, &rec, i ? guest : GW_GUEST_NONE, &err);
	}
	rc |= gw_stream_rules_end(rules, at_boundary, NULL, 100, &err);
	if (*seen.ids)
		seen.ids[strlen(seen.ids) - 1] = 0;
	if (strcmp(seen.ids, ids) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", letters, seen.ids, ids);
	assert_int_equal(rc < 0, err.code != GW_OK);
	gw_stream_rules_free(rules);
}

static void expect_stream_of(enum gw_guest_type guest, const char *letters, const void *body,
			     uint32_t len, bool at_boundary, const char *ids)
{
	expect_stream_with(NULL, guest, letters, body, len, at_boundary, ids);
}

static void stream_of(const char *letters, const char *ids)
{
	expect_stream_of(HVM, letters, NULL, 0, true, ids);
}

static void body_of(const char *letters, const void *body, uint32_t len, const char *ids)
{
	expect_stream_of(HVM, letters, body, len, true, ids);
}

static void records_of_libxl(void **state)
{
	stream_of("1230", "");
	stream_of("130", "");
	stream_of("10", "stream-emulator-missing");
	expect_stream_of(PV, "10", NULL, 0, true, "");
	expect_stream_of(PV, "130", NULL, 0, true, "stream-emulator-guest");
	stream_of("1k234k2345", "stream-checkpointed");
	stream_of("1k345k345k3", "stream-cut-round");
	stream_of("1k34k34", "stream-checkpointed");
	expect_stream_of(HVM, "1k34", NULL, 0, false, "stream-cut-round");
	stream_of("1k3", "stream-truncated");
	stream_of("13", "stream-truncated");
	expect_stream_of(HVM, "", NULL, 0, false, "stream-truncated");
	stream_of("0", "stream-context-missing");
	stream_of("310", "stream-context-first");
	stream_of("1130", "stream-context-twice");
	body_of("1*30", "abcdefg", 8, "stream-context-body");
	stream_of("1360", "stream-record-type");
	stream_of("1330", "stream-emulator-twice");
	stream_of("1300", "stream-after-end");
	stream_of("1340", "stream-checkpoint-place");
	stream_of("1350", "stream-checkpoint-place");
	stream_of("1k30", "stream-checkpoint-place");
	stream_of("1k343", "stream-checkpoint-place stream-checkpointed");
	body_of("130*", "abcdefg", 8, "stream-record-length");
	body_of("13*0", "\2\0\0\0", 4, "stream-emulator-length");
	body_of("13*0", "\3\0\0\0\0\0\0", 8, "stream-emulator-id");
	body_of("13*0", "\1\0\0\0\0\0\0", 8, "stream-emulator-traditional");
	body_of("13*0", "\2\0\0\0\1\0\0", 8, "stream-emulator-index");
	body_of("13*0", "\2\0\0\0\0\0\0", GW_EMULATOR_MAX + 8, "stream-emulator-size");
	body_of("1k345*", "\1\0\0\0", 4, "stream-checkpoint-state stream-checkpointed");
	body_of("1k345*", "\1\0\0\0", 2, "stream-checkpoint-state stream-checkpointed");
}

/* What the config says of the guest decides who needs device model state, and who may not have it.
 */
static void configs_of_libxl(void **state)
{
	struct gw_config_facts config = {.known = true, .type = HVM};

	expect_stream_with(&config, HVM, "1230", NULL, 0, true, "");
	expect_stream_with(&config, HVM, "10", NULL, 0, true, "stream-emulator-needed");
	expect_stream_with(&config, HVM, "120", NULL, 0, true, "stream-emulator-needed");
	config.stubdom = true;
	expect_stream_with(&config, HVM, "10", NULL, 0, true, "stream-emulator-missing");
	config = (struct gw_config_facts){.known = true, .type = HVM, .pvh = true};
	expect_stream_with(&config, HVM, "10", NULL, 0, true, "");
	expect_stream_with(&config, HVM, "130", NULL, 0, true, "stream-emulator-guest");
	expect_stream_with(&config, HVM, "120", NULL, 0, true, "stream-emulator-guest");
	config = (struct gw_config_facts){.known = true, .type = PV};
	expect_stream_with(&config, PV, "10", NULL, 0, true, "");
}

static void xenstore_keys(void **state)
{
#define XENSTORE(keys) "12*30", "\2\0\0\0\0\0\0\0" keys, (uint32_t)sizeof(keys) + 8

	body_of(XENSTORE("physmap/f0000000/start_addr\0f0000000\0physmap/f0000000/size\000800000"),
		"");
	body_of(XENSTORE("physmap/f0000000/name\0vga.vram"), "");
	body_of(XENSTORE("physmap/f0000000/other\0x"), "stream-xenstore-physmap");
	body_of(XENSTORE("physmap//name\0x"), "stream-xenstore-key");
	body_of(XENSTORE("physmap/g/name\0x"), "stream-xenstore-physmap");
	body_of(XENSTORE("/local/domain/0\0x"), "stream-xenstore-path");
	body_of(XENSTORE("physmap/../../x\0x"), "stream-xenstore-key");
	body_of(XENSTORE("\0x"), "stream-xenstore-path");
	body_of(XENSTORE("a\n\0x"), "stream-xenstore-key");
	body_of(XENSTORE("physmap/1/name\0x\0odd"), "stream-xenstore-strings");
	body_of("12*30", "\2\0\0\0\0\0\0\0abc", 11, "stream-xenstore-strings");
}

static void padding_and_headers_of_libxl(void **state)
{
	static const struct {
		struct gw_stream_header h;
		const char *ids;
	} cases[] = {
		{{2, 0}, ""},
		{{3, 0}, "stream-version "},
		{{2, 1}, "stream-endian "},
		{{2, 2}, "stream-converted "},
		{{2, 0x80000000}, "stream-reserved "},
	};
	const uint8_t ids[] = {2, 0, 0, 0, 0, 0, 0, 0, 'x'};
	struct gw_record rec = {.type = GW_STREAM_EMULATOR_CONTEXT,
				.length = 9,
				.data = ids,
				.padding = {0, 0, 0, 0, 0, 0, 1}};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct seen seen = {0};
		const struct gw_findings out = {rulecheck_report, &seen};
		struct gw_stream_rules *rules = gw_stream_rules_new(&out, 0);
		int rc = gw_stream_rules_header(rules, &cases[i].h, &err);

		assert_string_equal(seen.ids, cases[i].ids);
		assert_int_equal(rc < 0, err.code != GW_OK);
		seen = (struct seen){0};
		gw_stream_rules_record(rules, &rec, HVM, &err);
		assert_string_equal(seen.ids, "stream-padding stream-context-first ");
		gw_stream_rules_free(rules);
	}
}

/* The body was only announced: the ids come from its first bytes. */
static void announced_bodies(void **state)
{
	struct gw_stream_reader reader = {
		.rec = {.type = GW_STREAM_EMULATOR_CONTEXT, .length = 100000}, .body_head = {9}};
	struct gw_error err = GW_ERROR_INIT;
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen};
	struct gw_stream_rules *rules = gw_stream_rules_new(&out, 0);
	struct gw_record context = {.type = GW_STREAM_LIBXC_CONTEXT, .data = (const uint8_t *)""};

	assert_ok(gw_stream_rules_record(rules, &context, GW_GUEST_NONE, &err), &err);
	assert_ok(gw_stream_rules_body(rules, &reader, HVM, &err), &err);
	assert_string_equal(seen.ids, "stream-emulator-id ");
	/* Without its first bytes, the rules say nothing of the ids. */
	assert_ok(gw_stream_rules_record(rules, &reader.rec, HVM, &err), &err);
	assert_string_equal(seen.ids, "stream-emulator-id stream-emulator-twice ");
	gw_stream_rules_free(rules);
}

/* The state of an announced body, in two pieces, the second with the record's padding. */
static void expect_state(uint32_t id, const char *state, size_t len, const char *ids)
{
	struct gw_stream_reader reader = {
		.rec = {.type = GW_STREAM_EMULATOR_CONTEXT, .length = (uint32_t)len + 8},
		.body_head = {(uint8_t)id}};
	struct gw_error err = GW_ERROR_INIT;
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen};
	struct gw_stream_rules *rules = gw_stream_rules_new(&out, 0);
	uint8_t bytes[200];
	int rc;

	memset(bytes, 1, sizeof(bytes));
	memcpy(bytes, state, len);
	assert_ok(gw_stream_rules_body_begin(rules, &reader, &err), &err);
	assert_ok(gw_stream_rules_bytes(rules, bytes, len / 2, &err), &err);
	assert_ok(gw_stream_rules_bytes(rules, bytes + len / 2, len - len / 2 + 6, &err), &err);
	rc = gw_stream_rules_body_end(rules, &reader, &err);
	assert_string_equal(seen.ids, ids);
	assert_int_equal(rc < 0, *ids != 0);
	gw_stream_rules_free(rules);
}

static void states_of_a_device_model(void **state)
{
	static const char section[] = "QEVM\0\0\0\3\4\0\0\0\1\5timer\0\0\0\0\0\0\0\2"
				      "abcdefghABCDEFGH12345678";

	for (uint32_t id = 0; id < 4; id += 2) {
		expect_state(id, section, sizeof(section), "");
		expect_state(id, section, sizeof(section) - 1, "qemu-end ");
		expect_state(id, section, 30, "qemu-end ");
		expect_state(id, "", 0, "qemu-magic ");
		expect_state(id, "QEVN\0\0\0\3", 9, "qemu-magic ");
		expect_state(id, "QEVM\0\0\1\3", 9, "qemu-version ");
		expect_state(id, "QEVM\0\0\0\3x", 9, "qemu-section ");
	}
	/* That of the old fork is not looked at. */
	expect_state(GW_EMULATOR_TRADITIONAL, "QEVN\0\0\0\3", 9, "");
}

/* Findings that only the callers of the rules can report. */
static void reports_of_others(void **state)
{
	static const char *const ids[] = {"file-format",       "file-damaged",	 "trailing-bytes",
					  "migrate-handshake", "xl-magic",	 "xl-truncated",
					  "stream-ident",      "stream-framing", "xend-magic",
					  "xend-truncated"};
	struct gw_error err = GW_ERROR_INIT;
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen};

	for (size_t i = 0; i < GW_ARRAY_SIZE(ids); i++) {
		int rc = gw_rules_report(&out, ids[i], 77, &err, "%d bytes", 12);

		assert_int_equal(rc < 0, seen.last.level == GW_LEVEL_ERROR);
		assert_int_equal(rc < 0, err.code != GW_OK);
		assert_string_equal(seen.last.text, "12 bytes");
		assert_int_equal(seen.last.offset, 77);
		gw_error_clear(&err);
	}
	assert_int_equal(gw_rules_report(NULL, "xl-truncated", 0, &err, "x"), -1);
	assert_int_equal(err.code, GW_TRUNCATED);
	gw_error_clear(&err);
	assert_int_equal(gw_rules_report(NULL, "xend-truncated", 0, &err, "x"), -1);
	assert_int_equal(err.code, GW_TRUNCATED);
	assert_string_equal(err.text, "xend header at offset 0x0: x");
}

/* Must run last. */
static void every_rule_was_broken(void **state)
{
	rulecheck_all_were_broken(GW_LAYER_FILE, GW_LAYER_LIBXL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_of_xl),
		cmocka_unit_test(configs_in_json),
		cmocka_unit_test(configs_beyond_bounds),
		cmocka_unit_test(configs_in_text),
		cmocka_unit_test(facts_of_configs),
		cmocka_unit_test(headers_of_xend),
		cmocka_unit_test(records_of_libxl),
		cmocka_unit_test(configs_of_libxl),
		cmocka_unit_test(xenstore_keys),
		cmocka_unit_test(padding_and_headers_of_libxl),
		cmocka_unit_test(announced_bodies),
		cmocka_unit_test(states_of_a_device_model),
		cmocka_unit_test(reports_of_others),
		cmocka_unit_test(every_rule_was_broken),
	};

	return cmocka_run_group_tests_name("rules_layers", tests, NULL, NULL);
}
