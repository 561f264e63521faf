/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loading the plugin of a backend, and what is said where that cannot be done.
 */
#include "lib/gwtest.h"

#include <unistd.h>

#include <godwit/hypervisor.h>

static void test_missing(void **state)
{
	struct gw_error err = GW_ERROR_INIT;

	setenv("GODWIT_PLUGINS", "/no/such/folder", 1);
	assert_null(gw_host_open("xen:", &err));
	assert_fails(-1, &err, GW_UNSUPPORTED, "/no/such/folder/xen.so");
	/* Without the variable, and with an empty one, it is the folder of the installation. */
	setenv("GODWIT_PLUGINS", "", 1);
	gw_host_close(gw_host_open("xen:", &err));
	assert_null(strstr(err.text, "\"/xen.so"));
}

static void test_other_version(void **state)
{
	struct gw_error err = GW_ERROR_INIT;

	setenv("GODWIT_PLUGINS", getenv("OLD_PLUGIN"), 1);
	assert_null(gw_host_open("xen:", &err));
	assert_fails(-1, &err, GW_UNSUPPORTED, "another version of godwit");
}

/* The real one, on a machine with Xen or without. */
static void test_xen(void **state)
{
	struct gw_error err = GW_ERROR_INIT;

	if (!getenv("XEN_PLUGIN"))
		skip();
	setenv("GODWIT_PLUGINS", getenv("XEN_PLUGIN"), 1);
	assert_null(gw_host_open("xen:?color=red", &err));
	assert_fails(-1, &err, GW_USAGE, "xen: has no options");
	struct gw_host *host = gw_host_open("xen:", &err);

	if (host)
		assert_string_equal(host->ops->name, "xen");
	else if (access("/dev/xen/privcmd", F_OK) < 0)
		assert_fails(-1, &err, GW_UNSUPPORTED, "does not run Xen");
	gw_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_xen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
