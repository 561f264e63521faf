/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests which generations of images are accepted: lists, the site's file, and the command line,
 * which overrides it.
 */
#include "lib/gwtest.h"

#include <unistd.h>

#include "migrate/accept.h"

#define BIT(g) (1u << GW_GENERATION_##g)

static char path[400];

static int set_up(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "%s/godwit-conf-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	return setenv("GODWIT_CONF", path, 1);
}

static int tear_down(void **state)
{
	return unlink(path);
}

static void put(const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_lists(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	unsigned set = 99;

	assert_ok(gw_generations_parse("v3", &set, &err), &err);
	assert_int_equal(set, BIT(V3));
	assert_ok(gw_generations_parse(" legacy,v2 ,\tconverted", &set, &err), &err);
	assert_int_equal(set, BIT(LEGACY) | BIT(V2) | BIT(CONVERTED));
	set = 99;
	assert_fails(gw_generations_parse("", &set, &err), &err, GW_USAGE, "empty");
	assert_fails(gw_generations_parse(" , ", &set, &err), &err, GW_USAGE, "empty");
	assert_fails(gw_generations_parse("v3,v4", &set, &err), &err, GW_USAGE, "\"v4\"");
	assert_fails(gw_generations_parse("v", &set, &err), &err, GW_USAGE, "\"v\"");
	assert_fails(gw_generations_parse("V3", &set, &err), &err, GW_USAGE, "\"V3\"");
	assert_int_equal(set, 99);
}

static void test_header(void **state)
{
	struct gw_image_header header = {.version = 3, .xen_major = 4, .xen_minor = 17};

	assert_int_equal(gw_generation_of(&header), GW_GENERATION_V3);
	header.version = 2;
	assert_int_equal(gw_generation_of(&header), GW_GENERATION_V2);
	header.xen_major = 0;
	assert_int_equal(gw_generation_of(&header), GW_GENERATION_CONVERTED);
	header.version = 3;
	assert_int_equal(gw_generation_of(&header), GW_GENERATION_CONVERTED);
}

static void test_file(void **state)
{
	struct gw_acceptance a;
	struct gw_error err = GW_ERROR_INIT;

	put("# what we take\n\n  accept = v3, v2 # not more\r\nwarn=v2\n");
	assert_ok(gw_acceptance_load(&a, &err), &err);
	assert_int_equal(a.refuse, BIT(LEGACY) | BIT(CONVERTED));
	assert_int_equal(a.warn, BIT(V2));
	assert_fails(
		gw_acceptance_check(&a, GW_GENERATION_LEGACY, NULL, &err), &err, GW_REFUSED,
		"legacy format of Xen 4.5 or older: this host does not accept it (accept = v3, v2 in ");
	assert_ok(gw_acceptance_override(&a, NULL, &err), &err);
	assert_int_equal(a.refuse, BIT(LEGACY) | BIT(CONVERTED));
	assert_ok(gw_acceptance_override(&a, "legacy", &err), &err);
	assert_int_equal(a.refuse, BIT(V3) | BIT(V2) | BIT(CONVERTED));
	assert_fails(gw_acceptance_check(&a, GW_GENERATION_V3, NULL, &err), &err, GW_REFUSED,
		     "(--accept legacy)");
	assert_fails(gw_acceptance_override(&a, "new", &err), &err, GW_USAGE, "--accept: \"new\"");

	put("warn = legacy\nwarn =\n");
	assert_ok(gw_acceptance_load(&a, &err), &err);
	assert_int_equal(a.refuse, 0);
	assert_int_equal(a.warn, 0);
	put("warn = converted"); /* no newline at the end */
	assert_ok(gw_acceptance_load(&a, &err), &err);
	assert_int_equal(a.warn, BIT(CONVERTED));
}

/* A line that cannot be parsed is an error and is not ignored. */
static void test_bad_file(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"warn = v2\naccept v3\n", "line 2: expected"},
		{"acept = v3\n", "line 1: unknown setting \"acept\""},
		{"\n\naccept = v3 v5\n", "line 3: \"v5\""},
		{"accept =\n", "line 1: an empty list"},
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_acceptance a;
	char longer[3000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(bad[i].text);
		assert_fails(gw_acceptance_load(&a, &err), &err, GW_USAGE, bad[i].why);
	}
	memset(longer, ' ', sizeof(longer));
	memcpy(longer + sizeof(longer) - 12, "accept = v3", 12);
	put(longer);
	assert_fails(gw_acceptance_load(&a, &err), &err, GW_USAGE, "line 1: a line of more than");
	setenv("GODWIT_CONF", "/nonexistent/godwit.conf", 1);
	assert_fails(gw_acceptance_load(&a, &err), &err, GW_SYSTEM, "/nonexistent/godwit.conf");
	setenv("GODWIT_CONF", path, 1);
}

static unsigned warnings;

static void on_log(void *opaque, enum gw_log_level level, const char *text)
{
	assert_int_equal(level, GW_LOG_WARNING);
	assert_non_null(strstr(text, opaque));
	warnings++;
}

static void test_warning(void **state)
{
	struct gw_acceptance a = {.warn = BIT(V2)};
	struct gw_log log = {.fn = on_log, .opaque = (char[]){"version 2"}, .max = GW_LOG_WARNING};
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_acceptance_check(&a, GW_GENERATION_V3, &log, &err), &err);
	assert_int_equal(warnings, 0);
	assert_ok(gw_acceptance_check(&a, GW_GENERATION_V2, &log, &err), &err);
	assert_int_equal(warnings, 1);
	a.refuse = BIT(V2);
	assert_fails(gw_acceptance_check(&a, GW_GENERATION_V2, &log, &err), &err, GW_REFUSED,
		     "version 2");
	assert_int_equal(warnings, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),	cmocka_unit_test(test_header),
		cmocka_unit_test(test_file),	cmocka_unit_test(test_bad_file),
		cmocka_unit_test(test_warning),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
