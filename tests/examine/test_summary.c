/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests summaries of images with checkpoints, their state and page contents, against the manifests
 * of the recorded streams, one for each checkpoint.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "examine/summarise.h"
#include "lib/realdata.h"
#include "lib/manifest.h"
#include "lib/random.h"

#define PFNS 1024u

/* What a manifest says of the pages. */
struct made {
	uint64_t pages, zero, one_word, equal, equal_kinds;
};

static int by_hash(const void *a, const void *b)
{
	const struct manifest_page *const *x = a, *const *y = b;

	return memcmp((*x)->hash, (*y)->hash, MANIFEST_HASH);
}

/* Guests under Remus fill a page with 0 or 0xff; no recorded guest has a page of another repeated
 * word. */
static struct made count_made(const struct manifest *m)
{
	static const uint8_t zeros[4096];
	static uint8_t ones[4096];
	struct made made = {0};
	const struct manifest_page *sorted[PFNS];
	uint8_t zero[MANIFEST_HASH], one[MANIFEST_HASH];
	size_t n = 0;

	memset(ones, 0xff, sizeof(ones));
	manifest_hash(zeros, zero);
	manifest_hash(ones, one);
	for (size_t i = 0; i < m->nr; i++) {
		if (!m->pages[i].has_data)
			continue;
		made.pages++;
		if (memcmp(m->pages[i].hash, zero, MANIFEST_HASH) == 0)
			made.zero++;
		else if (memcmp(m->pages[i].hash, one, MANIFEST_HASH) == 0)
			made.one_word++;
		else
			sorted[n++] = &m->pages[i];
	}
	qsort(sorted, n, sizeof(sorted[0]), by_hash);
	for (size_t i = 0, same; i < n; i += same) {
		for (same = 1; i + same < n && by_hash(&sorted[i], &sorted[i + same]) == 0;)
			same++;
		made.equal += same > 1 ? same : 0;
		made.equal_kinds += same > 1;
	}
	return made;
}

static void check_against(struct gw_summary *s, const char *manifest)
{
	struct manifest m = manifest_load(manifest);
	struct made made = count_made(&m);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_contents_counts counts;
	uint64_t populated = 0;

	assert_ok(gw_page_contents_count(&s->contents, &counts, &err), &err);
	assert_int_equal(counts.pages, made.pages);
	assert_int_equal(counts.zero, made.zero);
	assert_int_equal(counts.one_word, made.one_word);
	assert_int_equal(counts.equal, made.equal);
	assert_int_equal(counts.equal_kinds, made.equal_kinds);
	for (size_t i = 0; i < m.nr; i++)
		assert_int_equal(gw_memory_map_type(&s->memory, m.pages[i].pfn), m.pages[i].type);
	for (uint64_t pfn = 0; pfn < PFNS; pfn++) {
		int type = gw_memory_map_type(&s->memory, pfn);

		populated += type >= 0 && gw_page_is_populated((unsigned)type);
	}
	assert_int_equal(populated, made.pages);
	manifest_free(&m);
}

static void counts_contents(void **unused)
{
	static const char *const names[] = {
		"v2_46_hvm_w64_1024",	    "v3_422_hvm_1024",	     "v3_422_pv64_1024",
		"v2_46_pv64_w64_live_1024", "v3_422_pv32_live_1024", "v3_422_hvm_verify_1024",
		"v3_422_libxl_hvm_1024",
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		char path[100];
		struct gw_buffer file;
		struct gw_summary *s;

		snprintf(path, sizeof(path), "xen-code/%s.xz", names[i]);
		file = realdata_load(realdata_path(path));
		s = summarise(file.data, file.len, true, false);
		assert_int_equal(s->unfinished, 0);
		snprintf(path, sizeof(path), "xen-code/%s.manifest.xz", names[i]);
		check_against(s, path);
		summary_done(s);
		gw_buffer_free(&file);
	}
}

/* The offset after the record that completes checkpoint n (from 0); *at is the offset of the
 * record. */
static size_t completes(const struct gw_buffer *file, bool libxl, unsigned n, size_t *at)
{
	*at = place_of_record(
		file->data, file->len, libxl ? GW_LAYER_LIBXL : GW_LAYER_LIBXC,
		libxl ? (uint32_t)GW_STREAM_CHECKPOINT_END : (uint32_t)GW_REC_CHECKPOINT, n);
	return *at + GW_RECORD_HEADER_SIZE;
}

