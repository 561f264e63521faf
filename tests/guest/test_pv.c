/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests real PV streams through the restore hooks into a domain and through the save hooks out
 * again, twice, each time on other mfns.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "compare.h"
#include "format/x86/pv_layout.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "format/x86/pv_layout.h"
#include "hypervisor/memory/memory.h"

struct stream {
	const char *image, *manifest;
	unsigned tables, at_least_ptes;
};

static const struct stream streams[] = {
	{"xen417/tiny-pv.save.xz", NULL, 5, 900},
	{"xen417/tiny-pv.migrate-debug-fwd.xz", NULL, 5, 900},
	{"xen-code/v2_46_pv64_w64_live_1024.xz", "xen-code/v2_46_pv64_w64_live_1024.manifest.xz",
	 15, 2500},
	{"xen-code/v3_422_pv32_live_1024.xz", "xen-code/v3_422_pv32_live_1024.manifest.xz", 12,
	 2500},
	{"xen-code/v3_422_pv64_1024.xz", "xen-code/v3_422_pv64_1024.manifest.xz", 15, 2500},
};
#define NR_STREAMS (sizeof(streams) / sizeof(streams[0]))

static struct gw_domain *new_domain(struct gw_host *host, uint64_t seed)
{
	struct gw_domain_config config = {
		.type = GW_GUEST_X86_PV, .max_pages = 2000, .vcpus = 4, .seed = seed};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = gw_host_create(host, &config, &err);

	assert_non_null(d);
	return d;
}

static void assert_right(struct comparison c, const struct stream *s)
{
	assert_int_equal(c.wrong_pages, 0);
	assert_int_equal(c.wrong_tables, 0);
	assert_int_equal(c.wrong_data, 0);
	assert_int_equal(c.tables, s->tables);
	assert_true(c.ptes >= s->at_least_ptes);
	assert_true(c.data > 900);
}

/* For a hypervisor, a table that nothing refers to is an ordinary page; in a live guest something
 * will refer to it. */
static void use_all_tables(struct gw_domain *d, const struct pages *expected)
{
	struct gw_error err = GW_ERROR_INIT;

	for (uint64_t pfn = 0; pfn < expected->nr; pfn++)
		if ((expected->page[pfn].type & 7) && expected->page[pfn].data &&
		    gw_memory_page_type(d, pfn) == 0)
			assert_ok(gw_memory_set_type(d, pfn, expected->page[pfn].type & 7, &err),
				  &err);
}

/* Restores into a new domain, compares, saves it again; consumes the domain. */
static struct image hop(struct gw_host *host, const struct stream *s, const struct image *in,
			const struct pages *expected, uint64_t seed, unsigned live_passes)
{
	struct gw_error err = GW_ERROR_INIT;
	struct restore_options how = {.checkpoint = ~0u};
	struct save_options save = {.live_passes = live_passes};
	struct gw_domain *d = new_domain(host, seed);
	struct pv_image pv = pv_image_of(in);
	struct gw_buffer out = {0};

	assert_ok(restore_loop(in, d, &how, &err), &err);
	assert_int_equal(how.mismatches, 0);
	assert_right(compare_domain(d, &pv, expected), s);
	assert_true(how.store_gfn != GW_INVALID_PFN && how.console_gfn != GW_INVALID_PFN);
	use_all_tables(d, expected);
	assert_ok(save_loop(d, &out, &save, &err), &err);
	assert_int_equal(save.deferred, 0);
	gw_control_destroy(d->control);
	return image_of(&out, GW_GUEST_X86_PV);
}

static void assert_manifest(const struct pages *expected, const struct pages *manifest)
{
	assert_true(manifest->nr > 0);
	for (uint64_t pfn = 0; pfn < manifest->nr; pfn++) {
		if (!manifest->page[pfn].exists)
			continue;
		assert_true(pfn < expected->nr && expected->page[pfn].exists);
		assert_int_equal(expected->page[pfn].type, manifest->page[pfn].type);
		assert_true(hash_page(expected->page[pfn].data) == manifest->page[pfn].hash);
	}
}

