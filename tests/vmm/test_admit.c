/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests who is admitted to a receiver: the users of a unix socket, and what the others hear.
 */
#include "lib/gwtest.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "vmm/admit.h"

static void lists_of_users(void **state)
{
	static const char *const bad[] = {"",	",",	"1,",  ",1",	     "x",	    "1 ",
					  "-1", "1,,2", "0x1", "4294967295", "99999999999", " 1"};
	struct gw_admission admission = {0};
	struct gw_error err = GW_ERROR_INIT;
	char many[200] = "0";

	assert_ok(gw_admission_set_uids(&admission, NULL, &err), &err);
	assert_true(admission.check_uid);
	assert_int_equal(admission.nr_uids, 2);
	assert_int_equal(admission.uids[0], geteuid());
	assert_int_equal(admission.uids[1], 0);
	assert_ok(gw_admission_set_uids(&admission, "7,4294967294", &err), &err);
	assert_int_equal(admission.nr_uids, 2);
	assert_int_equal(admission.uids[0], 7);
	assert_int_equal(admission.uids[1], 4294967294u);
	for (size_t i = 0; i < GW_ARRAY_SIZE(bad); i++)
		assert_fails(gw_admission_set_uids(&admission, bad[i], &err), &err, GW_USAGE,
			     "is no list of user numbers");
	for (unsigned i = 1; i < GW_ADMITTED_UIDS; i++)
		sprintf(many + strlen(many), ",%u", i);
	assert_ok(gw_admission_set_uids(&admission, many, &err), &err);
	assert_int_equal(admission.nr_uids, GW_ADMITTED_UIDS);
	strcat(many, ",99");
	assert_fails(gw_admission_set_uids(&admission, many, &err), &err, GW_USAGE, "at most 32");
}

/* One connection over a socket pair, whose other end is this user's. */
static int admit(const struct gw_admission *admission, char *said, size_t size,
		 struct gw_error *err)
{
	struct gw_channel *ch;
	int fds[2], rc;
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
	ch = gw_channel_from_fd(fds[1], true, "it", err);
	assert_non_null(ch);
	rc = gw_admit(admission, &ch, err);
	gw_channel_close(ch);
	memset(said, 0, size);
	n = recv(fds[0], said, size - 1, 0);
	assert_true(n >= 0);
	close(fds[0]);
	return rc;
}

static void users_of_a_socket(void **state)
{
	struct gw_admission admission = {0};
	struct gw_error err = GW_ERROR_INIT;
	char list[64], said[1000];

	assert_ok(admit(&admission, said, sizeof(said), &err), &err);
	assert_ok(gw_admission_set_uids(&admission, NULL, &err), &err);
	assert_ok(admit(&admission, said, sizeof(said), &err), &err);
	snprintf(list, sizeof(list), "%u,%u", geteuid() + 1, geteuid());
	assert_ok(gw_admission_set_uids(&admission, list, &err), &err);
	assert_ok(admit(&admission, said, sizeof(said), &err), &err);
	assert_int_equal(said[0], 0);
	snprintf(list, sizeof(list), "%u", geteuid() + 1);
	assert_ok(gw_admission_set_uids(&admission, list, &err), &err);
	assert_fails(admit(&admission, said, sizeof(said), &err), &err, GW_REFUSED,
		     "may not send a domain to this receiver");
	/* An ERROR frame: type 14, and the text after 16 bytes. */
	assert_int_equal(said[0], 14);
	assert_non_null(strstr(said + 16, "may not send a domain to this receiver"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_users),
		cmocka_unit_test(users_of_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
