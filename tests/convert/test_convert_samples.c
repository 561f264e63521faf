/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the conversion of every recorded stream to every form: complete, its pages as in the
 * manifest, its records as the specification demands, and unchanged bytes where nothing has to
 * change.
 */
#include "fixture.h"

#include <dirent.h>
#include <fnmatch.h>

#include "lib/realdata.h"
#include "base/bytes.h"
#include "base/util.h"
#include "format/xl/file.h"

/* Calls fn for the streams of tests/data whose names match the patterns, with the path below
 * tests/data and the unpacked bytes. Returns their number. */
typedef void stream_fn(const char *name, const struct gw_buffer *file);

static int is_stream(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 3 && strcmp(d->d_name + len - 3, ".xz") == 0 && !strstr(d->d_name, "manifest");
}

static int each_in(const char *folder, const char *pattern, stream_fn *fn)
{
	struct dirent **names;
	int n = scandir(realdata_path(folder), &names, is_stream, alphasort), done = 0;

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		char name[300];

		snprintf(name, sizeof(name), "%s/%s", folder, names[i]->d_name);
		if (fnmatch(pattern, names[i]->d_name, FNM_EXTMATCH) == 0) {
			struct gw_buffer file = realdata_load(realdata_path(name));

			print_message("%s\n", name);
			fn(name, &file);
			gw_buffer_free(&file);
			done++;
		}
		free(names[i]);
	}
	free(names);
	return done;
}

static bool has_config(const struct gw_buffer *file)
{
	return gw_xlfile_is_magic(file->data, file->len) && gw_get_le32(file->data + 44) > 4;
}

static bool is_legacy(const char *name)
{
	return strstr(name, "/leg") || strstr(name, "/xl4");
}

static const enum gw_convert_form forms[] = {GW_CONVERT_SAME, GW_CONVERT_LIBXC, GW_CONVERT_LIBXL,
					     GW_CONVERT_XL};

/* The result has the layers that were asked for and the config of the input. */
static void check_layers(const struct seen *s, const struct gw_buffer *file,
			 enum gw_convert_form form, bool legacy)
{
	bool is_xl = gw_xlfile_is_magic(file->data, file->len);

	assert_int_equal(s->xl_len > 0, form == GW_CONVERT_XL);
	assert_int_equal(s->stream_at != SIZE_MAX, form != GW_CONVERT_LIBXC);
	if (form != GW_CONVERT_LIBXC)
		assert_int_equal(s->stream_options, legacy ? GW_STREAM_CONVERTED : 0);
	if (form != GW_CONVERT_XL)
		return;
	assert_true(is_xl);
	/* Everything but the flags is copied. */
	assert_memory_equal(s->data, file->data, 36);
	assert_memory_equal(s->data + 40, file->data + 40, s->xl_len - 40);
	assert_int_equal(gw_get_le32(s->data + 36),
			 gw_get_le32(file->data + 36) | GW_XLFILE_STREAM_V2);
}

static void one_to_each_form(const char *name, const struct gw_buffer *file)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(forms); i++) {
		struct gw_convert_args args = {.to = forms[i]};
		struct outcome o;
		struct seen s;

		convert(&o, file->data, file->len, &args);
		if (forms[i] == GW_CONVERT_XL && !has_config(file)) {
			assert_fails(o.rc, &o.err, GW_USAGE, "contains none");
			assert_int_equal(o.out.len, 0);
			outcome_free(&o);
			continue;
		}
		if (o.rc < 0)
			fail_msg("%s to form %d: %s", name, forms[i], o.err.text);
		see(&s, o.out.data, o.out.len);
		assert_int_equal(s.header.version, 3);
		assert_true(s.ended);
		assert_null(seen_find(&s, false, GW_REC_CHECKPOINT, 0));
		assert_non_null(seen_find(&s, false, GW_REC_STATIC_DATA_END, 0));
		assert_null(seen_find(&s, false, GW_REC_STATIC_DATA_END, 1));
		check_layers(&s, file, o.done.to, is_legacy(name));
		if (strstr(name, "xen-code"))
			check_manifest(&s, manifest_of(name));
		check_verified(o.out.data, o.out.len);
		if (!strstr(name, "migrate"))
			assert_int_equal(o.done.in_bytes, file->len);
		seen_free(&s);
		outcome_free(&o);
	}
}

