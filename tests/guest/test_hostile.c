/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests restores of hostile streams: a fault that only a restore can see is refused with its own
 * message, and no change to the bytes of a real stream does worse than make the restore fail.
 */
#include "lib/gwtest.h"

#include <time.h>

#include "base/bytes.h"
#include "compare.h"
#include "hypervisor/control.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"
#include "lib/random.h"

#define PV64 "xen-code/v3_422_pv64_1024.xz"
#define PV32 "xen-code/v3_422_pv32_live_1024.xz"
#define HVM  "xen-code/v3_422_hvm_1024.xz"

static void put_first_pte(uint8_t *entry, uint8_t *data, uint64_t value)
{
	gw_put_le64(data, value);
}

static void put_type(uint8_t *entry, uint8_t *data, uint64_t type)
{
	gw_put_le64(entry, (gw_get_le64(entry) & 0xfffffffffffff) | type << 60);
}

static void put_store(uint8_t *entry, uint8_t *data, uint64_t pfn)
{
	gw_put_le64(data + 56, pfn);
}

static void put_console(uint8_t *entry, uint8_t *data, uint64_t pfn)
{
	gw_put_le64(data + 72, pfn);
}

static uint8_t *record(const struct image *image, uint32_t type)
{
	uint32_t len;
	uint8_t *data = find_record(image, type, &len);

	assert_non_null(data);
	return data;
}

static uint8_t *basic(const struct image *image)
{
	return record(image, GW_REC_X86_PV_VCPU_BASIC) + 8;
}

/* Turns all records of a type into an unknown optional one. */
static void forget_all(const struct image *image, uint32_t type)
{
	uint32_t len;
	uint8_t *data;

	while ((data = find_record(image, type, &len)))
		gw_put_le32(data - 8, 0x80000000);
}

static void pte_above(struct image *i)
{
	each_copy(i, 0x30, put_first_pte, UINT64_C(1024) << 12 | 0x67);
}

static void pte_far_above(struct image *i)
{
	each_copy(i, 0x2a, put_first_pte, UINT64_C(0x000ffffffffff067));
}

static void pte_superpage(struct image *i)
{
	each_copy(i, 0x2c, put_first_pte, UINT64_C(0x300e7));
}

static void l4_in_32(struct image *i)
{
	each_copy(i, 0x28, put_type, 0xc);
}

static void cr3_above(struct image *i)
{
	gw_put_le64(basic(i) + 4984 + 24, UINT64_C(0x400) << 12);
}

static void cr3_far_above(struct image *i)
{
	gw_put_le64(basic(i) + 4984 + 24, UINT64_MAX);
}

static void cr3_no_table(struct image *i)
{
	gw_put_le64(basic(i) + 4984 + 24, UINT64_C(5) << 12);
}

static void user_cr3_wrong(struct image *i)
{
	gw_put_le64(basic(i) + 4984 + 8, UINT64_C(0x2a) << 12 | 1);
}

static void cr3_32_above(struct image *i)
{
	gw_put_le32(basic(i) + 2716 + 12, 0x400fff);
}

static void gdt_too_long(struct image *i)
{
	gw_put_le64(basic(i) + 4960, 7169);
}

static void gdt_above(struct image *i)
{
	gw_put_le64(basic(i) + 4832, UINT64_C(1) << 40);
}

static void gdt_table(struct image *i)
{
	gw_put_le64(basic(i) + 4832, 0x30);
}

static void start_info_above(struct image *i)
{
	gw_put_le64(basic(i) + 616, 0x400);
}

static void start_info_hole(struct image *i)
{
	gw_put_le64(basic(i) + 616, 0x3ff);
}

static void start_info_table(struct image *i)
{
	gw_put_le64(basic(i) + 616, 0x30);
}

static void store_above(struct image *i)
{
	each_copy(i, 0x20, put_store, UINT64_C(1) << 52);
}

static void console_hole(struct image *i)
{
	each_copy(i, 0x20, put_console, 0x3ff);
}

