/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that every real stream restores to the memory of its manifest, and that a restored guest
 * can be saved and restored again unchanged.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "format/libxc/image.h"
#include "guest/guest.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "lib/manifest.h"
#include "stored.h"

static const struct {
	const char *stream, *manifest;
	uint64_t checkpoints;
	size_t behind; /* bytes after the stream: xl's messages of the handover */
} real[] = {
	{"xen-code/v2_46_hvm_w64_1024.xz", "xen-code/v2_46_hvm_w64_1024.manifest.xz", 0},
	{"xen-code/v2_46_pv64_w64_live_1024.xz", "xen-code/v2_46_pv64_w64_live_1024.manifest.xz",
	 0},
	{"xen-code/v3_422_hvm_1024.xz", "xen-code/v3_422_hvm_1024.manifest.xz", 0},
	{"xen-code/v3_422_hvm_live_4096.xz", "xen-code/v3_422_hvm_live_4096.manifest.xz", 0},
	{"xen-code/v3_422_hvm_verify_1024.xz", "xen-code/v3_422_hvm_verify_1024.manifest.xz", 0},
	{"xen-code/v3_422_hvm_remus3_1024.xz", "xen-code/v3_422_hvm_remus3_1024.cp2.manifest.xz",
	 3},
	{"xen-code/v3_422_colo_hvm_1024.fwd.xz", "xen-code/v3_422_colo_hvm_1024.cp2.manifest.xz",
	 3},
	{"xen-code/v3_422_libxl_hvm_1024.xz", "xen-code/v3_422_libxl_hvm_1024.manifest.xz", 0},
	{"xen-code/v3_422_libxl_hvm_remus3_1024.xz",
	 "xen-code/v3_422_libxl_hvm_remus3_1024.cp2.manifest.xz", 3},
	{"xen-code/v3_422_pv64_1024.xz", "xen-code/v3_422_pv64_1024.manifest.xz", 0},
	{"xen-code/v3_422_pv32_live_1024.xz", "xen-code/v3_422_pv32_live_1024.manifest.xz", 0},
	{"xen417/tiny-hvm.save.xz", NULL, 0},
	{"xen417/tiny-pv.save.xz", NULL, 0},
	{"xen417/tiny-pv.migrate-debug-fwd.xz", NULL, 0, 44},
	{"xen417/tiny-pvh.save.xz", NULL, 0},
	{"xen417/tiny-pvh.migrate-fwd.xz", NULL, 0, 44},
};

/*
 * The recorded domains have page tables that nothing refers to; here such a page is an ordinary one
 * until it is used. Converts its contents to the form in which a table is sent.
 */
static void as_table(struct gw_domain *d, const struct manifest_page *page, uint8_t *contents)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_save_guest g = {.ops = &gw_x86_pv_save, .domain = d};
	uint8_t src[GW_PAGE_SIZE];

	memcpy(src, contents, sizeof(src));
	assert_ok(g.ops->setup(&g, &err), &err);
	assert_ok(g.ops->normalise(&g, page->pfn, page->type, src, contents, true, &err), &err);
	g.ops->cleanup(&g);
}

static void check_page(const char *name, struct gw_domain *d, const struct manifest_page *page,
		       unsigned type, uint8_t *contents)
{
	uint8_t hash[MANIFEST_HASH];
	bool unused_table = gw_page_table_level(page->type) > 0 && !(page->type & GW_PAGE_PINNED) &&
			    type == GW_PAGE_NOTAB;

	if (type != page->type && !unused_table)
		fail_msg("%s: pfn 0x%llx has type 0x%x, expected 0x%x", name,
			 (unsigned long long)page->pfn, type, page->type);
	if (unused_table)
		as_table(d, page, contents);
	manifest_hash(contents, hash);
	if (memcmp(hash, page->hash, sizeof(hash)) != 0)
		fail_msg("%s: pfn 0x%llx (type 0x%x) has other contents", name,
			 (unsigned long long)page->pfn, page->type);
}

static void check_manifest(const char *name, const char *manifest_name, struct gw_domain *d,
			   const struct gw_buffer *image)
{
	struct manifest m = manifest_load(manifest_name);
	struct pages p = pages_of_image(image);

	for (size_t i = 0; i < m.nr; i++) {
		const struct manifest_page *page = &m.pages[i];

		assert_true(page->pfn < p.nr);
		if (page->has_data && !pages_special(image, page->pfn))
			check_page(name, d, page, p.types[page->pfn],
				   p.data + page->pfn * GW_PAGE_SIZE);
	}
	pages_free(&p);
	manifest_free(&m);
}

