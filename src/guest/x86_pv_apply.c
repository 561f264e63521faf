/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of restoring a PV guest, in the order Xen needs: shared info, vCPUs, pins, and last the
 * new P2M in the guest's own pages.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/x86/pv_descriptor.h"
#include "guest/faults.h"
#include "guest/x86_pv.h"
#include "hypervisor/domain.h"

#define PIN_BATCH 1024

/*
 * The guest's part of the page; wall clock and TSC scale stay this host's. Event channels are gone
 * with the old host: none pending, all masked, until the guest binds new ones.
 */
static int apply_shared_info(struct gw_restore_guest *g, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	const struct gw_pv_layout *l = r->layout;
	const uint8_t *from = r->shared_info.data;
	uint64_t mfn;
	void *page;

	if (r->shared_info.len != GW_PAGE_SIZE)
		return gw_fail(err, GW_INVALID, "the stream has no SHARED_INFO");
	if (gw_domain_shared_info(g->domain, &page, &mfn, err) < 0)
		return -1;
	uint8_t *to = page;

	memcpy(to, from, (size_t)GW_PV_VCPU_INFO_COUNT * GW_PV_VCPU_INFO_SIZE);
	memcpy(to + l->shared_arch, from + l->shared_arch, l->shared_arch_len);
	gw_pv_put_word(l, to + l->shared_arch + l->arch_fll, 0);
	memset(to + l->shared_pending, 0, l->shared_evtchn_len);
	memset(to + l->shared_mask, 0xff, l->shared_evtchn_len);
	for (unsigned i = 0; i < GW_PV_VCPU_INFO_COUNT; i++)
		gw_pv_put_word(l, to + (size_t)i * GW_PV_VCPU_INFO_SIZE + l->width, 0);
	return 0;
}

/* A frame of a ring in start_info: the guest left its pfn there before it was suspended. As in
 * Xen's restore it may be a page of any type. */
static int translate_ring(const struct gw_pv_restore *r, uint8_t *at, const char *what,
			  uint64_t *mfn, struct gw_error *err)
{
	if (gw_pv_page_mfn(r, gw_pv_get_word(r->layout, at), what, mfn, err) < 0)
		return -1;
	gw_pv_put_word(r->layout, at, *mfn);
	return 0;
}

/* The old host's event channel means nothing here. */
static void set_port(uint8_t *at, const struct gw_ring_end *end)
{
	if (end->port)
		gw_put_le32(at, end->port);
}

static int fill_start_info(struct gw_restore_guest *g, uint8_t *page, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	const struct gw_pv_layout *l = r->layout;
	uint64_t shared_mfn;
	void *shared;

	if (gw_domain_shared_info(g->domain, &shared, &shared_mfn, err) < 0 ||
	    translate_ring(r, page + l->start_store, "xenstore ring", &g->store_gfn, err) < 0 ||
	    translate_ring(r, page + l->start_console, "console ring", &g->console_gfn, err) < 0)
		return -1;
	gw_pv_put_word(l, page + l->start_nr_pages, r->nr_pfns);
	gw_pv_put_word(l, page + l->start_shared_info, shared_mfn << GW_PAGE_SHIFT);
	gw_put_le32(page + l->start_flags, 0);
	set_port(page + l->start_store_evtchn, &g->store);
	set_port(page + l->start_console_evtchn, &g->console);
	return 0;
}

static int apply_start_info(struct gw_restore_guest *g, uint64_t mfn, struct gw_error *err)
{
	struct gw_mapping mapping;
	void *page;

	if (gw_domain_map(g->domain, 1, &mfn, true, &page, &mapping, err) < 0)
		return gw_fail_in(err, "start_info");
	int r = fill_start_info(g, page, err);

	gw_domain_unmap(g->domain, &mapping);
	return r < 0 ? gw_fail_in(err, "start_info") : 0;
}

/* What gw_pv_translate_context calls back with. */
struct translation {
	struct gw_restore_guest *g;
	uint64_t start_info; /* mfn, once seen */
};

static int root_mfn(const struct gw_pv_restore *r, enum gw_pv_ref ref, uint64_t *frame,
		    struct gw_error *err)
{
	uint64_t pfn = *frame, mfn = gw_pv_new_mfn(r, pfn);

