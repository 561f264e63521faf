/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Remus and COLO by the real save helper: rounds, the end of one side, and what the secondary of
 * COLO says over the back channel.
 */
#include "guests.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "format/libxc/image.h"
#include "lib/manifest.h"
#include "lib/realdata.h"

#define COLO_IMAGE "xen-code/v3_422_colo_hvm_1024.fwd.xz"

/* A Remus save of three checkpoints; the guest writes 0x31, 0x32, 0x33 before them. */
static struct gw_buffer remus_stream(size_t ends[3])
{
	struct environment e = source(HVM_IMAGE, "");
	struct gw_buffer stream;
	struct fake_libxl f;
	int io = mem_file();

	environment_add(&e, "GODWIT_HELPER_WRITES", "0x31;0x32;0x33");
	fake_save(&f, io, -1, "1", CB_SAVE_REMUS, "1", environment_list(&e));
	fake_serve(&f, MSG_SWITCH_LOGDIRTY, 0);
	for (unsigned i = 0; i < 3; i++) {
		fake_serve(&f, MSG_SUSPEND, 1);
		fake_serve(&f, MSG_POSTCOPY, 1);
		fake_expect(&f, MSG_CHECKPOINT);
		/* All of it is in the stream before libxl writes its own records there. */
		ends[i] = (size_t)lseek(io, 0, SEEK_CUR);
		fake_answer(&f, i < 2);
	}
	assert_int_equal(fake_serve_all(&f), 0);
	assert_int_equal(fake_end(&f), 0);
	stream = mem_contents(io);
	close(io);
	assert_int_equal(stream.len, ends[2]);
	return stream;
}

/* Restores the first len bytes; answers of the checkpoints. The helper's status. */
static int remus_restore(const struct gw_buffer *stream, size_t len, const int *verdicts,
			 int *retval)
{
	struct environment e = target(HVM_IMAGE, "");
	int io = mem_with(stream->data, len);
	struct fake_libxl f;

	fake_restore(&f, io, -1, CB_RESTORE_REMUS, "1", environment_list(&e));
	fake_serve(&f, MSG_STATIC_DATA_DONE, 0);
	for (; fake_next(&f) == MSG_CHECKPOINT; verdicts++)
		fake_answer(&f, *verdicts);
	assert_int_equal(f.id, MSG_RESTORE_RESULTS);
	*retval = fake_serve_all(&f);
	if (*retval == 0)
		fake_log_has(&f, "the sender is gone: the domain has the state of checkpoint");
	close(io);
	return fake_end(&f);
}

static void assert_written(unsigned rounds)
{
	struct pages p = kept_pages("target");

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(page_is(&p, 0x31 + i, (uint8_t)(0xa5 ^ i)), i < rounds);
	pages_free(&p);
}

static void test_remus(void **state)
{
	static const int fine[] = {1, 1, 1}, over[] = {1, 2}, bad[] = {1, 0}, at_once[] = {2};
	size_t ends[3];
	struct gw_buffer stream = remus_stream(ends);
	int retval;

	/* The sender dies after a checkpoint, and in the middle of a later round. */
	assert_int_equal(remus_restore(&stream, ends[2], fine, &retval), 0);
	assert_int_equal(retval, 0);
	assert_written(3);
	assert_int_equal(remus_restore(&stream, ends[2] - 8, fine, &retval), 0);
	assert_int_equal(retval, 0);
	assert_written(2);
	assert_int_equal(remus_restore(&stream, ends[1] + 5, fine, &retval), 0);
	assert_int_equal(retval, 0);
	assert_written(2);
	/* libxl finds it out first. */
	assert_int_equal(remus_restore(&stream, ends[2], over, &retval), 0);
	assert_int_equal(retval, 0);
	assert_written(1);
	/* No state is complete, or libxl fails. */
	assert_int_equal(remus_restore(&stream, ends[0] - 8, fine, &retval), 0);
	assert_int_equal(retval, -1);
	assert_int_equal(remus_restore(&stream, ends[2], at_once, &retval), 0);
	assert_int_equal(retval, -1);
	assert_int_equal(remus_restore(&stream, ends[2], bad, &retval), 0);
	assert_int_equal(retval, -1);
	gw_buffer_free(&stream);
}