/* Cut after a checkpoint, or in the next round: the state is that of the checkpoint's manifest. */
static void check_cut(const struct gw_buffer *file, size_t len, const char *manifest, bool libxl,
		      unsigned checkpoint, bool unfinished)
{
	struct gw_summary *s = summarise(file->data, len, true, false);
	char path[100];

	snprintf(path, sizeof(path), "xen-code/%s.cp%u.manifest.xz", manifest, checkpoint);
	check_against(s, path);
	assert_int_equal(s->checkpoints.complete, checkpoint + 1);
	assert_int_equal(s->unfinished != 0, unfinished);
	/* A device model's state grew by 5 bytes with each checkpoint. */
	assert_int_equal(s->emulator_bytes, libxl ? 2051 + 5 * checkpoint : 0);
	summary_done(s);
}

static void shows_the_last_checkpoint(void **unused)
{
	static const char *const names[] = {"v3_422_hvm_remus3_1024",
					    "v3_422_libxl_hvm_remus3_1024"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		bool libxl = i == 1;
		struct gw_buffer file;
		char path[100];

		snprintf(path, sizeof(path), "xen-code/%s.xz", names[i]);
		file = realdata_load(realdata_path(path));
		for (unsigned k = 0; k < 3; k++) {
			size_t at, behind = completes(&file, libxl, k, &at);

			check_cut(&file, behind, names[i], libxl, k, false);
			if (k == 2)
				break;
			completes(&file, libxl, k + 1, &at);
			check_cut(&file, at, names[i], libxl, k, true);
			check_cut(&file, (behind + at) / 2, names[i], libxl, k, true);
		}
		gw_buffer_free(&file);
	}
}

/* Registers and params of an incomplete round do not count either. */
static void params_of_the_last_checkpoint(void **unused)
{
	struct gw_buffer file = realdata_load(realdata_path("xen-code/v3_422_hvm_remus3_1024.xz"));
	size_t params = place_of_record(file.data, file.len, GW_LAYER_LIBXC, GW_REC_HVM_PARAMS, 1);
	size_t at, behind = completes(&file, false, 1, &at);
	uint64_t before = gw_get_le64(file.data + params + 24);
	struct gw_summary *s;

	gw_put_le64(file.data + params + 24, 0x77);
	s = summarise(file.data, at, false, false);
	assert_int_equal(s->params[0].value, before);
	summary_done(s);
	s = summarise(file.data, behind, false, false);
	assert_int_equal(s->params[0].value, 0x77);
	summary_done(s);
	gw_buffer_free(&file);
}

/* Nor does the device model's state, which is read before its checkpoint is complete. */
static void emulator_of_the_last_checkpoint(void **unused)
{
	struct gw_buffer file =
		realdata_load(realdata_path("xen-code/v3_422_libxl_hvm_remus3_1024.xz"));
	size_t context =
		place_of_record(file.data, file.len, GW_LAYER_LIBXL, GW_STREAM_EMULATOR_CONTEXT, 1);
	size_t at, behind = completes(&file, true, 1, &at);
	struct gw_summary *s;

	file.data[context + 16 + 7] = 9; /* the version of the stream, big-endian */
	s = summarise(file.data, at, false, false);
	assert_true(s->qemu.is_qemu);
	assert_int_equal(s->qemu.version, 3);
	summary_done(s);
	s = summarise(file.data, behind, false, false);
	assert_int_equal(s->qemu.version, 9);
	summary_done(s);
	gw_buffer_free(&file);
}

/* An END after checkpoints: the records between are never applied. */
static void end_behind_a_checkpoint(void **unused)
{
	struct gw_buffer file = realdata_load(realdata_path("xen-code/v3_422_hvm_remus3_1024.xz"));
	size_t at;

	completes(&file, false, 2, &at);
	gw_put_le32(file.data + at, GW_REC_END);
	check_cut(&file, file.len, "v3_422_hvm_remus3_1024", false, 1, true);
	gw_buffer_free(&file);
}

/* A small HVM image, record by record. */
static void put_record(struct gw_buffer *image, uint32_t type, const void *body, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_record_append(image, type, body, len, &err), &err);
}

static void begin_image(struct gw_buffer *image)
{
	const struct gw_image_header header = {
		.version = 3, .type = GW_GUEST_X86_HVM, .page_shift = 12, .xen_major = 4};
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];

	gw_image_header_encode(&header, raw);
	assert_ok(gw_buffer_append(image, raw, sizeof(raw), &err), &err);
	put_record(image, GW_REC_STATIC_DATA_END, NULL, 0);
}

/* One pfn; a page with contents has this byte everywhere but in its first. */
static void put_page(struct gw_buffer *image, uint64_t pfn, unsigned type, uint8_t fill,
		     uint8_t first)
{
	uint8_t body[16 + 4096] = {1};

	gw_put_le64(body + 8, gw_page_entry(pfn, type));
	memset(body + 16, fill, 4096);
	body[16] = first;
	put_record(image, GW_REC_PAGE_DATA, body, gw_page_has_data(type) ? sizeof(body) : 16);
}

