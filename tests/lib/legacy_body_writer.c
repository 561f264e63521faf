/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes the bodies of random legacy images: batches in the passes of a live save or in a single
 * pass, compressed rounds, and the chunks between and after them.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "lib/legacy_compress.h"
#include "lib/legacy_maker.h"

#define FILLER UINT32_C(0xf0000000) /* entry of a pfn that was not mapped: XTAB, pfn 0 */

/* A chunk that began at offset is complete: adds its event. */
static struct legacy_made_event *chunk(struct legacy_maker *k, int32_t id, size_t offset)
{
	return legacy_expect(k, GW_LEGACY_CHUNK, id, offset);
}

static void put_bare_chunk(struct legacy_maker *k, int32_t id)
{
	size_t at = k->out.bytes.len;

	legacy_put_id(&k->out, id);
	chunk(k, id, at);
}

/* Pages. */

struct batch {
	uint32_t entries[GW_LEGACY_BATCH_MAX], n;
	uint64_t pages;
	bool compressed;
	struct gw_buffer *pending; /* compressed bytes that are not written yet */
};

/* The receiver gets the contents of pfn. */
static void send_contents(struct legacy_maker *k, struct batch *b, uint64_t pfn)
{
	uint8_t *page = legacy_page(k, pfn), *there = k->now.memory + pfn * GW_PAGE_SIZE;
	struct gw_error err = GW_ERROR_INIT;
	uint8_t delta[LEGACY_COMPRESS_MAX];
	size_t len;

	if (!b->compressed) {
		legacy_put(&k->out, page, GW_PAGE_SIZE);
	} else {
		if (k->kind[pfn] != GW_PAGE_NOTAB || legacy_one_in(k, 10))
			len = legacy_compress_full(page, delta);
		else
			len = legacy_compress_page(there, page, delta);
		assert_ok(gw_buffer_append(b->pending, delta, len, &err), &err);
	}
	memcpy(there, page, GW_PAGE_SIZE);
}

static void put_batch(struct legacy_maker *k, struct batch *b)
{
	size_t at = k->out.bytes.len, first = k->made->nr_entries;
	struct legacy_made_event *e;

	if (b->n == 0)
		return;
	legacy_put_batch(&k->out, b->entries, b->n);
	e = legacy_expect(k, GW_LEGACY_PAGES, (int32_t)b->n, at);
	e->value = b->pages;
	e->at = k->out.bytes.len;
	e->len = b->compressed ? 0 : (uint32_t)b->pages * GW_PAGE_SIZE;
	e->entries = first;
	e->nr_entries = b->n;
	for (uint32_t i = 0; i < b->n; i++) {
		unsigned type = b->entries[i] >> 28;
		uint64_t pfn = b->entries[i] & GW_LEGACY_P2M_MAX;

		legacy_note_entry(k, (uint64_t)type << 60 | pfn);
		if (b->entries[i] == FILLER)
			continue;
		k->now.types[pfn] = (uint8_t)type;
		if (gw_page_has_data(type))
			send_contents(k, b, pfn);
	}
	b->n = 0;
	b->pages = 0;
}

/* Writes some of the compressed bytes, or all. They may end anywhere, also inside a page. */
static void flush(struct legacy_maker *k, struct batch *b, bool all)
{
	while (b->pending->len) {
		size_t n = all && legacy_one_in(k, 2)
				   ? b->pending->len
				   : legacy_below(k, (uint32_t)b->pending->len + 1);
		size_t at = k->out.bytes.len;
		struct legacy_made_event *e;

		legacy_put_id(&k->out, GW_LEG_COMPRESSED_DATA);
		legacy_put_long(&k->out, n);
		e = legacy_expect(k, GW_LEGACY_COMPRESSED, GW_LEG_COMPRESSED_DATA, at);
		e->value = n;
		e->at = k->out.bytes.len;
		e->len = (uint32_t)n;
		legacy_put(&k->out, b->pending->data, n);
		b->pending->len -= n;
		memmove(b->pending->data, b->pending->data + n, b->pending->len);
		if (!all)
			return;
	}
}

struct pass {
	uint32_t send_one_in;  /* 1: send every page */
	uint32_t alloc_one_in; /* of these, allocate this share without contents; 0: none */
	bool compressed;
};

static void add_entry(struct legacy_maker *k, struct batch *b, uint32_t entry, uint32_t most,
		      bool contents)
{
	b->entries[b->n++] = entry;
	b->pages += contents;
	if (b->n < most)
		return;
	put_batch(k, b);
	if (b->compressed && legacy_one_in(k, 2))
		flush(k, b, false);
}