	if (pfn >= r->nr_pfns)
		return gw_fail(err, GW_INVALID,
			       "%s: pfn 0x%" PRIx64 " is above the last, 0x%" PRIx64,
			       gw_pv_ref_name(ref), pfn, r->nr_pfns - 1);
	if (gw_page_table_level(r->types[pfn]) != r->layout->levels || mfn == GW_INVALID_PFN)
		return gw_fail(err, GW_INVALID,
			       "%s: pfn 0x%" PRIx64 " is of type 0x%x, expected an L%u page table",
			       gw_pv_ref_name(ref), pfn, r->types[pfn], r->layout->levels);
	*frame = mfn;
	return 0;
}

static int pfn_to_mfn(void *opaque, enum gw_pv_ref ref, uint64_t *frame, struct gw_error *err)
{
	struct translation *t = opaque;
	struct gw_pv_restore *r = t->g->priv;

	switch (ref) {
	case GW_PV_REF_CR3:
	case GW_PV_REF_USER_CR3:
		t->g->rule = "pv-vcpu-root";
		return root_mfn(r, ref, frame, err);
	case GW_PV_REF_START_INFO:
		t->g->rule = "pv-start-info";
		break;
	default:
		t->g->rule = "pv-vcpu-gdt";
		break;
	}
	if (gw_pv_data_mfn(r, *frame, gw_pv_ref_name(ref), frame, err) < 0)
		return -1;
	if (ref == GW_PV_REF_START_INFO)
		t->start_info = *frame;
	t->g->rule = "pv-vcpu-gdt"; /* the number of its entries is next */
	return 0;
}

/*
 * The hypervisor judges every descriptor in the pages of a GDT, and refuses with a bare error code.
 * Its demand is checked here, where a refusal can name the descriptor.
 */
static int check_descriptors(struct gw_restore_guest *g, const uint8_t *context,
			     struct gw_error *err)
{
	const struct gw_pv_layout *l = ((struct gw_pv_restore *)g->priv)->layout;
	uint64_t ents = gw_pv_get_word(l, context + l->vcpu_gdt_ents);
	const char *fault = NULL;

	for (unsigned i = 0; !fault && i < (ents + GW_PV_DESCRIPTORS - 1) / GW_PV_DESCRIPTORS;
	     i++) {
		uint64_t mfn = gw_pv_get_word(l, gw_pv_word_at(l, context + l->vcpu_gdt, i));
		struct gw_mapping mapping;
		unsigned at;
		void *page;

		if (gw_domain_map(g->domain, 1, &mfn, false, &page, &mapping, err) < 0)
			return gw_fail_in(err, "GDT frame %u", i);
		fault = gw_pv_descriptors_fault(l->width, page, &at);
		if (fault)
			gw_fail(err, GW_INVALID,
				"GDT frame %u: descriptor %u is 0x%016" PRIx64 ": %s", i, at,
				gw_get_le64((uint8_t *)page + (size_t)at * 8), fault);
		gw_domain_unmap(g->domain, &mapping);
	}
	return fault ? -1 : 0;
}

static int apply_basic(struct gw_restore_guest *g, uint32_t vcpu, struct gw_buffer *blob,
		       struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	const struct gw_pv_layout *l = r->layout;
	struct translation t = {.g = g};
	/* A copy: the record is still as it came when the next round is taken over. */
	uint8_t context[8192];

	if (blob->len != l->vcpu_size || blob->len > sizeof(context))
		return gw_fail(err, GW_INVALID, "its context has %zu bytes, expected %u", blob->len,
			       l->vcpu_size);
	memcpy(context, blob->data, blob->len);
	g->rule = "pv-vcpu-gdt";
	if (gw_pv_translate_context(l, vcpu, context, false, pfn_to_mfn, &t, err) < 0)
		return -1;
	g->rule = "pv-gdt-descriptor";
	if (check_descriptors(g, context, err) < 0)
		return -1;
	g->rule = "pv-start-info";
	if (vcpu == 0 && apply_start_info(g, t.start_info, err) < 0)
		return -1;
	g->rule = "pv-table-tree";
	gw_put_le32(context + l->vcpu_flags,
		    gw_get_le32(context + l->vcpu_flags) | GW_PV_VCPU_ONLINE);
	if (gw_domain_set_vcpu(g->domain, vcpu, GW_REC_X86_PV_VCPU_BASIC, context, blob->len,
			       err) == 0)
		return 0;
	if (err && err->rule)
		g->rule = err->rule;
	return -1;
}

