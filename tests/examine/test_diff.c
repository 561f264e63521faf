/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests gw_diff() against a model: it finds the differences of two domains, in whatever way their
 * images were written and from whatever they are read.
 */
#include "lib/gwtest.h"

#include <fcntl.h>
#include <unistd.h>

#include <godwit/cancel.h>

#include "base/bytes.h"
#include "base/util.h"
#include "lib/bytes.h"
#include "diff_model.h"
#include "examine/diff/internal.h"
#include "format/x86/hvm_context.h"
#include "format/libxc/image.h"
#include "format/libxl/stream.h"
#include "format/xl/file.h"

#include "lib/realdata.h"
#include "lib/random.h"

/* What a comparison reported. */
struct told {
	struct gw_buffer lines; /* "part number entry field" each */
	char values[2000];	/* all values, in the form "a|b|only_a|only_b;" */
	char pages[MODEL_PFNS][5];
	uint64_t last_pfn, other_pfns;
	struct gw_page_difference run; /* the last one */
	struct gw_comparison found;
	struct gw_error err;
	int rc;
	void (*between)(struct told *told); /* called when both sides were read */
	struct gw_channel *a;
	const struct gw_xend *xend_a, *xend_b; /* read before the images */
};

static void on_images(void *opaque, const struct gw_comparison *found)
{
	struct told *t = opaque;

	assert_int_equal(found->differences + found->pages, 0);
	if (t->between)
		t->between(t);
}

static void on_difference(void *opaque, const struct gw_difference *d)
{
	struct told *t = opaque;
	size_t len = strlen(t->values);

	assert_int_equal(gw_buffer_printf(&t->lines, NULL, "%s %u %s %s\n",
					  gw_diff_part_name(d->part), d->number,
					  d->entry ? d->entry : "-", d->field ? d->field : "-"),
			 0);
	snprintf(t->values + len, sizeof(t->values) - len, "%s|%s|%s|%s;", d->a ? d->a : "none",
		 d->b ? d->b : "none", d->only_a, d->only_b);
	assert_true(d->a || d->b);
	assert_true(!d->bytes || d->differing > 0);
}

static void on_pages(void *opaque, const struct gw_page_difference *run)
{
	struct told *t = opaque;

	assert_true(run->first <= run->last);
	assert_true(t->last_pfn == 0 || run->first > t->last_pfn);
	t->last_pfn = run->last;
	t->run = *run;
	for (uint64_t pfn = run->first; pfn <= run->last; pfn++) {
		if (pfn >= MODEL_PFNS) {
			t->other_pfns++;
			continue;
		}
		snprintf(t->pages[pfn], sizeof(t->pages[pfn]), "%s%s%s%s", run->contents ? "c" : "",
			 run->type ? "t" : "", run->only_a ? "A" : "", run->only_b ? "B" : "");
	}
}

static struct gw_channel *file_channel(const struct gw_buffer *image)
{
	struct gw_error err = GW_ERROR_INIT;
	char path[] = "/tmp/godwit-diff.XXXXXX";
	int fd = mkstemp(path);
	struct gw_channel *ch;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image->data, image->len), image->len);
	close(fd);
	ch = gw_channel_open(path, &err);
	assert_non_null(ch);
	assert_true(ch->seekable);
	unlink(path);
	return ch;
}

static struct gw_channel *pipe_channel(const struct gw_buffer *image)
{
	struct gw_channel *ch = bytes_source("a pipe", image->data, image->len);

	assert_false(ch->seekable);
	return ch;
}

