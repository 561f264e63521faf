/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests what a save and a restore publish: the pages and bytes that travel, not the holes between
 * them.
 */
#include "lib/gwtest.h"

#include "base/estimate.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "lib/bytes.h"
#include "stored.h"

#define ABOVE UINT64_C(0x30000) /* the pages from here on are above a hole */
#define HIGH  2500u

static uint64_t all_pages; /* of the domain at hand */

/* A toolstack that keeps what is published. */
struct heard {
	struct gw_domain *d;
	struct gw_progress all[200];
	unsigned n;
	uint64_t touch_from, touch; /* at the first progress of round 0: pages that are written */
};

static void on_progress(void *owner, const struct gw_progress *p)
{
	struct heard *h = owner;

	assert_true(h->n < 200);
	if (p->stage == GW_STAGE_MEMORY && p->round == 0 && p->pages_done == 0)
		for (uint64_t i = 0; i < h->touch; i++)
			gw_memory_touch(h->d, h->touch_from + i);
	h->all[h->n++] = *p;
}

static int on_suspend(void *owner, struct gw_error *err)
{
	struct heard *h = owner;

	return gw_control_suspend(h->d->control, 1000, NULL, err) < 0 ? -1 : 0;
}

static struct gw_toolstack toolstack(struct heard *h)
{
	return (struct gw_toolstack){.head = GW_TABLE_HEAD(struct gw_toolstack),
				     .owner = h,
				     .progress = on_progress,
				     .suspend = on_suspend};
}

/* A backend that does not know where the holes are. */
static int one_range(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		     struct gw_error *err)
{
	*ranges = calloc(1, sizeof(**ranges));
	(*ranges)[0].count = ABOVE + HIGH;
	*n = 1;
	return 0;
}

static struct gw_domain_ops ops;

/* A stored guest of about a thousand pages, which got more of them far above. */
static struct gw_domain *domain_with_hole(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct stored s = stored_load("xen-code/v3_422_hvm_1024.xz");
	struct gw_domain *d = stored_domain(GW_GUEST_X86_HVM, ABOVE + HIGH);
	struct gw_restore_args args = {.domain = d};
	uint64_t pfns[HIGH], gfns[HIGH];
	struct gw_domain_info info;

	args.in = stored_bytes(s.file.data + s.at, s.file.len - s.at);
	assert_ok(restore_as_owner(&args, s.libxl, NULL, &err), &err);
	for (uint64_t i = 0; i < HIGH; i++)
		pfns[i] = ABOVE + i;
	assert_ok(gw_domain_populate(d, HIGH, pfns, gfns, &err), &err);
	assert_ok(gw_domain_info(d, &info, &err), &err);
	all_pages = info.nr_pages;
	ops = *d->ops;
	ops.ranges = one_range;
	d->ops = &ops;
	gw_channel_close(args.in);
	stored_free(&s);
	return d;
}

static void save(struct heard *h, bool live, struct gw_buffer *image, struct gw_report *report)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_toolstack ts = toolstack(h);
	struct gw_save_args args = {.domain = h->d, .toolstack = &ts, .live = live};

	args.out = bytes_sink("saved", image);
	args.precopy.max_rounds = 2;
	assert_ok(gw_save_image(&args, report, &err), &err);
	gw_channel_close(args.out);
}

/* Nothing goes backwards, and what is left ends at 0. */
static void check_order(const struct heard *h)
{
	const struct gw_progress *last = &h->all[h->n - 1];

	for (unsigned i = 1; i < h->n; i++) {
		assert_true(h->all[i].bytes >= h->all[i - 1].bytes);
		assert_true(h->all[i].percent >= h->all[i - 1].percent);
		if (h->all[i].pages_total)
			assert_true(h->all[i].pages_done <= h->all[i].pages_total);
	}
	assert_int_equal(last->bytes_total, last->bytes);
	assert_int_equal(gw_progress_bytes_left(last), 0);
	assert_int_equal(last->percent, 99);
}

static const struct gw_progress *first_of(const struct heard *h, enum gw_stage stage,
					  unsigned round)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->all[i].stage == stage && h->all[i].round == round)
			return &h->all[i];
	fail_msg("no progress of stage %d, round %u", stage, round);
	return NULL;
}

