/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Makes random legacy images: their properties, headers and rounds. legacy_body_writer.c writes
 * pages and chunks, legacy_tail_writer.c tails, legacy_guest.c makes guests.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "lib/legacy_maker.h"
#include "lib/random.h"

uint64_t legacy_random(struct legacy_maker *k)
{
	return random_next(&k->rng);
}

uint32_t legacy_below(struct legacy_maker *k, uint32_t n)
{
	return n ? (uint32_t)(legacy_random(k) % n) : 0;
}

bool legacy_one_in(struct legacy_maker *k, uint32_t n)
{
	return legacy_below(k, n) == 0;
}

bool legacy_decide(struct legacy_maker *k, enum legacy_wish_for wish, uint32_t one_in)
{
	bool any = legacy_one_in(k, one_in);

	return wish == LEGACY_ANY ? any : wish == LEGACY_YES;
}

void legacy_fill(struct legacy_maker *k, uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)legacy_random(k);
}

struct legacy_made_event *legacy_expect(struct legacy_maker *k, enum gw_legacy_event event,
					int32_t id, size_t offset)
{
	struct legacy_made *m = k->made;
	struct legacy_made_event *e;

	m->events = room_for_one(m->events, m->nr_events, sizeof(*m->events));
	e = &m->events[m->nr_events++];
	*e = (struct legacy_made_event){
		.event = event,
		.id = id,
		.offset = offset,
		.end = k->out.bytes.len,
	};
	return e;
}

void legacy_note_entry(struct legacy_maker *k, uint64_t entry)
{
	struct legacy_made *m = k->made;

	m->entries = room_for_one(m->entries, m->nr_entries, sizeof(*m->entries));
	m->entries[m->nr_entries++] = entry;
}

/* Properties of a PV guest: its header and its vCPUs. */
static void decide_pv(struct legacy_maker *k)
{
	struct legacy_made *m = k->made;
	bool other_width = k->wish.guest_width && k->wish.guest_width != m->kind.width;

	m->extended_info = other_width || legacy_decide(k, k->wish.info, 8) ||
			   (k->wish.info == LEGACY_ANY && !legacy_one_in(k, 8));
	m->guest_width = m->kind.width;
	if (m->extended_info) {
		k->info.vcpu = other_width || !legacy_one_in(k, 8);
		k->info.extv = !legacy_one_in(k, 4);
		k->info.xcnt = !legacy_one_in(k, 4);
		k->info.unknown = legacy_one_in(k, 4) ? legacy_below(k, 6) : 0;
		k->info.extended_cr3 = legacy_one_in(k, 2);
		k->info.xsave_bytes = legacy_one_in(k, 2) ? 16 + 592 : 16 + 848;
		if (k->info.vcpu)
			m->guest_width = k->wish.guest_width   ? k->wish.guest_width
					 : legacy_one_in(k, 2) ? 4
							       : 8;
	}
	k->info.guest_width = m->guest_width;
	m->ext_contexts = k->info.extv;
	m->extended_cr3 = k->info.vcpu && k->info.extended_cr3;
	m->xsave_bytes = k->info.xcnt ? k->info.xsave_bytes : 0;
	m->unknown_blocks = k->info.unknown;
	if (k->wish.max_vcpu_id)
		k->max_vcpu_id = k->wish.max_vcpu_id;
	else if (k->vcpu_info)
		k->max_vcpu_id = legacy_below(k, legacy_one_in(k, 8) ? 130 : 4);
	for (uint32_t id = 1; id <= k->max_vcpu_id; id++)
		if (id == k->max_vcpu_id || !legacy_one_in(k, 3))
			k->vcpu_map[id / 64] |= UINT64_C(1) << (id % 64);
}

static void decide(struct legacy_maker *k)
{
	struct legacy_made *m = k->made;

	m->kind.width = k->wish.width ? k->wish.width : legacy_one_in(k, 2) ? 4 : 8;
	m->kind.guest = k->wish.guest	      ? k->wish.guest
			: legacy_one_in(k, 2) ? GW_GUEST_X86_PV
					      : GW_GUEST_X86_HVM;
	k->out.width = m->kind.width;
	m->p2m_size = k->wish.p2m_size
			      ? k->wish.p2m_size
			      : LEGACY_P2M_MIN + legacy_below(k, legacy_one_in(k, 20) ? 2600 : 200);
	m->bare = k->wish.bare && m->kind.guest == GW_GUEST_X86_HVM;
	k->nr_rounds = k->wish.rounds ? k->wish.rounds : 1 + legacy_below(k, 4);
	m->compressed = k->nr_rounds > 1 && legacy_decide(k, k->wish.compression, 2);
	/* After VERIFY pages are only compared, those of later rounds as well, so such an image has
	 * one round. */
	m->verify = k->nr_rounds == 1 && legacy_decide(k, k->wish.verify, 4);
	k->live = k->nr_rounds > 1 || legacy_one_in(k, 2);
	k->toolstack = legacy_one_in(k, 2);
	m->vcpu_info = k->vcpu_info = k->wish.max_vcpu_id || !legacy_one_in(k, 8);
	k->vcpu_map[0] = 1;
	if (m->kind.guest == GW_GUEST_X86_PV)
		decide_pv(k);
}

