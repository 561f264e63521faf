/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests live saves while a guest runs in its own thread, with page tables that come and go and
 * foreign mappings: the image holds the guest as it was when it was suspended.
 */
#include "lib/gwtest.h"

#include "hypervisor/control.h"
#include "lib/bytes.h"
#include "lib/random.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "hypervisor/memory/memory.h"
#include "hypervisor/memory/guest.h"
#include "stored.h"

static const char *const streams[] = {
	"xen-code/v3_422_hvm_1024.xz",
	"xen-code/v3_422_pv64_1024.xz",
	"xen-code/v3_422_pv32_live_1024.xz",
};

/* A real guest that runs. */
static struct gw_domain *running_domain(const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct stored s = stored_load(name);
	struct gw_domain *d;

	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	assert_ok(gw_control_unpause(d->control, &err), &err);
	stored_free(&s);
	return d;
}

static struct gw_memory_guest *start_guest(struct gw_domain *d, bool foreign, bool keep)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_memory_guest_options options = {
		.seed = random64(),
		.tables = d->type == GW_GUEST_X86_PV,
		.foreign = foreign,
		.keep_foreign = keep,
	};
	struct gw_memory_guest *guest = gw_memory_guest_start(d, &options, &err);

	if (!guest)
		fail_msg("%s", err.text);
	/* It has started to write, so the first pass will miss something. */
	while (gw_memory_guest_steps(guest) < 100)
		gw_cancel_wait(NULL, -1, 0, 1, NULL);
	return guest;
}

static int save(struct gw_domain *d, bool live, struct gw_report *report, struct gw_buffer *image,
		struct gw_error *err)
{
	struct gw_toolstack ts = stored_toolstack(d);
	struct gw_channel *out = bytes_sink("saved", image);
	struct gw_save_args args = {
		.domain = d,
		.out = out,
		.toolstack = &ts,
		.live = live,
		.precopy = {.downtime_ms = 1, .max_rounds = 4, .bandwidth = 20 << 20},
	};
	int rc = gw_save_image(&args, report, err);

	if (rc < 0)
		gw_buffer_free(image);
	gw_channel_close(out);
	return rc;
}

/* A pfn above the last entry has no page. */
static unsigned type_of(const struct pages *p, uint64_t pfn)
{
	return pfn < p->nr ? p->types[pfn] : GW_PAGE_XTAB;
}

/* Both images hold the same guest. */
static void check_same(const char *name, const struct gw_buffer *a, const struct gw_buffer *b)
{
	struct pages pa = pages_of_image(a), pb = pages_of_image(b);

	for (uint64_t pfn = 0; pfn < GW_MAX(pa.nr, pb.nr); pfn++) {
		unsigned type = type_of(&pa, pfn);

		if (type != type_of(&pb, pfn))
			fail_msg("%s: pfn 0x%llx is of type 0x%x in the live image, 0x%x in truth",
				 name, (unsigned long long)pfn, type, type_of(&pb, pfn));
		if (gw_page_has_data(type) &&
		    memcmp(pa.data + pfn * GW_PAGE_SIZE, pb.data + pfn * GW_PAGE_SIZE,
			   GW_PAGE_SIZE) != 0)
			fail_msg("%s: pfn 0x%llx (type 0x%x) is not what it was at the suspend",
				 name, (unsigned long long)pfn, type);
	}
	pages_free(&pa);
	pages_free(&pb);
}

/* Pages of the rounds after the first. On a busy machine the guest may write none in the last. */
static uint64_t pages_sent_again(const struct gw_report *report)
{
	uint64_t pages = 0;

	for (unsigned i = 1; i < report->rounds; i++)
		pages += report->round_pages[i];
	return pages;
}

