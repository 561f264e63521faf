/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the preflight against a host in memory: the last page that fits, guest types, several
 * reasons.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/x86/policy.h"
#include "hypervisor/host.h"
#include "migrate/preflight.h"

static struct gw_host *open_host(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:?pages=900", &err);

	assert_non_null(host);
	return host;
}

static void the_last_page_fits(void **state)
{
	struct gw_host *host = open_host();
	struct gw_error err = GW_ERROR_INIT;
	struct gw_preflight wanted = {.type = GW_GUEST_X86_HVM, .pages = 900};

	assert_ok(gw_preflight(host, &wanted, &err), &err);
	wanted.pages = 901;
	assert_int_equal(gw_preflight(host, &wanted, &err), -1);
	assert_int_equal(err.code, GW_REFUSED);
	assert_string_equal(gw_error_reason(&err, 0),
			    "the guest needs 901 pages of memory, this host has room for 900");
	gw_host_close(host);
}

static void unknown_types_are_refused(void **state)
{
	struct gw_host *host = open_host();
	struct gw_error err = GW_ERROR_INIT;
	struct gw_preflight wanted = {.type = GW_GUEST_X86_PV, .pages = 1};

	assert_ok(gw_preflight(host, &wanted, &err), &err);
	wanted.type = (enum gw_guest_type)7;
	assert_int_equal(gw_preflight(host, &wanted, &err), -1);
	assert_int_equal(err.code, GW_REFUSED);
	assert_int_equal(err.nr_reasons, 1);
	assert_non_null(strstr(gw_error_reason(&err, 0), "does not run unknown guests"));
	gw_host_close(host);
}

static void all_reasons_are_reported(void **state)
{
	struct gw_host *host = open_host();
	struct gw_error err = GW_ERROR_INIT;
	struct gw_preflight wanted = {.type = (enum gw_guest_type)7, .pages = 1000};

	assert_int_equal(gw_preflight(host, &wanted, &err), -1);
	assert_string_equal(err.text, "this host cannot take the guest");
	assert_int_equal(err.nr_reasons, 2);
	assert_non_null(strstr(gw_error_reason(&err, 0), "does not run unknown guests"));
	assert_non_null(strstr(gw_error_reason(&err, 1), "the guest needs 1000 pages"));
	gw_host_close(host);
}

static int little_policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *policy,
			 struct gw_error *err)
{
	static struct gw_cpuid_leaf leaves[] = {
		{0, GW_CPUID_NO_SUBLEAF, 1, 0x756e6547, 0x6c65746e, 0x49656e69},
		{0x80000000, GW_CPUID_NO_SUBLEAF, 0x80000008, 0, 0, 0}};
	const struct gw_policy little = {leaves, GW_ARRAY_SIZE(leaves), NULL, 0};

	return gw_policy_copy(policy, &little, err);
}

static unsigned all_types(struct gw_host *host)
{
	return ~0u;
}

static uint64_t no_limit(struct gw_host *host)
{
	return UINT64_MAX;
}

/* Each reason says what Xen does about it: refuses it, since which release, or hides the feature.
 */
static void reasons_say_what_xen_does(void **state)
{
	static const struct gw_host_ops ops = {.name = "little",
					       .policy = little_policy,
					       .guest_types = all_types,
					       .free_pages = no_limit};
	struct gw_cpuid_leaf leaves[] = {
		{0, GW_CPUID_NO_SUBLEAF, 0xd, 0x68747541, 0x444d4163, 0x69746e65},
		{1, GW_CPUID_NO_SUBLEAF, 0, 0, 1, 0},
		{7, 0, 0, 0, 0, 1u << 10}}; /* md_clear is not demanded */
	const struct gw_policy policy = {leaves, GW_ARRAY_SIZE(leaves), NULL, 0};
	struct gw_preflight wanted = {.type = GW_GUEST_X86_HVM, .policy = &policy};
	struct gw_host host = {.ops = &ops};
	struct gw_error err = GW_ERROR_INIT;

	assert_int_equal(gw_preflight(&host, &wanted, &err), -1);
	assert_int_equal(err.nr_reasons, 3);
	assert_string_equal(
		gw_error_reason(&err, 0),
		"this host lacks a CPU of vendor AuthenticAMD (CPUID leaf 0x0), the host's is "
		"GenuineIntel: Xen 4.22 and later refuse the guest");
	assert_string_equal(
		gw_error_reason(&err, 1),
		"this host lacks CPUID leaves up to 0xd (leaf 0x0 eax), the host has up to "
		"0x1: Xen refuses the guest");
	assert_string_equal(
		gw_error_reason(&err, 2),
		"this host lacks CPU feature sse3 (CPUID leaf 0x1 ecx bit 0), which the "
		"guest may already use");
}

/* What others were promised, and what the receiver holds, is not there for this one. */
static void others_take_room(void **state)
{
	struct gw_host *host = open_host();
	struct gw_error err = GW_ERROR_INIT;
	struct gw_preflight_room room = {.left = UINT64_MAX};
	struct gw_preflight wanted = {.type = GW_GUEST_X86_HVM, .pages = 900, .room = &room};

	assert_ok(gw_preflight(host, &wanted, &err), &err);
	room.left = 900;
	assert_ok(gw_preflight(host, &wanted, &err), &err);
	room = (struct gw_preflight_room){.left = 899, .promised = 50};
	assert_int_equal(gw_preflight(host, &wanted, &err), -1);
	assert_string_equal(gw_error_reason(&err, 0),
			    "the guest needs 900 pages of memory, this host has room for 899, "
			    "beside 50 that other domains were promised");
	gw_host_close(host);
}

static void a_budget_is_kept(void **state)
{
	struct gw_host *host = open_host();
	struct gw_error err = GW_ERROR_INIT;
	struct gw_preflight_room room = {
		.left = 1000, .max_pages = 1000, .pages = 400, .max_domains = 2, .domains = 1};
	struct gw_preflight wanted = {.type = GW_GUEST_X86_HVM, .pages = 600, .room = &room};

	assert_ok(gw_preflight(host, &wanted, &err), &err);
	wanted.pages = 601;
	assert_int_equal(gw_preflight(host, &wanted, &err), -1);
	assert_string_equal(gw_error_reason(&err, 0),
			    "the guest needs 601 pages of memory, this receiver may have 1000 "
			    "(--max-memory), of which 1 domains have 400");
	gw_error_clear(&err);
	/* A domain may have grown beyond it. */
	room.pages = 1001;
	wanted.pages = 1;
	assert_int_equal(gw_preflight(host, &wanted, &err), -1);
	gw_error_clear(&err);
	room.pages = 0;
	room.domains = 2;
	assert_int_equal(gw_preflight(host, &wanted, &err), -1);
	assert_int_equal(err.nr_reasons, 1);
	assert_string_equal(gw_error_reason(&err, 0),
			    "this receiver may have 2 domains (--max-domains) and has 2, those "
			    "included that are arriving");
	gw_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_page_fits),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(all_reasons_are_reported),
		cmocka_unit_test(reasons_say_what_xen_does),
		cmocka_unit_test(others_take_room),
		cmocka_unit_test(a_budget_is_kept),
	};

	return cmocka_run_group_tests_name("preflight", tests, NULL, NULL);
}