/* Rounds are what log-dirty reports: without it there are none. */
static void test_remus_without_logdirty(void **state)
{
	struct environment e = source(HVM_IMAGE, "&logdirty=no");
	struct fake_libxl f;
	int io = mem_file();

	fake_save(&f, io, -1, "1", CB_SAVE_REMUS, "1", environment_list(&e));
	fake_serve(&f, MSG_SWITCH_LOGDIRTY, 0);
	fake_serve(&f, MSG_SWITCH_LOGDIRTY, 0);
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal((int)fake_u32(&f, 0), -1);
	assert_int_equal(fake_u32(&f, 1), EOPNOTSUPP);
	fake_log_has(&f, "domain 5 has no log-dirty mode; the domain was not suspended");
	assert_int_equal(fake_end(&f), 0);
	close(io);
}

/* A stream with checkpoints is refused where none was announced. */
static void test_checkpoint_in_plain(void **state)
{
	struct environment e = target(HVM_IMAGE, "");
	size_t ends[3];
	struct gw_buffer stream = remus_stream(ends);
	int io = mem_with(stream.data, stream.len);
	struct fake_libxl f;

	fake_restore(&f, io, -1, CB_RESTORE, "0", environment_list(&e));
	assert_int_equal(fake_serve_all(&f), -1);
	fake_log_has(&f, "CHECKPOINT");
	assert_int_equal(fake_end(&f), 0);
	close(io);
	gw_buffer_free(&stream);
}

/* COLO */

/* The lists that the secondary of Xen 4.22 sent, as GODWIT_HELPER_WRITES; the last one apart. */
static struct gw_buffer recorded_lists(char *writes, size_t size, uint64_t *last, unsigned *nr_last)
{
	struct gw_buffer back = realdata_load(realdata_path("xen-code/v3_422_colo_hvm_1024.back"));
	size_t used = 0;

	for (size_t at = 0; at < back.len; at += 8 + gw_get_le32(back.data + at + 4)) {
		unsigned n = gw_get_le32(back.data + at + 4) / 8;

		*nr_last = 0;
		for (unsigned i = 0; i < n; i++) {
			last[(*nr_last)++] = gw_get_le64(back.data + at + 8 + (size_t)8 * i);
			used += (size_t)snprintf(writes + used, size - used, "%s%llu",
						 i    ? ","
						 : at ? ";"
						      : "",
						 (unsigned long long)last[i]);
		}
	}
	assert_true(used < size);
	return back;
}

/* Each page is as the primary had it at its last checkpoint, but for what was written after it. */
static void check_secondary(const uint64_t *written, unsigned nr)
{
	struct manifest m = manifest_load("xen-code/v3_422_colo_hvm_1024.cp2.manifest.xz");
	struct gw_buffer image = scratch_load("target");
	struct pages p = kept_pages("target");

	for (unsigned i = 0; i < nr; i++)
		assert_true(page_is(&p, written[i], 0xa5 ^ 2));
	for (size_t i = 0; i < m.nr; i++) {
		uint64_t pfn = m.pages[i].pfn;
		uint8_t hash[MANIFEST_HASH];
		bool own = false;

		for (unsigned k = 0; k < nr; k++)
			own |= written[k] == pfn;
		if (own || !m.pages[i].has_data || pages_special(&image, pfn))
			continue;
		assert_non_null(page_of(&p, pfn));
		manifest_hash(page_of(&p, pfn), hash);
		if (memcmp(hash, m.pages[i].hash, sizeof(hash)) != 0)
			fail_msg("pfn 0x%llx differs", (unsigned long long)pfn);
	}
	pages_free(&p);
	gw_buffer_free(&image);
	manifest_free(&m);
}

