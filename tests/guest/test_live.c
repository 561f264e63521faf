/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests live saves and checkpoints of guests that write all the time, to page tables as well: the
 * image holds what the guest had when it was suspended.
 */
#include "lib/gwtest.h"

#include <sched.h>

#include "base/bytes.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "lib/bytes.h"
#include "lib/random.h"
#include "compare.h"
#include "hypervisor/memory/memory.h"
#include "hypervisor/memory/guest.h"
#include "migrate/restore.h"
#include "migrate/save.h"

static const char *const pv_images[] = {
	"xen417/tiny-pv.save.xz",
	"xen-code/v3_422_pv32_live_1024.xz",
	"xen-code/v3_422_pv64_1024.xz",
};

static struct gw_domain *new_domain(struct gw_host *host, enum gw_guest_type type, uint64_t s)
{
	struct gw_domain_config config = {.type = type, .max_pages = 8192, .vcpus = 4, .seed = s};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = gw_host_create(host, &config, &err);

	assert_non_null(d);
	return d;
}

static struct gw_domain *running_domain(struct gw_host *host, const char *name, uint64_t s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct image image = load_image(name);
	struct restore_options how = {.checkpoint = ~0u};
	struct gw_domain *d = new_domain(host, image.type, s);

	assert_ok(restore_loop(&image, d, &how, &err), &err);
	assert_ok(gw_control_unpause(d->control, &err), &err);
	free_image(&image);
	return d;
}

/* Lets the guest run that many steps more. */
static void let_run(void *opaque, struct gw_domain *d)
{
	uint64_t until = gw_memory_guest_steps(opaque) + 300;

	while (gw_memory_guest_steps(opaque) < until)
		sched_yield();
}

/* The pages of the suspended source, in the form in which they should be sent. */
static void assert_as_suspended(struct gw_domain *d, const struct pages *sent)
{
	const uint64_t *m2p;
	uint64_t max_mfn;
	unsigned tables = 0;

	assert_int_equal(gw_domain_m2p(d, &m2p, &max_mfn, NULL), 0);
	for (uint64_t pfn = 0; pfn < sent->nr; pfn++) {
		const struct page *page = &sent->page[pfn];
		const uint8_t *have = gw_memory_page(d, pfn);

		assert_int_equal(have != NULL, page->exists);
		if (!have)
			continue;
		assert_int_equal(page->type, gw_memory_page_type(d, pfn));
		if ((page->type & 7) != 1) {
			if ((page->type & 7) == 0)
				assert_memory_equal(have, page->data, 4096);
			continue;
		}
		tables++;
		for (unsigned i = 0; i < 512; i++) {
			uint64_t pte = gw_get_le64(have + 8 * i);

			if (pte & 1)
				pte = (pte & UINT64_C(0xfff0000000000fff)) |
				      m2p[pte >> 12 & UINT64_C(0xffffffffff)] << 12;
			assert_true(gw_get_le64(page->data + 8 * i) == pte);
		}
	}
	assert_true(tables > 0);
}

/* The two ways to save a running domain and restore the image into another domain. */
struct way {
	void (*save)(struct gw_domain *d, struct gw_memory_guest *guest, struct gw_buffer *out);
	void (*restore)(const struct image *image, struct gw_domain *d);
};

static void save_by_loop(struct gw_domain *d, struct gw_memory_guest *guest, struct gw_buffer *out)
{
	struct gw_error err = GW_ERROR_INIT;
	struct save_options save = {
		.live_passes = 6, .stay_suspended = true, .between = let_run, .opaque = guest};

	assert_ok(save_loop(d, out, &save, &err), &err);
	print_message("%llu steps, %llu pages put off\n",
		      (unsigned long long)gw_memory_guest_steps(guest),
		      (unsigned long long)save.deferred);
	assert_true(gw_memory_guest_steps(guest) >= 2000);
	assert_true(save.deferred > 0);
}

static void restore_by_loop(const struct image *image, struct gw_domain *d)
{
	struct gw_error err = GW_ERROR_INIT;
	struct restore_options how = {.checkpoint = ~0u};

	assert_ok(restore_loop(image, d, &how, &err), &err);
}

static int ts_suspend(void *opaque, struct gw_error *err)
{
	struct gw_domain *d = opaque;

	return gw_control_suspend(d->control, 1000, NULL, err) < 0 ? -1 : 0;
}

static void save_by_engine(struct gw_domain *d, struct gw_memory_guest *guest,
			   struct gw_buffer *out)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = d, .suspend = ts_suspend};
	struct gw_channel *ch = bytes_sink("saved", out);
	struct gw_report report;
	struct gw_save_args args = {.domain = d,
				    .out = ch,
				    .toolstack = &ts,
				    .live = true,
				    .precopy = {.downtime_ms = 1, .max_rounds = 8}};

	assert_ok(gw_save_image(&args, &report, &err), &err);
	gw_channel_close(ch);
	print_message("%llu steps, %u rounds\n", (unsigned long long)gw_memory_guest_steps(guest),
		      report.rounds);
	assert_true(report.rounds >= 2);
}

static void restore_by_engine(const struct image *image, struct gw_domain *d)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = bytes_source("stored", image->data, image->len);
	struct gw_restore_args args = {.domain = d, .in = ch};

	assert_ok(gw_restore_image(&args, NULL, &err), &err);
	assert_ok(gw_control_restored(d->control, &err), &err);
	gw_channel_close(ch);
}

