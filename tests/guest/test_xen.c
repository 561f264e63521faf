/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whole images through the engine into domains of a simulated Xen and out of them again, the second
 * time beside a guest that writes. The domain's owner is the test, as libxl would be.
 */
#include "lib/gwtest.h"

#include <xenctrl.h>

#include "compare.h"
#include "fake_xen.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/guest.h"
#include "hypervisor/memory/memory.h"
#include "hypervisor/xen/xen.h"
#include "lib/bytes.h"
#include "migrate/restore.h"
#include "migrate/save.h"

#define DOMID 7

struct fixture {
	struct gw_host *host;
	struct fake_domain *fake;
	struct gw_domain *d;
	struct gw_error err;
};

static struct fixture open_domain(const struct image *image, unsigned pv_width)
{
	struct fixture f = {0};

	fake_start();
	f.host = gw_xen_host_open("", &f.err);
	assert_non_null(f.host);
	f.fake = fake_add(DOMID, image->type, 5000, pv_width);
	f.d = gw_host_attach(f.host, DOMID, image->type == GW_GUEST_X86_PV ? 5000 : 0, &f.err);
	assert_non_null(f.d);
	return f;
}

static void close_all(struct fixture *f)
{
	gw_domain_close(f->d);
	gw_host_close(f->host);
	fake_stop();
}

static int restore(struct fixture *f, const struct image *image)
{
	struct gw_channel *in = bytes_source("the image", image->data, image->len);
	struct gw_restore_args args = {
		.domain = f->d,
		.in = in,
		.store = {.domid = 1},
		.console = {.domid = 2},
	};
	int r = gw_restore_image(&args, NULL, &f->err);

	gw_channel_close(in);
	return r;
}

static int suspend(void *owner, struct gw_error *err)
{
	struct fixture *f = owner;

	return gw_control_suspend(f->fake->memory->control, 1000, NULL, err) < 0 ? -1 : 0;
}

/* A balloon driver brings pages where no page was: Xen's log-dirty mode does not see that. */
static bool balloon;

static int precopy_policy(void *owner, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	struct fixture *f = owner;

	if (balloon && stats->iteration < 3)
		fake_populate(f->fake, 0x8000 + 100 * stats->iteration, 3);
	return stats->iteration < 3 ? GW_PRECOPY_CONTINUE : GW_PRECOPY_STOP;
}

static int save(struct fixture *f, bool live, struct gw_buffer *to)
{
	struct gw_channel *out = bytes_sink("the image", to);
	struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
				  .owner = f,
				  .suspend = suspend,
				  .precopy_policy = precopy_policy};
	struct gw_save_args args = {
		.domain = f->d,
		.out = out,
		.toolstack = &ts,
		.live = live,
		.precopy = {.max_rounds = 4, .downtime_ms = 1},
	};
	int r = gw_save_image(&args, NULL, &f->err);

	gw_channel_close(out);
	return r;
}

static void test_pv(void **state)
{
	static const struct {
		const char *name;
		unsigned width, tables;
	} streams[] = {
		{"xen417/tiny-pv.save.xz", 8, 5},
		{"xen-code/v3_422_pv64_1024.xz", 8, 15},
		{"xen-code/v3_422_pv32_live_1024.xz", 4, 12},
	};

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct image image = load_image(streams[i].name);
		struct pages expected = pages_of_image(&image, ~0u);
		struct pv_image pv = pv_image_of(&image);
		/* libxl makes a 64-bit domain of every PV guest that it restores. */
		struct fixture f = open_domain(&image, 8);
		struct gw_buffer out = {0};

		print_message("%s\n", streams[i].name);
		fake.xsave_mask = 7;
		assert_ok(restore(&f, &image), &f.err);
		struct comparison c = compare_domain(f.fake->memory, &pv, &expected);

		assert_int_equal(c.wrong_pages + c.wrong_tables + c.wrong_data, 0);
		assert_int_equal(c.tables, streams[i].tables);
		assert_false(f.fake->seeded_hvm);
		assert_int_equal(f.fake->seeded_store_domid, 1);
		assert_int_equal(f.fake->seeded_console_domid, 2);
		assert_true(f.fake->seeded_store != GW_INVALID_PFN);

		/* What its kernel does; to Xen a page that nothing uses as a table is no table. */
		assert_ok(gw_control_restored(f.fake->memory->control, &f.err), &f.err);
		for (uint64_t pfn = 0; pfn < expected.nr; pfn++)
			if ((expected.page[pfn].type & 7) && expected.page[pfn].data &&
			    gw_memory_page_type(f.fake->memory, pfn) == 0)
				assert_ok(gw_memory_set_type(f.fake->memory, pfn,
							     expected.page[pfn].type & 7, &f.err),
					  &f.err);
		assert_ok(save(&f, true, &out), &f.err);
		struct image again = image_of(&out, GW_GUEST_X86_PV);
		struct pages pages = pages_of_image(&again, ~0u);

		assert_same_pages(&pv, &expected, &pages);
		assert_same_state(&image, &again);
		free_pages(&pages);
		free_image(&again);
		free_pages(&expected);
		free_image(&image);
		close_all(&f);
	}
}

