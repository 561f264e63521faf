/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the walk over files of xend: its header before recorded legacy images. No such file was
 * recorded; header and config are made here.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"

#include "lib/realdata.h"
#include "lib/xend_file.h"
#include "items.h"
#include "walked.h"

static const char config[] =
	"(domain (domid 7) (uuid 0e2d4a44-5c1c-9d5b-27f3-6fbc6ec4d14f) (name web1) (maxmem 64) (memory 64) (image (hvm (kernel '') (pae 1))) (device (vif (bridge xenbr0))))";

#define HEADER 20

static struct gw_buffer before(const char *sample)
{
	struct gw_buffer image = realdata_load(realdata_path(sample));
	struct gw_buffer file = xend_file(sizeof(config) - 1, config, sizeof(config) - 1, &image);

	gw_buffer_free(&image);
	return file;
}

static const char *const samples[] = {
	"xen-code/leg40_hvm_w64_1024.xz",
	"xen-code/leg40_pv64_w64_1024.xz",
	"xen-code/leg42_hvm_w32_1024.xz",
	"xen-code/leg45_hvm_w64_qemutrad_1024.xz",
	"xen-code-more/leg34_pv64_w64_mmio_257.xz",
	"xen-code-more/leg41_hvm_w64_remus2_256.xz",
	"xen-code-more/leg43_pv32_w32_broken_257.xz",
};

/* Everything is as without the header, but all offsets are larger by its length. */
static void as_without_it(void **unused)
{
	for (size_t n = 0; n < GW_ARRAY_SIZE(samples); n++) {
		struct gw_buffer image = realdata_load(realdata_path(samples[n]));
		struct gw_buffer file = before(samples[n]);
		size_t shift = file.len - image.len;
		struct items *bare = items_new(), *items = items_new();
		struct gw_examination was = items_walk(image.data, image.len, bare);
		struct gw_examination sum = items_walk(file.data, file.len, items);

		assert_false(was.has_xend);
		assert_true(sum.has_xend && !sum.has_xl && !sum.has_stream && sum.has_legacy);
		assert_int_equal(sum.format, GW_FILE_XEND);
		assert_int_equal(sum.errors, 0);
		assert_int_equal(sum.warnings, was.warnings);
		assert_int_equal(sum.notes, was.notes);
		assert_int_equal(sum.bytes, file.len);
		assert_int_equal(items->nr, bare->nr);
		for (size_t i = 0; i < items->nr; i++)
			assert_int_equal(items->at[i], bare->at[i] + shift);
		assert_true(items->records_sum == bare->records_sum);
		assert_true(items->summary.has_config && items->summary.config_is_xend);
		assert_false(items->summary.config_is_json);
		assert_int_equal(items->summary.config.len, sizeof(config) - 1);
		assert_string_equal((const char *)items->summary.config.data, config);
		items_free(items);
		items_free(bare);
		gw_buffer_free(&image);
		gw_buffer_free(&file);
	}
}

static void names_it(void **unused)
{
	struct gw_buffer file = before(samples[0]);
	struct outcome o;
	char title[200];

	examine(file.data, file.len, &o);
	assert_string_equal(gw_examination_title(&o.sum, title, sizeof(title)),
			    "xend file, legacy image, 64-bit tools, x86 HVM, 9 chunks, 992 pages");
	gw_buffer_free(&file);
}

/* A cut anywhere in the header or its config, or in the first bytes of the image, is one error that
 * names the part. */
static void names_every_cut(void **unused)
{
	struct gw_buffer file = before(samples[1]);
	size_t end = HEADER + sizeof(config) - 1;

	for (size_t at = 8; at < end + 300; at++) {
		const struct gw_finding *last;
		struct outcome o;

		examine(file.data, at, &o);
		if (o.sum.errors != 1)
			show(&o);
		assert_int_equal(o.sum.errors, 1);
		last = &o.findings[o.nr - 1];
		if (at < end) {
			assert_string_equal(last->rule->id, "xend-truncated");
			assert_int_equal(last->offset, at);
			assert_non_null(strstr(last->text, at < HEADER ? "20 bytes of the header"
								       : "bytes of the config"));
		} else if (at == end) {
			assert_string_equal(last->rule->id, "file-format");
			assert_string_equal(
				last->text,
				"after the xend header: empty file: expected an xl file, a libxl stream or a libxc image");
		} else {
			assert_string_equal(last->rule->id, "legacy-truncated");
			assert_true(last->offset >= end && last->offset <= at);
		}
		assert_int_equal(o.sum.bytes, at);
		assert_int_equal(o.sum.has_xend, at >= HEADER);
	}
	gw_buffer_free(&file);
}