static void p2m_too_big(struct image *i)
{
	gw_put_le32(record(i, GW_REC_X86_PV_P2M_FRAMES) + 4, 0xffffffff);
}

static void p2m_frame_above(struct image *i)
{
	gw_put_le64(record(i, GW_REC_X86_PV_P2M_FRAMES) + 16, UINT64_MAX);
}

static void p2m_frame_table(struct image *i)
{
	gw_put_le64(record(i, GW_REC_X86_PV_P2M_FRAMES) + 8, 0x2c);
}

static void p2m_not_from_0(struct image *i)
{
	gw_put_le32(record(i, GW_REC_X86_PV_P2M_FRAMES), 512);
	gw_put_le32(record(i, GW_REC_X86_PV_P2M_FRAMES) + 4, 1535);
}

static void no_p2m(struct image *i)
{
	forget_all(i, GW_REC_X86_PV_P2M_FRAMES);
}

static void no_pv_info(struct image *i)
{
	forget_all(i, GW_REC_X86_PV_INFO);
}

static void bad_pv_info(struct image *i)
{
	record(i, GW_REC_X86_PV_INFO)[1] = 3;
}

static void no_shared_info(struct image *i)
{
	forget_all(i, GW_REC_SHARED_INFO);
}

static void no_vcpu0(struct image *i)
{
	forget_all(i, GW_REC_X86_PV_VCPU_BASIC);
}

static void vcpu_unknown(struct image *i)
{
	gw_put_le32(basic(i) - 8, 4);
}

static void extended_of_another(struct image *i)
{
	gw_put_le32(record(i, GW_REC_X86_PV_VCPU_EXTENDED) + 8, 1);
}

static void extended_alone(struct image *i)
{
	uint8_t *data = record(i, GW_REC_X86_PV_VCPU_EXTENDED);

	gw_put_le32(data, 3);
	gw_put_le32(data + 8, 3);
}

static void root_not_pinnable(struct image *i)
{
	each_copy(i, 0x2a, put_type, 0);
}

static void param_huge(struct image *i)
{
	gw_put_le64(record(i, GW_REC_HVM_PARAMS) + 8, UINT64_MAX - 1);
}

static void no_context(struct image *i)
{
	forget_all(i, GW_REC_HVM_CONTEXT);
}

static void pfn_beyond(struct image *i)
{
	gw_put_le64(record(i, GW_REC_PAGE_DATA) + 8, 0x100000 + 2000);
}

struct lie {
	const char *image;
	void (*tell)(struct image *i);
	const char *says;
};