static void test_save_counts_pages(void **state)
{
	struct heard h = {.d = domain_with_hole()};
	struct gw_buffer image = {0};
	struct gw_report report;
	const struct gw_progress *first;

	save(&h, false, &image, &report);
	assert_int_equal(report.pages, all_pages);
	first = first_of(&h, GW_STAGE_MEMORY, 0);
	assert_int_equal(first->pages_total, all_pages);
	assert_in_range(first->bytes_total, image.len * 99 / 100, image.len * 101 / 100);
	check_order(&h);
	assert_int_equal(h.all[h.n - 1].bytes, image.len);
	gw_buffer_free(&image);
	gw_control_destroy(h.d->control);
}

/* Pages that are written again are part of the total as soon as an eighth of the round is over. */
static void test_save_counts_dirty_pages(void **state)
{
	struct heard h = {.d = domain_with_hole(), .touch_from = ABOVE, .touch = 700};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer image = {0};
	struct gw_report report;
	const struct gw_progress *later;
	unsigned ends = 0;

	assert_ok(gw_control_unpause(h.d->control, &err), &err);
	save(&h, true, &image, &report);
	assert_int_equal(report.pages, all_pages + 700);
	later = first_of(&h, GW_STAGE_FINAL_ROUND, 1);
	assert_int_equal(later->pages_total, 700);
	assert_int_equal(later->dirty_pages, 700);
	/* The end of round 0. */
	for (unsigned i = 0; &h.all[i] < later; i++)
		if (h.all[i].stage == GW_STAGE_MEMORY && h.all[i].pages_done == all_pages) {
			assert_in_range(gw_progress_bytes_left(&h.all[i]), 700 * GW_PAGE_SIZE,
					701 * (GW_PAGE_SIZE + 8));
			ends++;
		}
	assert_true(ends > 0);
	check_order(&h);
	gw_buffer_free(&image);
	gw_control_destroy(h.d->control);
}

static uint64_t expect_all(void *owner)
{
	return all_pages;
}

static uint64_t expect_few(void *owner)
{
	return 5;
}

static void restore(struct heard *h, struct gw_channel *in, uint64_t (*expected)(void *owner))
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_toolstack ts = toolstack(h);
	struct gw_restore_args args = {
		.domain = stored_domain(GW_GUEST_X86_HVM, ABOVE + HIGH),
		.in = in,
		.toolstack = &ts,
		.owner = h,
		.expected_pages = expected,
	};

	h->n = 0;
	assert_ok(gw_restore_image(&args, NULL, &err), &err);
	gw_channel_close(in);
	gw_control_destroy(args.domain->control);
}

/* A connection: the pages that the domain still lacks are to come. */
static void test_restore_from_connection(void **state)
{
	struct heard h = {.d = domain_with_hole()};
	struct gw_buffer image = {0};
	struct gw_report report;

	save(&h, false, &image, &report);
	restore(&h, stored_bytes(image.data, image.len), expect_all);
	for (unsigned i = 0; i < h.n; i++)
		if (h.all[i].bytes_total)
			assert_in_range(h.all[i].bytes_total, image.len * 98 / 100,
					image.len * 101 / 100);
	assert_int_equal(h.all[h.n - 1].pages_done, all_pages);
	assert_int_equal(h.all[h.n - 1].bytes, image.len);
	/* More came than the config told: how much is to come is not known, and nobody says so. */
	restore(&h, stored_bytes(image.data, image.len), expect_few);
	assert_int_equal(h.all[h.n - 1].bytes_total, 0);
	assert_int_equal(h.all[h.n - 1].pages_total, 0);
	assert_int_equal(h.all[h.n - 1].bytes, image.len);
	restore(&h, stored_bytes(image.data, image.len), NULL);
	assert_int_equal(h.all[h.n - 1].bytes_total, 0);
	gw_buffer_free(&image);
	gw_control_destroy(h.d->control);
}

/* A file: its size says it exactly. */
static void test_restore_from_file(void **state)
{
	struct heard h = {.d = domain_with_hole()};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer image = {0};
	struct gw_report report;
	char path[] = "/tmp/godwit-progress.XXXXXX";
	int fd = mkstemp(path);
	struct gw_channel *in;

	save(&h, false, &image, &report);
	assert_int_equal(write(fd, image.data, image.len), image.len);
	close(fd);
	in = gw_channel_open(path, &err);
	unlink(path);
	assert_non_null(in);
	restore(&h, in, NULL);
	for (unsigned i = 0; i < h.n; i++)
		assert_int_equal(h.all[i].bytes_total, image.len);
	check_order(&h);
	gw_buffer_free(&image);
	gw_control_destroy(h.d->control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save_counts_pages),
		cmocka_unit_test(test_save_counts_dirty_pages),
		cmocka_unit_test(test_restore_from_connection),
		cmocka_unit_test(test_restore_from_file),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
