/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guests of random legacy images: the pfns of their special pages, the contents of pages and
 * vCPUs. A PV guest's page tables can be restored into a domain; they map nothing.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/x86/pv_layout.h"
#include "lib/legacy_maker.h"

uint8_t *legacy_page(struct legacy_maker *k, uint64_t pfn)
{
	return k->memory + pfn * GW_PAGE_SIZE;
}

static void lay_out_pv(struct legacy_maker *k)
{
	struct legacy_layout *at = &k->at;
	uint64_t fpp = GW_PAGE_SIZE / k->made->guest_width;
	uint64_t frames = (k->made->p2m_size + fpp - 1) / fpp;

	at->frame = 1;
	at->start_info = at->frame + frames;
	at->store = at->start_info + 1;
	at->console = at->store + 1;
	at->root = at->console + 1;
	at->l2 = at->root + 1;
	at->special_end = at->l2 + 4;
	at->special_begin = k->made->p2m_size;
}

static void lay_out_hvm(struct legacy_maker *k)
{
	struct legacy_layout *at = &k->at;
	uint64_t end = k->made->p2m_size;

	at->hvm_store = end - 1;
	at->hvm_console = end - 2;
	at->ioreq = end - 3;
	at->bufioreq = end - 4;
	at->special_begin = end - 12;
}

static bool is_special(const struct legacy_maker *k, uint64_t pfn)
{
	return pfn < k->at.special_end || pfn >= k->at.special_begin;
}

static void make_start_info(struct legacy_maker *k)
{
	const struct gw_pv_layout *l = gw_pv_layout(k->made->guest_width);
	uint8_t *page = legacy_page(k, k->at.start_info);

	memset(page, 0, GW_PAGE_SIZE);
	gw_pv_put_word(l, page + l->start_nr_pages, k->made->p2m_size);
	gw_pv_put_word(l, page + l->start_store, k->at.store);
	gw_pv_put_word(l, page + l->start_console, k->at.console);
}

/* A root, and in a 32-bit guest the four tables below it. */
static void make_tables(struct legacy_maker *k)
{
	uint8_t *root = legacy_page(k, k->at.root);
	unsigned levels = gw_pv_layout(k->made->guest_width)->levels;

	memset(root, 0, GW_PAGE_SIZE);
	k->kind[k->at.root] = (uint8_t)(GW_PAGE_PINNED | levels);
	for (unsigned i = 0; levels == 3 && i < 4; i++) {
		gw_put_le64(root + 8 * i, (k->at.l2 + i) << 12 | 1);
		k->kind[k->at.l2 + i] = GW_PAGE_L2TAB;
		memset(legacy_page(k, k->at.l2 + i), 0, GW_PAGE_SIZE);
	}
}

/* An ordinary page; rarely another type that the guest can have. A page table is empty. */
static uint8_t some_kind(struct legacy_maker *k)
{
	if (!legacy_one_in(k, 30))
		return GW_PAGE_NOTAB;
	if (k->made->kind.guest == GW_GUEST_X86_HVM)
		return legacy_one_in(k, 3) ? GW_PAGE_BROKEN : GW_PAGE_NOTAB;
	return legacy_one_in(k, 2) ? GW_PAGE_L1TAB : GW_PAGE_PINNED | GW_PAGE_L1TAB;
}

void legacy_make_guest(struct legacy_maker *k)
{
	uint64_t n = k->made->p2m_size;
	/* A large guest is mostly holes: it tests the lists, not the pages. */
	uint32_t holes = n > 1500 ? 90 : legacy_below(k, 40);

	k->kind = malloc(n);
	k->memory = calloc(n, GW_PAGE_SIZE);
	assert_true(k->kind && k->memory);
	if (k->made->kind.guest == GW_GUEST_X86_PV)
		lay_out_pv(k);
	else
		lay_out_hvm(k);
	for (uint64_t pfn = 0; pfn < n; pfn++) {
		bool special = is_special(k, pfn);

		k->kind[pfn] = GW_PAGE_NOTAB;
		if (!special && legacy_below(k, 100) < holes)
			k->kind[pfn] = GW_PAGE_XTAB;
		else if (!special)
			k->kind[pfn] = some_kind(k);
		if (k->kind[pfn] == GW_PAGE_NOTAB)
			legacy_dirty(k, pfn);
	}
	if (k->made->kind.guest == GW_GUEST_X86_PV) {
		make_start_info(k);
		make_tables(k);
	}
}

void legacy_dirty(struct legacy_maker *k, uint64_t pfn)
{
	uint8_t *page = legacy_page(k, pfn);
	unsigned first;

	if (k->kind[pfn] != GW_PAGE_NOTAB ||
	    (k->made->kind.guest == GW_GUEST_X86_PV && is_special(k, pfn)))
		return;
	switch (legacy_below(k, 8)) {
	case 0: /* written with the same bytes */
		return;
	case 1:
		memset(page, 0, GW_PAGE_SIZE);
		return;
	case 2:
		legacy_fill(k, page, GW_PAGE_SIZE);
		return;
	case 3: /* the first and the last word */
		legacy_fill(k, page, 4);
		legacy_fill(k, page + GW_PAGE_SIZE - 4, 4);
		return;
	default:
		first = legacy_below(k, GW_PAGE_SIZE / 4);
		legacy_fill(k, page + 4 * (size_t)first,
			    4 * (size_t)legacy_below(k, GW_PAGE_SIZE / 4 - first));
	}
}

void legacy_make_context(struct legacy_maker *k, uint32_t vcpu, uint8_t *context, uint32_t len)
{
	const struct gw_pv_layout *l = gw_pv_layout(k->made->guest_width);

	memset(context, 0, len);
	legacy_fill(k, context, 512);
	gw_put_le32(context + l->vcpu_flags,
		    GW_PV_VCPU_KERNEL | (k->vcpu_info ? GW_PV_VCPU_ONLINE : 0));
	if (vcpu == 0)
		gw_pv_put_word(l, context + l->vcpu_edx, k->at.start_info);
	gw_pv_put_word(l, gw_pv_word_at(l, context + l->vcpu_cr, 3),
		       gw_pv_frame_to_cr3(l, k->at.root));
}
