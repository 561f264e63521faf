/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the legacy reader with random images: every event is the one that was written, memory at
 * each checkpoint is the writer's, no byte beyond the current part is wanted, and a cut image is
 * complete only if it ends after a tail. GODWIT_IMAGES sets the number of images.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "format/legacy/delta.h"
#include "format/rules/rules.h"
#include "lib/legacy_writer.h"
#include "lib/random.h"

struct trip {
	const struct legacy_made *made;
	uint64_t seed;
	size_t len, pos; /* len: where the image is cut */
	struct gw_legacy_reader r;
	struct gw_legacy_rules *rules;
	struct gw_error err;
	size_t next; /* index of the next event */
	uint8_t *memory, *types;
	uint64_t *queue; /* compressed round: pfns whose contents are to come */
	size_t queued, unqueued;
	struct gw_legacy_delta delta;
};

static void forbid_errors(void *opaque, const struct gw_finding *finding)
{
	struct trip *t = opaque;
	char text[600];

	if (finding->level == GW_LEVEL_ERROR && finding->rule->id &&
	    strcmp(finding->rule->id, "legacy-truncated") != 0)
		fail_msg("seed %llu: %s: %s", (unsigned long long)t->seed, finding->rule->id,
			 gw_finding_format(finding, text, sizeof(text)));
}

#define WRONG(t, ...)                                                                              \
	do {                                                                                       \
		print_message("seed %llu, event %zu: ", (unsigned long long)(t)->seed, (t)->next); \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)

#define CHECK(t, a, b)                                                                             \
	do {                                                                                       \
		unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b);     \
		if (a_ != b_)                                                                      \
			WRONG(t, "%s is 0x%llx, expected 0x%llx", #a, a_, b_);                     \
	} while (0)

static void check_data(struct trip *t, const void *data, size_t len, size_t at, size_t expected)
{
	CHECK(t, len, expected);
	if (len && memcmp(data, t->made->bytes.data + at, len) != 0)
		WRONG(t, "other bytes than those at 0x%zx", at);
}

static void check_header(struct trip *t)
{
	const struct gw_legacy_header *h = &t->r.header;
	const struct legacy_made *m = t->made;

	CHECK(t, h->kind.width, m->kind.width);
	CHECK(t, h->kind.guest, m->kind.guest);
	CHECK(t, h->p2m_size, m->p2m_size);
	CHECK(t, h->guest_width, m->guest_width);
	CHECK(t, h->has_extended_info, m->extended_info);
	CHECK(t, h->pae_extended_cr3, m->extended_cr3);
	CHECK(t, h->has_ext_contexts, m->ext_contexts);
	CHECK(t, h->xsave_bytes, m->xsave_bytes);
	CHECK(t, h->unknown_blocks, m->unknown_blocks);
	if (m->kind.guest != GW_GUEST_X86_PV)
		return;
	CHECK(t, h->p2m_frames, (m->p2m_size * m->guest_width + 4095) / 4096);
	for (uint64_t i = 0; i < h->p2m_frames; i++)
		CHECK(t, gw_legacy_p2m_frame(&t->r, i), m->first_frame + i);
}

static const struct legacy_made_round *round_at_hand(const struct trip *t)
{
	return &t->made->rounds[t->r.rounds];
}

static void check_chunk(struct trip *t, const struct legacy_made_event *e)
{
	const struct gw_legacy_reader *r = &t->r;
	const struct gw_tsc_info *tsc = &round_at_hand(t)->tsc;

	if (gw_legacy_id_param(r->id) >= 0)
		CHECK(t, r->value, e->value);
	switch (r->id) {
	case GW_LEG_TSC_INFO:
		CHECK(t, r->tsc.mode, tsc->mode);
		CHECK(t, r->tsc.khz, tsc->khz);
		CHECK(t, r->tsc.nsec, tsc->nsec);
		CHECK(t, r->tsc.incarnation, tsc->incarnation);
		break;
	case GW_LEG_TOOLSTACK:
		check_data(t, r->data, r->len, e->at, e->len);
		break;
	case GW_LEG_TMEM:
		CHECK(t, r->tmem_pools, e->value);
		CHECK(t, r->tmem_pages, 0);
		break;
	default:
		break;
	}
}

static void check_entries(struct trip *t, const struct legacy_made_event *e)
{
	CHECK(t, t->r.nr_entries, e->nr_entries);
	for (size_t i = 0; i < e->nr_entries; i++)
		CHECK(t, t->r.entries[i], t->made->entries[e->entries + i]);
}

