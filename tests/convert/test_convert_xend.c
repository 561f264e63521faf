/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests conversions of files of xend to every form: the result is that of the image without the
 * header, and the loss of the config is reported. No such file was recorded, so the header is put
 * before recorded images here.
 */
#include "fixture.h"

#include "lib/realdata.h"
#include "lib/xend_file.h"
#include "base/bytes.h"
#include "base/util.h"
#include "convert/xend.h"
#include "format/xl/file.h"

static const char config[] =
	"(domain (name web1) (uuid 0e2d4a44-5c1c-9d5b-27f3-6fbc6ec4d14f) (maxmem 64) (image (hvm (kernel ''))))";

#define HEADER 20
#define FRONT  (HEADER + sizeof(config) - 1)

static const char *const samples[] = {
	"xen-code/leg40_hvm_w64_1024.xz",
	"xen-code/leg42_hvm_w32_1024.xz",
	"xen-code/leg45_hvm_w64_qemutrad_1024.xz",
	"xen-code-more/leg34_pv64_w64_mmio_257.xz",
	"xen-code-more/leg41_hvm_w64_remus2_256.xz",
	"xen-code-more/leg43_pv32_w32_broken_257.xz",
	"xen-code-more/leg44_hvm_w32_remus3_comp_256.xz",
};

static void check_form(const char *name, enum gw_convert_form form, const struct gw_buffer *file,
		       const struct outcome *bare)
{
	struct gw_convert_args args = {.to = form};
	struct outcome o;
	const char *rest;

	convert(&o, file->data, file->len, &args);
	if (o.rc < 0)
		fail_msg("%s to form %d: %s", name, form, o.err.text);
	assert_int_equal(o.done.from, GW_CONVERT_LEGACY);
	assert_int_equal(o.done.to, form == GW_CONVERT_SAME ? GW_CONVERT_LIBXL : form);
	assert_int_equal(o.done.in_bytes, file->len);
	assert_int_equal(o.done.dropped, bare->done.dropped + 1);
	assert_int_equal(o.out.len, bare->out.len);
	assert_memory_equal(o.out.data, bare->out.data, bare->out.len);
	assert_true(strncmp((char *)o.warnings.data, "the config of ", 14) == 0);
	rest = strchr((char *)o.warnings.data, '\n');
	assert_non_null(rest);
	assert_string_equal(rest + 1, (char *)bare->warnings.data);
	check_verified(o.out.data, o.out.len);
	outcome_free(&o);
}

/* An xl header without a config; xl takes it with a config file beside it. */
static void check_xl(const struct gw_buffer *file, const struct outcome *bare)
{
	static const char header[] = "Xen saved domain, xl format\n \0 \r\4\3\2\1\2\0\0\0\0\0\0\0"
				     "\0\0\0";
	struct gw_convert_args args = {.to = GW_CONVERT_XL};
	struct outcome o;

	_Static_assert(sizeof(header) == GW_XLFILE_HEADER_SIZE, "its last byte is that NUL");
	convert(&o, file->data, file->len, &args);
	assert_ok(o.rc, &o.err);
	assert_int_equal(o.done.to, GW_CONVERT_XL);
	assert_int_equal(o.out.len, sizeof(header) + bare->out.len);
	assert_memory_equal(o.out.data, header, sizeof(header));
	assert_memory_equal(o.out.data + sizeof(header), bare->out.data, bare->out.len);
	assert_non_null(strstr((char *)o.warnings.data, "\"xl restore\" needs a config for xl"));
	check_verified(o.out.data, o.out.len);
	outcome_free(&o);
}

static void as_without_it(void **state)
{
	static const enum gw_convert_form forms[] = {GW_CONVERT_SAME, GW_CONVERT_LIBXL,
						     GW_CONVERT_LIBXC};

	for (size_t n = 0; n < GW_ARRAY_SIZE(samples); n++) {
		struct gw_buffer image = realdata_load(realdata_path(samples[n]));
		struct gw_buffer file =
			xend_file(sizeof(config) - 1, config, sizeof(config) - 1, &image);

		for (size_t i = 0; i < GW_ARRAY_SIZE(forms); i++) {
			struct gw_convert_args args = {.to = forms[i]};
			struct outcome bare;

			convert(&bare, image.data, image.len, &args);
			assert_ok(bare.rc, &bare.err);
			check_form(samples[n], forms[i], &file, &bare);
			if (forms[i] == GW_CONVERT_LIBXL)
				check_xl(&file, &bare);
			outcome_free(&bare);
		}
		gw_buffer_free(&image);
		gw_buffer_free(&file);
	}
}

/* A bare image still cannot be converted to a file with an xl header. */
static void bare_ones_stay_refused(void **state)
{
	struct gw_convert_args args = {.to = GW_CONVERT_XL};
	struct gw_buffer image = realdata_load(realdata_path(samples[3]));
	struct outcome o;

	convert(&o, image.data, image.len, &args);
	assert_fails(o.rc, &o.err, GW_USAGE, "contains none");
	outcome_free(&o);
	gw_buffer_free(&image);
}