static void test_image_is_the_suspended_guest(void **state)
{
	const char *name = *state;

	for (int i = 0; i < 3; i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_domain *d = running_domain(name);
		struct gw_memory_guest *guest = start_guest(d, i > 0, false);
		struct gw_buffer live = {0}, still = {0};
		struct gw_report report, later;

		assert_ok(save(d, true, &report, &live, &err), &err);
		assert_true(report.rounds > 1);
		assert_true(pages_sent_again(&report) > 0);
		assert_ok(save(d, false, &later, &still, &err), &err);
		check_same(name, &live, &still);
		gw_memory_guest_stop(guest);
		gw_buffer_free(&live);
		gw_buffer_free(&still);
		gw_control_destroy(d->control);
	}
}

/* The backend's own table, with mappings counted. */
static const struct gw_domain_ops *real_ops;
static int mapped;

static int counting_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable,
			void **pages, uint8_t *results, struct gw_mapping *mapping,
			struct gw_error *err)
{
	int rc = real_ops->map(d, n, gfns, writable, pages, results, mapping, err);

	mapped += rc == 0;
	return rc;
}

static void counting_unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	mapped--;
	real_ops->unmap(d, mapping);
}

/* A table still holds a foreign frame when the guest is suspended: such a guest cannot be saved. */
static void test_foreign_frame_is_left(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = running_domain(streams[1]);
	struct gw_memory_guest *guest = start_guest(d, true, true);
	struct gw_domain_ops counting = *d->ops;
	struct gw_buffer image = {0};
	struct gw_report report;

	/* By then it has mapped one. */
	while (gw_memory_guest_steps(guest) < 5000)
		gw_cancel_wait(NULL, -1, 0, 1, NULL);
	real_ops = d->ops;
	counting.map = counting_map;
	counting.unmap = counting_unmap;
	d->ops = &counting;
	mapped = 0;
	assert_fails(save(d, true, &report, &image, &err), &err, GW_GUEST,
		     "is not the guest's memory");
	assert_int_equal(mapped, 0);
	d->ops = real_ops;
	gw_memory_guest_stop(guest);
	gw_control_destroy(d->control);
}

/* A foreign frame is removed from a table at the suspend, and log-dirty does not report the
 * table. */
struct stealthy {
	struct gw_domain *d;
	uint64_t *pte;
	uint64_t was;
};

static int stealthy_suspend(void *opaque, struct gw_error *err)
{
	struct stealthy *s = opaque;

	*s->pte = s->was;
	return gw_control_suspend(s->d->control, 0, NULL, err) < 0 ? -1 : 0;
}

static void test_deferred_table_is_sent(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = running_domain(streams[1]);
	struct stealthy s = {.d = d};
	struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
				  .owner = &s,
				  .suspend = stealthy_suspend};
	struct gw_buffer live = {0}, still = {0};
	struct gw_channel *out = bytes_sink("saved", &live);
	struct gw_save_args args = {.domain = d, .out = out, .toolstack = &ts, .live = true};
	struct gw_report report;
	uint64_t pfn = 0;

	while (gw_page_table_level(gw_memory_page_type(d, pfn)) != 1)
		pfn++;
	s.pte = gw_memory_page(d, pfn);
	s.was = *s.pte;
	*s.pte = UINT64_C(0x380) << 12 | 1;
	assert_ok(gw_save_image(&args, NULL, &err), &err);
	assert_ok(save(d, false, &report, &still, &err), &err);
	check_same("deferred", &live, &still);
	gw_channel_close(out);
	gw_buffer_free(&live);
	gw_buffer_free(&still);
	gw_control_destroy(d->control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_image_is_the_suspended_guest,
					  (void *)(uintptr_t)streams[0]),
		cmocka_unit_test_prestate(test_image_is_the_suspended_guest,
					  (void *)(uintptr_t)streams[1]),
		cmocka_unit_test_prestate(test_image_is_the_suspended_guest,
					  (void *)(uintptr_t)streams[2]),
		cmocka_unit_test(test_foreign_frame_is_left),
		cmocka_unit_test(test_deferred_table_is_sent),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