/* Debian's Xen: no log-dirty for PV guests, and none of 32 bits. */
static void test_pv_refused(void **state)
{
	struct image image = load_image("xen-code/v3_422_pv32_live_1024.xz");
	struct fixture f = open_domain(&image, 8);
	struct gw_buffer out = {0};

	fake.no_pv32 = fake.no_shadow = true;
	assert_fails(restore(&f, &image), &f.err, GW_UNSUPPORTED, "no PV guests of 32 bits");
	close_all(&f);
	free_image(&image);

	image = load_image("xen417/tiny-pv.save.xz");
	f = open_domain(&image, 8);
	fake.no_shadow = true;
	assert_ok(restore(&f, &image), &f.err);
	assert_ok(gw_control_restored(f.fake->memory->control, &f.err), &f.err);
	assert_fails(save(&f, true, &out), &f.err, GW_UNSUPPORTED, "without shadow paging");
	gw_buffer_reset(&out);
	assert_ok(save(&f, false, &out), &f.err);
	gw_buffer_free(&out);
	close_all(&f);
	free_image(&image);
}

/* The pages that a restore clears: rings and buffers of the device model. */
static bool is_ring(struct fixture *f, uint64_t pfn)
{
	static const uint32_t params[] = {HVM_PARAM_STORE_PFN, HVM_PARAM_CONSOLE_PFN,
					  HVM_PARAM_IOREQ_PFN, HVM_PARAM_BUFIOREQ_PFN};

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		uint64_t value;

		assert_ok(gw_domain_get_param(f->d, params[i], &value, &f->err), &f->err);
		if (value == pfn)
			return true;
	}
	return false;
}

static unsigned assert_memory_is(struct fixture *f, const struct pages *expected)
{
	unsigned compared = 0;

	for (uint64_t pfn = 0; pfn < expected->nr; pfn++) {
		const struct page *want = &expected->page[pfn];
		const void *have = gw_memory_page(f->fake->memory, pfn);

		if (!want->data)
			continue;
		assert_non_null(have);
		if (is_ring(f, pfn))
			continue;
		assert_memory_equal(have, want->data, GW_PAGE_SIZE);
		compared++;
	}
	return compared;
}

static void assert_same_record(const struct image *a, const struct image *b, uint32_t type)
{
	uint32_t len_a, len_b;
	const uint8_t *in_a = find_record(a, type, &len_a), *in_b = find_record(b, type, &len_b);

	assert_non_null(in_a);
	assert_non_null(in_b);
	assert_int_equal(len_a, len_b);
	assert_memory_equal(in_a, in_b, len_a);
}

static void test_hvm(void **state)
{
	static const char *const streams[] = {"xen417/tiny-pvh.save.xz", "xen417/tiny-hvm.save.xz"};

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct image image = load_image(streams[i]);
		struct pages expected = pages_of_image(&image, ~0u);
		struct fixture f = open_domain(&image, 0);
		struct gw_buffer out = {0};

		print_message("%s\n", streams[i]);
		assert_ok(restore(&f, &image), &f.err);
		assert_true(assert_memory_is(&f, &expected) > 900);
		assert_true(f.fake->seeded_hvm);

		assert_ok(gw_control_restored(f.fake->memory->control, &f.err), &f.err);
		assert_ok(save(&f, false, &out), &f.err);
		struct image again = image_of(&out, GW_GUEST_X86_HVM);
		struct pages pages = pages_of_image(&again, ~0u);

		assert_true(assert_memory_is(&f, &pages) > 900);
		assert_same_record(&image, &again, GW_REC_HVM_CONTEXT);
		assert_same_record(&image, &again, GW_REC_X86_CPUID_POLICY);
		assert_same_record(&image, &again, GW_REC_X86_MSR_POLICY);
		assert_same_record(&image, &again, GW_REC_X86_TSC_INFO);
		free_pages(&pages);
		free_image(&again);
		free_pages(&expected);
		free_image(&image);
		close_all(&f);
	}
}

/* A guest that writes, and a balloon driver that brings pages, while it is saved. */
static void test_live(void **state)
{
	struct image image = load_image("xen417/tiny-pvh.save.xz");
	struct fixture f = open_domain(&image, 0);
	struct gw_memory_guest_options busy = {.seed = 11, .steps_per_ms = 20};
	struct gw_buffer out = {0};

	assert_ok(restore(&f, &image), &f.err);
	struct gw_control *control = f.fake->memory->control;

	assert_ok(gw_control_restored(control, &f.err), &f.err);
	struct gw_memory_guest *guest = gw_memory_guest_start(f.fake->memory, &busy, &f.err);

	assert_non_null(guest);
	assert_ok(gw_control_unpause(control, &f.err), &f.err);
	balloon = true;
	assert_ok(save(&f, true, &out), &f.err);
	balloon = false;
	assert_true(gw_memory_guest_steps(guest) > 0);
	gw_memory_guest_stop(guest);
	struct image again = image_of(&out, GW_GUEST_X86_HVM);
	struct pages pages = pages_of_image(&again, ~0u);

	assert_true(assert_memory_is(&f, &pages) > 1000);
	assert_true(pages.page[0x8000 + 102].data && pages.page[0x8000 + 200].data);
	/* Everything that is there was sent. */
	for (uint64_t pfn = gw_memory_next(f.fake->memory, 0); pfn != GW_INVALID_PFN;
	     pfn = gw_memory_next(f.fake->memory, pfn + 1))
		assert_true(pfn < pages.nr && pages.page[pfn].data);
	free_pages(&pages);
	free_image(&again);
	free_image(&image);
	close_all(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pv),
		cmocka_unit_test(test_pv_refused),
		cmocka_unit_test(test_hvm),
		cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