/* files: bit 0 for a, bit 1 for b; the others are read as from a pipe. */
static void compare(struct told *t, const struct gw_buffer *a, const struct gw_buffer *b,
		    unsigned files, bool details)
{
	const struct gw_diff_sink sink = {
		.opaque = t,
		.images = on_images,
		.difference = on_difference,
		.pages = on_pages,
		.page_details = details,
	};
	const struct gw_observer observer = {0};
	struct gw_channel *from_a = files & 1 ? file_channel(a) : pipe_channel(a);
	struct gw_channel *from_b = files & 2 ? file_channel(b) : pipe_channel(b);

	t->a = from_a;
	t->rc = gw_diff(&(struct gw_diff_input){from_a, t->xend_a},
			&(struct gw_diff_input){from_b, t->xend_b}, &sink, &observer, &t->found,
			&t->err);
	assert_int_equal(gw_buffer_append(&t->lines, NULL, 1, NULL), 0);
	gw_channel_close(from_a);
	gw_channel_close(from_b);
}

static const char *lines(const struct told *t)
{
	return (const char *)t->lines.data;
}

static void forget(struct told *t)
{
	gw_buffer_free(&t->lines);
	*t = (struct told){0};
}

/* Sorts lines by strcmp(), as the two sides report them in different orders. */
static int by_text(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static void assert_same_lines(const char *found, const char *expected)
{
	static char *list[2][2000];
	size_t nr[2] = {0, 0};
	const char *texts[2] = {found, expected};
	char *all[2];

	for (unsigned i = 0; i < 2; i++) {
		all[i] = strdup(texts[i]);
		for (char *l = strtok(all[i], "\n"); l; l = strtok(NULL, "\n")) {
			assert_true(nr[i] < GW_ARRAY_SIZE(list[i]));
			list[i][nr[i]++] = l;
		}
		qsort(list[i], nr[i], sizeof(char *), by_text);
	}
	for (size_t i = 0; i < GW_MAX(nr[0], nr[1]); i++)
		if (i >= nr[0] || i >= nr[1] || strcmp(list[0][i], list[1][i]) != 0)
			fail_msg("found:\n%sexpected:\n%s", found, expected);
	free(all[0]);
	free(all[1]);
}

static void assert_as_model(const struct told *t, const struct model *a, const struct model *b)
{
	struct gw_buffer expected = {0};
	uint64_t pages = 0;

	if (t->rc < 0)
		fail_msg("%s", t->err.text);
	model_state(a, b, &expected);
	gw_buffer_append(&expected, NULL, 1, NULL);
	assert_same_lines(lines(t), (const char *)expected.data);
	for (unsigned i = 0; i < MODEL_PFNS; i++) {
		if (strcmp(t->pages[i], model_page(a, b, i)) != 0)
			fail_msg("pfn 0x%x: found \"%s\", expected \"%s\"", i, t->pages[i],
				 model_page(a, b, i));
		pages += t->pages[i][0] != 0;
	}
	assert_int_equal(t->found.pages, pages);
	assert_int_equal(t->other_pfns, 0);
	assert_int_equal(gw_diff_is_equal(&t->found), pages == 0 && t->found.differences == 0);
	gw_buffer_free(&expected);
}

static void agrees_with_the_model(void **unused)
{
	uint64_t random = random_seed();
	unsigned equal = 0;

	for (unsigned i = 0; i < 60; i++) {
		struct model a, b;
		struct gw_buffer image_a, image_b;

		model_make(&a, &random);
		b = a;
		for (uint64_t n = random_next(&random) % 4 * 5; n; n--)
			model_change(&b, &random);
		image_a = model_image(&a, &random);
		image_b = model_image(&b, &random);
		for (unsigned files = 0; files < 4; files++) {
			struct told t = {0};

			compare(&t, &image_a, &image_b, files, random_next(&random) % 2);
			assert_as_model(&t, &a, &b);
			equal += gw_diff_is_equal(&t.found);
			forget(&t);
		}
		gw_buffer_free(&image_a);
		gw_buffer_free(&image_b);
	}
	/* Both outcomes came up. */
	assert_in_range(equal, 20, 200);
}

static void make(struct model *m, bool pv)
{
	uint64_t random = 99;

	do
		model_make(m, &random);
	while (m->pv != pv || m->layers);
}

static void names_values_and_bits(void **unused)
{
	struct gw_buffer image_a, image_b;
	struct told t = {0};
	struct model a, b;

	make(&a, false);
	a.leaves[1][2] = 0x80000001; /* sse3, hypervisor */
	b = a;
	b.leaves[1][2] = 0x80000200; /* ssse3 */
	a.params[1] = 0x17;
	b.params[1] = 0;
	a.vcpus[2][4] = 0x1000;
	b.vcpus[2][4] = 0x2000;
	image_a = model_plain_image(&a);
	image_b = model_plain_image(&b);
	compare(&t, &image_a, &image_b, 3, false);
	assert_string_equal(lines(&t), "cpuid 1 - ecx\nhvm_param 5 - IOREQ_PFN\nvcpu 2 CPU rip\n");
	assert_string_equal(t.values,
			    "0x80000001|0x80000200|sse3|ssse3;0x17|none||;0x1000|0x2000||;");
	forget(&t);
	gw_buffer_free(&image_a);
	gw_buffer_free(&image_b);
}

static void details_of_pages(void **unused)
{
	struct gw_buffer image_a, image_b;
	struct told t = {0};
	struct model a;
	size_t at;

	make(&a, false);
	for (unsigned i = 0; i < MODEL_PFNS; i++)
		a.pages[i].there = true;
	image_a = model_plain_image(&a);
	image_b = model_plain_image(&a);
	/* Pfn 1 of the first record, which has 64. */
	at = 40;
	while (gw_get_le32(image_b.data + at) != GW_REC_PAGE_DATA)
		at += 8 + GW_ROUND_UP(gw_get_le32(image_b.data + at + 4), 8);
	at += 16 + 8 * 64 + GW_PAGE_SIZE;
	image_b.data[at + 100] ^= 1;
	image_b.data[at + 4095] ^= 1;
	compare(&t, &image_a, &image_b, 3, true);
	assert_int_equal(t.found.pages, 1);
	assert_int_equal(t.run.first, 1);
	assert_int_equal(t.run.offset, 100);
	assert_int_equal(t.run.differing, 2);
	forget(&t);
	gw_buffer_free(&image_a);
	gw_buffer_free(&image_b);
}

/* Bytes that no field covers are reported as bytes, and no difference is missed. */
static void bytes_without_a_name(void **unused)
{
	struct gw_buffer image_a, image_b;
	struct told t = {0};
	struct model a;
	struct gw_hvm_entry entry;
	size_t at = 40;

	make(&a, false);
	image_a = model_plain_image(&a);
	image_b = model_plain_image(&a);
	while (gw_get_le32(image_b.data + at) != GW_REC_HVM_CONTEXT)
		at += 8 + GW_ROUND_UP(gw_get_le32(image_b.data + at + 4), 8);
	at += 8;
	assert_int_equal(
		gw_hvm_find(image_b.data + at, image_b.len - at, GW_HVM_CPU, 1, &entry, NULL), 1);
	/* flags; and a byte of the FXSAVE area that the processor leaves to software */
	image_b.data[at + entry.offset + 8 + 1024] ^= 0x01;
	image_b.data[at + entry.offset + 8 + 500] ^= 0xff;
	compare(&t, &image_a, &image_b, 3, false);
	assert_string_equal(lines(&t), "vcpu 1 CPU flags\nvcpu 1 CPU -\n");
	assert_string_equal(t.values, "0x0|0x1||fpu_initialised;00|ff||;");
	forget(&t);
	gw_buffer_free(&image_a);
	gw_buffer_free(&image_b);
}

/* A field that the tables leave out where it is 0 is one difference, and is not reported as bytes
 * in addition. */
static void fields_of_one_side(void **unused)
{
	struct gw_buffer images[2];
	struct model a;
	size_t at = 40;

	make(&a, true);
	images[0] = model_plain_image(&a);
	images[1] = model_plain_image(&a);
	while (gw_get_le32(images[1].data + at) != GW_REC_SHARED_INFO)
		at += 8 + GW_ROUND_UP(gw_get_le32(images[1].data + at + 4), 8);
	gw_put_le64(images[1].data + at + 8 + 3 * 64 + 16, 0x1234);
	for (unsigned i = 0; i < 2; i++) {
		struct told t = {0};

		compare(&t, &images[i], &images[1 - i], 3, false);
		assert_string_equal(lines(&t), "shared_info 0 - vcpu_info[3].arch.cr2\n");
		assert_string_equal(t.values, i ? "0x1234|none||;" : "none|0x1234||;");
		forget(&t);
	}
	gw_buffer_free(&images[0]);
	gw_buffer_free(&images[1]);
}

static int by_first_letter(const void *x, const void *y)
{
	return **(const char *const *)x - **(const char *const *)y;
}

/* Where a key is repeated, the first of one side is compared with the first of the other. */
static void matches_in_order(void **unused)
{
	const char *const a[] = {"b1", "a1", "b2", "c1"}, *const b[] = {"b1", "d1", "a1", "b2",
									"b3"};
	static const struct gw_diff_pair expected[] = {{0, 0},	{1, 2},	 {2, 3},
						       {3, -1}, {-1, 1}, {-1, 4}};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_diff_pair *pairs;

	assert_int_equal(gw_diff_match(a, GW_ARRAY_SIZE(a), b, GW_ARRAY_SIZE(b), sizeof(*a),
				       by_first_letter, &pairs, &err),
			 GW_ARRAY_SIZE(expected));
	assert_memory_equal(pairs, expected, sizeof(expected));
	free(pairs);
}

/* The image in a libxl stream with an xl header and this config. */
static struct gw_buffer with_config(const struct gw_buffer *image, const char *config, bool json)
{
	const struct gw_stream_header h = {.version = GW_STREAM_VERSION};
	uint8_t raw[GW_STREAM_HEADER_SIZE];
	struct gw_buffer out = {0};
	struct gw_error err = GW_ERROR_INIT;

	gw_stream_header_encode(&h, raw);
	gw_xlfile_append(&out, GW_XLFILE_STREAM_V2 | (json ? GW_XLFILE_JSON : 0), config,
			 strlen(config), &err);
	gw_buffer_append(&out, raw, sizeof(raw), &err);
	gw_record_append(&out, GW_STREAM_LIBXC_CONTEXT, NULL, 0, &err);
	gw_buffer_append(&out, image->data, image->len, &err);
	gw_record_append(&out, GW_STREAM_END, NULL, 0, &err);
	assert_int_equal(err.code, 0);
	return out;
}

static void configs(void **unused)
{
	static const struct {
		bool json;
		const char *a, *b, *lines, *values;
	} cases[] = {
		{true, "{\"a\":1,\"b\":2}", "{ \"b\" : 2,\n\"a\" : 1 }", "", ""},
		{true, "{\"a\":1,\"b\":[1,{\"c\":2}]}", "{\"b\":[1,{\"c\":3}],\"a\":1}",
		 "config 0 - b[1].c\n", "2|3||;"},
		{true, "{\"a\":{\"b\":1,\"c\":\"x\"}}", "{\"a\":{\"d\":null,\"b\":1}}",
		 "config 0 - a.c\nconfig 0 - a.d\n", "\"x\"|none||;none|null||;"},
		{true, "[1]", "[1,2]", "config 0 - [1]\n", "none|2||;"},
		{true, "[1]", "{}", "config 0 - -\n", "[1]|{}||;"},
		/* A reader that takes the first of two members sees another config than one that
		 * takes the last. */
		{true, "{\"a\":1,\"a\":2}", "{\"a\":2}", "config 0 - line 1\n",
		 "{\"a\":1,\"a\":2}|{\"a\":2}||;"},
		{false, "name=x\nvcpus=1\n", "name=x\nvcpus=2\nmemory=3\n",
		 "config 0 - line 2\nconfig 0 - line 3\n", "vcpus=1|vcpus=2||;none|memory=3||;"},
		{false, "name=x", "name=x\n", "config 0 - -\n", "|0a||;"},
	};
	struct gw_buffer image;
	struct model a;

	make(&a, true);
	image = model_plain_image(&a);
	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_buffer in_a = with_config(&image, cases[i].a, cases[i].json);
		struct gw_buffer in_b = with_config(&image, cases[i].b, cases[i].json);
		struct told t = {0};

		compare(&t, &in_a, &in_b, 3, false);
		assert_ok(t.rc, &t.err);
		assert_string_equal(lines(&t), cases[i].lines);
		assert_string_equal(t.values, cases[i].values);
		forget(&t);
		gw_buffer_free(&in_a);
		gw_buffer_free(&in_b);
	}
	gw_buffer_free(&image);
}

