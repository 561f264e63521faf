/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xc_domain_save() and xc_domain_restore() of libgodwit-xenguest, from callbacks to errno, over
 * domains in memory.
 */
#include "fake_libxc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/libxc/image.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "migrate/stored.h"

#define HVM_IMAGE "xen-code/v3_422_hvm_1024.xz"
#define PV_IMAGE  "xen-code/v3_422_pv64_1024.xz"

/* What the callbacks do, and what they were asked, a letter each. */
struct caller {
	struct gw_domain *domain;
	char asked[200];
	int suspend_answer, static_answer, model_answer;
	int policy[20]; /* answers of the precopy policy */
	unsigned policy_calls;
	struct precopy_stats stats[20];
	unsigned checkpoints; /* how many more */
	int checkpoint_answer;
};

static struct caller caller;

static void note(char what)
{
	size_t n = strlen(caller.asked);

	assert_true(n + 1 < sizeof(caller.asked));
	caller.asked[n] = what;
}

static int on_suspend(void *data)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ptr_equal(data, &caller);
	note('s');
	if (caller.suspend_answer)
		assert_ok(gw_control_suspend(caller.domain->control, 0, NULL, &err), &err);
	return caller.suspend_answer;
}

static int on_postcopy(void *data)
{
	struct gw_error err = GW_ERROR_INIT;

	note('r');
	assert_ok(gw_control_resume(caller.domain->control, &err), &err);
	return 1;
}

static int on_checkpoint(void *data)
{
	note('c');
	return caller.checkpoints-- > 0;
}

static int on_switch(uint32_t domid, unsigned enable, void *data)
{
	assert_ptr_equal(data, &caller);
	assert_int_equal(domid, caller.domain->domid);
	note(enable ? '1' : '0');
	return caller.model_answer;
}

static int on_policy(struct precopy_stats stats, void *data)
{
	assert_ptr_equal(data, &caller);
	assert_true(caller.policy_calls < 20);
	caller.stats[caller.policy_calls] = stats;
	return caller.policy[caller.policy_calls++];
}

static int on_static_data(unsigned missing, void *data)
{
	assert_ptr_equal(data, &caller);
	assert_int_equal(missing, 0);
	note('d');
	return caller.static_answer;
}

static int on_arrived(void *data)
{
	note('c');
	return caller.checkpoint_answer;
}

static struct save_callbacks save_calls(void)
{
	return (struct save_callbacks){
		.suspend = on_suspend, .switch_qemu_logdirty = on_switch, .data = &caller};
}

static int file_with(const void *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static struct gw_buffer contents(int fd)
{
	struct gw_buffer all = {0};
	off_t len = lseek(fd, 0, SEEK_END);
	uint8_t *to = gw_buffer_reserve(&all, (size_t)len, NULL);

	assert_non_null(to);
	assert_int_equal(pread(fd, to, (size_t)len, 0), len);
	all.len = (size_t)len;
	return all;
}

struct results {
	unsigned long store, console;
};

/* Restores bytes into d; the result of the call. *used: how far it has read. */
static int restore_into(struct gw_domain *d, const void *image, size_t len, xc_stream_type_t type,
			struct results *results, size_t *used)
{
	struct restore_callbacks calls = {
		.static_data_done = on_static_data, .checkpoint = on_arrived, .data = &caller};
	int fd = file_with(image, len), rc, errnum;

	*results = (struct results){1, 1};
	rc = xc_domain_restore(&fake_libxc, fd, d->domid, 3, &results->store, 0, 4,
			       &results->console, 0, type, &calls, -1);
	errnum = errno;
	*used = (size_t)lseek(fd, 0, SEEK_CUR);
	close(fd);
	errno = errnum;
	return rc;
}

static void start(struct gw_domain *d)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_control_restored(d->control, &err), &err);
	assert_ok(gw_control_unpause(d->control, &err), &err);
}

