/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lists of COLO's back channel, in both forms that Xen's secondaries write, and the secondary's
 * steps. tests/helper has the whole of it.
 */
#include "lib/gwtest.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "format/libxc/image.h"
#include "lib/bytes.h"
#include "migrate/lockstep.h"

#define NR 0x1000

/* A back channel: what a secondary has written. */
struct back {
	int fds[2];
	struct gw_channel *in;
};

static struct back back_channel(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct back b;

	assert_int_equal(pipe2(b.fds, O_CLOEXEC), 0);
	b.in = gw_channel_from_fd(b.fds[0], true, "the back channel", &err);
	assert_non_null(b.in);
	return b;
}

static void end_writing(struct back *b)
{
	close(b->fds[1]);
	b->fds[1] = -1;
}

static void back_close(struct back *b)
{
	gw_channel_close(b->in);
	if (b->fds[1] >= 0)
		close(b->fds[1]);
}

static void put_list(struct back *b, unsigned head, unsigned n, const uint64_t *pfns)
{
	uint8_t bytes[16 + 8 * 600] = {0};

	gw_put_le32(bytes, GW_REC_CHECKPOINT_DIRTY_PFN_LIST);
	gw_put_le32(bytes + 4, 8 * n);
	for (unsigned i = 0; i < n; i++)
		gw_put_le64(bytes + head + (size_t)8 * i, pfns[i]);
	assert_int_equal(write(b->fds[1], bytes, head + (size_t)8 * n), head + 8 * n);
}

/* The list is exactly these pfns, and nothing of the next one was read. */
static void expect(struct back *b, enum gw_list_form *form, unsigned n, const uint64_t *pfns)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t *bitmap = gw_bitmap_new(NR);

	assert_ok(gw_dirty_list_read(b->in, form, bitmap, NR, &err), &err);
	assert_int_equal(gw_bitmap_count(bitmap, NR), n);
	for (unsigned i = 0; i < n; i++)
		assert_true(gw_bitmap_test(bitmap, pfns[i]));
	free(bitmap);
}

static void test_forms(void **state)
{
	static const uint64_t some[] = {3, 4, 0xfff}, zero[] = {0, 7}, only[] = {0};
	static uint64_t many[600];
	static const struct {
		unsigned n;
		const uint64_t *pfns;
	} orders[][4] = {
		{{3, some}, {0, NULL}, {2, zero}, {600, many}},
		{{0, NULL}, {1, only}, {600, many}, {3, some}},
		{{2, zero}, {3, some}, {0, NULL}, {1, only}},
		{{600, many}, {0, NULL}, {0, NULL}, {3, some}},
	};

	for (unsigned i = 0; i < 600; i++)
		many[i] = 2 * i;
	for (unsigned o = 0; o < 8; o++) {
		enum gw_list_form form = GW_LIST_UNKNOWN;
		struct back b = back_channel();
		unsigned head = o % 2 ? 16 : 8;

		/* As in a real channel: a list comes when the one before it was read. */
		for (unsigned i = 0; i < 4; i++) {
			put_list(&b, head, orders[o / 2][i].n, orders[o / 2][i].pfns);
			expect(&b, &form, orders[o / 2][i].n, orders[o / 2][i].pfns);
		}
		assert_int_equal(form, o % 2 ? GW_LIST_16 : GW_LIST_8);
		back_close(&b);
	}
}

static void assert_bad(const void *bytes, size_t len, enum gw_list_form form, enum gw_code code,
		       const char *says)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t *bitmap = gw_bitmap_new(NR);
	struct back b = back_channel();

	assert_int_equal(write(b.fds[1], bytes, len), (ssize_t)len);
	end_writing(&b);
	assert_fails(gw_dirty_list_read(b.in, &form, bitmap, NR, &err), &err, code, says);
	back_close(&b);
	free(bitmap);
}

static void test_bad_lists(void **state)
{
	uint8_t bytes[24] = {GW_REC_CHECKPOINT_DIRTY_PFN_LIST, 0, 0, 0, 16, 0, 0, 0};

	assert_bad(bytes, 0, GW_LIST_UNKNOWN, GW_PEER, "closed");
	assert_bad(bytes, 12, GW_LIST_UNKNOWN, GW_TRUNCATED, "");
	assert_bad(bytes, 16, GW_LIST_UNKNOWN, GW_PEER, "closed");
	gw_put_le64(bytes + 8, NR);
	assert_bad(bytes, 24, GW_LIST_UNKNOWN, GW_INVALID, "pfn 0x1000 is beyond the domain");
	gw_put_le64(bytes + 8, NR - 1);
	gw_put_le64(bytes + 16, UINT64_MAX);
	assert_bad(bytes, 24, GW_LIST_8, GW_INVALID, "pfn 0xffffffffffffffff");
	assert_bad(bytes, 24, GW_LIST_16, GW_INVALID, "its header ends with 0xfff, expected 0");
	gw_put_le32(bytes + 4, 12);
	assert_bad(bytes, 24, GW_LIST_8, GW_INVALID, "length 12");
	gw_put_le32(bytes + 4, 8 * (NR + 1));
	assert_bad(bytes, 24, GW_LIST_8, GW_INVALID, "at most 0x1000 pfns");
	bytes[0] = GW_REC_CHECKPOINT;
	assert_bad(bytes, 24, GW_LIST_8, GW_INVALID, "expected CHECKPOINT_DIRTY_PFN_LIST");
}

static void test_write(void **state)
{
	static const uint8_t wanted[] = {0x0f, 0, 0, 0, 16,   0,    0, 0, 2, 0, 0, 0,
					 0,    0, 0, 0, 0xff, 0x0f, 0, 0, 0, 0, 0, 0};
	struct gw_error err = GW_ERROR_INIT;
	uint64_t *bitmap = gw_bitmap_new(NR);
	struct gw_buffer bytes = {0};
	struct gw_channel *out = bytes_sink("the back channel", &bytes);

	gw_bitmap_set(bitmap, 2);
	gw_bitmap_set(bitmap, 0xfff);
	assert_ok(gw_dirty_list_write(out, bitmap, NR, &err), &err);
	assert_int_equal(bytes.len, sizeof(wanted));
	assert_memory_equal(bytes.data, wanted, sizeof(wanted));
	gw_channel_close(out);
	gw_buffer_free(&bytes);
	free(bitmap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
