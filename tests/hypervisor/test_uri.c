/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests host URIs: which backend and options they give, and which are invalid.
 */
#include "lib/gwtest.h"

#include <godwit/hypervisor.h>

#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/uri.h"

static void test_query(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	const char *query = NULL;

	assert_int_equal(gw_uri_query("memory:", "memory", &query, &err), 1);
	assert_string_equal(query, "");
	assert_int_equal(gw_uri_query("memory:?pages=3", "memory", &query, &err), 1);
	assert_string_equal(query, "pages=3");
	assert_int_equal(gw_uri_query("memory", "memory", &query, &err), 0);
	assert_int_equal(gw_uri_query("mem:", "memory", &query, &err), 0);
	assert_int_equal(gw_uri_query("memory2:", "memory", &query, &err), 0);
	assert_fails(gw_uri_query("memory:pages=3", "memory", &query, &err), &err, GW_USAGE,
		     "not \"pages=3\"");
}

static void test_pairs(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_uri_pair pair;
	const char *query = "lack=avx+aes&seed=0x10&empty=&last=a=b";
	uint64_t n = 0;

	assert_int_equal(gw_uri_next(&query, &pair, &err), 1);
	assert_string_equal(pair.key, "lack");
	assert_string_equal(pair.value, "avx+aes");
	assert_fails(gw_uri_number(&pair, 10, &n, &err), &err, GW_USAGE, "is not a number");
	assert_int_equal(gw_uri_next(&query, &pair, &err), 1);
	assert_ok(gw_uri_number(&pair, 16, &n, &err), &err);
	assert_int_equal(n, 16);
	assert_fails(gw_uri_number(&pair, 15, &n, &err), &err, GW_USAGE, "more than 15");
	assert_int_equal(gw_uri_next(&query, &pair, &err), 1);
	assert_string_equal(pair.value, "");
	assert_fails(gw_uri_number(&pair, 10, &n, &err), &err, GW_USAGE, "is not a number");
	assert_int_equal(gw_uri_next(&query, &pair, &err), 1);
	assert_string_equal(pair.value, "a=b");
	assert_int_equal(gw_uri_next(&query, &pair, &err), 0);

	query = "nothing";
	assert_fails(gw_uri_next(&query, &pair, &err), &err, GW_USAGE, "expected key=value");
	query = "=x";
	assert_fails(gw_uri_next(&query, &pair, &err), &err, GW_USAGE, "expected key=value");
	query = "a-key-that-is-longer-than-any-backend-knows=1";
	assert_fails(gw_uri_next(&query, &pair, &err), &err, GW_USAGE, "longer than 31");
}

static void test_hosts(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	static const struct {
		const char *uri, *says;
		enum gw_code code;
	} bad[] = {
		{"xen:", "/no/such/folder/xen.so", GW_UNSUPPORTED},
		{"kvm:?colour=red", "\"colour\"", GW_USAGE},
		{"vmware:", "expected \"emu:\"", GW_USAGE},
		{"memory:/x", "nothing or \"?key=value\"", GW_USAGE},
		{"memory:?color=red", "\"color\"", GW_USAGE},
		{"memory:?pages=many", "is not a number", GW_USAGE},
		{"memory:?attach=arm", "expected pv or hvm", GW_USAGE},
		{"memory:?logdirty=yes", "expected no", GW_USAGE},
	};

	setenv("GODWIT_PLUGINS", "/no/such/folder", 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(gw_host_open(bad[i].uri, &err));
		assert_fails(-1, &err, bad[i].code, bad[i].says);
	}
	struct gw_host *host = gw_host_open("memory:?pages=77", &err);

	assert_non_null(host);
	assert_string_equal(host->ops->name, "memory");
	assert_int_equal(gw_host_free_pages(host), 77);
	gw_host_close(host);
	gw_host_close(NULL);
}

/* A host for tests of programs that attach: it creates the domain. */
static void test_born(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:?attach=hvm&pfns=77&logdirty=no", &err);
	struct gw_domain *d, *again;
	uint64_t nr;

	assert_non_null(host);
	d = gw_host_attach(host, 12, 0, &err);
	assert_non_null(d);
	assert_int_equal(d->domid, 12);
	assert_int_equal(d->type, GW_GUEST_X86_HVM);
	assert_ok(gw_domain_nr_pfns(d, &nr, &err), &err);
	assert_int_equal(nr, 77);
	assert_fails(gw_domain_logdirty_start(d, &err), &err, GW_UNSUPPORTED, "domain 12");
	again = gw_host_attach(host, 12, 0, &err);
	assert_ptr_equal(again, d);
	gw_domain_close(again);
	gw_domain_close(d);
	gw_host_close(host);
	host = gw_host_open("memory:?attach=pv", &err);
	assert_null(gw_host_attach(host, 1, 0, &err));
	assert_fails(-1, &err, GW_USAGE, "pfns");
	gw_host_close(host);
	host = gw_host_open("memory:", &err);
	assert_null(gw_host_attach(host, 1, 77, &err));
	assert_fails(-1, &err, GW_UNSUPPORTED, "domain 1");
	gw_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_born),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