static const struct lie lies[] = {
	{PV64, pte_above,
	 "pfn 0x30, an L1 page table, entry 0: pfn 0x400 is above the last, 0x3ff"},
	{PV64, pte_far_above, "pfn 0x2a, an L3 page table, entry 0: pfn 0xffffffffff is above"},
	{PV64, pte_superpage, "pfn 0x2c (L2), entry 0: superpage"},
	{PV32, l4_in_32, "cr3: pfn 0x28 is of type 0xc, expected an L3 page table"},
	{PV64, cr3_above, "vCPU 0: cr3: pfn 0x400 is above the last, 0x3ff"},
	{PV64, cr3_far_above, "vCPU 0: cr3: pfn 0xfffffffffffff is above the last"},
	{PV64, cr3_no_table, "vCPU 0: cr3: pfn 0x5 is of type 0x0, expected an L4 page table"},
	{PV64, user_cr3_wrong, "vCPU 0: user cr3: pfn 0x2a is of type 0x3, expected an L4"},
	{PV32, cr3_32_above, "vCPU 0: cr3: pfn 0xfff00400 is above the last"},
	{PV64, gdt_too_long, "vCPU 0: GDT of 7169 entries, at most 7168"},
	{PV64, gdt_above, "vCPU 0: GDT frame: pfn 0x10000000000 is above the last"},
	{PV64, gdt_table, "vCPU 0: GDT frame: pfn 0x30 is of type 0x1, expected an ordinary page"},
	{PV64, start_info_above, "vCPU 0: start_info: pfn 0x400 is above the last"},
	{PV64, start_info_hole, "vCPU 0: start_info: pfn 0x3ff has no page"},
	{PV64, start_info_table, "vCPU 0: start_info: pfn 0x30 is of type 0x1"},
	{PV64, store_above, "start_info: xenstore ring: pfn 0x10000000000000 is above the last"},
	{PV64, console_hole, "start_info: console ring: pfn 0x3ff has no page"},
	{PV64, p2m_too_big, "need 8388608 frames"},
	{PV64, p2m_frame_above, "P2M frame 1: pfn 0xffffffffffffffff is above the last"},
	{PV64, p2m_frame_table, "P2M frame 0: pfn 0x2c is of type 0x2"},
	{PV64, p2m_not_from_0, "P2M frame 0: pfn 0xffffffffffffffff is above the last"},
	{PV64, no_p2m, "is not valid"},
	{PV64, no_pv_info, "has no X86_PV_INFO"},
	{PV64, bad_pv_info, "width 8 with 3 levels"},
	{PV64, no_shared_info, "has no SHARED_INFO"},
	{PV64, no_vcpu0, "vCPU 0: the stream has no context of it"},
	{PV64, vcpu_unknown, "vCPU 4: the domain has 4"},
	{PV64, extended_of_another, "is of vCPU 1 with 128 bytes, expected vCPU 0"},
	{PV64, extended_alone, "vCPU 3: X86_PV_VCPU_EXTENDED without its basic context"},
	{PV64, root_not_pinnable, "is not the guest's memory"},
	{HVM, param_huge, "HVM param 18446744073709551614: there are 39"},
	{HVM, no_context, "has no HVM context"},
	{HVM, pfn_beyond, "pfn 0x1007d0 is not valid"},
};

static struct gw_domain *new_domain(struct gw_host *host, enum gw_guest_type type)
{
	struct gw_domain_config config = {.type = type, .max_pages = 2000, .vcpus = 4, .seed = 11};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = gw_host_create(host, &config, &err);

	assert_non_null(d);
	return d;
}

static void test_lies(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct image image = load_image(lies[i].image);
		struct gw_domain *d = new_domain(host, image.type);
		struct restore_options how = {.checkpoint = ~0u};

		lies[i].tell(&image);
		if (restore_loop(&image, d, &how, &err) == 0)
			fail_msg("restored although \"%s\"", lies[i].says);
		assert_fails(-1, &err, GW_INVALID, lies[i].says);
		gw_control_destroy(d->control);
		free_image(&image);
	}
	gw_host_close(host);
}

/* The hooks have a bound of their own, for a caller that has not checked the pfn. */
static void test_populate_bound(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct gw_domain *d = new_domain(host, GW_GUEST_X86_HVM);
	struct gw_restore_guest g = {.ops = gw_restore_guest_ops(d->type), .domain = d};
	uint64_t pfns[] = {7, 1999, 7}, beyond = 2000;
	unsigned missing;

	assert_ok(g.ops->setup(&g, &err), &err);
	g.max_pfns = 2000;
	assert_ok(g.ops->static_data_complete(&g, &missing, &err), &err);
	assert_ok(gw_restore_populate(&g, 3, pfns, NULL, &err), &err);
	assert_int_equal(g.ops->pfn_to_gfn(&g, 1999), 1999);
	assert_fails(gw_restore_populate(&g, 1, &beyond, NULL, &err), &err, GW_INVALID,
		     "pfn 0x7d0 is outside the guest's physical memory");
	g.ops->cleanup(&g);
	gw_control_destroy(d->control);
	gw_host_close(host);
}

/* A table may refer to any number of pages, but the domain gets no more than it may have. */
static void test_memory_bound(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:?pages=900", &err);
	struct image image = load_image(PV64);
	struct gw_domain *d = new_domain(host, image.type);
	struct restore_options how = {.checkpoint = ~0u};

	assert_fails(restore_loop(&image, d, &how, &err), &err, GW_NO_MEMORY, "the host's 900");
	gw_control_destroy(d->control);
	assert_int_equal(gw_host_free_pages(host), 900);
	free_image(&image);
	gw_host_close(host);
}