static const struct way by_loop = {save_by_loop, restore_by_loop};
static const struct way by_engine = {save_by_engine, restore_by_engine};

static void live_pv(struct gw_host *host, const char *name, uint64_t s, const struct way *way)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_memory_guest_options guest_options = {.seed = s, .tables = true, .foreign = true};
	struct gw_domain *d = running_domain(host, name, s + 1);
	struct gw_memory_guest *guest = gw_memory_guest_start(d, &guest_options, &err);
	struct gw_buffer out = {0};

	print_message("%s\n", name);
	assert_non_null(guest);
	let_run(guest, d);
	way->save(d, guest, &out);

	struct image image = image_of(&out, GW_GUEST_X86_PV);
	struct pages sent = pages_of_image(&image, ~0u);
	struct pv_image pv = pv_image_of(&image);
	struct gw_domain *copy = new_domain(host, GW_GUEST_X86_PV, s + 2);

	assert_as_suspended(d, &sent);
	way->restore(&image, copy);
	struct comparison c = compare_domain(copy, &pv, &sent);

	assert_int_equal(c.wrong_pages + c.wrong_tables + c.wrong_data, 0);
	gw_memory_guest_stop(guest);
	gw_control_destroy(copy->control);
	gw_control_destroy(d->control);
	free_pages(&sent);
	free_image(&image);
}

static void test_pv(void **state)
{
	const struct way *way = *state;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	uint64_t s = random_seed();

	for (size_t i = 0; i < sizeof(pv_images) / sizeof(pv_images[0]); i++)
		live_pv(host, pv_images[i], s + i, way);
	gw_host_close(host);
}

/* A foreign mapping that is still there when the guest is suspended is an error; its table is not
 * lost. */
static void test_foreign_kept(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct gw_memory_guest_options guest_options = {
		.seed = random_seed(), .tables = true, .foreign = true, .keep_foreign = true};
	struct gw_domain *d = running_domain(host, pv_images[0], 5);
	struct gw_memory_guest *guest = gw_memory_guest_start(d, &guest_options, &err);
	struct save_options save = {.live_passes = 1, .between = let_run, .opaque = guest};
	struct gw_buffer out = {0};

	assert_fails(save_loop(d, &out, &save, &err), &err, GW_GUEST,
		     "mfn 0x380 is not the guest's memory");
	/* The failed save did not harm the guest: it runs on. */
	let_run(guest, d);
	gw_memory_guest_stop(guest);
	gw_control_destroy(d->control);
	gw_buffer_free(&out);
	gw_host_close(host);
}

static void assert_stands_still(struct gw_memory_guest *guest)
{
	uint64_t steps = gw_memory_guest_steps(guest);

	for (unsigned i = 0; i < 50; i++)
		sched_yield();
	assert_int_equal(gw_memory_guest_steps(guest), steps);
}

static void test_pause(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct gw_memory_guest_options options = {.seed = 1};
	struct gw_domain *d = running_domain(host, "xen417/tiny-pv.save.xz", 5);
	struct gw_memory_guest *guest = gw_memory_guest_start(d, &options, &err);

	assert_null(gw_memory_guest_start(d, &options, &err));
	assert_fails(-1, &err, GW_BUSY, "has a guest already");
	for (unsigned i = 0; i < 5; i++) {
		let_run(guest, d);
		assert_ok(gw_control_pause(d->control, &err), &err);
		assert_stands_still(guest);
		assert_ok(gw_control_unpause(d->control, &err), &err);
		let_run(guest, d);
		assert_int_equal(gw_control_suspend(d->control, 100, NULL, &err), 1);
		assert_stands_still(guest);
		assert_ok(gw_control_resume(d->control, &err), &err);
	}
	gw_memory_guest_stop(guest);
	gw_control_destroy(d->control);
	gw_host_close(host);
}

/* Checkpoints of a running HVM guest: the last one holds what the guest had at its last suspend. */
static void test_checkpoints(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct gw_memory_guest_options guest_options = {.seed = random_seed()};
	struct gw_domain *d = running_domain(host, "xen-code/v3_422_hvm_1024.xz", 0);
	struct gw_memory_guest *guest = gw_memory_guest_start(d, &guest_options, &err);
	struct save_options save = {.live_passes = 2,
				    .checkpoints = 4,
				    .stay_suspended = true,
				    .between = let_run,
				    .opaque = guest};
	struct gw_buffer out = {0};

	assert_ok(save_loop(d, &out, &save, &err), &err);
	struct image image = image_of(&out, GW_GUEST_X86_HVM);
	struct pages last = pages_of_image(&image, 3), before = pages_of_image(&image, 2);
	unsigned changed = 0;

	for (uint64_t pfn = 0; pfn < last.nr; pfn++) {
		const void *have = gw_memory_page(d, pfn);

		assert_int_equal(have != NULL, last.page[pfn].exists);
		if (!have)
			continue;
		assert_memory_equal(have, last.page[pfn].data, 4096);
		changed += memcmp(have, before.page[pfn].data, 4096) != 0;
	}
	assert_true(changed > 10);
	gw_memory_guest_stop(guest);
	gw_control_destroy(d->control);
	free_pages(&last);
	free_pages(&before);
	free_image(&image);
	gw_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_pv, (void *)(uintptr_t)&by_loop),
		cmocka_unit_test_prestate(test_pv, (void *)(uintptr_t)&by_engine),
		cmocka_unit_test(test_foreign_kept),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_checkpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