/* The secondary, fed with what a primary of Xen 4.22 sent. */
static void test_colo_secondary(void **state)
{
	struct environment e = target(COLO_IMAGE, "");
	static char writes[4000];
	uint64_t last[64];
	unsigned nr_last = 0;
	struct gw_buffer back = recorded_lists(writes, sizeof(writes), last, &nr_last), said;
	struct gw_buffer image = image_in(COLO_IMAGE);
	int io = mem_with(image.data, image.len), to_primary = mem_file();
	struct fake_libxl f;

	/* Too long for the environment of guests.h. */
	setenv("GODWIT_HELPER_WRITES", writes, 1);
	fake_restore(&f, io, to_primary, CB_RESTORE_COLO, "2", environment_list(&e));
	unsetenv("GODWIT_HELPER_WRITES");
	fake_serve(&f, MSG_STATIC_DATA_DONE, 0);
	for (unsigned i = 0; i < 3; i++) {
		fake_serve(&f, MSG_CHECKPOINT, 1);
		fake_expect(&f, MSG_RESTORE_RESULTS);
		assert_int_equal(fake_u64(&f, 0), 0x3f9);
		fake_serve(&f, MSG_POSTCOPY, 1);
		fake_serve(&f, MSG_WAIT_CHECKPOINT, 1);
		fake_serve(&f, MSG_SUSPEND, 1);
	}
	/* The primary has died: the secondary goes on from where it is. */
	fake_expect(&f, MSG_RESTORE_RESULTS);
	assert_int_equal(fake_u64(&f, 0), 0x3f9);
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal(fake_u32(&f, 0), 0);
	assert_int_equal(fake_end(&f), 0);
	said = mem_contents(to_primary);
	assert_int_equal(said.len, back.len);
	assert_memory_equal(said.data, back.data, back.len);
	check_secondary(last, nr_last);
	close(io);
	close(to_primary);
	gw_buffer_free(&said);
	gw_buffer_free(&back);
	gw_buffer_free(&image);
}

/* At any step libxl can say that the primary is gone, or that it failed. */
static void test_colo_failover(void **state)
{
	static const int steps[] = {MSG_POSTCOPY, MSG_WAIT_CHECKPOINT, MSG_SUSPEND};
	struct gw_buffer image = image_in(COLO_IMAGE);

	for (unsigned i = 0; i < 6; i++) {
		struct environment e = target(COLO_IMAGE, "");
		int io = mem_with(image.data, image.len), to_primary = mem_file();
		bool over = i < 3;
		struct fake_libxl f;

		fake_restore(&f, io, to_primary, CB_RESTORE_COLO, "2", environment_list(&e));
		fake_serve(&f, MSG_STATIC_DATA_DONE, 0);
		fake_serve(&f, MSG_CHECKPOINT, 1);
		fake_expect(&f, MSG_RESTORE_RESULTS);
		for (unsigned k = 0; k < i % 3; k++)
			fake_serve(&f, steps[k], 1);
		fake_serve(&f, steps[i % 3], over ? 2 : 0);
		fake_expect(&f, MSG_RESTORE_RESULTS);
		fake_serve(&f, MSG_COMPLETE, 0);
		assert_int_equal((int)fake_u32(&f, 0), over ? 0 : -1);
		assert_int_equal(fake_end(&f), 0);
		close(io);
		close(to_primary);
	}
	gw_buffer_free(&image);
}

/* A list as Xen's secondaries send it: the header of 8 bytes, or that of 16. */
static void send_list(int fd, bool long_header, unsigned n, const uint64_t *pfns)
{
	uint8_t bytes[200];
	size_t head = long_header ? 16 : 8;

	memset(bytes, 0, sizeof(bytes));
	gw_put_le32(bytes, GW_REC_CHECKPOINT_DIRTY_PFN_LIST);
	gw_put_le32(bytes + 4, 8 * n);
	for (unsigned i = 0; i < n; i++)
		gw_put_le64(bytes + head + (size_t)8 * i, pfns[i]);
	assert_int_equal(write(fd, bytes, head + (size_t)8 * n), (ssize_t)(head + (size_t)8 * n));
}