/* A running domain of a stored image, the one of the callbacks from now on. */
static struct gw_domain *source(const char *name)
{
	struct stored s = stored_load(name);
	struct gw_domain *d = fake_libxc_domain(s.type, s.nr_pfns);
	struct results results;
	size_t used;

	caller = (struct caller){.domain = d, .suspend_answer = 1};
	assert_int_equal(restore_into(d, s.file.data + s.image, s.file.len - s.image,
				      XC_STREAM_PLAIN, &results, &used),
			 0);
	assert_string_equal(caller.asked, "d");
	assert_true(results.store > 1);
	/* Not a byte more than the image: what follows is another program's. */
	assert_true(used <= s.file.len - s.image);
	start(d);
	stored_free(&s);
	caller.asked[0] = '\0';
	return d;
}

static struct gw_buffer save(struct gw_domain *d, uint32_t flags, struct save_callbacks *calls)
{
	int fd = file_with("", 0);
	struct gw_buffer image;

	caller.domain = d;
	if (xc_domain_save(&fake_libxc, fd, d->domid, flags, calls, XC_STREAM_PLAIN, -1) < 0)
		fail_msg("%s", fake_libxc.errors);
	image = contents(fd);
	close(fd);
	return image;
}

static void fails(struct gw_domain *d, uint32_t flags, struct save_callbacks *calls, int errnum,
		  const char *text)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t dirty;
	int fd = file_with("", 0);

	caller.domain = d;
	assert_int_equal(
		xc_domain_save(&fake_libxc, fd, d->domid, flags, calls, XC_STREAM_PLAIN, -1), -1);
	assert_int_equal(errno, errnum);
	if (!strstr(fake_libxc.errors, text))
		fail_msg("\"%s\" does not contain \"%s\"", fake_libxc.errors, text);
	fake_libxc.errors[0] = '\0';
	/* Log-dirty is off whatever happened. */
	assert_true(gw_domain_logdirty_peek(d, &dirty, &err) < 0);
	close(fd);
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

/* A save and a restore of what was saved; the callbacks in their order. */
static void round_trip(const char *name, uint32_t flags, const char *asked)
{
	struct gw_domain *from = source(name), *to;
	struct save_callbacks calls = save_calls();
	struct gw_buffer image = save(from, flags, &calls);
	struct stored s = stored_load(name);
	struct results results;
	size_t used;

	assert_string_equal(caller.asked, asked);
	to = fake_libxc_domain(s.type, s.nr_pfns);
	gw_buffer_append(&image, "more", 4, NULL);
	assert_int_equal(restore_into(to, image.data, image.len, XC_STREAM_PLAIN, &results, &used),
			 0);
	assert_int_equal(used, image.len - 4);
	assert_true(results.store > 1);
	assert_string_equal(fake_libxc.errors, "");
	start(to);
	assert_equal_memory(from, to);
	stored_free(&s);
	gw_buffer_free(&image);
}

static void test_round_trips(void **state)
{
	round_trip(HVM_IMAGE, 0, "1s0");
	round_trip(HVM_IMAGE, XCFLAGS_LIVE, "1s0");
	round_trip(HVM_IMAGE, XCFLAGS_LIVE | XCFLAGS_DEBUG, "1s0");
	/* No device model is ever asked for. */
	round_trip(PV_IMAGE, XCFLAGS_LIVE, "s");
	assert_non_null(strstr(fake_libxc.progress, "Frames iteration 0\n"));
}

/* Dirties pages at the beginning of each pass. */
static unsigned dirty_pages;

static void write_pages(void)
{
	struct gw_error err = GW_ERROR_INIT;

	for (uint64_t pfn = 0x20; pfn < 0x20 + dirty_pages; pfn++) {
		struct gw_mapping mapping;
		uint8_t result;
		void *page;

		assert_ok(gw_domain_map_each(caller.domain, 1, &pfn, true, &page, &result, &mapping,
					     &err),
			  &err);
		assert_non_null(page);
		memset(page, 0x5a, GW_PAGE_SIZE);
		gw_domain_unmap(caller.domain, &mapping);
	}
}