static void test_round_trips(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);

	for (size_t i = 0; i < NR_STREAMS; i++) {
		const struct stream *s = &streams[i];
		struct image image = load_image(s->image);
		struct pages expected = pages_of_image(&image, ~0u);
		struct pv_image pv = pv_image_of(&image);

		print_message("%s\n", s->image);
		if (s->manifest) {
			struct pages manifest = pages_of_manifest(s->manifest);

			assert_manifest(&expected, &manifest);
			free_pages(&manifest);
		}
		struct image second = hop(host, s, &image, &expected, 1 + i, 0);
		struct pages again = pages_of_image(&second, ~0u);

		assert_same_pages(&pv, &expected, &again);
		assert_same_state(&image, &second);
		struct image third = hop(host, s, &second, &again, 100 + i, 2);
		struct pages thrice = pages_of_image(&third, ~0u);

		assert_same_pages(&pv, &again, &thrice);
		assert_same_pages(&pv, &expected, &thrice);
		assert_same_state(&image, &third);
		free_pages(&expected);
		free_pages(&again);
		free_pages(&thrice);
		free_image(&image);
		free_image(&second);
		free_image(&third);
	}
	gw_host_close(host);
}

static bool never(unsigned type)
{
	return false;
}

/* Proves that the comparison above can fail: without localise it does. */
static void test_without_localise(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct gw_restore_guest_ops ops = gw_x86_pv_restore;

	ops.needs_localise = never;
	for (size_t i = 0; i < NR_STREAMS; i++) {
		struct image image = load_image(streams[i].image);
		struct pages expected = pages_of_image(&image, ~0u);
		struct pv_image pv = pv_image_of(&image);
		struct gw_domain *d = new_domain(host, 7);
		struct restore_options how = {.ops = &ops, .checkpoint = ~0u};

		/* Whether the backend detects it depends on the mfns that the pfns happen to
		 * have. */
		restore_loop(&image, d, &how, &err);
		gw_error_clear(&err);
		struct comparison c = compare_domain(d, &pv, &expected);

		assert_int_equal(c.wrong_pages, 0);
		assert_int_equal(c.wrong_tables, c.tables);
		gw_control_destroy(d->control);
		free_pages(&expected);
		free_image(&image);
	}
	gw_host_close(host);
}

/* A domain that was restored but has not run can only be saved after its kernel's steps are done
 * for it. */
static void test_not_resumed(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct image image = load_image("xen417/tiny-pv.save.xz");
	struct gw_domain *d = new_domain(host, 3);
	struct restore_options how = {.checkpoint = ~0u};
	struct save_options save = {0};
	struct gw_buffer out = {0};
	uint64_t mfn;
	void *shared;

	assert_ok(restore_loop(&image, d, &how, &err), &err);
	assert_ok(gw_domain_shared_info(d, &shared, &mfn, &err), &err);
	memset((uint8_t *)shared + 3088 + 8, 0, 8);
	assert_fails(save_loop(d, &out, &save, &err), &err, GW_GUEST,
		     "not set the frame list of its P2M");
	gw_control_destroy(d->control);
	gw_buffer_free(&out);
	free_image(&image);
	gw_host_close(host);
}

static void put_junk(uint8_t *entry, uint8_t *data, uint64_t at)
{
	memset(data + at, 0xa5, 4);
}

/* Of start_info only the fields that the guest owns are kept. */
static void test_start_info(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct image image = load_image("xen-code/v3_422_pv64_1024.xz");
	struct gw_domain *d = new_domain(host, 3);
	struct restore_options how = {.checkpoint = ~0u};

	each_copy(&image, 0x20, put_junk, 32); /* nr_pages */
	each_copy(&image, 0x20, put_junk, 40); /* shared_info */
	each_copy(&image, 0x20, put_junk, 48); /* flags */
	struct pages expected = pages_of_image(&image, ~0u);
	struct pv_image pv = pv_image_of(&image);

	assert_ok(restore_loop(&image, d, &how, &err), &err);
	assert_right(compare_domain(d, &pv, &expected), &streams[4]);

	/* The guest's own step in a cancelled suspend: pfns at the suspend, mfns again after it. */
	uint64_t *store = (uint64_t *)gw_memory_page(d, 0x20) + 7;

	assert_int_equal(gw_control_suspend(d->control, 100, NULL, &err), 1);
	assert_int_equal(*store, 0x21);
	assert_int_equal(store[2], 0x22);
	assert_ok(gw_control_resume(d->control, &err), &err);
	assert_right(compare_domain(d, &pv, &expected), &streams[4]);
	gw_control_destroy(d->control);
	free_pages(&expected);
	free_image(&image);
	gw_host_close(host);
}

static void put_xens_64(uint8_t *entry, uint8_t *data, uint64_t pte)
{
	for (unsigned i = 256; i <= 271; i++)
		gw_put_le64(data + 8 * i, pte);
}