/* The first round after offset at has exactly these pfns. */
static void assert_round(const struct gw_buffer *stream, size_t at, unsigned n,
			 const uint64_t *pfns)
{
	const uint8_t *body = stream->data + at + 8;

	assert_int_equal(gw_get_le32(stream->data + at),
			 n ? GW_REC_PAGE_DATA : GW_REC_X86_TSC_INFO);
	if (n == 0)
		return;
	assert_int_equal(gw_get_le32(body), n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(gw_get_le64(body + 8 + (size_t)8 * i), pfns[i]);
}

/*
 * The primary: what the secondary wrote is sent again, in each form of its header, also where the
 * list is empty or begins with pfn 0.
 */
static void test_colo_primary(void **state)
{
	static const uint64_t first[] = {0x11, 0x22}, zero[] = {0, 5, 9}, only_zero[] = {0};
	static const struct {
		unsigned n;
		const uint64_t *pfns;
	} lists[][3] = {
		{{2, first}, {0, NULL}, {3, zero}},
		{{3, zero}, {0, NULL}, {2, first}},
		{{0, NULL}, {1, only_zero}, {2, first}},
	};

	for (unsigned i = 0; i < 6; i++) {
		struct environment e = source(HVM_IMAGE, "");
		int io = mem_file(), back[2];
		struct gw_buffer stream;
		struct fake_libxl f;
		size_t ends[4];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, back), 0);
		fake_save(&f, io, back[0], "1", CB_SAVE_COLO, "2", environment_list(&e));
		fake_serve(&f, MSG_SWITCH_LOGDIRTY, 0);
		fake_serve(&f, MSG_SUSPEND, 1);
		for (unsigned k = 0; k < 4; k++) {
			fake_serve(&f, MSG_CHECKPOINT, 1);
			ends[k] = (size_t)lseek(io, 0, SEEK_CUR);
			fake_serve(&f, MSG_POSTCOPY, 1);
			fake_serve(&f, MSG_WAIT_CHECKPOINT, k < 3);
			if (k == 3)
				break;
			fake_serve(&f, MSG_SUSPEND, 1);
			send_list(back[1], i % 2, lists[i / 2][k].n, lists[i / 2][k].pfns);
		}
		assert_int_equal(fake_serve_all(&f), 0);
		assert_int_equal(fake_end(&f), 0);
		stream = mem_contents(io);
		for (unsigned k = 0; k < 3; k++)
			assert_round(&stream, ends[k], lists[i / 2][k].n, lists[i / 2][k].pfns);
		gw_buffer_free(&stream);
		close(io);
		close(back[0]);
		close(back[1]);
	}
}

/* What no secondary sends. */
static void test_colo_bad_lists(void **state)
{
	static const struct {
		uint32_t type, length;
		uint64_t pfn;
		const char *says;
	} cases[] = {
		{GW_REC_END, 0, 0, "expected CHECKPOINT_DIRTY_PFN_LIST"},
		{GW_REC_CHECKPOINT_DIRTY_PFN_LIST, 7, 0, "length 7"},
		{GW_REC_CHECKPOINT_DIRTY_PFN_LIST, 0xfffffff8, 0, "length 4294967288"},
		{GW_REC_CHECKPOINT_DIRTY_PFN_LIST, 8, 0x99999, "pfn 0x99999 is beyond the domain"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct environment e = source(HVM_IMAGE, "");
		int io = mem_file(), back[2];
		struct fake_libxl f;
		uint8_t bytes[16];

		assert_int_equal(pipe2(back, O_CLOEXEC), 0);
		fake_save(&f, io, back[0], "1", CB_SAVE_COLO, "2", environment_list(&e));
		gw_put_le32(bytes, cases[i].type);
		gw_put_le32(bytes + 4, cases[i].length);
		gw_put_le64(bytes + 8, cases[i].pfn);
		assert_int_equal(write(back[1], bytes, sizeof(bytes)), sizeof(bytes));
		assert_int_equal(fake_serve_all(&f), -1);
		fake_log_has(&f, cases[i].says);
		assert_int_equal(fake_end(&f), 0);
		close(io);
		close(back[0]);
		close(back[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remus),
		cmocka_unit_test(test_remus_without_logdirty),
		cmocka_unit_test(test_checkpoint_in_plain),
		cmocka_unit_test(test_colo_secondary),
		cmocka_unit_test(test_colo_failover),
		cmocka_unit_test(test_colo_primary),
		cmocka_unit_test(test_colo_bad_lists),
	};

	return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