static void lengths_that_are_none(void **unused)
{
	static const struct {
		int32_t len;
		const char *rule;
	} cases[] = {
		{-1, "xend-config-length"},
		{INT32_MIN, "xend-config-length"},
		{INT32_MAX, "xend-size"},
		{(int32_t)GW_XEND_CONFIG_MAX + 1, "xend-size"},
		{(int32_t)GW_XEND_CONFIG_MAX, "xend-truncated"},
		{4000, "xend-truncated"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_buffer file = xend_file(cases[i].len, config, sizeof(config) - 1, NULL);
		struct outcome o;

		examine(file.data, file.len, &o);
		if (o.sum.errors != 1 || !find(&o, cases[i].rule))
			show(&o);
		assert_int_equal(o.sum.errors, 1);
		assert_non_null(find(&o, cases[i].rule));
		assert_int_equal(find(&o, cases[i].rule)->rule->layer, GW_LAYER_XEND);
		gw_buffer_free(&file);
	}
}

/* The image is still read. */
static void configs_that_are_none(void **unused)
{
	static const char *const texts[] = {"", "(domain", "{\"c_info\": {}}", "name = 'a'\n"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(texts); i++) {
		struct gw_buffer image = realdata_load(realdata_path(samples[4]));
		size_t len = strlen(texts[i]);
		struct gw_buffer file = xend_file((int32_t)len, texts[i], len, &image);
		struct outcome o;

		examine(file.data, file.len, &o);
		assert_int_equal(o.sum.errors, 0);
		assert_non_null(find(&o, "xend-config"));
		assert_int_equal(find(&o, "xend-config")->offset, HEADER);
		assert_true(o.sum.has_legacy);
		gw_buffer_free(&file);
		gw_buffer_free(&image);
	}
}

/* An image that is not a legacy one is walked, and reported as out of place. */
static void others_behind_it(void **unused)
{
	static const struct {
		const char *file, *text;
	} cases[] = {
		{"xen-code/v3_422_libxl_hvm_1024.xz",
		 "after the xend header: a libxl stream, expected a legacy image"},
		{"xen-code/v3_422_hvm_1024.xz",
		 "after the xend header: a bare libxc image, expected a legacy image"},
		{"xen-code/xl45_hvm_w64_1024.xz",
		 "after the xend header: xl file: this version does not read it yet"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_buffer file = before(cases[i].file);
		struct outcome o;

		examine(file.data, file.len, &o);
		assert_int_equal(o.sum.errors, 1);
		assert_non_null(find(&o, "file-format"));
		assert_non_null(strstr(find(&o, "file-format")->text, cases[i].text));
		assert_int_equal(find(&o, "file-format")->offset, HEADER + sizeof(config) - 1);
		assert_int_equal(o.sum.has_image, i < 2);
		gw_buffer_free(&file);
	}
}

/* An xl header that announces a legacy image is reported as well. */
static void a_stream_in_a_legacy_place(void **unused)
{
	struct gw_buffer file = realdata_load(realdata_path("xen417/tiny-hvm.save.xz"));
	struct outcome o;

	file.data[36] = 1;
	examine(file.data, file.len, &o);
	assert_int_equal(o.sum.errors, 1);
	assert_string_equal(find(&o, "file-format")->text,
			    "after the xl header: a libxl stream, expected a legacy image");
	gw_buffer_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_without_it),
		cmocka_unit_test(names_it),
		cmocka_unit_test(names_every_cut),
		cmocka_unit_test(lengths_that_are_none),
		cmocka_unit_test(configs_that_are_none),
		cmocka_unit_test(others_behind_it),
		cmocka_unit_test(a_stream_in_a_legacy_place),
	};

	return cmocka_run_group_tests_name("examine_xend", tests, NULL, NULL);
}