static void check_vcpu(struct trip *t, const struct legacy_made_event *e)
{
	const struct legacy_made_round *round = round_at_hand(t);
	const struct gw_legacy_vcpu *v = &t->r.vcpu;
	const struct legacy_made_vcpu *w = round->vcpus;

	CHECK(t, v->id, e->value);
	while (w->id != v->id)
		w++;
	check_data(t, v->context, v->context_len, w->context, w->context_len);
	check_data(t, v->ext, v->ext_len, w->ext, w->ext ? 128 : 0);
	check_data(t, v->xsave, v->xsave_len, w->xsave, w->xsave_len);
	CHECK(t, v->xsave_mask, w->xsave_mask);
	CHECK(t, v->assumed, !t->made->vcpu_info);
}

/* Returns false if the image is cut in data that the caller of the reader takes itself. */
static bool has_data(const struct trip *t, size_t len)
{
	return len <= t->len - t->pos;
}

static bool take_pages(struct trip *t, const struct legacy_made_event *e)
{
	const struct gw_legacy_reader *r = &t->r;

	check_entries(t, e);
	CHECK(t, r->nr_pages, e->value);
	CHECK(t, r->data_len, e->len);
	if (!has_data(t, e->len))
		return false;
	for (size_t i = 0; i < r->nr_entries; i++) {
		uint64_t pfn = gw_page_entry_pfn(r->entries[i]);
		unsigned type = gw_page_entry_type(r->entries[i]);
		uint8_t *page = t->memory + pfn * GW_PAGE_SIZE;

		if (type != GW_PAGE_XTAB)
			t->types[pfn] = (uint8_t)type;
		if (!gw_page_has_data(type))
			continue;
		if (r->data_len == 0) {
			t->queue[t->queued++] = pfn;
			continue;
		}
		if (r->verify_mode && memcmp(page, t->made->bytes.data + t->pos, GW_PAGE_SIZE) != 0)
			WRONG(t, "pfn 0x%llx is not as it was", (unsigned long long)pfn);
		memcpy(page, t->made->bytes.data + t->pos, GW_PAGE_SIZE);
		t->pos += GW_PAGE_SIZE;
	}
	gw_legacy_reader_data_done(&t->r);
	return true;
}

static bool take_compressed(struct trip *t, const struct legacy_made_event *e)
{
	uint64_t left = t->r.data_len;

	CHECK(t, left, e->value);
	CHECK(t, t->pos, e->at);
	if (!has_data(t, e->len))
		return false;
	while (left) {
		bool complete;
		long used;

		assert_true(t->unqueued < t->queued);
		used = gw_legacy_delta_apply(&t->delta, t->made->bytes.data + t->pos, (size_t)left,
					     t->memory + t->queue[t->unqueued] * GW_PAGE_SIZE,
					     &complete, &t->err);
		assert_ok(used, &t->err);
		t->unqueued += complete;
		t->pos += (size_t)used;
		left -= (uint64_t)used;
	}
	gw_legacy_reader_data_done(&t->r);
	return true;
}

static bool take_model(struct trip *t, const struct legacy_made_event *e)
{
	const struct legacy_made_round *round = round_at_hand(t);

	CHECK(t, t->r.model, round->model_kind);
	CHECK(t, t->r.data_len, e->value);
	CHECK(t, t->pos, round->model);
	if (!has_data(t, e->len) && e->value != UINT64_MAX)
		return false;
	t->pos = GW_MIN(t->len, t->pos + e->len);
	gw_legacy_reader_data_done(&t->r);
	return true;
}

static void check_checkpoint(struct trip *t)
{
	const struct legacy_made_round *round = &t->made->rounds[t->r.rounds - 1];

	CHECK(t, t->unqueued, t->queued);
	CHECK(t, t->delta.state, 0);
	t->queued = t->unqueued = 0;
	assert_true(gw_legacy_reader_at_boundary(&t->r));
	for (uint64_t pfn = 0; pfn < t->made->p2m_size; pfn++) {
		CHECK(t, t->types[pfn], round->types[pfn]);
		if (memcmp(t->memory + pfn * GW_PAGE_SIZE, round->memory + pfn * GW_PAGE_SIZE,
			   GW_PAGE_SIZE) != 0)
			WRONG(t, "pfn 0x%llx has other contents", (unsigned long long)pfn);
	}
}

