/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests which pfns a save asks for and which entries it writes: ranges that can have pages, windows
 * that keep superpages in one record, and pages that vanish while the guest runs.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "format/libxc/image.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "lib/bytes.h"
#include "migrate/faulty.h"
#include "migrate/stored.h"

#define HVM "xen-code/v3_422_hvm_1024.xz"

#define TOP  ((UINT64_C(1) << 20) - 1) /* the last pfn below 4 GiB */
#define GONE UINT64_C(0x123)	       /* the page that vanishes */

/* A guest of 1024 pfns and one page below 4 GiB, with nothing between them. */
static struct faulty *sparse_domain(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct stored s = stored_load(HVM);
	uint64_t top = TOP;
	struct gw_domain *d;

	s.nr_pfns = TOP + 1;
	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	stored_free(&s);
	assert_ok(gw_domain_populate(d, 1, &top, &top, &err), &err);
	memset(gw_memory_page(d, TOP), 0x5a, GW_PAGE_SIZE);
	return faulty_new(d);
}

/* What the PAGE_DATA records of an image hold. */
struct contents {
	unsigned records, pages, absent;
	unsigned gone_pages, gone_absent; /* entries of GONE */
	unsigned across;		  /* records with pfns of a second window */
};

static struct contents contents_of(const struct gw_buffer *image)
{
	struct contents c = {0};

	for (size_t at = 40; at + 8 <= image->len;) {
		const uint8_t *body = image->data + at + 8;
		uint32_t len = gw_get_le32(image->data + at + 4), n, across = 0;

		n = gw_get_le32(image->data + at) == GW_REC_PAGE_DATA ? gw_get_le32(body) : 0;
		c.records += n > 0;
		for (uint32_t i = 0; i < n; i++) {
			uint64_t entry = gw_get_le64(body + 8 + 8 * i);
			uint64_t pfn = gw_page_entry_pfn(entry);
			bool data = gw_page_has_data(gw_page_entry_type(entry));

			across |= pfn / 1024 != gw_page_entry_pfn(gw_get_le64(body + 8)) / 1024;
			c.pages += data;
			c.absent += !data;
			c.gone_pages += data && pfn == GONE;
			c.gone_absent += !data && pfn == GONE;
		}
		c.across += across;
		at += 8 + ((len + 7u) & ~7u);
	}
	return c;
}

static int save(struct faulty *f, const struct gw_toolstack *ts, bool live, struct gw_buffer *image,
		struct gw_error *err)
{
	struct gw_channel *ch = bytes_sink("saved", image);
	struct gw_save_args args = {.domain = &f->base, .out = ch, .toolstack = ts, .live = live};
	int rc = gw_save_image(&args, NULL, err);

	gw_channel_close(ch);
	return rc;
}

static uint64_t pfns_in_ranges(struct gw_domain *d)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_pfn_range *ranges;
	uint64_t sum = 0;
	size_t n;

	assert_ok(gw_domain_ranges(d, &ranges, &n, &err), &err);
	for (size_t i = 0; i < n; i++)
		sum += ranges[i].count;
	free(ranges);
	return sum;
}

/* The image restores to the same pages at the same pfns, and to no others. */
static void check_restored(const struct gw_buffer *image, struct gw_domain *saved)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {
		.domain = stored_domain(GW_GUEST_X86_HVM, TOP + 1),
		.in = stored_bytes(image->data, image->len),
	};
	uint64_t pfn = 0;

	assert_ok(restore_as_owner(&args, false, NULL, &err), &err);
	while ((pfn = gw_memory_next(saved, pfn)) != GW_INVALID_PFN) {
		assert_non_null(gw_memory_page(args.domain, pfn));
		if (!pages_special(image, pfn))
			assert_memory_equal(gw_memory_page(args.domain, pfn),
					    gw_memory_page(saved, pfn), GW_PAGE_SIZE);
		pfn++;
		assert_int_equal(gw_memory_next(args.domain, pfn), gw_memory_next(saved, pfn));
	}
	gw_channel_close(args.in);
	gw_control_destroy(args.domain->control);
}