static void to_each_form(void **state)
{
	assert_true(each_in("xen-code", "*", one_to_each_form) >= 20);
	assert_true(each_in("xen-code-more", "*", one_to_each_form) >= 11);
	assert_true(each_in("xen417", "*", one_to_each_form) >= 5);
}

/* A plain image of version 3 is copied unchanged, to the last byte. */
static void one_stays(const char *name, const struct gw_buffer *file)
{
	struct outcome o;

	convert(&o, file->data, file->len, NULL);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.done.from, GW_CONVERT_V3);
	/* xl migrate sends a message after the stream. */
	assert_int_equal(o.out.len, file->len - (strstr(name, "migrate") ? 44 : 0));
	assert_memory_equal(o.out.data, file->data, o.out.len);
	assert_int_equal(o.warnings.len, 1);
	outcome_free(&o);
}

static void plain_version_3_stays(void **state)
{
	assert_true(each_in("xen-code", "v3!(*@(remus|colo)*)", one_stays) >= 6);
	assert_true(each_in("xen417", "tiny*", one_stays) >= 4);
}

/* Version 2 gets the new version and a STATIC_DATA_END before memory, and nothing else changes. */
static void one_of_version_2(const char *name, const struct gw_buffer *file)
{
	struct gw_buffer expected = {0};
	struct outcome o;
	size_t at = realdata_image(file), memory = at + 40;

	while (gw_get_le32(file->data + memory) != GW_REC_PAGE_DATA &&
	       gw_get_le32(file->data + memory) != GW_REC_X86_PV_P2M_FRAMES)
		memory += 8 + GW_ROUND_UP(gw_get_le32(file->data + memory + 4), 8u);
	gw_buffer_append(&expected, file->data, memory, NULL);
	gw_put_be32(expected.data + at + 12, 3);
	gw_record_append(&expected, GW_REC_STATIC_DATA_END, NULL, 0, NULL);
	gw_buffer_append(&expected, file->data + memory, file->len - memory, NULL);
	convert(&o, file->data, file->len, NULL);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.done.from, GW_CONVERT_V2);
	assert_int_equal(o.out.len, expected.len);
	assert_memory_equal(o.out.data, expected.data, expected.len);
	gw_buffer_free(&expected);
	outcome_free(&o);
}

static void version_2_gets_what_it_lacks(void **state)
{
	assert_true(each_in("xen-code", "v2*", one_of_version_2) >= 2);
}

/* In an image with checkpoints, the records after the pages are those of the last complete one,
 * unchanged; so are libxl's records after the image. */
static void check_tail(const struct seen *in, const struct seen *out)
{
	size_t end = in->nr, begin, at = 0;

	while (in->records[end - 1].libxl || in->records[end - 1].type != GW_REC_CHECKPOINT)
		end--;
	for (begin = --end; begin && (in->records[begin - 1].libxl ||
				      in->records[begin - 1].type != GW_REC_CHECKPOINT);)
		begin--;
	while (out->records[at].libxl || out->records[at].type != GW_REC_PAGE_DATA)
		at++;
	for (size_t i = begin; i < end; i++) {
		const struct seen_record *was = &in->records[i];

		if (was->libxl || was->type == GW_REC_PAGE_DATA)
			continue;
		while (out->records[at].type == GW_REC_PAGE_DATA)
			at++;
		assert_int_equal(out->records[at].type, was->type);
		assert_int_equal(out->records[at].length, was->length);
		assert_memory_equal(out->records[at].body, was->body, was->length);
		at++;
	}
	assert_int_equal(out->records[at++].type, GW_REC_END);
	if (in->stream_at == SIZE_MAX)
		return;
	for (size_t i = end + 1; i < in->nr && in->records[i].type != GW_STREAM_CHECKPOINT_END;
	     i++) {
		assert_int_equal(out->records[at].type, in->records[i].type);
		assert_int_equal(out->records[at].length, in->records[i].length);
		assert_memory_equal(out->records[at].body, in->records[i].body,
				    in->records[i].length);
		at++;
	}
	assert_int_equal(out->records[at].type, GW_STREAM_END);
	assert_int_equal(at + 1, out->nr);
}