static void put_xens_32(uint8_t *entry, uint8_t *data, uint64_t pte)
{
	for (unsigned i = 428; i < 432; i++)
		gw_put_le64(data + 8 * i, pte);
}

/* Entries that old versions left in Xen's slots refer to nothing of the guest's and are dropped. */
static void test_xens_slots(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct image images[2] = {load_image("xen-code/v3_422_pv64_1024.xz"),
				  load_image("xen-code/v3_422_pv32_live_1024.xz")};
	const uint64_t with[2] = {0x28, 0x2f};

	for (unsigned i = 0; i < 2; i++) {
		struct pages before = pages_of_image(&images[i], ~0u);
		uint64_t hash = hash_page(before.page[with[i]].data);
		struct gw_domain *d = new_domain(host, 3);
		struct restore_options how = {.checkpoint = ~0u};
		struct save_options save = {0};
		struct gw_buffer out = {0};

		if (i == 0)
			each_copy(&images[0], with[0], put_xens_64, UINT64_C(0xfffffffffff63));
		else
			each_copy(&images[1], with[1], put_xens_32, 0xe3);
		assert_ok(restore_loop(&images[i], d, &how, &err), &err);
		assert_ok(save_loop(d, &out, &save, &err), &err);
		struct image again = image_of(&out, GW_GUEST_X86_PV);
		struct pages after = pages_of_image(&again, ~0u);

		assert_true(hash_page(after.page[with[i]].data) == hash);
		gw_control_destroy(d->control);
		free_pages(&before);
		free_pages(&after);
		free_image(&again);
		free_image(&images[i]);
	}
	gw_host_close(host);
}

static struct gw_ring seeded[2];

static int seed_grants(struct gw_domain *d, const struct gw_ring *store,
		       const struct gw_ring *console, struct gw_error *err)
{
	seeded[0] = *store;
	seeded[1] = *console;
	return 0;
}

/* The domain's own table with that entry replaced. */
static struct gw_domain_ops with_grants(struct gw_domain *d)
{
	struct gw_domain_ops ops = *d->ops;

	ops.seed_grants = seed_grants;
	return ops;
}

static const uint8_t *start_info_of(struct gw_domain *d)
{
	for (uint64_t pfn = 0; (pfn = gw_memory_next(d, pfn)) != GW_INVALID_PFN; pfn++) {
		const uint8_t *page = gw_memory_page(d, pfn);

		if (memcmp(page, "xen-3.0-x86", 11) == 0)
			return page;
	}
	fail_msg("no start_info");
	return NULL;
}

/* The rings' other ends, given by the owner, are in start_info and in the grant table. */
static void test_rings(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);

	for (size_t i = 0; i < NR_STREAMS; i++) {
		struct image image = load_image(streams[i].image);
		struct pv_image pv = pv_image_of(&image);
		const struct gw_pv_layout *l = gw_pv_layout(pv.width);
		struct restore_options how = {.checkpoint = ~0u,
					      .store = {.domid = 3, .port = 11},
					      .console = {.domid = 4, .port = 12}};
		struct gw_domain *d = new_domain(host, 7);
		const struct gw_domain_ops *real = d->ops, ops = with_grants(d);

		d->ops = &ops;
		assert_ok(restore_loop(&image, d, &how, &err), &err);
		const uint8_t *start_info = start_info_of(d);

		assert_int_equal(gw_get_le32(start_info + l->start_store_evtchn), 11);
		assert_int_equal(gw_get_le32(start_info + l->start_console_evtchn), 12);
		assert_int_equal(seeded[0].gfn, gw_pv_get_word(l, start_info + l->start_store));
		assert_int_equal(seeded[0].domid, 3);
		assert_int_equal(seeded[1].gfn, gw_pv_get_word(l, start_info + l->start_console));
		assert_int_equal(seeded[1].domid, 4);
		d->ops = real;
		gw_control_destroy(d->control);
		free_image(&image);
	}
	gw_host_close(host);
}

/* Event channels of the old host are gone, whatever the new domain's page contained. */
static void test_no_event_is_pending(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct image image = load_image("xen-code/v3_422_pv64_1024.xz");
	struct restore_options how = {.checkpoint = ~0u};
	struct gw_domain *d = new_domain(host, 3);
	const struct gw_pv_layout *l = gw_pv_layout(8);
	uint8_t *shared;
	uint64_t mfn;

	assert_ok(gw_domain_shared_info(d, (void **)&shared, &mfn, &err), &err);
	memset(shared + l->shared_pending, 0xa5, l->shared_evtchn_len);
	assert_ok(restore_loop(&image, d, &how, &err), &err);
	for (unsigned i = 0; i < l->shared_evtchn_len; i++) {
		assert_int_equal(shared[l->shared_pending + i], 0);
		assert_int_equal(shared[l->shared_mask + i], 0xff);
	}
	gw_control_destroy(d->control);
	free_image(&image);
	gw_host_close(host);
}

