/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A whole restore, save and restore through libgodwit-xenguest and the Xen backend, over a
 * simulated Xen.
 */
#include "fake_libxc.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_xen.h"
#include "format/libxc/image.h"
#include "hypervisor/control.h"
#include "migrate/stored.h"

static int suspend(void *data)
{
	struct fake_domain *f = data;
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_control_suspend(f->memory->control, 0, NULL, &err), &err);
	return 1;
}

static int switch_model(uint32_t domid, unsigned enable, void *data)
{
	return 0;
}

/* What libxl does with a restored domain. */
static void start(struct fake_domain *f)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_control_restored(f->memory->control, &err), &err);
	assert_ok(gw_control_unpause(f->memory->control, &err), &err);
	f->ran = true;
}

static struct fake_domain *restore(uint32_t domid, const struct stored *s, int fd)
{
	struct fake_domain *f = fake_add(domid, s->type, s->nr_pfns, 8);
	struct restore_callbacks calls = {0};
	unsigned long store = 0, console = 0;

	if (xc_domain_restore(&fake_libxc, fd, domid, 3, &store, 0, 4, &console, 0, XC_STREAM_PLAIN,
			      &calls, -1) < 0)
		fail_msg("%s", fake_libxc.errors);
	assert_true(store != 0);
	start(f);
	return f;
}

static void assert_equal_memory(struct gw_domain *a, struct gw_domain *b)
{
	struct gw_buffer one = stored_save(a, false), two = stored_save(b, false);
	struct pages from = pages_of_image(&one), to = pages_of_image(&two);

	assert_int_equal(from.nr, to.nr);
	for (uint64_t pfn = 0; pfn < from.nr; pfn++) {
		assert_int_equal(from.types[pfn], to.types[pfn]);
		if (from.types[pfn] != GW_PAGE_XTAB && !pages_special(&one, pfn))
			assert_memory_equal(from.data + pfn * GW_PAGE_SIZE,
					    to.data + pfn * GW_PAGE_SIZE, GW_PAGE_SIZE);
	}
	pages_free(&from);
	pages_free(&to);
	gw_buffer_free(&one);
	gw_buffer_free(&two);
}

static void test_whole(void **state)
{
	struct stored s = stored_load(*state);
	int first = memfd_create("first", MFD_CLOEXEC),
	    second = memfd_create("second", MFD_CLOEXEC);
	struct save_callbacks calls = {.suspend = suspend, .switch_qemu_logdirty = switch_model};
	struct fake_domain *from, *to;

	fake_start();
	fake.xsave_mask = 7;
	fake_libxc = (struct xc_interface_core){0};
	assert_int_equal(write(first, s.file.data + s.image, s.file.len - s.image),
			 s.file.len - s.image);
	lseek(first, 0, SEEK_SET);
	from = restore(5, &s, first);
	calls.data = from;
	if (xc_domain_save(&fake_libxc, second, 5, XCFLAGS_LIVE, &calls, XC_STREAM_PLAIN, -1) < 0)
		fail_msg("%s", fake_libxc.errors);
	assert_false(from->logging);
	lseek(second, 0, SEEK_SET);
	to = restore(6, &s, second);
	assert_equal_memory(from->memory, to->memory);
	close(first);
	close(second);
	stored_free(&s);
	/* Asserts that nothing of Xen's was left open. */
	fake_stop();
}

static void test_no_xen(void **state)
{
	struct save_callbacks calls = {.suspend = suspend};

	fake_start();
	fake_libxc = (struct xc_interface_core){0};
	fake.open_errno = ENOENT;
	assert_int_equal(xc_domain_save(&fake_libxc, 1, 5, 0, &calls, XC_STREAM_PLAIN, -1), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_non_null(strstr(fake_libxc.errors, "does not run Xen"));
	fake.open_errno = 0;
	assert_int_equal(xc_domain_save(&fake_libxc, 1, 5, 0, &calls, XC_STREAM_PLAIN, -1), -1);
	assert_non_null(strstr(fake_libxc.errors, "saving domain 5"));
	fake_stop();
}

int main(void)
{
	char hvm[] = "xen417/tiny-pvh.save.xz", pv[] = "xen-code/v3_422_pv64_1024.xz";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_whole, hvm),
		cmocka_unit_test_prestate(test_whole, pv),
		cmocka_unit_test(test_no_xen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