static void one_with_checkpoints(const char *name, const struct gw_buffer *file)
{
	struct seen in, out;
	struct outcome o;

	convert(&o, file->data, file->len, NULL);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.done.checkpoints, 3);
	see(&in, file->data, file->len);
	see(&out, o.out.data, o.out.len);
	check_tail(&in, &out);
	seen_free(&in);
	seen_free(&out);
	outcome_free(&o);
}

static void checkpoints_of_version_3(void **state)
{
	assert_true(each_in("xen-code", "v3*@(remus|colo)*", one_with_checkpoints) >= 3);
}

/* The records of a converted legacy image come in the order that the specification demands. */
static void one_in_order(const char *name, const struct gw_buffer *file)
{
	struct gw_convert_args args = {.to = GW_CONVERT_LIBXL};
	char expected[400];
	struct outcome o;
	struct seen s;

	convert(&o, file->data, file->len, &args);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.done.from, GW_CONVERT_LEGACY);
	assert_int_equal(o.done.legacy.width, strstr(name, "w32") ? 4 : 8);
	assert_int_equal(o.done.legacy.guest,
			 strstr(name, "_pv") ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM);
	see(&s, o.out.data, o.out.len);
	assert_int_equal(s.header.xen_major, 0);
	assert_int_equal(s.header.xen_minor, 1);
	if (strstr(name, "_pv"))
		snprintf(
			expected, sizeof(expected),
			".LIBXC_CONTEXT X86_PV_INFO STATIC_DATA_END X86_PV_P2M_FRAMES PAGE_DATA X86_TSC_INFO SHARED_INFO X86_PV_VCPU_BASIC X86_PV_VCPU_EXTENDED%s X86_PV_VCPU_BASIC X86_PV_VCPU_EXTENDED%s END .END",
			strstr(name, "leg40") ? "" : " X86_PV_VCPU_XSAVE",
			strstr(name, "leg40") ? "" : " X86_PV_VCPU_XSAVE");
	else
		snprintf(
			expected, sizeof(expected),
			".LIBXC_CONTEXT STATIC_DATA_END PAGE_DATA%s X86_TSC_INFO HVM_PARAMS HVM_CONTEXT END %s.EMULATOR_CONTEXT .END",
			strstr(name, "verify") ? " VERIFY PAGE_DATA" : "",
			seen_find(&s, true, GW_STREAM_EMULATOR_XENSTORE_DATA, 0)
				? ".EMULATOR_XENSTORE_DATA "
				: "");
	assert_string_equal(seen_order(&s), expected);
	seen_free(&s);
	outcome_free(&o);
}

static void records_of_legacy_images(void **state)
{
	assert_true(each_in("xen-code", "leg*", one_in_order) >= 10);
	assert_true(each_in("xen-code", "xl45*", one_in_order) >= 2);
}