static int apply_vcpu(struct gw_restore_guest *g, uint32_t vcpu, struct gw_error *err)
{
	static const uint32_t types[GW_PV_VCPU_KINDS] = {
		GW_REC_X86_PV_VCPU_BASIC,
		GW_REC_X86_PV_VCPU_EXTENDED,
		GW_REC_X86_PV_VCPU_XSAVE,
		GW_REC_X86_PV_VCPU_MSRS,
	};
	struct gw_pv_restore *r = g->priv;
	struct gw_buffer *blobs = &r->vcpus[(size_t)vcpu * GW_PV_VCPU_KINDS];

	g->rule = "pv-vcpu-state";
	if (blobs[0].len == 0) {
		if (vcpu == 0)
			return gw_fail(err, GW_INVALID, "the stream has no context of it");
		for (unsigned i = 1; i < GW_PV_VCPU_KINDS; i++)
			if (blobs[i].len > 0)
				return gw_fail(err, GW_INVALID, "%s without its basic context",
					       gw_record_name(types[i]));
		return 0;
	}
	if (apply_basic(g, vcpu, &blobs[0], err) < 0)
		return -1;
	g->rule = "pv-vcpu-state";
	for (unsigned i = 1; i < GW_PV_VCPU_KINDS; i++)
		if (blobs[i].len > 0 && gw_domain_set_vcpu(g->domain, vcpu, types[i], blobs[i].data,
							   blobs[i].len, err) < 0)
			return gw_fail_in(err, "%s", gw_record_name(types[i]));
	return 0;
}

/* A restore that goes on after faults pins one by one, to find each table that is refused. */
static int pin_batch(struct gw_restore_guest *g, size_t n, const uint64_t *mfns,
		     const uint8_t *types, struct gw_error *err)
{
	if (!g->faults.report)
		return gw_domain_pin(g->domain, n, mfns, types, err);
	for (size_t i = 0; i < n; i++) {
		g->rule = "pv-table-tree";
		if (gw_domain_pin(g->domain, 1, mfns + i, types + i, err) < 0 &&
		    !gw_restore_survives(g, err))
			return -1;
	}
	return 0;
}

static int pin_tables(struct gw_restore_guest *g, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	uint64_t mfns[PIN_BATCH];
	uint8_t types[PIN_BATCH];
	size_t n = 0;

	for (uint64_t pfn = 0; pfn < r->tables_end; pfn++) {
		unsigned level = gw_page_table_level(r->types[pfn]);

		/* Xen does not look at the pin of a level that the guest does not have. */
		if (level == 0 || level > r->layout->levels || !(r->types[pfn] & GW_PAGE_PINNED))
			continue;
		mfns[n] = gw_pv_new_mfn(r, pfn);
		types[n] = r->types[pfn];
		if (mfns[n] == GW_INVALID_PFN) {
			g->rule = "pv-table-tree";
			gw_fail(err, GW_INVALID, "page table pfn 0x%" PRIx64 " has no page to pin",
				pfn);
			if (!gw_restore_survives(g, err))
				return -1;
			continue;
		}
		if (++n == PIN_BATCH) {
			if (pin_batch(g, n, mfns, types, err) < 0)
				return -1;
			n = 0;
		}
	}
	return n ? pin_batch(g, n, mfns, types, err) : 0;
}

int gw_pv_apply(struct gw_restore_guest *g, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;

	if (!r->layout || r->nr_pfns == 0)
		return gw_fail(err, GW_INVALID, "the stream has no X86_PV_INFO or no P2M frames");
	if (apply_shared_info(g, err) < 0 || gw_x86_apply_state(&r->x86, g, err) < 0)
		return -1;
	for (uint32_t vcpu = 0; vcpu < r->nr_vcpus; vcpu++)
		if (apply_vcpu(g, vcpu, err) < 0) {
			gw_fail_in(err, "vCPU %u", vcpu);
			if (!gw_restore_survives(g, err))
				return -1;
		}
	g->rule = "pv-table-tree";
	if (pin_tables(g, err) < 0)
		return -1;
	if (gw_pv_write_p2m(g, err) < 0)
		return -1;
	g->rule = NULL;
	return gw_restore_seed_grants(g, err);
}
