/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that the rules for a config and the real libxl of this machine agree on what can be parsed:
 * libxl_domain_config_from_json() reads thousands of changed configs of stored domains. It needs no
 * Xen: its connections to the hypervisor and to xenstore are opened here, and never used.
 */
#include "lib/gwtest.h"

#include <stdio.h>
#include <stdlib.h>

#include <libxl.h>
#include <xenctrl.h>
#include <xenstore.h>
#include <xentoollog.h>

#include "base/util.h"
#include "format/rules/rules.h"
#include "format/xl/file.h"
#include "lib/random.h"
#include "lib/realdata.h"

/* libxl's connections. */
xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild,
				unsigned flags)
{
	return calloc(1, 4096);
}

int xc_interface_close(xc_interface *xch)
{
	free(xch);
	return 0;
}

struct xs_handle *xs_open(unsigned long flags)
{
	return calloc(1, 4096);
}

void xs_close(struct xs_handle *xsh)
{
	free(xsh);
}

static void say_nothing(xentoollog_logger *logger, xentoollog_level level, int errnoval,
			const char *context, const char *format, va_list al)
{
}

static void no_progress(xentoollog_logger *logger, const char *context, const char *doing,
			int percent, unsigned long done, unsigned long total)
{
}

static void keep(xentoollog_logger *logger)
{
}

static xentoollog_logger logger = {say_nothing, no_progress, keep};
static libxl_ctx *ctx;

static bool libxl_parses(const char *text)
{
	libxl_domain_config config;
	int rc;

	libxl_domain_config_init(&config);
	rc = libxl_domain_config_from_json(ctx, &config, text);
	libxl_domain_config_dispose(&config);
	return rc == 0;
}

/* What the rules say; ids of errors, each with a space after it. */
struct said {
	char errors[1000];
};

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct said *s = opaque;

	if (gw_rule_level(finding->rule, 17) != GW_LEVEL_ERROR)
		return;
	strncat(s->errors, finding->rule->id, sizeof(s->errors) - strlen(s->errors) - 2);
	strcat(s->errors, " ");
}

static void judge(const char *text, struct said *said)
{
	const struct gw_config_text from = {.text = text, .len = strlen(text), .json = true};
	const struct gw_findings out = {on_finding, said};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_config config;

	*said = (struct said){0};
	gw_config_rules(&from, &config, &out, &err);
	gw_config_free(&config);
}

/* Rules about the text and its words. The others are about what libxl does with the config later.
 */
static bool is_about_text(const struct said *s)
{
	return strstr(s->errors, "config-json ") || strstr(s->errors, "config-word ") ||
	       strstr(s->errors, "config-number ") || strstr(s->errors, "config-list ");
}

/* What yajl takes and godwit's JSON library does not: some numbers and letters. A text that is no
 * object leaves libxl without a guest type, later. */
static bool is_beyond_us(const char *text)
{
	return *text != '{' || strstr(text, "99999999999999999999") || strstr(text, "1e400") ||
	       strstr(text, "\\u0000") || strstr(text, "\\ud800");
}

/* The changed text around the change. */
static const char *excerpt(const char *text, const char *base)
{
	static char shown[160];
	size_t at = 0;

	while (text[at] && text[at] == base[at])
		at++;
	at -= GW_MIN(at, (size_t)40);
	snprintf(shown, sizeof(shown), "...%.100s...", text + at);
	return shown;
}

static void agree(const char *text, const char *base, unsigned *taken, unsigned *refused)
{
	bool parses = libxl_parses(text);
	struct said said;

	judge(text, &said);
	*taken += parses;
	*refused += !parses;
	if (!parses && !*said.errors)
		fail_msg("libxl refuses, the rules do not: %s", excerpt(text, base));
	if (parses && is_about_text(&said) && !is_beyond_us(text))
		fail_msg("libxl takes, the rules say %s: %s", said.errors, excerpt(text, base));
}

/* Values that take the place of another one. */
static const char *const values[] = {
	"0",
	"1",
	"-1",
	"01",
	"+1",
	"1.5",
	"1e3",
	"4294967296",
	"99999999999999999999",
	"true",
	"null",
	"\"\"",
	"\"x\"",
	"\"True\"",
	"\"False\"",
	"\"<default>\"",
	"\"yes\"",
	"\"true\"",
	"{}",
	"[]",
	"[1]",
	"{\"a\": 1}",
	"\"preserve\"",
	"\"RESTART\"",
	"\"unknown\"",
	"\"none\"",
	"\"raw\"",
	"\"qdisk\"",
	"\"credit\"",
	"\"default\"",
	"\"native\"",
	"\"hvm\"",
	"tru",
	"'x'",
	"/* */ 1",
	"[\"x\", 1]",
	"[{}]",
	"[[]]",
	"{\"cpuid\": [], \"msr\": []}",
	"{\"cpuid\": [1]}",
	"\"\\u0041\"",
	"\"\\q\"",
	"\"\x01\"",
	"\"\xff\"",
};