/* What a bare image cannot carry is reported, once each. */
static void what_is_dropped(void **state)
{
	static const struct {
		const char *name;
		const char *const told[3];
	} cases[] = {
		{"v3_422_libxl_hvm_1024", {"EMULATOR_XENSTORE_DATA of ", "EMULATOR_CONTEXT of "}},
		{"v3_422_libxl_hvm_remus3_1024",
		 {"EMULATOR_XENSTORE_DATA of ", "EMULATOR_CONTEXT of "}},
		{"leg45_hvm_w64_chunks_1024",
		 {"device model state of 2051 bytes is dropped",
		  "TOOLSTACK of 89 bytes is dropped"}},
		{"leg45_hvm_w64_qemutrad_1024", {"device model state of 2051 bytes is dropped"}},
		{"leg45_hvm_w64_remus4_1024", {"device model state of "}},
		{"leg45_pv64_w64_ts0_1024", {NULL}},
		{"v3_422_pv64_1024", {NULL}},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_convert_args args = {.to = GW_CONVERT_LIBXC};
		struct gw_buffer file;
		struct outcome o;
		unsigned lines = 0, expected = 0;
		char name[100];

		snprintf(name, sizeof(name), "xen-code/%s.xz", cases[i].name);
		file = realdata_load(realdata_path(name));
		convert(&o, file.data, file.len, &args);
		assert_int_equal(o.rc, 0);
		for (size_t c = 0; c < o.warnings.len; c++)
			lines += o.warnings.data[c] == '\n';
		for (; cases[i].told[expected]; expected++)
			if (!strstr((char *)o.warnings.data, cases[i].told[expected]))
				fail_msg("%s: %s", name, (char *)o.warnings.data);
		if (lines != expected || o.done.dropped != expected)
			fail_msg("%s: %s", name, (char *)o.warnings.data);
		gw_buffer_free(&file);
		outcome_free(&o);
	}
}

/* The caller says what the input has to be. */
static void other_sources(void **state)
{
	static const struct {
		const char *name;
		enum gw_convert_source from;
		const char *text; /* NULL: the input is that */
	} cases[] = {
		{"v3_422_hvm_1024", GW_CONVERT_V3, NULL},
		{"v3_422_hvm_1024", GW_CONVERT_V2, "the image has version 3, expected version 2"},
		{"v3_422_hvm_1024", GW_CONVERT_LEGACY, "it is a libxc image"},
		{"v3_422_libxl_hvm_1024", GW_CONVERT_LEGACY, "it is a libxl stream"},
		{"v2_46_hvm_w64_1024", GW_CONVERT_V3, "version 2, expected version 3"},
		{"v2_46_hvm_w64_1024", GW_CONVERT_V2, NULL},
		{"leg45_hvm_w64_1024", GW_CONVERT_LEGACY, NULL},
		{"xl45_hvm_w64_1024", GW_CONVERT_LEGACY, NULL},
		{"leg45_hvm_w64_1024", GW_CONVERT_V3, "it is not an image of version 3"},
		{"xl45_hvm_w64_1024", GW_CONVERT_V2, "it is not an image of version 2"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_convert_args args = {.from = cases[i].from};
		struct gw_buffer file;
		struct outcome o;
		char name[100];

		snprintf(name, sizeof(name), "xen-code/%s.xz", cases[i].name);
		file = realdata_load(realdata_path(name));
		convert(&o, file.data, file.len, &args);
		if (cases[i].text)
			assert_fails(o.rc, &o.err, GW_INVALID, cases[i].text);
		else
			assert_int_equal(o.rc, 0);
		if (cases[i].text)
			assert_int_equal(o.out.len, 0);
		gw_buffer_free(&file);
		outcome_free(&o);
	}
}

/* Guest type and width of the tools: forced, detected, neither. */
static void kinds_of_legacy(void **state)
{
	struct gw_buffer file = realdata_load(realdata_path("xen-code/leg42_hvm_w32_1024.xz"));
	struct gw_convert_args args = {.to = GW_CONVERT_LIBXL};
	struct outcome plain, o;

	convert(&plain, file.data, file.len, &args);
	args.legacy = (struct gw_legacy_kind){.width = 8, .guest = GW_GUEST_X86_HVM};
	convert(&o, file.data, file.len, &args);
	assert_fails(o.rc, &o.err, GW_INVALID, "it looks like an HVM guest saved by 32-bit tools");
	outcome_free(&o);
	args.legacy_is_guess = true;
	for (int pv = 0; pv < 2; pv++) {
		args.legacy.guest = pv ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM;
		convert(&o, file.data, file.len, &args);
		assert_int_equal(o.rc, 0);
		assert_non_null(strstr((char *)o.warnings.data, "using the detected one"));
		assert_int_equal(o.done.legacy.width, 4);
		assert_int_equal(o.out.len, plain.out.len);
		assert_memory_equal(o.out.data, plain.out.data, o.out.len);
		outcome_free(&o);
	}
	args.legacy = (struct gw_legacy_kind){.width = 4, .guest = GW_GUEST_X86_HVM};
	convert(&o, file.data, file.len, &args);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.warnings.len, 1);
	outcome_free(&o);
	outcome_free(&plain);
	gw_buffer_free(&file);
}