/* Configs of xend are compared list by list, whatever is between the lists. */
static void configs_of_xend(void **unused)
{
	static const struct {
		const char *a, *b, *lines, *values;
	} cases[] = {
		{"(domain (name a) (vcpus 1))", "(domain(name a)\n  (vcpus 1)) # the same", "", ""},
		{"(domain (domid 1) (name a))", "(domain (domid 2) (name a))",
		 "config 0 - line 2\n", "    (domid 1)|    (domid 2)||;"},
		{"(domain (name a))", "(domain (name a) (vcpus 1))",
		 "config 0 - line 2\nconfig 0 - line 3\n",
		 "    (name a))|    (name a)||;none|    (vcpus 1))||;"},
		{"(domain (name a)", "(domain (name b)", "config 0 - line 1\n",
		 "(domain (name a)|(domain (name b)||;"},
		{"(domain (name a))", NULL, "config 0 - -\n", "|none||;"},
		{NULL, NULL, "", ""},
	};
	struct gw_buffer image;
	struct model a;

	make(&a, true);
	image = model_plain_image(&a);
	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_xend xend_a = {0}, xend_b = {0};
		struct told t = {0};

		if (cases[i].a) {
			gw_buffer_append(&xend_a.config, cases[i].a, strlen(cases[i].a), NULL);
			t.xend_a = &xend_a;
		}
		if (cases[i].b) {
			gw_buffer_append(&xend_b.config, cases[i].b, strlen(cases[i].b), NULL);
			t.xend_b = &xend_b;
		}
		compare(&t, &image, &image, 3, false);
		assert_ok(t.rc, &t.err);
		assert_string_equal(lines(&t), cases[i].lines);
		assert_string_equal(t.values, cases[i].values);
		forget(&t);
		gw_xend_free(&xend_a);
		gw_xend_free(&xend_b);
	}
	gw_buffer_free(&image);
}