static void check_same(const char *name, const struct gw_buffer *a, const struct gw_buffer *b)
{
	struct pages pa = pages_of_image(a), pb = pages_of_image(b);

	for (uint64_t pfn = 0; pfn < pa.nr || pfn < pb.nr; pfn++) {
		unsigned ta = pfn < pa.nr ? pa.types[pfn] : GW_PAGE_XTAB;
		unsigned tb = pfn < pb.nr ? pb.types[pfn] : GW_PAGE_XTAB;

		if (ta != tb)
			fail_msg("%s: pfn 0x%llx was of type 0x%x and is 0x%x", name,
				 (unsigned long long)pfn, ta, tb);
		if (gw_page_has_data(ta) && !pages_special(a, pfn))
			assert_memory_equal(pa.data + pfn * GW_PAGE_SIZE,
					    pb.data + pfn * GW_PAGE_SIZE, GW_PAGE_SIZE);
	}
	pages_free(&pa);
	pages_free(&pb);
}

static struct gw_domain *restore_image_of(const struct gw_buffer *image, const struct stored *s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {.domain = stored_domain(s->type, s->nr_pfns)};
	struct gw_restore_result result;

	args.in = stored_bytes(image->data, image->len);
	assert_ok(restore_as_owner(&args, false, &result, &err), &err);
	assert_int_equal(result.bytes, image->len);
	gw_channel_close(args.in);
	return args.domain;
}

static void test_real_stream(void **state)
{
	size_t i = *(size_t *)*state;
	struct gw_error err = GW_ERROR_INIT;
	struct stored s = stored_load(real[i].stream);
	struct gw_restore_args args = {0};
	struct gw_restore_result result;
	struct gw_buffer first, second;
	struct gw_domain *d, *again;
	int rc = stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err);

	if (rc < 0)
		fail_msg("%s: %s", real[i].stream, err.text);
	assert_int_equal(result.checkpoints, real[i].checkpoints);
	assert_int_equal(result.failed_over, real[i].checkpoints > 0);
	assert_int_equal(result.verify_mismatches, 0);
	if (!result.failed_over)
		assert_int_equal(result.bytes, s.file.len - s.at - real[i].behind);
	first = stored_save(d, false);
	if (real[i].manifest)
		check_manifest(real[i].stream, real[i].manifest, d, &first);
	again = restore_image_of(&first, &s);
	second = stored_save(again, true);
	check_same(real[i].stream, &first, &second);
	gw_buffer_free(&first);
	gw_buffer_free(&second);
	gw_control_destroy(d->control);
	gw_control_destroy(again->control);
	stored_free(&s);
}

/* Everything but END was read: the state is there, but nothing proves that it is complete. */
static void test_cut_before_end(void **state)
{
	struct stored s = stored_load("xen-code/v3_422_hvm_1024.xz");
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct gw_domain *d;

	assert_int_equal(gw_get_le64(s.file.data + s.file.len - 8), 0);
	assert_fails(stored_restore(&s, s.file.len - s.at - 8, &d, &args, NULL, &err), &err,
		     GW_TRUNCATED, "before END");
	gw_control_destroy(d->control);
	stored_free(&s);
}

static void test_domain_of_another_type(void **state)
{
	struct stored s = stored_load("xen-code/v3_422_hvm_1024.xz");
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {.domain = stored_domain(GW_GUEST_X86_PV, 2000)};

	args.in = stored_bytes(s.file.data + s.at, s.file.len - s.at);
	assert_fails(gw_restore_image(&args, NULL, &err), &err, GW_INVALID,
		     "the guest of the image has type 2, domain 1 has type 1");
	gw_channel_close(args.in);
	gw_control_destroy(args.domain->control);
	stored_free(&s);
}

static size_t record_size(const uint8_t *record)
{
	return 8 + ((gw_get_le32(record + 4) + 7u) & ~7u);
}

/* The entries and the pages of all PAGE_DATA records of an image, as the body of one. */
static struct gw_buffer merge_pages(const struct stored *s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer merged = {0}, pages = {0};
	const uint8_t *rec = s->file.data + s->image + 40;
	uint8_t head[8] = {0};
	uint32_t count = 0;

	assert_ok(gw_buffer_append(&merged, head, sizeof(head), &err), &err);
	for (; gw_get_le32(rec) != GW_REC_END; rec += record_size(rec)) {
		if (gw_get_le32(rec) != GW_REC_PAGE_DATA)
			continue;
		uint32_t n = gw_get_le32(rec + 8);
		size_t entries = 8 * (size_t)n, data = gw_get_le32(rec + 4) - 8 - entries;

		assert_ok(gw_buffer_append(&merged, rec + 16, entries, &err), &err);
		assert_ok(gw_buffer_append(&pages, rec + 16 + entries, data, &err), &err);
		count += n;
	}
	assert_true(count > GW_BATCH_MAX);
	gw_put_le32(merged.data, count);
	assert_ok(gw_buffer_append(&merged, pages.data, pages.len, &err), &err);
	gw_buffer_free(&pages);
	return merged;
}