/* To an image without the device model's record, which is not read then. */
static void bare_images(void **state)
{
	static const char *const names[] = {"leg45_hvm_w64_1024", "leg45_hvm_w64_qemutrad_1024",
					    "leg40_hvm_w64_1024"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		struct gw_convert_args args = {.to = GW_CONVERT_LIBXC, .bare = true};
		struct gw_buffer file;
		struct outcome o, cut;
		struct seen s;
		char name[100];

		snprintf(name, sizeof(name), "xen-code/%s.xz", names[i]);
		file = realdata_load(realdata_path(name));
		convert(&o, file.data, file.len, &args);
		assert_int_equal(o.rc, 0);
		assert_int_equal(o.warnings.len, 1);
		see(&s, o.out.data, o.out.len);
		check_manifest(&s, manifest_of(name));
		convert(&cut, file.data, o.done.in_bytes, &args);
		assert_int_equal(cut.rc, 0);
		assert_int_equal(cut.out.len, o.out.len);
		outcome_free(&cut);
		args.bare = false;
		convert(&cut, file.data, o.done.in_bytes, &args);
		if (strstr(name, "leg40")) { /* has no LAST_CHECKPOINT */
			assert_fails(cut.rc, &cut.err, GW_TRUNCATED, "DEVICE_MODEL");
		} else {
			assert_int_equal(cut.rc, 0);
			assert_int_equal(cut.out.len, o.out.len);
			assert_non_null(strstr((char *)cut.warnings.data, "device model"));
		}
		seen_free(&s);
		outcome_free(&cut);
		outcome_free(&o);
		gw_buffer_free(&file);
	}
}

static void neither(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum gw_code code;
		const char *text;
	} cases[] = {
		{"", 0, GW_TRUNCATED, "too short"},
		{"Xen", 3, GW_TRUNCATED, "too short"},
		{"What on earth is this?", 22, GW_INVALID, "expected the size of a guest"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff", 8, GW_TRUNCATED, "ends"},
		{"LibxlFmt", 8, GW_TRUNCATED, "ends"},
		{"Xen saved domain, xl format", 27, GW_TRUNCATED, "inside the header"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct outcome o;

		convert(&o, cases[i].bytes, cases[i].len, NULL);
		assert_fails(o.rc, &o.err, cases[i].code, cases[i].text);
		assert_int_equal(o.out.len, 0);
		outcome_free(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_each_form),
		cmocka_unit_test(plain_version_3_stays),
		cmocka_unit_test(version_2_gets_what_it_lacks),
		cmocka_unit_test(checkpoints_of_version_3),
		cmocka_unit_test(records_of_legacy_images),
		cmocka_unit_test(what_is_dropped),
		cmocka_unit_test(other_sources),
		cmocka_unit_test(kinds_of_legacy),
		cmocka_unit_test(bare_images),
		cmocka_unit_test(neither),
	};

	return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