/* The offsets of bytes that matter: all but the contents of ordinary pages. */
struct spots {
	size_t *at, n;
};

static void add_spots(struct spots *s, const struct image *image, size_t from, size_t len)
{
	assert_true(from + len <= image->len);
	s->at = realloc(s->at, (s->n + len) * sizeof(*s->at));
	assert_non_null(s->at);
	for (size_t i = 0; i < len; i++)
		s->at[s->n++] = from + i;
}

/* Adds the count, the entries, and the contents of page tables. */
static void add_page_data(struct spots *s, const struct image *image, size_t at)
{
	uint32_t count = gw_get_le32(image->data + at);
	size_t data = at + 8 + (size_t)8 * count;

	add_spots(s, image, at, 8 + (size_t)8 * count);
	for (uint32_t i = 0; i < count; i++) {
		unsigned type = gw_get_le64(image->data + at + 8 + 8 * i) >> 60;

		if (gw_page_table_level(type))
			add_spots(s, image, data, 4096);
		data += gw_page_has_data(type) ? 4096 : 0;
	}
}

static struct spots find_spots(const struct image *image)
{
	struct spots s = {0};
	size_t at = 40;

	add_spots(&s, image, 24, 16);
	for (;;) {
		uint32_t type = gw_get_le32(image->data + at);
		size_t len = ((size_t)gw_get_le32(image->data + at + 4) + 7) & ~(size_t)7;

		add_spots(&s, image, at, 8);
		if (type == GW_REC_PAGE_DATA)
			add_page_data(&s, image, at + 8);
		else
			add_spots(&s, image, at + 8, len);
		if (type == GW_REC_END)
			return s;
		at += 8 + len;
	}
}

/* Changes a few bytes to values that are likely to cause errors. */
static void mutate(uint8_t *data, const struct spots *spots)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0x10, 0xf0};

	for (uint64_t n = 1 + random_below(4); n > 0; n--) {
		uint8_t *at = data + spots->at[random_below(spots->n)];

		switch (random_below(3)) {
		case 0:
			*at ^= (uint8_t)(1u << random_below(8));
			break;
		case 1:
			*at = values[random_below(sizeof(values))];
			break;
		default:
			*at = (uint8_t)random_below(256);
			break;
		}
	}
}

/* Restores the image, and if that succeeds, saves it again to out. Returns true if it succeeded. */
static bool try(struct gw_host *host, const struct image *image, struct gw_buffer *out)
{
	struct gw_error err = GW_ERROR_INIT;
	struct restore_options how = {.checkpoint = ~0u};
	struct save_options save = {0};
	struct gw_domain *d = new_domain(host, image->type);
	int r = restore_loop(image, d, &how, &err);

	if (r < 0)
		assert_true(err.code != GW_OK && err.text[0]);
	gw_error_clear(&err);
	gw_buffer_reset(out);
	if (r == 0)
		save_loop(d, out, &save, &err);
	gw_control_destroy(d->control);
	return r == 0;
}

static void test_mutations(void **state)
{
	static const char *const images[] = {PV64, PV32, "xen417/tiny-pv.save.xz", HVM};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:?pages=5000", &err);
	unsigned restored = 0, refused = 0;
	struct gw_buffer out = {0};

	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		struct image image = load_image(images[i]);
		struct spots spots = find_spots(&image);
		uint8_t *good = malloc(image.len);

		assert_non_null(good);
		memcpy(good, image.data, image.len);
		for (unsigned n = 0; n < 60; n++) {
			mutate(image.data, &spots);
			if (try(host, &image, &out))
				restored++;
			else
				refused++;
			memcpy(image.data, good, image.len);
		}
		free(good);
		free(spots.at);
		free_image(&image);
	}
	gw_buffer_free(&out);
	print_message("%u restored, %u refused\n", restored, refused);
	assert_true(refused > 20);
	assert_int_equal(gw_host_free_pages(host), 5000);
	gw_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_populate_bound),
		cmocka_unit_test(test_memory_bound),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