static struct gw_contents_counts counts_of(const struct gw_buffer *image)
{
	struct gw_summary *s = summarise(image->data, image->len, true, false);
	struct gw_contents_counts n;
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_page_contents_count(&s->contents, &n, &err), &err);
	summary_done(s);
	return n;
}

static void contents_go_with_their_page(void **unused)
{
	struct gw_buffer image = {0};
	struct gw_contents_counts n;

	begin_image(&image);
	put_page(&image, 1, GW_PAGE_NOTAB, 0, 0);
	put_page(&image, 2, GW_PAGE_NOTAB, 0, 0);
	put_page(&image, 3, GW_PAGE_NOTAB, 7, 7);
	put_page(&image, 4, GW_PAGE_NOTAB, 0, 1);
	put_page(&image, 5, GW_PAGE_NOTAB, 0, 1);
	n = counts_of(&image);
	assert_int_equal(n.pages, 5);
	assert_int_equal(n.zero, 2);
	assert_int_equal(n.one_word, 1);
	assert_int_equal(n.equal, 2);
	assert_int_equal(n.equal_kinds, 1);
	/* XTAB and BROKEN take a page away; XALLOC leaves the contents of an existing page as they
	 * were. */
	put_page(&image, 1, GW_PAGE_XTAB, 0, 0);
	put_page(&image, 2, GW_PAGE_XALLOC, 0, 0);
	put_page(&image, 3, GW_PAGE_BROKEN, 0, 0);
	n = counts_of(&image);
	assert_int_equal(n.pages, 3);
	assert_int_equal(n.zero, 1);
	assert_int_equal(n.one_word, 0);
	/* Pages after VERIFY change nothing. */
	put_record(&image, GW_REC_VERIFY, NULL, 0);
	put_page(&image, 4, GW_PAGE_NOTAB, 0, 0);
	put_page(&image, 9, GW_PAGE_NOTAB, 0, 0);
	n = counts_of(&image);
	assert_int_equal(n.pages, 3);
	assert_int_equal(n.zero, 1);
	assert_int_equal(n.equal, 2);
	gw_buffer_free(&image);
}

/* Any page can become any other, and be removed; equal pages are found wherever they are. */
static void counts_as_an_array_does(void **unused)
{
	enum { NR = 3000, KINDS = 900 };
	static uint8_t kinds[KINDS][4096];
	unsigned once = 0, twice = 0;
	static int kind[NR];
	struct gw_page_contents c = {0};
	struct gw_contents_counts n, made = {0};
	struct gw_error err = GW_ERROR_INIT;
	unsigned of[KINDS] = {0};

	memset(kinds[1], 0x5a, sizeof(kinds[1])); /* pages of one word; kinds[0] is zero */
	for (unsigned k = 2; k < KINDS; k++)	  /* each differs from another in one bit */
		kinds[k][k / 8 * 4] = (uint8_t)(1u << k % 8);
	for (unsigned i = 0; i < NR; i++)
		kind[i] = -1;
	for (unsigned i = 0; i < 4 * NR; i++) {
		unsigned pfn = (unsigned)random_below(NR);
		uint64_t digest = 0;

		kind[pfn] = (int)random_below(KINDS + 4) - 4;
		if (kind[pfn] >= 0)
			assert_ok(gw_page_digest(&c, kinds[kind[pfn]], &digest, &err), &err);
		assert_int_equal(digest == 0, kind[pfn] < 0);
		assert_ok(gw_page_contents_put(&c, pfn * UINT64_C(977), digest, &err), &err);
	}
	for (unsigned i = 0; i < NR; i++)
		if (kind[i] >= 0)
			of[kind[i]]++;
	for (unsigned k = 0; k < KINDS; k++) {
		made.pages += of[k];
		made.equal += k > 1 && of[k] > 1 ? of[k] : 0;
		made.equal_kinds += k > 1 && of[k] > 1;
		once += of[k] == 1;
		twice += of[k] == 2;
	}
	assert_true(once > 10 && twice > 10);
	made.zero = of[0];
	made.one_word = of[1];
	assert_ok(gw_page_contents_count(&c, &n, &err), &err);
	assert_memory_equal(&n, &made, sizeof(n));
	gw_page_contents_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_contents),
		cmocka_unit_test(shows_the_last_checkpoint),
		cmocka_unit_test(params_of_the_last_checkpoint),
		cmocka_unit_test(emulator_of_the_last_checkpoint),
		cmocka_unit_test(end_behind_a_checkpoint),
		cmocka_unit_test(contents_go_with_their_page),
		cmocka_unit_test(counts_as_an_array_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