/* The page is allocated but not sent, because it is dirty again. The next pass sends it. */
static bool only_allocates(struct legacy_maker *k, const struct pass *pass, uint64_t pfn)
{
	return pass->alloc_one_in && k->kind[pfn] == GW_PAGE_NOTAB &&
	       legacy_one_in(k, pass->alloc_one_in);
}

static bool is_sent(struct legacy_maker *k, const struct pass *pass, uint64_t pfn)
{
	if (k->now.types[pfn] == GW_PAGE_XALLOC)
		return true;
	/* A page that the guest gave back is not sent again. */
	if (k->now.types[pfn] != LEGACY_NEVER && k->now.unmapped[pfn])
		return false;
	return legacy_one_in(k, pass->send_one_in);
}

static void send_pass(struct legacy_maker *k, const struct pass *pass)
{
	uint32_t most = legacy_one_in(k, 3) ? GW_LEGACY_BATCH_MAX
					    : 1 + legacy_below(k, GW_LEGACY_BATCH_MAX / 8);
	struct gw_buffer pending = {0};
	struct batch *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->compressed = pass->compressed;
	b->pending = &pending;
	for (uint64_t pfn = 0; pfn < k->made->p2m_size; pfn++) {
		uint32_t type = k->kind[pfn];

		if (!is_sent(k, pass, pfn))
			continue;
		if (type == GW_PAGE_XTAB) {
			if (legacy_one_in(k, 4))
				add_entry(k, b, FILLER, most, false);
			continue;
		}
		if (only_allocates(k, pass, pfn))
			type = GW_PAGE_XALLOC;
		add_entry(k, b, type << 28 | (uint32_t)pfn, most, gw_page_has_data(type));
	}
	put_batch(k, b);
	flush(k, b, true);
	gw_buffer_free(&pending);
	free(b);
}

static void dirty_some(struct legacy_maker *k, uint32_t one_in)
{
	for (uint64_t pfn = 0; pfn < k->made->p2m_size; pfn++)
		if (legacy_one_in(k, one_in))
			legacy_dirty(k, pfn);
}

/* Chunks. */

static void put_tsc(struct legacy_maker *k)
{
	size_t at = k->out.bytes.len;

	k->now.has_tsc = true;
	k->now.tsc = (struct gw_tsc_info){
		.mode = legacy_below(k, 3),
		.khz = 1000000 + legacy_below(k, 3000000),
		.nsec = legacy_random(k) >> 8,
		.incarnation = legacy_below(k, 100),
	};
	legacy_put_tsc(&k->out, &k->now.tsc);
	chunk(k, GW_LEG_TSC_INFO, at);
}

static void put_tmem(struct legacy_maker *k)
{
	static const uint32_t none[3];
	unsigned pools = legacy_below(k, 4);
	size_t at = k->out.bytes.len;

	legacy_put_tmem(&k->out, none, pools, false);
	chunk(k, GW_LEG_TMEM, at)->value = pools;
}

static void put_tmem_extra(struct legacy_maker *k)
{
	size_t at = k->out.bytes.len;

	legacy_put_tmem_extra(&k->out, legacy_below(k, 5));
	chunk(k, GW_LEG_TMEM_EXTRA, at);
}

static void put_param(struct legacy_maker *k, int32_t id, unsigned param, uint64_t value)
{
	size_t at = k->out.bytes.len;

	legacy_put_param(&k->out, id, value);
	chunk(k, id, at)->value = value;
	k->now.params[param] = value;
	k->now.has_param |= UINT64_C(1) << param;
}

/* In libxc's order; which: the params that are the same in all rounds. */
static void put_params(struct legacy_maker *k, uint64_t which)
{
	uint64_t end = k->made->p2m_size;
	const struct {
		int32_t id;
		unsigned param;
		uint64_t value;
	} all[] = {
		{-14, 34, 0xfc00f400}, {-3, 12, 0xfeff2000}, {-15, 27, end - 5}, {-16, 28, end - 6},
		{-17, 29, end - 7},    {-4, 15, 0xfeff1000}, {-8, 17, end - 2},	 {-10, 19, 1},
		{-11, 9, 0x27},	       {-19, 32, end - 9},   {-20, 33, 2},	 {-21, 36, 8},
	};

	for (unsigned i = 0; i < GW_ARRAY_SIZE(all); i++) {
		/* The two params of ioreq servers are a pair. */
		unsigned bit = all[i].id == -20 ? i - 1 : i;

		if (which >> bit & 1)
			put_param(k, all[i].id, all[i].param, all[i].value);
	}
}