/* A hole of nearly 4 GiB: the save neither asks for its pfns nor writes entries for them, live or
 * not. */
static void test_hole(void **state)
{
	for (int live = 0; live < 2; live++) {
		struct gw_error err = GW_ERROR_INIT;
		struct faulty *f = sparse_domain();
		const struct gw_toolstack ts = stored_toolstack(&f->base);
		uint64_t can_have = pfns_in_ranges(f->inner);
		struct gw_buffer image = {0};
		struct contents c;

		assert_in_range(can_have, 1000, 4096);
		assert_ok(save(f, &ts, live, &image, &err), &err);
		assert_in_range(f->types_asked, 1000, can_have);
		c = contents_of(&image);
		assert_int_equal(c.absent, 0);
		assert_in_range(c.pages, 900, 1025);
		assert_int_equal(c.records, 2);
		assert_int_equal(c.across, 0);
		check_restored(&image, f->inner);
		gw_buffer_free(&image);
		faulty_free(f);
	}
}

/* Scattered pages: no record of a first pass holds pfns of two windows. */
static void test_windows(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct faulty *f = sparse_domain();
	const struct gw_toolstack ts = stored_toolstack(&f->base);
	struct gw_buffer image = {0};
	struct contents c;

	for (uint64_t pfn = 1500; pfn < 6000; pfn += 700) {
		uint64_t gfn = pfn;

		assert_ok(gw_domain_populate(f->inner, 1, &pfn, &gfn, &err), &err);
	}
	assert_ok(save(f, &ts, false, &image, &err), &err);
	c = contents_of(&image);
	/* 0; 1500; 2200, 2900; 3600; 4300, 5000; 5700; TOP. */
	assert_int_equal(c.records, 7);
	assert_int_equal(c.across, 0);
	check_restored(&image, f->inner);
	gw_buffer_free(&image);
	faulty_free(f);
}

/* The guest's actions between the passes. */
struct guest {
	struct gw_toolstack suspender;
	struct gw_domain *d;
	bool gives, takes; /* gives GONE back; gets it again */
};

static int suspend(void *owner, struct gw_error *err)
{
	struct guest *g = owner;

	return g->suspender.suspend(g->suspender.owner, err);
}

static int between(void *owner, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	struct guest *g = owner;
	uint64_t pfn = GONE;

	if (g->gives) {
		gw_memory_touch(g->d, pfn);
		assert_ok(gw_memory_depopulate(g->d, 1, &pfn, err), err);
	}
	if (g->takes) {
		assert_ok(gw_domain_populate(g->d, 1, &pfn, &pfn, err), err);
		memset(gw_memory_page(g->d, pfn), 0x77, GW_PAGE_SIZE);
	}
	return GW_PRECOPY_STOP;
}

/* The page was sent before the guest gave it back, so it has the only entry without a page. */
static void test_vanishes_after_it_was_sent(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct faulty *f = sparse_domain();
	struct guest g = {stored_toolstack(&f->base), f->inner, .gives = true};
	const struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
					.owner = &g,
					.suspend = suspend,
					.precopy_policy = between};
	struct gw_buffer image = {0};
	struct contents c;

	assert_ok(save(f, &ts, true, &image, &err), &err);
	c = contents_of(&image);
	assert_int_equal(c.gone_pages, 1);
	assert_int_equal(c.gone_absent, 1);
	assert_int_equal(c.absent, 1);
	gw_buffer_free(&image);
	faulty_free(f);
}

static void give_back_once(void *opaque, struct gw_domain *inner)
{
	struct gw_error err = GW_ERROR_INIT;
	unsigned *left = opaque;
	uint64_t pfn = GONE;

	if (*left == 0)
		return;
	--*left;
	assert_ok(gw_memory_depopulate(inner, 1, &pfn, &err), &err);
}

