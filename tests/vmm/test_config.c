/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests domain configs: those of real xl, read and renamed without another byte changing; configs
 * made here; hostile ones.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "vmm/config.h"
#include "vmm/json_splice.h"

/* The config in the header of a real save file, NUL-terminated; the caller frees it. */
static char *real_config(const char *file, size_t *len)
{
	char command[600];
	uint8_t head[52];
	FILE *pipe;
	char *text;

	snprintf(command, sizeof(command), "xz -dc '%s/xen417/%s' 2>/dev/null",
		 getenv("GODWIT_TEST_DATA"), file);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(fread(head, 1, sizeof(head), pipe), sizeof(head));
	*len = gw_get_le32(head + 48) - 1;
	assert_in_range(*len, 100, 10000);
	text = calloc(1, *len + 1);
	assert_int_equal(fread(text, 1, *len, pipe), *len);
	pclose(pipe);
	return text;
}

static void test_real(void **state)
{
	static const struct {
		const char *file, *name, *uuid, *kernel;
		enum gw_guest_type type;
		bool pvh;
		uint64_t memkb;
	} real[] = {
		{"tiny-pvh.save.xz", "tpvh", "21436ef1-f91f-43fd-af89-6694c364eedc",
		 "/tmp/pvh-coop.elf", GW_GUEST_X86_HVM, true, 4096},
		{"tiny-hvm.save.xz", "thvm", "73fe3ba1-b610-401e-812b-9bba12eb313a", NULL,
		 GW_GUEST_X86_HVM, false, 16384},
		{"tiny-pv.save.xz", "tpv", "26048224-a4e3-46de-877b-620f1f54cb13", "/tmp/pv.elf",
		 GW_GUEST_X86_PV, false, 4096},
	};

	for (size_t i = 0; i < sizeof(real) / sizeof(real[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_config c;
		size_t len;
		char *text = real_config(real[i].file, &len);
		char uuid[37], expected[64];

		assert_ok(gw_config_parse_json(&c, text, len, &err), &err);
		assert_string_equal(c.name, real[i].name);
		gw_uuid_format(c.uuid, uuid);
		assert_string_equal(uuid, real[i].uuid);
		assert_int_equal(c.type, real[i].type);
		assert_int_equal(c.pvh, real[i].pvh);
		assert_int_equal(c.max_memkb, real[i].memkb);
		assert_int_equal(c.max_vcpus, 1);
		if (real[i].kernel)
			assert_string_equal(c.kernel, real[i].kernel);
		assert_int_equal(c.text_len, len);
		assert_memory_equal(c.text, text, len);

		/* Renamed: only the bytes of the name differ. */
		snprintf(expected, sizeof(expected), "\"name\": \"%s\"", real[i].name);
		size_t at = (size_t)(strstr(text, expected) - text) + strlen("\"name\": \"");
		assert_ok(gw_config_rename(&c, "a-new.name", &err), &err);
		assert_string_equal(c.name, "a-new.name");
		assert_int_equal(c.text_len, len + strlen("a-new.name") - strlen(real[i].name));
		assert_memory_equal(c.text, text, at);
		assert_memory_equal(c.text + at, "a-new.name", 10);
		assert_string_equal(c.text + at + 10, text + at + strlen(real[i].name));
		/* Renamed back, it is the same as before. */
		assert_ok(gw_config_rename(&c, real[i].name, &err), &err);
		assert_string_equal(c.text, text);
		gw_config_free(&c);
		free(text);
	}
}

static void test_build(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_config c = {
		.type = GW_GUEST_X86_HVM, .pvh = true, .max_memkb = 65536, .max_vcpus = 2};
	struct gw_config back;
	struct gw_domain_config dc;

	c.name = strdup("a \"quoted\" name");
	c.kernel = strdup("/boot/x.elf");
	c.cmdline = strdup("console=hvc0 a=\\b");
	assert_ok(gw_config_build(&c, &err), &err);
	assert_ok(gw_config_parse_json(&back, c.text, c.text_len, &err), &err);
	assert_string_equal(back.name, c.name);
	assert_string_equal(back.kernel, c.kernel);
	assert_string_equal(back.cmdline, c.cmdline);
	assert_int_equal(back.max_memkb, 65536);
	assert_int_equal(back.max_vcpus, 2);
	assert_true(back.pvh);
	assert_memory_equal(back.uuid, c.uuid, 16);
	assert_int_equal(back.uuid[6] >> 4, 4);
	gw_config_to_hypervisor(&back, &dc);
	assert_string_equal(dc.name, c.name);
	assert_true(dc.max_pages >= 16384);
	gw_config_free(&back);
	gw_config_free(&c);
}

static void test_text(void **state)
{
	static const char text[] = "# made by hand\n"
				   "name = 'old'\n"
				   "builder=\"hvm\"\n"
				   "memory = 32\n"
				   "vcpus=3\n"
				   "disk = [ 'phy:/dev/x,xvda,w' ]\n";
	struct gw_error err = GW_ERROR_INIT;
	struct gw_config c;

	assert_ok(gw_config_parse_text(&c, text, strlen(text), &err), &err);
	assert_string_equal(c.name, "old");
	assert_int_equal(c.type, GW_GUEST_X86_HVM);
	assert_false(c.pvh);
	assert_int_equal(c.max_memkb, 32 * 1024);
	assert_int_equal(c.max_vcpus, 3);
	assert_non_null(strstr(c.text, "\"max_memkb\": 32768"));
	gw_config_free(&c);
	assert_fails(gw_config_parse_text(&c, "memory = lots\n", 14, &err), &err, GW_INVALID,
		     "lots");
}

/* Values of an xend config, missing ones, and ones beyond all bounds. */
static void test_xend(void **state)
{
	struct gw_xend_config x = {
		.name = "web1",
		.uuid = "0e2d4a44-5c1c-9d5b-27f3-6fbc6ec4d14f",
		.kernel = "/boot/vmlinuz",
		.memory = 32,
		.maxmem = 64,
		.vcpus = 2,
		.guest = GW_GUEST_X86_PV,
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_config c, back;
	char uuid[37];

	assert_ok(gw_config_from_xend(&c, &x, &err), &err);
	assert_null(c.text);
	assert_string_equal(c.name, "web1");
	assert_string_equal(c.kernel, "/boot/vmlinuz");
	gw_uuid_format(c.uuid, uuid);
	assert_string_equal(uuid, x.uuid);
	assert_int_equal(c.type, GW_GUEST_X86_PV);
	assert_int_equal(c.max_memkb, 64 * 1024);
	assert_int_equal(c.max_vcpus, 2);
	assert_ok(gw_config_build(&c, &err), &err);
	assert_ok(gw_config_parse_json(&back, c.text, c.text_len, &err), &err);
	assert_string_equal(back.name, "web1");
	assert_memory_equal(back.uuid, c.uuid, 16);
	gw_config_free(&back);
	gw_config_free(&c);

	x = (struct gw_xend_config){.uuid = "web", .memory = 32};
	assert_ok(gw_config_from_xend(&c, &x, &err), &err);
	assert_null(c.name);
	assert_null(c.kernel);
	assert_int_equal(gw_get_le64(c.uuid) | gw_get_le64(c.uuid + 8), 0);
	assert_int_equal(c.max_memkb, 32 * 1024);
	assert_int_equal(c.max_vcpus, 1);
	assert_int_equal(c.type, GW_GUEST_NONE);
	gw_config_free(&c);

	x = (struct gw_xend_config){.maxmem = UINT64_MAX, .vcpus = UINT64_MAX};
	assert_ok(gw_config_from_xend(&c, &x, &err), &err);
	assert_int_equal(c.max_memkb, 64 * 1024);
	assert_int_equal(c.max_vcpus, 8192);
	gw_config_free(&c);
}

static void test_hostile(void **state)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{"", "not JSON"},
		{"[]", "c_info"},
		{"{\"c_info\":{}}", "b_info"},
		{"{\"c_info\":{},\"b_info\":{}}", "c_info.type"},
		{"{\"c_info\":{\"type\":\"arm\"},\"b_info\":{}}", "arm"},
		{"{\"c_info\":{\"type\":\"pv\"},\"b_info\":{\"max_memkb\":-1}}", "max_memkb"},
		{"{\"c_info\":{\"type\":\"pv\"},\"b_info\":{\"max_vcpus\":8193}}", "8193"},
		{"{\"c_info\":{\"type\":\"pv\",\"uuid\":\"x\"},\"b_info\":{}}", "uuid"},
		{"{\"c_info\":{\"type\":\"pv\",\"type\":\"pv\"},\"b_info\":{}}", "duplicate"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_config c;

		assert_fails(gw_config_parse_json(&c, bad[i].text, strlen(bad[i].text), &err), &err,
			     GW_INVALID, bad[i].part);
	}
}

/* Renames where the key is written with an escape, or where there was no name. */
static void test_rename_odd(void **state)
{
	static const char *const odd[] = {
		"{\"c_info\":{\"type\":\"pv\",\"n\\u0061me\":\"x\"},\"b_info\":{\"type.pv\":{}}}",
		"{\"c_info\":{\"type\":\"pv\"},\"b_info\":{\"type.pv\":{}}}",
		("{\"b_info\":{\"name\":\"not this\",\"type.pv\":{}},\"x\":[{\"name\":1}],\"c_info\":{\"a\":\"}\\\"\",\"type\":\"pv\",\"name\" : \"x\"}}"),
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_config c, back;

		assert_ok(gw_config_parse_json(&c, odd[i], strlen(odd[i]), &err), &err);
		assert_ok(gw_config_rename(&c, "y", &err), &err);
		assert_ok(gw_config_parse_json(&back, c.text, c.text_len, &err), &err);
		assert_string_equal(back.name, "y");
		if (i == 2)
			assert_non_null(strstr(c.text, "not this"));
		gw_config_free(&c);
		gw_config_free(&back);
	}
}

/* A new generation id: instead of the old one, in a text without one, and in none of another
 * type. */
static void test_genid(void **state)
{
	static const struct {
		const char *text, *then; /* NULL: as before */
	} cases[] = {
		{"{\"c_info\":{\"type\":\"hvm\"},\"b_info\":{\"type.hvm\":{\"ms_vm_genid\" : [1,2] ,\"x\":1}}}",
		 "{\"c_info\":{\"type\":\"hvm\"},\"b_info\":{\"type.hvm\":{\"ms_vm_genid\" : [7,0,0,0,0,0,0,0,0,0,0,0,0,0,0,255] ,\"x\":1}}}"},
		{"{\"c_info\":{\"type\":\"hvm\"},\"b_info\":{\"type.hvm\":{\"x\":1}}}", ""},
		{"{\"c_info\":{\"type\":\"pvh\"},\"b_info\":{\"type.pvh\":{}}}", NULL},
		{"{\"c_info\":{\"type\":\"pv\"},\"b_info\":{\"type.pv\":{}}}", NULL},
	};
	const uint8_t genid[16] = {[0] = 7, [15] = 255};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		const char *then = cases[i].then;
		struct gw_config c;

		assert_ok(gw_config_parse_json(&c, cases[i].text, strlen(cases[i].text), &err),
			  &err);
		assert_ok(gw_config_set_genid(&c, genid, &err), &err);
		if (!then || *then)
			assert_string_equal(c.text, then ? then : cases[i].text);
		else
			assert_non_null(strstr(c.text, "\"ms_vm_genid\": ["));
		gw_config_free(&c);
	}
}

static void test_find(void **state)
{
	static const char text[] = "{ \"a\" : [1,{\"c\":2}], \"o\" : {\"x\":true , \"i\": -1.5e3}}";
	size_t start, end;

	assert_true(gw_json_find(text, strlen(text), "o", "i", &start, &end));
	assert_memory_equal(text + start, "-1.5e3", end - start);
	assert_int_equal(end - start, 6);
	assert_true(gw_json_find(text, strlen(text), "o", "x", &start, &end));
	assert_int_equal(end - start, 4);
	assert_false(gw_json_find(text, strlen(text), "a", "c", &start, &end));
	assert_false(gw_json_find(text, strlen(text), "o", "a", &start, &end));
	/* Cut anywhere, it is not read beyond its end (a sanitizer would report that). */
	for (size_t len = 0; len < strlen(text); len++) {
		char *cut = malloc(len ? len : 1);

		memcpy(cut, text, len);
		gw_json_find(cut, len, "o", "i", &start, &end);
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),	cmocka_unit_test(test_build),
		cmocka_unit_test(test_text),	cmocka_unit_test(test_xend),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_rename_odd),
		cmocka_unit_test(test_genid),	cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