static void cut_everywhere(void **state)
{
	struct gw_buffer image = realdata_load(realdata_path(samples[3]));
	struct gw_buffer file = xend_file(sizeof(config) - 1, config, sizeof(config) - 1, &image);

	for (size_t at = 0; at < FRONT + 200; at++) {
		char where[40];
		struct outcome o;

		convert(&o, file.data, at, NULL);
		assert_int_equal(o.rc, -1);
		assert_int_equal(o.err.code, GW_TRUNCATED);
		snprintf(where, sizeof(where), "xend header at offset 0x%zx", at);
		assert_int_equal(strstr(o.err.text, where) != NULL, at >= 8 && at < FRONT);
		if (at < FRONT + 8)
			assert_int_equal(o.out.len, 0);
		outcome_free(&o);
	}
	gw_buffer_free(&file);
	gw_buffer_free(&image);
}

static void what_is_refused(void **state)
{
	static const struct {
		int32_t len;
		const char *text, *sample, *why;
		enum gw_convert_source from;
	} cases[] = {
		{-1, config, NULL, "the header gives a config of -1 bytes", GW_CONVERT_ANY},
		{INT32_MAX, config, NULL, "at most 1048576 expected", GW_CONVERT_ANY},
		{sizeof(config) - 1, config, "xen-code/v3_422_libxl_hvm_1024.xz",
		 "the xend header announces a legacy image, but other data follows it",
		 GW_CONVERT_ANY},
		{sizeof(config) - 1, config, "xen-code/xl45_pv32_w32_1024.xz",
		 "the xend header announces a legacy image", GW_CONVERT_ANY},
		{sizeof(config) - 1, config, NULL, "it is not an image of version 3",
		 GW_CONVERT_V3},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		const char *sample = cases[i].sample ? cases[i].sample : samples[3];
		struct gw_buffer image = realdata_load(realdata_path(sample));
		struct gw_buffer file =
			xend_file(cases[i].len, cases[i].text, strlen(cases[i].text), &image);
		struct gw_convert_args args = {.from = cases[i].from};
		struct outcome o;

		convert(&o, file.data, file.len, &args);
		assert_fails(o.rc, &o.err, GW_INVALID, cases[i].why);
		assert_int_equal(o.out.len, 0);
		outcome_free(&o);
		gw_buffer_free(&file);
		gw_buffer_free(&image);
	}
}

/* The result does not depend on the config. */
static void configs_that_are_none(void **state)
{
	static const char *const texts[] = {"", "(domain", "name = 'a'"};
	struct gw_buffer image = realdata_load(realdata_path(samples[3]));
	struct gw_convert_args args = {.from = GW_CONVERT_LEGACY};
	struct outcome bare;

	convert(&bare, image.data, image.len, NULL);
	for (size_t i = 0; i < GW_ARRAY_SIZE(texts); i++) {
		struct gw_buffer file =
			xend_file((int32_t)strlen(texts[i]), texts[i], strlen(texts[i]), &image);
		struct outcome o;

		convert(&o, file.data, file.len, &args);
		assert_ok(o.rc, &o.err);
		assert_int_equal(o.out.len, bare.out.len);
		assert_memory_equal(o.out.data, bare.out.data, bare.out.len);
		outcome_free(&o);
		gw_buffer_free(&file);
	}
	outcome_free(&bare);
	gw_buffer_free(&image);
}

/* A caller that needs the config reads the header first; messages still count offsets from the
 * file's beginning. */
static void header_taken_before(void **state)
{
	struct gw_buffer image = realdata_load(realdata_path(samples[3]));
	struct gw_buffer file = xend_file(sizeof(config) - 1, config, sizeof(config) - 1, &image);
	struct gw_channel *in;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xend xend = {0};
	struct outcome o, whole;

	convert(&whole, file.data, file.len - 1, NULL);
	assert_int_equal(whole.rc, -1);
	in = source_of(file.data, file.len - 1);
	assert_ok(gw_xend_read(in, NULL, &xend, &err), &err);
	assert_int_equal(in->read_pos, FRONT);
	assert_int_equal(xend.config.len, sizeof(config) - 1);
	assert_memory_equal(xend.config.data, config, sizeof(config) - 1);
	convert_channels(&o, in, NULL, NULL);
	assert_int_equal(o.rc, -1);
	assert_string_equal(o.err.text, whole.err.text);
	assert_non_null(strstr(o.err.text, "at offset 0x"));
	assert_int_equal(o.done.in_bytes, file.len - 1 - FRONT);
	assert_int_equal(o.done.dropped, whole.done.dropped - 1);
	gw_channel_close(in);
	gw_xend_free(&xend);
	outcome_free(&whole);
	outcome_free(&o);
	gw_buffer_free(&file);
	gw_buffer_free(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_without_it),	 cmocka_unit_test(bare_ones_stay_refused),
		cmocka_unit_test(cut_everywhere),	 cmocka_unit_test(what_is_refused),
		cmocka_unit_test(configs_that_are_none), cmocka_unit_test(header_taken_before),
	};

	return cmocka_run_group_tests_name("convert xend", tests, NULL, NULL);
}
