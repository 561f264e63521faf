/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the records of version 3 that the items of a legacy image become, byte for byte, and the
 * xenstore keys of the toolstack record.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "format/legacy/map.h"
#include "format/libxl/stream.h"

static struct gw_legacy_reader reader(enum gw_guest_type guest, unsigned width)
{
	return (struct gw_legacy_reader){
		.header = {.kind = {.width = width, .guest = guest}, .p2m_size = 0x400},
	};
}

static void feed(struct gw_legacy_map *map, const struct gw_legacy_reader *r,
		 enum gw_legacy_event event)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_legacy_map_event(map, r, event, &err), &err);
}

static void feed_param(struct gw_legacy_map *map, struct gw_legacy_reader *r, int32_t id,
		       uint64_t value)
{
	r->id = id;
	r->value = value;
	feed(map, r, GW_LEGACY_CHUNK);
}

static struct gw_buffer tail_of(const struct gw_legacy_map *map, const struct gw_legacy_reader *r)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};

	assert_ok(gw_legacy_map_tail(map, &r->header, &out, &err), &err);
	return out;
}

/* The buffer holds exactly these bytes, and is freed. */
static void assert_bytes(struct gw_buffer *buf, const void *expected, size_t len)
{
	assert_int_equal(buf->len, len);
	assert_memory_equal(buf->data, expected, len);
	gw_buffer_free(buf);
}

static const uint8_t image_header[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'X', 'E', 'N', 'F',
	0,    0,    0,	  3,	0,    0,    0,	  0,	0,   0,	  0,   0,
};

static void header_of_hvm(void **state)
{
	static const uint8_t rest[] = {2, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
				       /* STATIC_DATA_END */
				       0x10, 0, 0, 0, 0, 0, 0, 0};
	struct gw_legacy_reader r = reader(GW_GUEST_X86_HVM, 8);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};

	assert_ok(gw_legacy_map_header(&r, &out, &err), &err);
	assert_int_equal(out.len, sizeof(image_header) + sizeof(rest));
	assert_memory_equal(out.data, image_header, sizeof(image_header));
	assert_memory_equal(out.data + sizeof(image_header), rest, sizeof(rest));
	gw_buffer_free(&out);
}

/* PV: the guest's width decides the pair; the width of the tools has no effect. */
static void info_of_pv(void **state)
{
	static const struct {
		unsigned tools, guest, levels, frames;
	} kinds[] = {{8, 8, 4, 2}, {8, 4, 3, 1}, {4, 4, 3, 1}};

	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds); i++) {
		struct gw_legacy_reader r = reader(GW_GUEST_X86_PV, kinds[i].tools);
		const uint8_t info[] = {
			1,
			0,
			0,
			0,
			12,
			0,
			0,
			0,
			0,
			0,
			0,
			0,
			1,
			0,
			0,
			0,
			/* X86_PV_INFO */
			2,
			0,
			0,
			0,
			8,
			0,
			0,
			0,
			(uint8_t)kinds[i].guest,
			(uint8_t)kinds[i].levels,
			0,
			0,
			0,
			0,
			0,
			0,
			/* STATIC_DATA_END */
			0x10,
			0,
			0,
			0,
			0,
			0,
			0,
			0,
			/* X86_PV_P2M_FRAMES up to here: what follows depends on the list */
			3,
			0,
			0,
			0,
		};
		struct gw_error err = GW_ERROR_INIT;
		struct gw_buffer out = {0};

		r.header.guest_width = kinds[i].guest;
		assert_ok(gw_legacy_map_header(&r, &out, &err), &err);
		assert_true(out.len >= sizeof(image_header) + sizeof(info));
		assert_memory_equal(out.data, image_header, sizeof(image_header));
		assert_memory_equal(out.data + sizeof(image_header), info, sizeof(info));
		gw_buffer_free(&out);
	}
}