/* Adds a record of entries without contents before an image's END. */
static void add_entries(struct gw_buffer *image, const uint64_t *entries, size_t n)
{
	uint8_t head[16 + 8 * 64];
	struct gw_error err = GW_ERROR_INIT;
	size_t len = gw_page_data_head_encode(head, n, entries, 0);

	image->len -= 8;
	assert_ok(gw_buffer_append(image, head, len, &err), &err);
	assert_ok(gw_record_append(image, GW_REC_END, NULL, 0, &err), &err);
}

/* A restore never takes a page away, but remembers the last type of a PV guest's page. */
static void pages_stay(void **unused)
{
	static const struct {
		bool pv;
		unsigned type;
		const char *there, *absent; /* for a pfn with a page and without one */
	} cases[] = {
		{false, GW_PAGE_XTAB, "", ""},	  {false, GW_PAGE_BROKEN, "", ""},
		{false, GW_PAGE_XALLOC, "", "B"}, {true, GW_PAGE_XTAB, "t", ""},
		{true, GW_PAGE_BROKEN, "t", ""},  {true, GW_PAGE_XALLOC, "", "B"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases) * 4; i++) {
		unsigned type = cases[i / 4].type;
		const uint64_t entries[] = {gw_page_entry(7, type), gw_page_entry(8, type)};
		struct gw_buffer image_a, image_b;
		struct told t = {0};
		struct model a;

		make(&a, cases[i / 4].pv);
		a.pages[7].there = true;
		a.pages[7].type = GW_PAGE_NOTAB;
		a.pages[8].there = false;
		image_a = model_plain_image(&a);
		image_b = model_plain_image(&a);
		add_entries(&image_b, entries, 2);
		compare(&t, &image_a, &image_b, i % 4, false);
		assert_ok(t.rc, &t.err);
		assert_string_equal(t.pages[7], cases[i / 4].there);
		assert_string_equal(t.pages[8], cases[i / 4].absent);
		forget(&t);
		gw_buffer_free(&image_a);
		gw_buffer_free(&image_b);
	}
}