/* Fields that the stored configs do not have. */
static const char *const fields[] = {
	"\"tsc_mode\"",
	"\"timer_mode\"",
	"\"bios\"",
	"\"hdtype\"",
	"\"nested_hvm\"",
	"\"acpi\"",
	"\"passthrough\"",
	"\"device_model_version\"",
	"\"vendor_device\"",
	"\"hap\"",
	"\"oos\"",
	"\"disable_migrate\"",
	"\"localtime\"",
	"\"gfx_passthru\"",
	"\"driver_domain\"",
	"\"shadow_memkb\"",
	"\"rdm_mem_boundary_memkb\"",
	"\"msr_relaxed\"",
	"\"vpmu\"",
	"\"serial_list\"",
	"\"altp2m\"",
	"\"cpuid\"",
	"\"extra\"",
	"\"ioports\"",
	"\"nodemap\"",
	"\"blkdev_start\"",
};

/* Offset of the n-th value: what follows ": ". SIZE_MAX: there are fewer. */
static size_t value_at(const char *text, unsigned n)
{
	const char *p = text;

	for (unsigned i = 0; (p = strstr(p, ": ")); i++, p += 2)
		if (i == n)
			return (size_t)(p + 2 - text);
	return SIZE_MAX;
}

/* The end of a value that is a number or a string; other values are not replaced. */
static size_t value_end(const char *text, size_t at)
{
	size_t end = at;

	if (text[at] == '"')
		return at + 1 + strcspn(text + at + 1, "\"") + 1;
	end += strspn(text + at, "0123456789");
	return end;
}

static void put(char *to, size_t size, const char *text, size_t at, size_t end, const char *new)
{
	snprintf(to, size, "%.*s%s%s", (int)at, text, new, text + end);
}

static void change(const char *text, char *to, size_t size)
{
	unsigned nr = 0;
	char field[200];
	size_t at;

	while (value_at(text, nr) != SIZE_MAX)
		nr++;
	at = value_at(text, (unsigned)random_below(nr));
	switch (random_below(6)) {
	case 0: /* a byte */
		snprintf(to, size, "%s", text);
		to[random_below(strlen(text))] = (char)(33 + random_below(94));
		break;
	case 1: /* cut, or something after it */
		at = random_below(strlen(text));
		snprintf(to, size, "%.*s%s", (int)(random_below(2) ? at : strlen(text)), text,
			 values[random_below(GW_ARRAY_SIZE(values))]);
		break;
	case 2: /* a field more, in an object that has one already */
		for (at--; text[at] != '"'; at--)
			;
		for (at--; text[at] != '"'; at--)
			;
		snprintf(field, sizeof(field), "%s: %s, ",
			 fields[random_below(GW_ARRAY_SIZE(fields))],
			 values[random_below(GW_ARRAY_SIZE(values))]);
		put(to, size, text, at, at, field);
		break;
	default:
		put(to, size, text, at, value_end(text, at),
		    values[random_below(GW_ARRAY_SIZE(values))]);
		break;
	}
}

static void agrees_with_libxl(void **state)
{
	static const char *const names[] = {"xen417/tiny-pv.save.xz", "xen417/tiny-pvh.save.xz",
					    "xen417/tiny-hvm.save.xz"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		struct gw_buffer file = realdata_load(realdata_path(names[i]));
		const char *config = memchr(file.data, '{', file.len);
		unsigned taken = 0, refused = 0;
		char changed[10000];

		assert_non_null(config);
		agree(config, config, &taken, &refused);
		assert_int_equal(taken, 1);
		for (unsigned k = 0; k < 3000; k++) {
			change(config, changed, sizeof(changed));
			agree(changed, config, &taken, &refused);
		}
		print_message("%s: libxl parses %u, refuses %u\n", names[i], taken, refused);
		assert_true(taken > 100 && refused > 100);
		gw_buffer_free(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_libxl)};

	assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, &logger), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