static void put_header(struct legacy_maker *k)
{
	struct legacy_made *m = k->made;
	struct legacy_made_event *e;

	legacy_put_long(&k->out, m->p2m_size);
	if (m->extended_info)
		legacy_put_info(&k->out, &k->info);
	m->first_frame = k->at.frame;
	if (m->kind.guest == GW_GUEST_X86_PV)
		legacy_put_frames(&k->out, m->p2m_size, m->guest_width, k->at.frame);
	e = legacy_expect(k, GW_LEGACY_HEADER, 0, 0);
	/* To detect an HVM guest the reader takes a long of the first chunk. */
	if (m->kind.guest == GW_GUEST_X86_HVM)
		e->end += m->kind.width;
}

static void *copy_of(const void *data, size_t len)
{
	void *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, data, len);
	return copy;
}

static void keep_round(struct legacy_maker *k)
{
	struct legacy_made *m = k->made;
	struct legacy_made_round *r;
	size_t n = m->p2m_size;

	m->rounds = room_for_one(m->rounds, m->nr_rounds, sizeof(*m->rounds));
	r = &m->rounds[m->nr_rounds++];
	*r = k->now;
	r->end = k->out.bytes.len;
	r->types = copy_of(k->now.types, n);
	r->memory = copy_of(k->now.memory, n * GW_PAGE_SIZE);
	r->unmapped = copy_of(k->now.unmapped, n);
	r->vcpus = copy_of(k->now.vcpus, k->now.nr_vcpus * sizeof(*r->vcpus));
}

/* A PV guest's tail lists its holes, and some pages that it gave back during the save. */
static void make_receiver(struct legacy_maker *k)
{
	size_t n = k->made->p2m_size;

	k->now.types = malloc(n);
	k->now.memory = calloc(n, GW_PAGE_SIZE);
	k->now.unmapped = calloc(n, 1);
	k->now.vcpus = calloc((size_t)k->max_vcpu_id + 1, sizeof(*k->now.vcpus));
	assert_true(k->now.types && k->now.memory && k->now.unmapped && k->now.vcpus);
	memset(k->now.types, LEGACY_NEVER, n);
	if (k->made->kind.guest != GW_GUEST_X86_PV)
		return;
	for (uint64_t pfn = 0; pfn < n; pfn++)
		k->now.unmapped[pfn] = k->kind[pfn] == GW_PAGE_XTAB ||
				       (k->kind[pfn] == GW_PAGE_NOTAB && pfn >= k->at.special_end &&
					legacy_one_in(k, 50));
}

struct legacy_made *legacy_make(uint64_t seed, const struct legacy_wish *wish)
{
	struct legacy_maker *k = calloc(1, sizeof(*k));
	struct legacy_made *m = calloc(1, sizeof(*m));

	assert_true(k && m);
	k->made = m;
	k->rng = seed;
	if (wish)
		k->wish = *wish;
	decide(k);
	legacy_make_guest(k);
	make_receiver(k);
	put_header(k);
	for (unsigned i = 0; i < k->nr_rounds; i++) {
		legacy_put_body(k, i, i + 1 == k->nr_rounds);
		legacy_put_tail(k, i + 1 == k->nr_rounds);
		keep_round(k);
	}
	if (m->ends)
		legacy_expect(k, GW_LEGACY_DONE, 0, 0);
	m->bytes = k->out.bytes;
	free(k->kind);
	free(k->memory);
	free(k->now.types);
	free(k->now.memory);
	free(k->now.unmapped);
	free(k->now.vcpus);
	free(k);
	return m;
}

void legacy_made_free(struct legacy_made *made)
{
	if (!made)
		return;
	for (size_t i = 0; i < made->nr_rounds; i++) {
		free(made->rounds[i].types);
		free(made->rounds[i].memory);
		free(made->rounds[i].unmapped);
		free(made->rounds[i].vcpus);
	}
	gw_buffer_free(&made->bytes);
	free(made->rounds);
	free(made->events);
	free(made->entries);
	free(made);
}