/* Pfns far apart use memory: soon they are refused. */
static void is_bounded(void **unused)
{
	struct gw_buffer image_a, image_b;
	struct told t = {0};
	uint64_t entries[64];
	struct model a;

	make(&a, false);
	image_a = model_plain_image(&a);
	image_b = model_plain_image(&a);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; k < 64; k++)
			entries[k] = gw_page_entry((i * 64 + k + 1) * 4096, GW_PAGE_XALLOC);
		add_entries(&image_b, entries, 64);
	}
	compare(&t, &image_a, &image_b, 3, false);
	assert_fails(t.rc, &t.err, GW_UNSUPPORTED, "too scattered");
	forget(&t);
	gw_buffer_free(&image_a);
	gw_buffer_free(&image_b);
}

static void cut_the_file(struct told *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->a->fd);
	assert_int_equal(truncate(path, 100000), 0);
}

static struct gw_cancel *cancel;

static void set_the_token(struct told *t)
{
	gw_channel_set_cancel(t->a, cancel);
	gw_cancel_set(cancel);
}

static void what_fails(void **unused)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer image, bad;
	struct told t = {0};
	struct model a;

	make(&a, false);
	image = model_plain_image(&a);
	bad = model_plain_image(&a);
	/* Either image is cut: the message names it. */
	bad.len -= 8;
	for (unsigned files = 0; files < 4; files++) {
		compare(&t, &bad, &image, files, false);
		assert_fails(t.rc, &t.err, GW_INVALID, files & 1 ? "godwit-diff" : "a pipe: ");
		forget(&t);
		compare(&t, &image, &bad, files, false);
		assert_fails(t.rc, &t.err, GW_INVALID, "before END");
		assert_int_equal(t.found.differences, 0);
		forget(&t);
	}
	gw_buffer_free(&bad);
	/* The records of a legacy image do not give the offsets of its pages. */
	bad = realdata_load(realdata_path("xen-code/leg45_hvm_w64_1024.xz"));
	for (unsigned files = 0; files < 4; files++) {
		compare(&t, &image, &bad, files, false);
		assert_fails(t.rc, &t.err, GW_UNSUPPORTED, "legacy");
		forget(&t);
	}
	gw_buffer_free(&bad);
	t.between = cut_the_file;
	compare(&t, &image, &image, 3, false);
	assert_fails(t.rc, &t.err, GW_SYSTEM, "has changed while it was read");
	forget(&t);
	cancel = gw_cancel_new(&err);
	for (unsigned files = 0; files < 4; files++) {
		t.between = set_the_token;
		compare(&t, &image, &image, files, false);
		assert_fails(t.rc, &t.err, GW_CANCELLED, "cancelled");
		forget(&t);
		gw_cancel_free(cancel);
		cancel = gw_cancel_new(&err);
	}
	gw_cancel_free(cancel);
	gw_buffer_free(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(names_values_and_bits),
		cmocka_unit_test(details_of_pages),
		cmocka_unit_test(bytes_without_a_name),
		cmocka_unit_test(fields_of_one_side),
		cmocka_unit_test(matches_in_order),
		cmocka_unit_test(configs),
		cmocka_unit_test(configs_of_xend),
		cmocka_unit_test(pages_stay),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(what_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