/* Returns false if the image is cut in the data of this event. */
static bool take_event(struct trip *t, enum gw_legacy_event event)
{
	const struct legacy_made_event *e = &t->made->events[t->next];
	const struct gw_legacy_reader *r = &t->r;
	bool item = event != GW_LEGACY_HEADER && event != GW_LEGACY_CHECKPOINT &&
		    event != GW_LEGACY_DONE;

	if (t->next >= t->made->nr_events)
		WRONG(t, "one event too many (%d)", (int)event);
	CHECK(t, event, e->event);
	if (item) {
		CHECK(t, r->id, e->id);
		CHECK(t, r->item_offset, e->offset);
	}
	/* For the reader, a cut image of xend is complete. */
	if (t->pos != e->end && t->len == t->made->bytes.len)
		WRONG(t, "reported at 0x%zx, expected at 0x%zx", t->pos, e->end);
	switch (event) {
	case GW_LEGACY_HEADER:
		check_header(t);
		return true;
	case GW_LEGACY_CHUNK:
		check_chunk(t, e);
		return true;
	case GW_LEGACY_PAGES:
		return take_pages(t, e);
	case GW_LEGACY_COMPRESSED:
		return take_compressed(t, e);
	case GW_LEGACY_DEVICE_MODEL:
		return take_model(t, e);
	case GW_LEGACY_MAGIC_PFNS:
		for (unsigned i = 0; i < 3; i++)
			CHECK(t, r->magic_pfns[i], round_at_hand(t)->magic_pfns[i]);
		return true;
	case GW_LEGACY_HVM_CONTEXT:
		check_data(t, r->data, r->len, round_at_hand(t)->context,
			   round_at_hand(t)->context_len);
		return true;
	case GW_LEGACY_UNMAPPED:
		CHECK(t, r->unmapped, e->value);
		check_entries(t, e);
		return true;
	case GW_LEGACY_VCPU:
		check_vcpu(t, e);
		return true;
	case GW_LEGACY_SHARED_INFO:
		check_data(t, r->data, r->len, round_at_hand(t)->shared_info, 4096);
		return true;
	case GW_LEGACY_CHECKPOINT:
		check_checkpoint(t);
		return true;
	default:
		return true;
	}
}

/* Reads to DONE or to the end of the input; true if that is not a cut. */
static bool read_through(struct trip *t)
{
	enum gw_legacy_event event = GW_LEGACY_MORE;

	while (event != GW_LEGACY_DONE) {
		void *to;
		size_t len;

		assert_ok(gw_legacy_reader_want(&t->r, &to, &len, &t->err), &t->err);
		if (t->next < t->made->nr_events && t->pos + len > t->made->events[t->next].end)
			WRONG(t, "%zu bytes wanted at 0x%zx, the part ends at 0x%zx", len, t->pos,
			      t->made->events[t->next].end);
		if (len > t->len - t->pos)
			return gw_legacy_reader_at_boundary(&t->r) && t->pos == t->len;
		if (len)
			memcpy(to, t->made->bytes.data + t->pos, len);
		t->pos += len;
		assert_ok(gw_legacy_reader_got(&t->r, &event, &t->err), &t->err);
		if (event == GW_LEGACY_MORE)
			continue;
		assert_ok(gw_legacy_rules_event(t->rules, &t->r, event, &t->err), &t->err);
		if (!take_event(t, event))
			return false;
		t->next++;
	}
	return true;
}

/* Reads the first len bytes of the image; *whole: input that ends there is not a cut. */
static void read_image(const struct legacy_made *m, uint64_t seed, size_t len, bool *whole)
{
	struct gw_legacy_kind forced = {.guest = m->extended_info ? GW_GUEST_NONE : m->kind.guest};
	struct trip *t = calloc(1, sizeof(*t));
	const struct gw_findings out = {forbid_errors, t};

	assert_non_null(t);
	*t = (struct trip){.made = m, .seed = seed, .len = len};
	t->memory = calloc(m->p2m_size, GW_PAGE_SIZE);
	t->types = malloc(m->p2m_size);
	t->queue = calloc(m->p2m_size, sizeof(*t->queue));
	t->rules = gw_legacy_rules_new(&out, 0);
	assert_true(t->memory && t->types && t->queue && t->rules);
	memset(t->types, LEGACY_NEVER, m->p2m_size);
	gw_legacy_reader_init(&t->r, &forced);
	t->r.bare = m->bare;
	*whole = read_through(t);
	gw_legacy_rules_end(t->rules, &t->r, *whole, t->pos, NULL);
	if (len == m->bytes.len) {
		CHECK(t, t->next, m->nr_events);
		CHECK(t, t->pos, len);
		CHECK(t, t->r.rounds, m->nr_rounds);
	}
	gw_legacy_reader_free(&t->r);
	gw_legacy_rules_free(t->rules);
	free(t->memory);
	free(t->types);
	free(t->queue);
	free(t);
}