/* The image with one PAGE_DATA instead of the first, and without the others. */
static struct gw_buffer with_one_record(const struct stored *s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer image = {0}, merged = merge_pages(s);
	const uint8_t *rec = s->file.data + s->image + 40;
	bool done = false;
	uint8_t head[8];

	gw_put_le32(head, GW_REC_PAGE_DATA);
	gw_put_le32(head + 4, (uint32_t)merged.len);
	assert_ok(gw_buffer_append(&image, s->file.data + s->image, 40, &err), &err);
	for (; gw_get_le32(rec) != GW_REC_END; rec += record_size(rec)) {
		if (gw_get_le32(rec) != GW_REC_PAGE_DATA) {
			assert_ok(gw_buffer_append(&image, rec, record_size(rec), &err), &err);
			continue;
		}
		if (!done) {
			assert_ok(gw_buffer_append(&image, head, sizeof(head), &err), &err);
			assert_ok(gw_buffer_append(&image, merged.data, merged.len, &err), &err);
		}
		done = true;
	}
	assert_ok(gw_buffer_append(&image, rec, 8, &err), &err);
	gw_buffer_free(&merged);
	return image;
}

/* Xen's records have at most 1024 entries, the format allows more: batch after batch is applied. */
static void test_more_than_a_batch(void **state)
{
	struct stored s = stored_load("xen417/tiny-pvh.save.xz");
	struct gw_buffer image = with_one_record(&s), first, second;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct gw_domain *d, *again;

	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	first = stored_save(d, false);
	again = restore_image_of(&image, &s);
	second = stored_save(again, false);
	check_same("one record", &first, &second);
	gw_control_destroy(d->control);
	gw_control_destroy(again->control);
	gw_buffer_free(&first);
	gw_buffer_free(&second);
	gw_buffer_free(&image);
	stored_free(&s);
}

/* Page data whose length is not that of its entries and pages: the rule is named, and none of its
 * pages arrives. */
static void test_malformed_page_data(void **state)
{
	struct stored s = stored_load("xen-code/v3_422_hvm_1024.xz");
	size_t at = s.image + 40;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct gw_restore_result result;
	struct gw_domain_info info;
	struct gw_domain *d;

	while (gw_get_le32(s.file.data + at) != GW_REC_PAGE_DATA)
		at += 8 + ((gw_get_le32(s.file.data + at + 4) + 7u) & ~7u);
	gw_put_le32(s.file.data + at + 4, gw_get_le32(s.file.data + at + 4) - 8);
	assert_fails(stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err), &err,
		     GW_INVALID, " bytes, record has ");
	assert_ok(gw_domain_info(d, &info, &err), &err);
	assert_int_equal(info.nr_pages, 0);
	gw_control_destroy(d->control);
	stored_free(&s);
}

static uint64_t fingerprint(const struct stored *s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct gw_restore_result result;
	struct gw_domain *d;

	assert_ok(stored_restore(s, s->file.len - s->at, &d, &args, &result, &err), &err);
	gw_control_destroy(d->control);
	return result.fingerprint;
}

/* An image is recognised by its records, whatever stands around them; a clock that differs makes
 * another image, a page does not. */
static void test_fingerprint(void **state)
{
	struct stored s = stored_load("xen417/tiny-pvh.save.xz");
	uint64_t print = fingerprint(&s);
	uint8_t *tsc, *page;

	assert_true(fingerprint(&s) == print);
	page = memmem(s.file.data, s.file.len, "XRIGPVH1", 8);
	assert_non_null(page);
	page[8] ^= 1;
	assert_true(fingerprint(&s) == print);
	s.at = s.image;
	s.libxl = false;
	assert_true(fingerprint(&s) == print);
	/* X86_TSC_INFO, 24 bytes: mode, khz, nsec */
	tsc = memmem(s.file.data, s.file.len, "\x08\0\0\0\x18\0\0\0", 8);
	assert_non_null(tsc);
	tsc[16] ^= 1;
	assert_true(fingerprint(&s) != print);
	stored_free(&s);
}

int main(void)
{
	enum { N = sizeof(real) / sizeof(real[0]) };
	static size_t index[N];
	struct CMUnitTest tests[N + 5] = {
		[N] = cmocka_unit_test(test_cut_before_end),
		[N + 1] = cmocka_unit_test(test_domain_of_another_type),
		[N + 2] = cmocka_unit_test(test_more_than_a_batch),
		[N + 3] = cmocka_unit_test(test_malformed_page_data),
		[N + 4] = cmocka_unit_test(test_fingerprint),
	};

	for (size_t i = 0; i < N; i++) {
		index[i] = i;
		tests[i] = (struct CMUnitTest){.name = real[i].stream,
					       .test_func = test_real_stream,
					       .initial_state = &index[i]};
	}
	return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