/* No recorded stream has MSRs of a vCPU: a record with some is put before END. */
static struct image with_msrs(const uint8_t *msrs, uint32_t len)
{
	struct image image = load_image("xen-code/v3_422_pv64_1024.xz");
	const struct gw_vcpu_blob blob = {.vcpu_id = 0, .blob = msrs, .blob_len = len};
	struct gw_buffer out = {0};
	struct gw_error err = GW_ERROR_INIT;
	size_t end = 40;

	while (gw_get_le32(image.data + end) != GW_REC_END)
		end += 8 + (((size_t)gw_get_le32(image.data + end + 4) + 7) & ~(size_t)7);
	assert_ok(gw_buffer_append(&out, image.data, end, &err), &err);
	assert_ok(gw_vcpu_blob_append(&out, GW_REC_X86_PV_VCPU_MSRS, &blob, &err), &err);
	assert_ok(gw_record_append(&out, GW_REC_END, NULL, 0, &err), &err);
	free_image(&image);
	return image_of(&out, GW_GUEST_X86_PV);
}

static void test_msrs(void **state)
{
	static const uint8_t msrs[16] = {0x81, 0, 0, 0xc0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct image image = with_msrs(msrs, sizeof(msrs));
	struct restore_options how = {.checkpoint = ~0u};
	struct gw_domain *d = new_domain(host, 3);
	void *blob = NULL;
	size_t len;

	assert_ok(restore_loop(&image, d, &how, &err), &err);
	assert_ok(gw_domain_get_vcpu(d, 0, GW_REC_X86_PV_VCPU_MSRS, &blob, &len, &err), &err);
	assert_int_equal(len, sizeof(msrs));
	assert_memory_equal(blob, msrs, sizeof(msrs));
	free(blob);

	/* And they are saved again. */
	struct pages expected = pages_of_image(&image, ~0u);
	struct save_options save = {0};
	struct gw_buffer out = {0};

	use_all_tables(d, &expected);
	assert_ok(save_loop(d, &out, &save, &err), &err);
	struct image again = image_of(&out, GW_GUEST_X86_PV);
	uint32_t length;

	assert_non_null(find_record(&again, GW_REC_X86_PV_VCPU_MSRS, &length));
	assert_same_state(&image, &again);
	free_pages(&expected);
	free_image(&again);
	gw_control_destroy(d->control);
	free_image(&image);
	gw_host_close(host);
}

/* The optional record is in the first round only: stock Xen fails if a later round has one. */
static void test_xenabi_once(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct image image = load_image("xen-code/v3_422_pv64_1024.xz");
	struct restore_options how = {.checkpoint = ~0u};
	struct save_options save = {.checkpoints = 3};
	struct gw_domain *d = new_domain(host, 3);
	struct gw_buffer out = {0};
	unsigned checkpoints = 0, found = 0;

	assert_ok(restore_loop(&image, d, &how, &err), &err);
	assert_ok(gw_domain_set_extra(d, GW_EXTRA_XENABI, "mine", 4, &err), &err);
	assert_ok(save_loop(d, &out, &save, &err), &err);
	for (size_t at = 40; at + 8 <= out.len;) {
		uint32_t type = gw_get_le32(out.data + at), len = gw_get_le32(out.data + at + 4);

		checkpoints += type == GW_REC_CHECKPOINT;
		found += type == GW_REC_GODWIT_XENABI;
		at += 8 + (((size_t)len + 7) & ~(size_t)7);
	}
	assert_int_equal(checkpoints, 3);
	assert_int_equal(found, 1);
	gw_buffer_free(&out);
	gw_control_destroy(d->control);
	free_image(&image);
	gw_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),	    cmocka_unit_test(test_without_localise),
		cmocka_unit_test(test_not_resumed),	    cmocka_unit_test(test_start_info),
		cmocka_unit_test(test_xens_slots),	    cmocka_unit_test(test_rings),
		cmocka_unit_test(test_no_event_is_pending), cmocka_unit_test(test_msrs),
		cmocka_unit_test(test_xenabi_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