static void pages_without_fillers(void **state)
{
	const uint64_t entries[] = {
		gw_page_entry(0, GW_PAGE_XTAB),
		gw_page_entry(0, GW_PAGE_NOTAB),
		gw_page_entry(0x28, 0xc), /* L4, pinned */
		gw_page_entry(0, GW_PAGE_XTAB),
		gw_page_entry(0x30, GW_PAGE_XALLOC),
		gw_page_entry(0x31, GW_PAGE_BROKEN),
		gw_page_entry(0x32, GW_PAGE_XTAB),
		gw_page_entry(0xfffffff, GW_PAGE_L1TAB),
		gw_page_entry(0, GW_PAGE_XTAB),
	};
	const uint64_t expected[] = {
		gw_page_entry(0, GW_PAGE_NOTAB),     gw_page_entry(0x28, 0xc),
		gw_page_entry(0x30, GW_PAGE_XALLOC), gw_page_entry(0x31, GW_PAGE_BROKEN),
		gw_page_entry(0x32, GW_PAGE_XTAB),   gw_page_entry(0xfffffff, GW_PAGE_L1TAB),
	};
	struct gw_legacy_reader r = reader(GW_GUEST_X86_HVM, 8);
	uint64_t out[GW_LEGACY_BATCH_MAX];
	size_t nr_pages = 99;

	r.entries = entries;
	r.nr_entries = GW_ARRAY_SIZE(entries);
	r.nr_pages = 3;
	assert_int_equal(gw_legacy_map_pages(&r, out, &nr_pages), GW_ARRAY_SIZE(expected));
	assert_int_equal(nr_pages, 3);
	assert_memory_equal(out, expected, sizeof(expected));

	/* In a PV guest an entry without a page is an mfn (Xen 3.4) or a filler, and becomes
	 * nothing; in an HVM guest so does one beyond the guest's size. */
	r.header.kind.guest = GW_GUEST_X86_PV;
	assert_int_equal(gw_legacy_map_pages(&r, out, &nr_pages), GW_ARRAY_SIZE(expected) - 1);
	assert_int_equal(nr_pages, 3);
	assert_memory_equal(out, expected, 4 * sizeof(*expected));
	assert_true(out[4] == expected[5]);
	r.header.kind.guest = GW_GUEST_X86_HVM;
	r.header.p2m_size = 0x32;
	assert_int_equal(gw_legacy_map_pages(&r, out, &nr_pages), GW_ARRAY_SIZE(expected) - 1);

	/* Only fillers: they become no record. */
	r.nr_entries = 1;
	assert_int_equal(gw_legacy_map_pages(&r, out, &nr_pages), 0);
	assert_int_equal(nr_pages, 0);
}

static void unmapped_pfns(void **state)
{
	const uint64_t pfns[] = {0, 0x3f0, 0xfffffff};
	const uint64_t expected[] = {UINT64_C(0xf) << 60, UINT64_C(0xf0000000000003f0),
				     UINT64_C(0xf00000000fffffff)};
	struct gw_legacy_reader r = reader(GW_GUEST_X86_PV, 8);
	uint64_t out[GW_LEGACY_BATCH_MAX];

	r.entries = pfns;
	r.nr_entries = GW_ARRAY_SIZE(pfns);
	assert_int_equal(gw_legacy_map_unmapped(&r, out), GW_ARRAY_SIZE(pfns));
	assert_memory_equal(out, expected, sizeof(expected));
}

static void tail_of_hvm(void **state)
{
	static const uint8_t expected[] = {
		/* X86_TSC_INFO: mode, khz, nsec, incarnation */
		8, 0, 0, 0, 24, 0, 0, 0, 2, 0, 0, 0, 0x3e, 0x95, 0x27, 0, 0xbc, 0x9a, 0x78, 0x56,
		0x34, 0x12, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
		/* HVM_PARAMS: in the order in which they came, the ioreq pages and the store of the
		 * tail last */
		10, 0, 0, 0, 8 + 6 * 16, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 34, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0xfc, 0, 1, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0xd0, 0xff, 0xfe, 0, 0, 0, 0,
		17, 0, 0, 0, 0, 0, 0, 0, 0xfa, 3, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0xfb, 3,
		0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0xfc, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
		0, 0, 0, 0xf9, 3, 0, 0, 0, 0, 0, 0,
		/* HVM_CONTEXT, unchanged, and padding */
		9, 0, 0, 0, 5, 0, 0, 0, 'a', 'b', 'c', 'd', 'e', 0, 0, 0};
	struct gw_legacy_reader r = reader(GW_GUEST_X86_HVM, 8);
	struct gw_legacy_map map = {0};
	struct gw_buffer out;

	r.tsc = (struct gw_tsc_info){
		.mode = 2, .khz = 2594110, .nsec = UINT64_C(0x123456789abc), .incarnation = 3};
	r.id = GW_LEG_TSC_INFO;
	feed(&map, &r, GW_LEGACY_CHUNK);
	feed_param(&map, &r, GW_LEG_HVM_GENERATION_ID_ADDR, UINT64_C(0x100fc0000));
	feed_param(&map, &r, GW_LEG_HVM_IDENT_PT, 1);
	feed_param(&map, &r, GW_LEG_HVM_CONSOLE_PFN, 0x3fa);
	feed_param(&map, &r, GW_LEG_HVM_IDENT_PT, 0xfeffd000);
	r.magic_pfns[0] = 0x3fb;
	r.magic_pfns[1] = 0x3fc;
	r.magic_pfns[2] = 0x3f9;
	feed(&map, &r, GW_LEGACY_MAGIC_PFNS);
	r.data = (const uint8_t *)"abcde";
	r.len = 5;
	feed(&map, &r, GW_LEGACY_HVM_CONTEXT);
	out = tail_of(&map, &r);
	assert_bytes(&out, expected, sizeof(expected));

	/* The next round has another context; all else stays until it comes again. */
	gw_legacy_map_round(&map);
	out = tail_of(&map, &r);
	assert_bytes(&out, expected, sizeof(expected) - 16);
	r.data = (const uint8_t *)"edcba";
	feed(&map, &r, GW_LEGACY_HVM_CONTEXT);
	feed_param(&map, &r, GW_LEG_HVM_CONSOLE_PFN, 0x3f0);
	out = tail_of(&map, &r);
	assert_int_equal(out.len, sizeof(expected));
	assert_int_equal(out.data[32 + 16 + 32 + 8], 0xf0);
	assert_memory_equal(out.data + out.len - 8, "edcba\0\0\0", 8);
	gw_buffer_free(&out);
	gw_legacy_map_free(&map);
	assert_null(map.params.data);
}