static unsigned passes(unsigned dirty)
{
	struct gw_domain *d = source(HVM_IMAGE);
	struct save_callbacks calls = save_calls();
	struct gw_buffer image;
	unsigned n = 0;

	fake_libxc.progress[0] = '\0';
	dirty_pages = dirty;
	fake_libxc.on_subject = write_pages;
	image = save(d, XCFLAGS_LIVE, &calls);
	fake_libxc.on_subject = NULL;
	for (const char *at = fake_libxc.progress; (at = strstr(at, "Frames iteration")); at++)
		n++;
	gw_buffer_free(&image);
	return n;
}

/* Without a policy of the caller's: five passes, or fewer than 50 pages at the start of one. */
static void test_libxcs_policy(void **state)
{
	assert_int_equal(passes(50), 5);
	assert_int_equal(passes(49), 2);
}

static void test_callers_policy(void **state)
{
	struct gw_domain *d = source(HVM_IMAGE);
	struct save_callbacks calls = save_calls();
	struct gw_buffer image;

	calls.precopy_policy = on_policy;
	/* Before the first pass; before and after counting after the first; then enough. */
	caller.policy[3] = XGS_POLICY_STOP_AND_COPY;
	image = save(d, XCFLAGS_LIVE, &calls);
	gw_buffer_free(&image);
	assert_int_equal(caller.policy_calls, 4);
	assert_int_equal(caller.stats[0].iteration, 0);
	assert_true(caller.stats[0].dirty_count > 1000);
	assert_int_equal(caller.stats[1].iteration, 1);
	assert_int_equal(caller.stats[1].dirty_count, -1);
	assert_true(caller.stats[1].total_written > 900);
	assert_int_equal(caller.stats[2].dirty_count, 0);
	assert_int_equal(caller.stats[3].iteration, 2);

	/* STOP before the first pass: one pass, and no more questions. */
	d = source(HVM_IMAGE);
	caller.policy[0] = XGS_POLICY_STOP_AND_COPY;
	image = save(d, XCFLAGS_LIVE, &calls);
	gw_buffer_free(&image);
	assert_int_equal(caller.policy_calls, 1);

	/* A save that is not live has no policy. */
	d = source(HVM_IMAGE);
	image = save(d, 0, &calls);
	gw_buffer_free(&image);
	assert_int_equal(caller.policy_calls, 0);
}

static void test_abort(void **state)
{
	struct gw_domain *d = source(HVM_IMAGE);
	struct save_callbacks calls = save_calls();

	calls.precopy_policy = on_policy;
	for (unsigned i = 0; i < 3; i++) {
		caller = (struct caller){.suspend_answer = 1};
		caller.policy[i] = XGS_POLICY_ABORT;
		fails(d, XCFLAGS_LIVE, &calls, ECANCELED, "the domain was not suspended");
		assert_string_equal(caller.asked, "10");
		assert_int_equal(caller.policy_calls, i + 1);
	}
}

