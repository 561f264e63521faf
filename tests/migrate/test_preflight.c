/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the preflight against a host in memory: the last page that fits, guest types, several
 * reasons.
 */
#include "lib/gwtest.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_page_fits),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(all_reasons_are_reported),
	};

	return cmocka_run_group_tests_name("preflight", tests, NULL, NULL);
}