/* The page vanishes after its type was read and before it is mapped: the others are sent, and it is
 * tried again later. */
static void test_vanishes_before_it_is_mapped(void **state)
{
	for (int takes = 0; takes < 2; takes++) {
		struct gw_error err = GW_ERROR_INIT;
		struct faulty *f = sparse_domain();
		struct guest g = {stored_toolstack(&f->base), f->inner, .takes = takes};
		const struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
						.owner = &g,
						.suspend = suspend,
						.precopy_policy = between};
		struct gw_buffer image = {0};
		unsigned left = 1;
		struct contents c;

		f->before_map = give_back_once;
		f->opaque = &left;
		/* As on Xen, where log-dirty does not report a new page. */
		f->unlogged = GONE;
		assert_ok(save(f, &ts, true, &image, &err), &err);
		assert_int_equal(left, 0);
		assert_int_equal(f->mapped, 0);
		c = contents_of(&image);
		assert_int_equal(c.gone_pages, takes);
		assert_int_equal(c.absent, 0);
		assert_in_range(c.pages, 900, 1025);
		check_restored(&image, f->inner);
		gw_buffer_free(&image);
		faulty_free(f);
	}
}

/* A suspended guest cannot give pages back. */
static void test_vanishes_although_suspended(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct faulty *f = sparse_domain();
	const struct gw_toolstack ts = stored_toolstack(&f->base);
	unsigned left = 1;

	f->before_map = give_back_once;
	f->opaque = &left;
	assert_fails(save(f, &ts, false, NULL, &err), &err, GW_GUEST, "pfn 0x123 cannot be mapped");
	assert_int_equal(f->mapped, 0);
	faulty_free(f);
}

static int count_suspend(void *owner, struct gw_error *err)
{
	++*(unsigned *)owner;
	return gw_fail(err, GW_GUEST, "a guest that has shut down is not asked");
}

/*
 * A guest that shuts down while it is sent: no further page is sent, and the guest is not asked to
 * suspend. It is noticed after the first batch, and in the pause that follows it, which would take
 * an hour here.
 */
static void test_guest_ends(void **state)
{
	static const struct {
		enum gw_shutdown_reason reason;
		unsigned look;
		const char *words;
	} ends[] = {
		{GW_SHUTDOWN_POWEROFF, 1, "powered itself off"},
		{GW_SHUTDOWN_REBOOT, 1, "asked for a reboot"},
		{GW_SHUTDOWN_CRASH, 1, "crashed"},
		{GW_SHUTDOWN_CRASH, 3, "crashed"},
		{(enum gw_shutdown_reason)4, 2, "shut down"},
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct faulty *f = sparse_domain();
		struct gw_error err = GW_ERROR_INIT;
		struct gw_buffer image = {0};
		struct gw_channel *out = bytes_sink("saved", &image);
		unsigned asked = 0;
		struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
					  .owner = &asked,
					  .suspend = count_suspend};
		struct gw_save_args args = {.domain = &f->base,
					    .out = out,
					    .toolstack = &ts,
					    .live = true,
					    .precopy = {.bandwidth = ends[i].look > 1 ? 1000 : 0}};

		f->ends_at = ends[i].look;
		f->end = ends[i].reason;
		assert_fails(gw_save_image(&args, NULL, &err), &err, GW_GONE, ends[i].words);
		assert_int_equal(asked, 0);
		assert_int_equal(contents_of(&image).records, 1);
		assert_false(f->logging);
		assert_int_equal(f->mapped, 0);
		gw_channel_close(out);
		gw_buffer_free(&image);
		faulty_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_ends),
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_vanishes_after_it_was_sent),
		cmocka_unit_test(test_vanishes_before_it_is_mapped),
		cmocka_unit_test(test_vanishes_although_suspended),
	};

	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