static void add(struct gw_buffer *buf, const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_buffer_append(buf, data, len, &err), &err);
}

/* libxl's physmap, with the stray bytes of its 64-bit builds. */
static void put_toolstack(struct legacy_maker *k)
{
	bool hvm = k->made->kind.guest == GW_GUEST_X86_HVM;
	uint32_t count = hvm ? legacy_below(k, 4) : 0;
	struct gw_buffer record = {0};
	size_t at = k->out.bytes.len;
	uint8_t raw[32];

	gw_put_le32(raw, 1);
	gw_put_le32(raw + 4, count);
	add(&record, raw, 8);
	for (uint32_t i = 0; i < count; i++) {
		const char *name = legacy_one_in(k, 3) ? "" : "vga.vram";
		uint32_t len = *name ? (uint32_t)strlen(name) + 1 : 0;

		gw_put_le64(raw, 0xf0000000 + ((uint64_t)i << 24));
		gw_put_le64(raw + 8, (uint64_t)legacy_below(k, 1000) << 12);
		gw_put_le64(raw + 16, 0x800000);
		gw_put_le32(raw + 24, len);
		add(&record, raw, 28);
		add(&record, name, len);
		add(&record, NULL, k->made->kind.width == 8 ? 4 : 0);
	}
	legacy_put_blob(&k->out, GW_LEG_TOOLSTACK, record.data, (uint32_t)record.len);
	k->now.has_toolstack = true;
	k->now.toolstack = at + 8;
	k->now.toolstack_len = (uint32_t)record.len;
	struct legacy_made_event *e = chunk(k, GW_LEG_TOOLSTACK, at);

	e->at = at + 8;
	e->len = (uint32_t)record.len;
	gw_buffer_free(&record);
}

/* The chunks after the pages. */
static void put_state(struct legacy_maker *k, unsigned round, bool last_round)
{
	bool last = last_round && legacy_decide(k, k->wish.last, k->nr_rounds > 1 ? 2 : 1);
	size_t at = k->out.bytes.len;

	if (k->vcpu_info) {
		legacy_put_vcpu_info(&k->out, k->max_vcpu_id, k->vcpu_map);
		chunk(k, GW_LEG_VCPU_INFO, at);
	}
	if (k->made->kind.guest == GW_GUEST_X86_HVM)
		put_params(k, k->params);
	if (k->toolstack)
		put_toolstack(k);
	if (last) {
		put_bare_chunk(k, GW_LEG_LAST_CHECKPOINT);
		k->made->ends = k->made->last = true;
	}
	if (round == 0 && k->made->compressed)
		put_bare_chunk(k, GW_LEG_ENABLE_COMPRESSION);
	at = k->out.bytes.len;
	legacy_put_id(&k->out, GW_LEG_END);
	legacy_expect(k, GW_LEGACY_BODY_END, GW_LEG_END, at);
}

static void put_first_pages(struct legacy_maker *k)
{
	bool tmem = legacy_decide(k, k->wish.tmem, 6);
	bool hvm = k->made->kind.guest == GW_GUEST_X86_HVM;
	const struct pass all = {.send_one_in = 1}, some = {.send_one_in = 6};

	if (tmem)
		put_tmem(k);
	if (!k->live)
		put_tsc(k);
	send_pass(k, &(struct pass){.send_one_in = 1, .alloc_one_in = k->live && hvm ? 9 : 0});
	if (k->live) {
		dirty_some(k, 6);
		send_pass(k, &some);
		if (tmem)
			put_tmem_extra(k);
		put_tsc(k);
		send_pass(k, &some);
	}
	/* All pages written since they were last sent. */
	send_pass(k, &all);
	if (k->made->verify) {
		put_bare_chunk(k, GW_LEG_VERIFY);
		send_pass(k, &all);
	}
}

void legacy_put_body(struct legacy_maker *k, unsigned round, bool last_round)
{
	if (round == 0) {
		k->params = legacy_random(k) & legacy_random(k);
		put_first_pages(k);
	} else {
		const struct pass some = {.send_one_in = 3, .compressed = k->made->compressed};

		dirty_some(k, 3);
		send_pass(k, &some);
	}
	put_state(k, round, last_round);
}
