/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the records of promised memory: simultaneous claims, records of dead processes, memory that
 * was touched, the sums of one receiver.
 */
#include "lib/gwtest.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "vmm/reservations.h"

#define CLAIMS 8

static const uint8_t nobody[16], ours[16] = {1}, theirs[16] = {2};

static char dir[200];
static struct gw_runtime rt;
static int to_child[2], from_child[2];

static int open_folder(void **state)
{
	snprintf(dir, sizeof(dir), "%s/godwit-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	return !mkdtemp(dir) || setenv("GODWIT_RUNTIME_DIR", dir, 1) < 0 ||
	       gw_runtime_open(&rt, NULL) < 0 || pipe2(to_child, O_CLOEXEC) < 0 ||
	       pipe2(from_child, O_CLOEXEC) < 0;
}

static int close_folder(void **state)
{
	char command[300];

	for (int i = 0; i < 2; i++) {
		close(to_child[i]);
		close(from_child[i]);
	}
	gw_runtime_close(&rt);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* Claims pages if all claims of the receiver stay below max; 'y' or 'n' to the parent. */
static bool claim(const uint8_t receiver[16], uint64_t pages, uint64_t max, bool in_shared)
{
	struct gw_reservation r = GW_RESERVATION_NONE;
	struct gw_reserved others;
	bool fits;

	if (gw_reservation_lock(&r, &rt, receiver, &others, NULL) < 0)
		return false;
	fits = others.pages + pages <= max &&
	       gw_reservation_set(&r, receiver, pages, in_shared, NULL) == 0;
	gw_reservation_unlock(&r);
	return fits;
}

/* A process that claims when all may begin, touches some of it, and stays until it is killed. */
static pid_t start_claim(const uint8_t receiver[16], uint64_t pages, uint64_t max, bool in_shared,
			 uint64_t touch)
{
	size_t bytes = (size_t)touch * 4096;
	pid_t pid = fork();
	char *memory, word;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memory = mmap(NULL, bytes + 1, PROT_READ | PROT_WRITE,
		      MAP_ANONYMOUS | (in_shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	memset(memory, 1, bytes);
	if (read(to_child[0], &word, 1) == 1) {
		word = claim(receiver, pages, max, in_shared) ? 'y' : 'n';
		if (write(from_child[1], &word, 1) == 1)
			for (;;)
				pause();
	}
	_exit(1);
}

/* Lets n of them begin; returns how many were accepted. */
static unsigned begin(unsigned n)
{
	unsigned accepted = 0;
	char words[CLAIMS] = {0};

	assert_int_equal(write(to_child[1], words, n), n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(read(from_child[0], words, 1), 1);
		accepted += words[0] == 'y';
	}
	return accepted;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static struct gw_reserved sums_of(const uint8_t receiver[16])
{
	struct gw_reservation r = GW_RESERVATION_NONE;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_reserved sums;

	assert_ok(gw_reservation_lock(&r, &rt, receiver, &sums, &err), &err);
	gw_reservation_unlock(&r);
	gw_reservation_release(&r);
	return sums;
}

/* Of eight claims at the same time exactly those that fit are accepted, again and again. */
static void of_many_those_that_fit(void **state)
{
	for (unsigned fit = 0; fit <= CLAIMS; fit += 2) {
		pid_t pids[CLAIMS];

		for (unsigned i = 0; i < CLAIMS; i++)
			pids[i] = start_claim(ours, 100, fit * 100 + 99, false, 0);
		assert_int_equal(begin(CLAIMS), fit);
		assert_int_equal(sums_of(ours).pages, fit * 100);
		assert_int_equal(sums_of(ours).domains, fit);
		for (unsigned i = 0; i < CLAIMS; i++)
			end(pids[i]);
		assert_int_equal(sums_of(ours).domains, 0);
		assert_int_equal(sums_of(ours).promised, 0);
	}
}

static void receivers_count_their_own(void **state)
{
	pid_t a = start_claim(ours, 100, 1000, false, 0), b, c;

	begin(1);
	b = start_claim(theirs, 200, 1000, false, 0);
	begin(1);
	c = start_claim(nobody, 400, 1000, false, 0);
	begin(1);
	assert_int_equal(sums_of(ours).pages, 100);
	assert_int_equal(sums_of(theirs).pages, 200);
	/* What no receiver has is nobody's budget; the machine has promised all of it. */
	assert_int_equal(sums_of(nobody).pages, 0);
	assert_int_equal(sums_of(nobody).domains, 0);
	end(b);
	assert_int_equal(sums_of(ours).pages, 100);
	assert_int_equal(sums_of(theirs).pages, 0);
	end(a);
	end(c);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
static const bool under_sanitizer = true;
#else
static const bool under_sanitizer = false;
#endif

/* Memory that is used is missing from what is free, and is not counted once more. */
static void touched_memory_is_not_promised(void **state)
{
	for (int in_shared = 0; in_shared < 2; in_shared++) {
		uint64_t pages = 100000, touch = 5000, promised;
		pid_t pid = start_claim(ours, pages, pages, in_shared, touch);

		assert_int_equal(begin(1), 1);
		promised = sums_of(nobody).promised;
		assert_true(promised <= pages - touch);
		/* The rest of the process is small, but for the shadow memory of a sanitizer. */
		if (in_shared)
			assert_int_equal(promised, pages - touch);
		else if (!under_sanitizer)
			assert_true(promised > pages - 2 * touch);
		assert_int_equal(sums_of(ours).pages, pages);
		end(pid);
	}
}

/* A record is replaced, not added; its own process does not see it. */
static void a_record_is_replaced(void **state)
{
	struct gw_reservation r = GW_RESERVATION_NONE;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_reserved others;

	for (uint64_t pages = 10; pages <= 30; pages += 10) {
		assert_ok(gw_reservation_lock(&r, &rt, ours, &others, &err), &err);
		assert_int_equal(others.pages, 0);
		assert_ok(gw_reservation_set(&r, ours, pages, true, &err), &err);
		gw_reservation_unlock(&r);
		assert_int_equal(sums_of(ours).pages, pages);
		assert_int_equal(sums_of(ours).domains, 1);
	}
	gw_reservation_release(&r);
	assert_int_equal(sums_of(ours).domains, 0);
}

/* A process that stands still with the file locked does not stop the others for ever. */
static void a_lock_that_stays_is_an_error(void **state)
{
	struct gw_reservation holder = GW_RESERVATION_NONE, r = GW_RESERVATION_NONE;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_reserved sums;

	assert_ok(gw_reservation_lock(&holder, &rt, ours, &sums, &err), &err);
	assert_int_equal(gw_reservation_lock(&r, &rt, ours, &sums, &err), -1);
	assert_int_equal(err.code, GW_BUSY);
	gw_reservation_release(&holder);
	gw_error_clear(&err);
	assert_ok(gw_reservation_lock(&r, &rt, ours, &sums, &err), &err);
	gw_reservation_unlock(&r);
	gw_reservation_release(&r);
}

static void only_a_regular_file_is_used(void **state)
{
	struct gw_reservation r = GW_RESERVATION_NONE;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_reserved sums;

	unlinkat(rt.fd, "reservations", 0);
	assert_int_equal(mkfifoat(rt.fd, "reservations", 0600), 0);
	assert_int_equal(gw_reservation_lock(&r, &rt, ours, &sums, &err), -1);
	assert_int_equal(err.code, GW_REFUSED);
	assert_int_equal(r.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_many_those_that_fit),
		cmocka_unit_test(receivers_count_their_own),
		cmocka_unit_test(touched_memory_is_not_promised),
		cmocka_unit_test(a_record_is_replaced),
		cmocka_unit_test(a_lock_that_stays_is_an_error),
		cmocka_unit_test(only_a_regular_file_is_used),
	};

	return cmocka_run_group_tests_name("reservations", tests, open_folder, close_folder);
}