/* Items that did not come become no record. */
static void nothing_from_nothing(void **state)
{
	static const enum gw_guest_type guests[] = {GW_GUEST_X86_HVM, GW_GUEST_X86_PV};

	for (size_t i = 0; i < GW_ARRAY_SIZE(guests); i++) {
		struct gw_legacy_reader r = reader(guests[i], 8);
		struct gw_legacy_map map = {0};
		struct gw_buffer out;

		r.id = GW_LEG_LAST_CHECKPOINT;
		feed(&map, &r, GW_LEGACY_CHUNK);
		r.id = GW_LEG_VCPU_INFO;
		feed(&map, &r, GW_LEGACY_CHUNK);
		feed(&map, &r, GW_LEGACY_DEVICE_MODEL);
		feed(&map, &r, GW_LEGACY_UNMAPPED);
		out = tail_of(&map, &r);
		assert_int_equal(out.len, 0);
		gw_buffer_free(&out);
		gw_legacy_map_free(&map);
	}
}

struct vcpu_bytes {
	uint8_t context[0x1430], ext[128], xsave[24];
};

static struct vcpu_bytes bytes_of_vcpu(unsigned n)
{
	struct vcpu_bytes b;

	for (size_t i = 0; i < sizeof(b); i++)
		((uint8_t *)&b)[i] = (uint8_t)(31 * n + 7 * i + 3);
	b.context[512] &= (uint8_t)~0x20;
	b.context[0x1f8 + 0] &= (uint8_t)~0x20;
	return b;
}

static void append_expected(struct gw_buffer *buf, uint32_t type, uint32_t id, const void *blob,
			    uint32_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t head[16] = {0};

	gw_put_le32(head, type);
	gw_put_le32(head + 4, 8 + len);
	gw_put_le32(head + 8, id);
	assert_ok(gw_buffer_append(buf, head, sizeof(head), &err), &err);
	assert_ok(gw_buffer_append(buf, blob, len, &err), &err);
	assert_ok(gw_buffer_append(buf, NULL, -len & 7u, &err), &err);
}

static void tail_of_pv(void **state)
{
	struct vcpu_bytes cpu0 = bytes_of_vcpu(0), cpu5 = bytes_of_vcpu(5);
	struct gw_legacy_reader r = reader(GW_GUEST_X86_PV, 8);
	uint8_t shared_info[4096];
	struct gw_legacy_map map = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer expected = {0}, out;

	r.header.guest_width = 8;
	memset(shared_info, 0x5a, sizeof(shared_info));
	r.vcpu = (struct gw_legacy_vcpu){
		.id = 0,
		.context = cpu0.context,
		.context_len = sizeof(cpu0.context),
		.ext = cpu0.ext,
		.ext_len = sizeof(cpu0.ext),
		.xsave_mask = 7,
		.xsave = cpu0.xsave,
		.xsave_len = 23,
	};
	feed(&map, &r, GW_LEGACY_VCPU);
	r.vcpu = (struct gw_legacy_vcpu){
		.id = 5, .context = cpu5.context, .context_len = sizeof(cpu5.context)};
	feed(&map, &r, GW_LEGACY_VCPU);
	r.data = shared_info;
	r.len = sizeof(shared_info);
	feed(&map, &r, GW_LEGACY_SHARED_INFO);
	/* The params of an HVM guest must not get into a PV image. */
	feed_param(&map, &r, GW_LEG_HVM_CONSOLE_PFN, 0x3fa);

	assert_ok(gw_record_append(&expected, 7, shared_info, sizeof(shared_info), &err), &err);
	append_expected(&expected, 4, 0, cpu0.context, sizeof(cpu0.context));
	append_expected(&expected, 5, 0, cpu0.ext, sizeof(cpu0.ext));
	append_expected(&expected, 6, 0, cpu0.xsave, 23);
	append_expected(&expected, 4, 5, cpu5.context, sizeof(cpu5.context));
	out = tail_of(&map, &r);
	assert_bytes(&out, expected.data, expected.len);

	gw_legacy_map_round(&map);
	out = tail_of(&map, &r);
	assert_int_equal(out.len, 0);
	gw_buffer_free(&out);
	gw_buffer_free(&expected);
	gw_legacy_map_free(&map);
}