static void test_failures(void **state)
{
	struct gw_domain *d = source(HVM_IMAGE);
	struct save_callbacks calls = save_calls(), none = {0};
	struct results results;
	size_t used;

	caller.suspend_answer = 0;
	fails(d, XCFLAGS_LIVE, &calls, EIO, "the caller could not suspend the domain");
	caller = (struct caller){.suspend_answer = 1, .model_answer = -1};
	fails(d, XCFLAGS_LIVE, &calls, EIO, "did not switch its log-dirty mode on");
	caller = (struct caller){.suspend_answer = 1};
	fails(d, 0, &none, EINVAL, "suspend");
	fails(d, 0, NULL, EINVAL, "suspend");

	caller = (struct caller){.domain = d};
	assert_int_equal(xc_domain_save(&fake_libxc, -1, d->domid, 0, &calls, XC_STREAM_PLAIN, -1),
			 -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(xc_domain_save(&fake_libxc, 0, d->domid, 0, &calls, 3, -1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(xc_domain_save(&fake_libxc, 0, d->domid, 0, &calls, XC_STREAM_COLO, -1),
			 -1);
	assert_int_equal(errno, EBADF);
	assert_non_null(strstr(fake_libxc.errors, "the back channel"));

	/* The image ends; the caller refuses the static data. */
	d = fake_libxc_domain(GW_GUEST_X86_HVM, 2048);
	assert_int_equal(restore_into(d, "", 0, XC_STREAM_PLAIN, &results, &used), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(results.store, 1);
	assert_non_null(strstr(fake_libxc.errors, "restoring domain"));
	struct stored s = stored_load(HVM_IMAGE);

	caller.static_answer = -1;
	assert_int_equal(restore_into(d, s.file.data + s.image, s.file.len - s.image,
				      XC_STREAM_PLAIN, &results, &used),
			 -1);
	assert_int_equal(errno, EPERM);
	stored_free(&s);
}

static int taken_away; /* the descriptor of a save */

/* What libxl-save-helper does on SIGTERM: nothing can be written from here on. */
static int on_suspend_take_away(void *data)
{
	int unwriteable = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(dup2(unwriteable, taken_away), taken_away);
	close(unwriteable);
	return on_suspend(data);
}

static void test_taken_away(void **state)
{
	struct gw_domain *d = source(HVM_IMAGE);
	struct save_callbacks calls = save_calls();

	calls.suspend = on_suspend_take_away;
	taken_away = file_with("", 0);
	assert_int_equal(xc_domain_save(&fake_libxc, taken_away, d->domid, XCFLAGS_LIVE, &calls,
					XC_STREAM_PLAIN, -1),
			 -1);
	assert_int_equal(errno, EBADF);
	assert_string_equal(caller.asked, "1s0");
	assert_non_null(
		strstr(fake_libxc.errors, "; the domain is suspended, the caller may resume it"));
	close(taken_away);
}

/* Two checkpoints; the sender's death in the second, or the caller's wish, ends the restore. */
static void test_remus(void **state)
{
	struct gw_domain *d = source(HVM_IMAGE), *to;
	struct save_callbacks calls = save_calls();
	struct gw_buffer stream;
	struct results results;
	size_t used;
	int fd = file_with("", 0);

	assert_int_equal(xc_domain_save(&fake_libxc, fd, d->domid, XCFLAGS_LIVE, &calls,
					XC_STREAM_REMUS, -1),
			 -1);
	assert_int_equal(errno, EINVAL);
	caller = (struct caller){.domain = d, .suspend_answer = 1, .checkpoints = 1};
	calls.postcopy = on_postcopy;
	calls.checkpoint = on_checkpoint;
	assert_int_equal(xc_domain_save(&fake_libxc, fd, d->domid, XCFLAGS_LIVE, &calls,
					XC_STREAM_REMUS, -1),
			 0);
	assert_string_equal(caller.asked, "1srcsrc0");
	stream = contents(fd);
	close(fd);

	caller = (struct caller){.domain = d, .checkpoint_answer = XGR_CHECKPOINT_SUCCESS};
	to = fake_libxc_domain(GW_GUEST_X86_HVM, 2048);
	assert_int_equal(
		restore_into(to, stream.data, stream.len - 8, XC_STREAM_REMUS, &results, &used), 0);
	assert_string_equal(caller.asked, "dc");
	caller = (struct caller){.domain = d, .checkpoint_answer = XGR_CHECKPOINT_ERROR};
	to = fake_libxc_domain(GW_GUEST_X86_HVM, 2048);
	assert_int_equal(
		restore_into(to, stream.data, stream.len, XC_STREAM_REMUS, &results, &used), -1);
	assert_int_equal(errno, EPIPE);
	gw_buffer_free(&stream);
}

static int setup(void **state)
{
	fake_libxc_start();
	return 0;
}

static int teardown(void **state)
{
	fake_libxc_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trips, setup, teardown),
		cmocka_unit_test_setup_teardown(test_libxcs_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callers_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abort, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remus, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