/* True if a cut there leaves whole rounds only. */
static bool is_whole(const struct legacy_made *m, size_t len)
{
	const struct legacy_made_round *last = &m->rounds[m->nr_rounds - 1];

	for (size_t i = 0; i < m->nr_rounds; i++)
		if (m->rounds[i].end == len)
			return true;
	/* The record of xend's device model has no length. */
	return m->ends && m->kind.guest == GW_GUEST_X86_HVM && !m->bare &&
	       last->model_kind == GW_LEGACY_DM_QEMU && len >= last->model;
}

static void read_cut(const struct legacy_made *m, uint64_t seed, size_t len)
{
	bool whole;

	read_image(m, seed, len, &whole);
	if (whole != is_whole(m, len))
		fail_msg("seed %llu, cut at 0x%zx: %s", (unsigned long long)seed, len,
			 whole ? "the reader calls it whole" : "the reader calls it cut");
}

static unsigned long images;

static void random_images(void **state)
{
	unsigned long rounds = 0, compressed = 0, pv = 0;

	for (uint64_t seed = random_seed(); seed < random_seed() + images; seed++) {
		const struct legacy_wish bare = {.guest = GW_GUEST_X86_HVM, .bare = true};
		struct legacy_made *m = legacy_make(seed, seed % 16 ? NULL : &bare);

		read_cut(m, seed, m->bytes.len);
		for (size_t i = 0; i + 1 < m->nr_rounds; i++)
			read_cut(m, seed, m->rounds[i].end);
		for (unsigned i = 0; i < 4; i++)
			read_cut(m, seed, (size_t)(seed * 7919 * (i + 1) % m->bytes.len));
		rounds += m->nr_rounds;
		compressed += m->compressed;
		pv += m->kind.guest == GW_GUEST_X86_PV;
		legacy_made_free(m);
	}
	print_message("%lu images, %lu of PV guests, %lu compressed, %lu rounds\n", images, pv,
		      compressed, rounds);
}

/* More pfns without memory than one event reports; more vCPUs than a word of the map has bits. */
static void long_lists(void **state)
{
	for (unsigned width = 4; width <= 8; width += 4) {
		const struct legacy_wish wish = {
			.guest = GW_GUEST_X86_PV,
			.width = width,
			.p2m_size = 2600,
			.max_vcpu_id = 200,
			.rounds = 2,
		};
		struct legacy_made *m = legacy_make(random_seed(), &wish);
		unsigned pieces = 0;

		for (size_t i = 0; i < m->nr_events; i++)
			pieces += m->events[i].event == GW_LEGACY_UNMAPPED;
		assert_true(pieces >= 4 && m->rounds[0].nr_vcpus > 64);
		read_cut(m, random_seed(), m->bytes.len);
		legacy_made_free(m);
	}
}

/* Two small images, cut at each byte of the header and after the pages. */
static void every_cut(void **state)
{
	static const enum gw_guest_type guests[] = {GW_GUEST_X86_PV, GW_GUEST_X86_HVM};

	for (unsigned i = 0; i < 2; i++) {
		const struct legacy_wish wish = {
			.guest = guests[i],
			.width = i ? 4 : 8,
			.p2m_size = LEGACY_P2M_MIN,
			.rounds = 1,
			.xend = LEGACY_NO,
		};
		struct legacy_made *m = legacy_make(4711, &wish);
		size_t behind = 0; /* the last page */

		for (size_t e = 0; e + 1 < m->nr_events; e++)
			if (m->events[e].event == GW_LEGACY_PAGES)
				behind = (size_t)m->events[e + 1].offset;
		for (size_t len = 0; len < 400; len++)
			read_cut(m, 4711, len);
		for (size_t len = behind; len < m->bytes.len; len += 3)
			read_cut(m, 4711, len);
		legacy_made_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_images),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(every_cut),
	};
	const char *n = getenv("GODWIT_IMAGES");

	images = n ? strtoul(n, NULL, 0) : 30;
	return cmocka_run_group_tests_name("legacy_random", tests, NULL, NULL);
}