/* vCPU 0 without VCPU_INFO has VGCF_online: bit 5 of flags, which are after fpu_ctxt (512
 * bytes). */
static void an_assumed_vcpu_is_online(void **state)
{
	static const struct {
		unsigned width;
		uint32_t len;
	} kinds[] = {{8, 0x1430}, {4, 0xaf0}};

	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds); i++) {
		struct vcpu_bytes cpu = bytes_of_vcpu(1);
		struct gw_legacy_reader r = reader(GW_GUEST_X86_PV, kinds[i].width);
		struct gw_legacy_map map = {0};
		struct gw_buffer expected = {0}, out;

		r.header.guest_width = kinds[i].width;
		r.vcpu = (struct gw_legacy_vcpu){
			.context = cpu.context, .context_len = kinds[i].len, .assumed = true};
		feed(&map, &r, GW_LEGACY_VCPU);
		cpu.context[512] |= 0x20;
		append_expected(&expected, 4, 0, cpu.context, kinds[i].len);
		out = tail_of(&map, &r);
		assert_bytes(&out, expected.data, expected.len);
		gw_buffer_free(&expected);
		gw_legacy_map_free(&map);
	}
}

static void transcendent_memory(void **state)
{
	struct gw_legacy_reader r = reader(GW_GUEST_X86_PV, 8);
	struct gw_legacy_map map = {0};
	struct gw_error err = GW_ERROR_INIT;

	r.id = GW_LEG_TMEM;
	r.tmem_pools = 2;
	feed(&map, &r, GW_LEGACY_CHUNK);
	r.id = GW_LEG_TMEM_EXTRA;
	r.tmem_pages = 17;
	feed(&map, &r, GW_LEGACY_CHUNK);
	r.id = GW_LEG_TMEM;
	assert_fails(gw_legacy_map_event(&map, &r, GW_LEGACY_CHUNK, &err), &err, GW_UNSUPPORTED,
		     "TMEM: 17 pages of the guest are in transcendent memory");
	gw_legacy_map_free(&map);
}

/* Toolstack records of an HVM guest are kept unchanged; the last one counts. */
static void toolstack_record_is_kept(void **state)
{
	struct gw_legacy_reader r = reader(GW_GUEST_X86_HVM, 8);
	struct gw_legacy_map map = {0};

	r.id = GW_LEG_TOOLSTACK;
	r.data = (const uint8_t *)"first one";
	r.len = 9;
	feed(&map, &r, GW_LEGACY_CHUNK);
	r.data = (const uint8_t *)"second";
	r.len = 6;
	feed(&map, &r, GW_LEGACY_CHUNK);
	gw_legacy_map_round(&map);
	assert_int_equal(map.toolstack.len, 6);
	assert_memory_equal(map.toolstack.data, "second", 6);
	gw_legacy_map_free(&map);

	r.header.kind.guest = GW_GUEST_X86_PV;
	feed(&map, &r, GW_LEGACY_CHUNK);
	assert_int_equal(map.toolstack.len, 0);
	gw_legacy_map_free(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_of_hvm),
		cmocka_unit_test(info_of_pv),
		cmocka_unit_test(pages_without_fillers),
		cmocka_unit_test(unmapped_pfns),
		cmocka_unit_test(tail_of_hvm),
		cmocka_unit_test(nothing_from_nothing),
		cmocka_unit_test(tail_of_pv),
		cmocka_unit_test(an_assumed_vcpu_is_online),
		cmocka_unit_test(transcendent_memory),
		cmocka_unit_test(toolstack_record_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
